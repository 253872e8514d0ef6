"""Retention: what models answered, in the clear, is deleted after some days; what it cost stays.

Design: a request file holds ids, hashes of prompts, token counts and completions. Only the completions go, and the
texts that were turned away of them: costs, ledgers, and the proof that a prompt was the one that was sent, rest on the
others. Done like an erasure, under a record of kind `retention` (erasure/records.py), so verification accepts what
changed and says why. Age alone decides, whatever became of the run: one that goes on reads the data of committed units
and never their completions, so a run that failed and that nobody resumes holds nothing back. The age of a unit is that
of its attempt's receipt, by the store's own clock: a file that was rewritten meanwhile is no younger for it.
Cost: one read of every request and reject file, and one more of those that stay.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from factory.govern.erasure.closure import read_columns
from factory.govern.erasure.draft import drafted
from factory.govern.erasure.edit import edit_requests
from factory.govern.erasure.erase import (
    NOTHING_HIDDEN,
    Done,
    Say,
    done_of,
    finish,
    old_versions,
    record_of,
    refuse_beside_work,
)
from factory.govern.erasure.files import StepFile, step_files
from factory.govern.erasure.records import (
    Begun,
    Work,
    begun_key,
    erasures,
    put,
    read_record,
    require_finished,
    unfinished,
    work_key,
)
from factory.govern.erasure.switch import clear, stage, switch
from factory.govern.erasure.units import texts_held, without_completions
from factory.govern.records import require_words
from factory.identity import fingerprint
from factory.run.attempt import receipt_key
from factory.run.record import now, run_ids
from factory.run.record import read_record as read_run
from factory.store.base import Store

DAY_S = 86_400.0
NOTHING = Work(())


def retain(store: Store, days: float, by: str, say: Say) -> Done | None:
    """Removes completions older than `days`; None where there are none. Goes on where an earlier attempt was killed.

    Raises ConfigError where somebody works in the root, or the name says nothing.
    """
    require_words("name", by)
    refuse_beside_work(store)
    begun = next((each for each in unfinished(store) if each.kind == "retention"), None)
    require_finished(store, begun)
    record = read_record(store, begun.erasure) if begun else None
    if begun is not None and begun.days != days:
        say(f"one of {begun.days or 0:g} days was killed and is finished first: give this command again afterwards")
    if begun is None or record is None:
        name = begun.erasure if begun else _free(store)
        begun = begun or Begun(name, "retention", (), f"raw requests older than {days:g} days", by, now(), days)
        clear(store, name)
        with drafted(store) as (draft, spool):
            edited = edit_requests(draft, name, without_completions(Keeping.of(store, begun.days or 0)))
            record = record_of(store, spool, begun, edited, NOTHING_HIDDEN)
            if not record.changes:
                return None
            put(store, begun_key(name), begun)
            refuse_beside_work(store)
            put(store, work_key(name), NOTHING)
            stage(store, spool, record)
    switch(store, record, say)
    return finish(store, record, NOTHING, say)


def rehearse(store: Store, days: float, by: str) -> Done | None:
    """What `retain` would do, without touching the root. Raises as `retain` does."""
    require_words("name", by)
    refuse_beside_work(store)
    require_finished(store)
    begun = Begun("dry-run", "retention", (), "", "", now(), days)
    with drafted(store) as (draft, spool):
        edited = edit_requests(draft, begun.erasure, without_completions(Keeping.of(store, days)))
        record = record_of(store, spool, begun, edited, NOTHING_HIDDEN)
        return done_of(record, (), (), old_versions(store)) if record.changes else None


@dataclass(frozen=True)
class Keeping:
    """Whether a file stays: one of an attempt that ended after `before` (Unix time by the store's own clock), or of a
    step that asks no model."""

    store: Store
    before: float
    asking: frozenset[str]

    @staticmethod
    def of(store: Store, days: float) -> Keeping:
        asking = frozenset(info.key.split("/")[1] for info in store.list("steps/") if "/requests/" in info.key)
        return Keeping(store, store.clock() - days * DAY_S, asking)

    def __call__(self, file: StepFile) -> bool:
        if file.folder not in self.asking:
            return True
        made = self.made(file)
        return made is None or made > self.before

    def made(self, file: StepFile) -> float | None:
        """When the file's attempt ended, Unix time; None where nobody can say."""
        info = self.store.head(receipt_key(file.folder, file.unit, file.attempt)) or self.store.head(file.key)
        return info.modified if info is not None else None


@dataclass(frozen=True)
class Kept:
    """Texts of one kind of a step that stay, whose runs they are, and the age of the oldest in days."""

    what: str
    texts: int
    runs: tuple[str, ...]
    oldest_days: float


def kept(store: Store, days: float = 0.0) -> list[Kept]:
    """What models answered that is still there, by step and kind of file; with `days` what is younger than that."""
    keeping, now_s = Keeping.of(store, days), store.clock()
    runs = _runs_by_folder(store)
    texts: Counter[tuple[str, str]] = Counter()
    oldest: dict[tuple[str, str], float] = {}
    for file in step_files(store):
        if file.folder not in keeping.asking or file.kind == "data" or (days and not keeping(file)):
            continue
        held = texts_held(read_columns(store, file.key, {"texts", "text"}), file.kind)
        if held:
            group = file.folder, file.kind
            texts[group] += held
            age = (now_s - (keeping.made(file) or now_s)) / DAY_S
            oldest[group] = max(age, oldest.get(group, 0.0))
    return [
        Kept(f"{folder.rpartition('-')[0]} {kind}", number, runs.get(folder, ()), oldest[folder, kind])
        for (folder, kind), number in sorted(texts.items())
    ]


def _runs_by_folder(store: Store) -> dict[str, tuple[str, ...]]:
    """Folder of a step -> the runs that have it, by their records."""
    found: dict[str, list[str]] = defaultdict(list)
    for run in run_ids(store):
        record = read_run(store, run)
        for folder in ((record or {}).get("steps") or {}).values():
            found[str(folder)].append(run)
    return {folder: tuple(sorted(names)) for folder, names in found.items()}


def _free(store: Store) -> str:
    """The id of the next retention: they are numbered, and named like erasures."""
    return fingerprint(["retention", sum(begun.kind == "retention" for begun in erasures(store))])[:16]
