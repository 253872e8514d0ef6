"""What is wrong under a root, and what to do about it: every record, commit and file looked at, nothing changed.

Design: `factory verify` proves a dataset that is there; this explains a run that did not get so far. Each check reads
what it needs and gives findings in words; one that meets a damaged object says so and goes on with the next, so one
torn file does not hide another. Files are looked up in listings; their bytes are only read, and held against the
hashes of their commits, where that is asked for.

Cost: the records of the runs, a listing and the commits of every step they name; with bytes, every byte of those steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from factory.errors import FactoryError, StoreError
from factory.identity import sha256_hex
from factory.run.outputs import outputs_key, read_outputs
from factory.run.record import Record, done_key, plan_key, read_done, record_key
from factory.store.base import AbsentObjectError, Store
from factory.store.commit_index import FOLD_AT, each_outcome
from factory.store.commits import Commit, ahead, commit_key, committed_units
from factory.store.garbage import KINDS
from factory.store.lease import is_held
from factory.store.objects import absent, how_to_restore, read_mapping

BEGUN_OFTEN = 3
"""Attempts at a unit without a commit from which something other than chance is at work."""

SHOWN = 3
"""Objects of one kind that are named; all are counted."""


@dataclass(frozen=True)
class Finding:
    """`broken`: something has to be done before the run can go on; else it is worth knowing."""

    about: str
    what: str
    cause: str = ""
    remedy: str = ""
    broken: bool = True

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def examine_run(store: Store, record: Record, bytes_too: bool = False) -> Iterator[Finding]:
    """What is wrong with a run and with the steps it names."""
    run = str(record["run"])
    yield from guarded(f"run {run}", partial(_state, store, record), record_key(run))
    yield from guarded(f"run {run}", partial(_steps, store, record, bytes_too), record_key(run))
    yield from guarded(f"run {run}", partial(_engines, record), record_key(run))


def _steps(store: Store, record: Record, bytes_too: bool) -> Iterator[Finding]:
    run = str(record["run"])
    for name, folder in record["steps"].items():
        about = f"step {name} of run {run}"
        for look, key in (
            (partial(_step, store, folder, about, bytes_too), f"steps/{folder}/step.json"),
            (partial(_records, store, run, name), plan_key(run, name)),
            (partial(_progress, store, run, name, folder, about), done_key(run, name)),
        ):
            for finding in guarded(about, look, key):
                yield _of_finished(finding, run) if finding.broken and record["state"] == "finished" else finding


def _engines(record: Record) -> Iterator[Finding]:
    run = str(record["run"])
    for model, starts in record.get("engine_starts", {}).items():
        if starts["replacements"]:
            yield Finding(
                f"run {run}",
                f"{starts['replacements']} engines of {model} were lost and replaced",
                cause="out of memory, a prompt that kills the engine, or machines that went away",
                remedy="quarantined rows below say which prompts it was; none: give engines more memory",
                broken=False,
            )


def _of_finished(finding: Finding, run: str) -> Finding:
    """A finished run is answered from its record, and would find nothing to do."""
    again = f"the run has finished: delete {record_key(run)} as well, so that it looks again"
    return replace(
        finding, remedy=finding.remedy if record_key(run) in finding.remedy else f"{finding.remedy}; {again}"
    )


def is_alive(store: Store, run: str) -> bool:
    """Whether a run that is recorded as running gave a sign of life lately."""
    return is_held(store, f"run-{run}")


def guarded(about: str, look: Callable[[], Iterator[Finding]], key: str = "") -> Iterator[Finding]:
    """The findings of a check, and as one more the damaged object that ended it. `key` is what it reads: an object may
    be whole JSON and say other things than this version writes."""
    try:
        yield from look()
    except AbsentObjectError as error:
        yield _finding(about, absent(error))
    except FactoryError as error:
        yield _finding(about, error)
    except NOT_AS_WRITTEN as error:
        yield _strange(about, error, key)


NOT_AS_WRITTEN = (KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What reading an object raises whose fields are others, or of other kinds, than this version writes."""


def _strange(about: str, error: Exception, key: str) -> Finding:
    return Finding(
        about,
        f"{key or 'an object'} says something that this version does not write ({type(error).__name__}: {error})",
        cause="another version of the factory wrote it, or somebody changed it",
        remedy=f"use the version that wrote it; or {how_to_restore(key)}",
    )


def _finding(about: str, error: FactoryError) -> Finding:
    return Finding(about, error.what, error.cause, error.remedy)


def _state(store: Store, record: Record) -> Iterator[Finding]:
    run, state = str(record["run"]), record["state"]
    about = f"run {run}"
    if state == "running" and not is_alive(store, run):
        yield Finding(
            about,
            "it was killed: its record says running, and it gives no sign of life",
            cause="its process or machine was ended without a chance to say so",
            remedy="give the same command again; it goes on where this one stopped",
        )
    elif state == "failed" and record.get("error_type") == "GateError":
        what, cause, remedy = _error_in_parts(str(record.get("error")))
        yield Finding(
            about,
            f"everything was made, and its gates did not let it be published: {what}",
            cause,
            remedy or "set other thresholds, then give the same command again; what is committed is kept",
            broken=False,
        )
    elif state in ("failed", "interrupted"):
        yield Finding(
            about,
            f"it {'failed' if state == 'failed' else 'was interrupted'}: {record.get('error') or 'it does not say'}",
            remedy="mend what it says, then give the same command again; what is committed is kept",
        )
    elif state == "finished" and record.get("dataset"):
        if store.head(f"{record['dataset']}/manifest.json") is None:
            yield Finding(
                about,
                f"its dataset is not there any more: no {record['dataset']}/manifest.json",
                cause="it was deleted or moved",
                remedy="give the same command again to publish it anew from what is committed",
            )


def _error_in_parts(error: str) -> tuple[str, str, str]:
    """What, cause and remedy of a FactoryError that a record holds as text; what without the gates' evidence, which
    the run's report has."""
    said, _, rest = error.partition("\n  likely cause: ")
    cause, _, remedy = rest.partition("\n  what to do:   ")
    listed = [line.strip(" -") for line in said.splitlines() if not line.startswith(EVIDENCE)]
    return " ".join(listed[:1]) + (" " + "; ".join(listed[1:]) if listed[1:] else ""), cause, remedy


EVIDENCE = "      "
"""How lines of evidence begin in the message of failed gates (publish/gates/results.py)."""


def _step(store: Store, folder: str, about: str, bytes_too: bool) -> Iterator[Finding]:
    read_mapping(store, f"steps/{folder}/step.json", ("version", "own"))
    sizes: dict[str, int] = {}
    begun: Counter[str] = Counter()
    committed: set[str] = set()
    for info in store.list(f"steps/{folder}/"):
        kind, _, name = info.key.removeprefix(f"steps/{folder}/").partition("/")
        if kind in KINDS:
            sizes[info.key] = info.size
        elif kind == "attempts":
            begun[name.split(".")[0]] += 1
        elif kind == "commits" and name.endswith(".json"):
            committed.add(name.rpartition("/")[2].removesuffix(".json"))
    unreadable: list[StoreError] = []
    passed_over: list[StoreError] = []
    astray: dict[str, Commit] = {}

    def named() -> Iterator[tuple[str, str]]:
        for unit, outcome in each_outcome(store, folder, committed, None if bytes_too else FOLD_AT, passed_over):
            if isinstance(outcome, StoreError):
                unreadable.append(outcome)
            elif isinstance(outcome, Commit) and (outcome.step, outcome.unit) != (folder, unit):
                astray[unit] = outcome
            elif isinstance(outcome, Commit):
                yield from _files(outcome)

    looked_at = ahead(named(), lambda file: None if _is_whole(store, sizes, *file, bytes_too) else file[0])
    lost = [key for key in looked_at if key is not None]
    yield from (_finding(about, error) for error in unreadable)
    for unit, commit in sorted(astray.items()):
        yield Finding(
            about,
            f"{commit_key(folder, unit)} is the commit of another unit: {commit.unit} of {commit.step}",
            cause="it was copied or renamed",
            remedy=how_to_restore(commit_key(folder, unit)),
        )
    for error in passed_over:
        remedy = "delete it: it is a copy of commits, which are read one by one meanwhile"
        yield Finding(about, error.what, error.cause, remedy, broken=False)
    if lost:
        yield Finding(
            about,
            f"{len(lost)} committed files are gone or changed: {', '.join(lost[:SHOWN])}{' …' if lost[SHOWN:] else ''}",
            cause="they were removed or changed after they were written, or only a part of the root was copied here",
            remedy=how_to_restore(lost[0]),
        )
    often = sorted(unit for unit, times in begun.items() if times >= BEGUN_OFTEN and unit not in committed)
    if often:
        yield Finding(
            about,
            f"{len(often)} units were begun {BEGUN_OFTEN} times or more, never committed: {', '.join(often[:SHOWN])}",
            cause="whoever works them dies: too little memory, a deadline that is too short, or machines that go away",
            remedy="look at the run's error; raise cluster.attempt_deadline_s, or lower select.unit_rows",
        )


def _files(commit: Commit) -> list[tuple[str, str]]:
    """Keys and SHA-256 of what a commit names."""
    own = [(file.key, file.sha256) for file in commit.files]
    return own + [(str(other["key"]), str(other["sha256"])) for other in commit.other_files.values()]


def _is_whole(store: Store, listed: Mapping[str, int], key: str, digest: str, bytes_too: bool) -> bool:
    if not listed.get(key):
        # Beside a running run a unit's commit may be in a listing that came to the folder of its files too early.
        found = store.head(key)
        if found is None or not found.size:
            return False
    return not bytes_too or sha256_hex(store.get(key)) == digest


def _records(store: Store, run: str, name: str) -> Iterator[Finding]:
    """What later steps read of this one, where it has finished."""
    read_mapping(store, plan_key(run, name), ("units",))
    if store.head(outputs_key(run, name)) is not None:
        read_outputs(store, outputs_key(run, name))
    return iter(())


def _progress(store: Store, run: str, name: str, folder: str, about: str) -> Iterator[Finding]:
    units = set(read_mapping(store, plan_key(run, name), ("units",))["units"])
    left = sorted(units - committed_units(store, folder))
    done = read_done(store, run, name)
    finished = done is not None and done["folder"] == folder
    if left:
        although = ", although it had finished" if finished else ""
        yield Finding(
            about,
            f"{len(left):,} of its {len(units):,} units are not committed{although}",
            cause=f"their commits were removed: {', '.join(left[:SHOWN])}" if finished else "",
            remedy="give the run's command again: it works these and no others",
            broken=finished,
        )
    quarantined: Mapping[str, int] = done.get("reasons", {}).get("quarantine", {}) if done is not None else {}
    if quarantined:
        reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(quarantined.items()))
        yield Finding(
            about,
            f"quarantined rows: {sum(quarantined.values()):,} ({reasons})",
            cause="they broke the machinery, not a rule: see the evidence of each",
            remedy=f"they lie in steps/{folder}/rejects/ with side `quarantine`; the run's report shows some",
            broken=False,
        )


def worst_first(findings: Sequence[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: not finding.broken)
