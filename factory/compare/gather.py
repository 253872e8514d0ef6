"""From the store to the facts of a comparison.

Design: of each run its record, one `done` record a step, the results of its gates and the evaluations of its dataset;
no row is read. What is missing or damaged is left out and named. The points of a sweep are found by their run or, while
that is not known, by what they are (sweep/points.py): a point says which run it is at its end.

Cost: some 20 small reads a run that is compared (21 of one of 15 steps).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from factory.compare.facts import Better, Compared, Comparison, Metric
from factory.config import load_config
from factory.cost.config import PricesConfig
from factory.cost.runs import cost_of_run
from factory.errors import ConfigError, FactoryError, StoreError, TransientStoreError
from factory.publish.places import records_beside
from factory.run.diagnosis import NOT_AS_WRITTEN, is_alive
from factory.run.record import Record, finished_steps, plan_key, record_key, run_ids
from factory.store.base import AbsentObjectError, Store
from factory.store.commits import committed_units
from factory.store.objects import read_mapping
from factory.sweep.differences import differing
from factory.sweep.points import identity_of
from factory.sweep.record import PointRecord, SweepRecord, find_sweep, is_worked


def gather(
    store: Store,
    sweep: str | None = None,
    runs: Sequence[str] = (),
    prices: PricesConfig | None = None,
) -> Comparison:
    """The runs of a root, oldest first; those named in `runs`; or the points of `sweep` (an id, its beginning, or
    "last"). `prices` replaces those the runs have recorded.

    Raises ConfigError where there is no run, or not the sweep or run that was named.
    """
    problems: list[str] = []
    if sweep is not None:
        return _of_sweep(store, find_sweep(store, sweep), prices, problems)
    ids = run_ids(store)
    wanted = [_named(store, ids, run) for run in runs] if ids else []
    records = list(_records(store, wanted or ids, problems).values())
    if not records:
        what = f"no run under {store.uri} can be read" if ids else f"there is no run under {store.uri}"
        raise ConfigError(
            what + "".join(f"\n  {problem}" for problem in problems),
            cause="" if ids else "a mistyped root, or nothing has been run there yet",
            remedy=f"`factory doctor {store.uri}` says what can be done about them"
            if ids
            else "give the folder or s3:// address that the runs had as store.root",
        )
    if not runs:
        records.sort(key=_started)
    rows = [_row(store, record, prices, problems) for record in records]
    differs = differing(_told(records))
    rows = [replace(row, differs=told, name=_name(told)) for row, told in zip(rows, differs, strict=True)]
    return Comparison(store.uri, tuple(rows), problems=tuple(problems))


def _records(store: Store, runs: Iterable[str], problems: list[str]) -> dict[str, Record]:
    """The records of `runs` that can be read, in their order."""
    found = {}
    for run in runs:
        try:
            found[run] = read_mapping(store, record_key(run), ("run", "state", "started", "steps", "config"))
        except TransientStoreError:
            raise
        except (StoreError, AbsentObjectError) as error:
            problems.append(" ".join(str(error).split()))
    return found


def _started(record: Record) -> str:
    return str(record["started"])


def _named(store: Store, ids: Sequence[str], wanted: str) -> str:
    found = [run for run in ids if run.startswith(wanted)] if wanted not in ids else [wanted]
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        f"{len(found)} runs under {store.uri} begin with {wanted}" if found else f"there is no run {wanted} there",
        cause="too few digits" if found else "a mistyped run id or root",
        remedy="`factory compare ROOT` without --run lists all runs of a root",
    )


def _told(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What of each record can tell it from the others: its configuration, and which files its models are."""
    models = [_mapping(record.get("models")) for record in records]
    roles = [role for role in models[0] if all(isinstance(each.get(role), Mapping) for each in models)]
    return [
        {**_config(record), **{f"models.{role}.revision": _mapping(each[role]).get("revision") for role in roles}}
        for record, each in zip(records, models, strict=True)
    ]


def _config(record: Record) -> Mapping[str, Any]:
    """As this version has it, with the keys that were not there when it was recorded; as recorded where it cannot."""
    try:
        return load_config(record["config"]).model_dump(mode="json")
    except (FactoryError, TypeError, ValueError):
        return _mapping(record["config"])


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _name(differs: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in differs.items())


def _of_sweep(
    store: Store,
    sweep: SweepRecord,
    prices: PricesConfig | None,
    problems: list[str],
) -> Comparison:
    lives = is_worked(store, sweep)
    runs = dict.fromkeys(point.run for point in sweep.points)
    # A point whose run is not known yet may have any of the root's.
    records = _records(store, run_ids(store) if None in runs else filter(None, runs), problems)
    known = _by_identity(records.values()) if None in runs else {}
    rows: dict[int, Compared] = {}
    for point in sweep.points:
        if point.same_as in rows:
            shown = rows[point.same_as]
        else:
            record = records.get(point.run or "", known.get(point.identity))
            shown = _row(store, record, prices, problems) if record else Compared(point.name, "")
        state, error = _state_of_point(point, shown, lives)
        rows[point.point] = replace(
            shown,
            name=point.name,
            point=point.point,
            same_as=point.same_as,
            differs=point.differs,
            state=state,
            error=error,
        )
    state = "stopped" if sweep.state == "running" and not lives else sweep.state
    return Comparison(store.uri, tuple(rows.values()), sweep.sweep, state, sweep.command, tuple(problems))


def _by_identity(records: Iterable[Record]) -> dict[str, Record]:
    """Records by what their command was; of several (a model's files changed) the one started last."""
    found = {}
    for record in sorted(records, key=_started):
        try:
            found[identity_of(load_config(record["config"]))] = record
        except FactoryError:
            continue  # another version's: it is no run of this sweep
    return found


def _state_of_point(point: PointRecord, row: Compared, lives: bool) -> tuple[str, str]:
    """What a point's run says of itself, where it has one; a point may fail before there is a run."""
    own = {"finished": "waiting", "running": "running" if lives else "stopped"}.get(point.state, point.state)
    if not row.state:
        return own, point.error
    if point.state == "failed" and row.state in ("finished", "stopped"):
        return "failed", point.error
    return row.state, row.error or ("" if row.complete else point.error)


def _row(store: Store, record: Record, prices: PricesConfig | None, problems: list[str]) -> Compared:
    """A run; of one whose records say what this version does not write, its name and state."""
    try:
        return _whole_row(store, record, prices, problems)
    except TransientStoreError:
        raise
    except (*NOT_AS_WRITTEN, FactoryError) as error:
        problems.append(f"the figures of run {record['run']}: {type(error).__name__}: {error}")
        return Compared(str(record["run"]), str(record["state"]), run=str(record["run"]))


def _whole_row(store: Store, record: Record, prices: PricesConfig | None, problems: list[str]) -> Compared:
    run = str(record["run"])
    dones = finished_steps(store, record, problems)
    state = str(record["state"])
    if state == "running" and not is_alive(store, run):
        state = "stopped"
    asked = [done["counts"] for name, done in dones.items() if name.startswith("question_")]
    dataset = str(record.get("dataset") or "")
    if dataset and state == "finished" and store.head(f"{dataset}/manifest.json") is None:
        problems.append(f"the dataset of run {run} is not there any more: no {dataset}/manifest.json")
    return Compared(
        name=run,
        state=state,
        run=run,
        at="" if state == "finished" else _at(store, run, record, dones),
        error=str(record.get("error") or "").partition("\n  likely cause: ")[0],
        started=str(record.get("started") or ""),
        dataset=dataset,
        documents=_documents(dones),
        written=sum(int(counts["produced"]) for counts in asked) if asked else None,
        questions=sum(int(counts["accepted"]) for counts in asked) if asked else None,
        samples=_samples(record, dones, state),
        rejected=_rejected(dones),
        cost=cost_of_run(run, _mapping(record["config"]), dones, prices),
        metrics={
            **_gates(store, run, dones, problems),
            **_verified(dones),
            **_evaluations(store, dataset, problems),
        },
    )


def _at(store: Store, run: str, record: Record, dones: Mapping[str, Record]) -> str:
    """The step that an unfinished run is at, and how far."""
    left = [(name, folder) for name, folder in record["steps"].items() if name not in dones]
    if not left:
        return f"after {list(dones)[-1]}" if dones else ""
    name, folder = left[0]
    try:
        planned = set(read_mapping(store, plan_key(run, name), ("units",))["units"])
    except (AbsentObjectError, StoreError):
        return f"at {name}"
    return f"at {name}, {len(planned & committed_units(store, folder))} of {len(planned)} units"


def _documents(dones: Mapping[str, Record]) -> int | None:
    """Documents that were asked about: after duplicates were merged and `limit` was applied."""
    facts = dones.get("merge", {}).get("facts") or {}
    return int(facts["documents"]) if "documents" in facts else None


def _samples(record: Record, dones: Mapping[str, Record], state: str) -> int | None:
    if state == "finished" and isinstance(record.get("samples"), int):
        return int(record["samples"])
    for name in ("shards", "recheck", "samples"):
        if name in dones:
            return int(dones[name]["counts"]["accepted"])
    return None


def _rejected(dones: Mapping[str, Record]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, done in dones.items():
        for reasons in (done.get("reasons") or {}).values():
            for reason, rows in reasons.items():
                found[f"{name}.{reason}"] += int(rows)
    return dict(found)


def _gates(store: Store, run: str, dones: Mapping[str, Record], problems: list[str]) -> dict[str, Metric]:
    if "gate" not in dones:
        return {}
    from factory.run.publication import gate_results

    try:
        results = gate_results(store, run)
    except (KeyError, IndexError, OSError, ValueError, FactoryError) as error:
        problems.append(f"the results of the gates of run {run} could not be read: {error}")
        return {}
    better: dict[str, Better] = {"min": "higher", "max": "lower"}
    return {
        f"measured.{gate.name}": Metric(
            gate.measured, better.get(gate.bound, "neither"), "", gate.meaning, not gate.passed
        )
        for gate in results
    }


VERIFIED = "verified="
"""Begin of the check step's facts of verdicts by level (factory/answers/check.py)."""


def _verified(dones: Mapping[str, Record]) -> dict[str, Metric]:
    """Shares of answers by verdict."""
    found: Counter[str] = Counter()
    for name, rows in (dones.get("check", {}).get("facts") or {}).items():
        if name.startswith(VERIFIED):
            found[name.rpartition(": ")[2]] += int(rows)
    whole = sum(found.values())
    better: dict[str, Better] = {"yes": "higher", "no": "lower"}
    return {
        f"verified.{verdict}": Metric(
            found[verdict] / whole, better.get(verdict, "neither"), "share", f"answers whose verdict is {verdict}"
        )
        for verdict in sorted(found)
    }


def _evaluations(store: Store, dataset: str, problems: list[str]) -> dict[str, Metric]:
    """Figures of every evaluation of the dataset (`python -m jobs.evaluate`); where two measured the same, the last."""
    if not dataset:
        return {}
    from factory.evaluate.dataset.page import JSON, KIND

    parent, _, version = dataset.rpartition("/")
    found: list[dict[str, Any]] = []
    for info in store.list(f"{parent}/{records_beside(version)}/"):
        if info.key.endswith(f"/{JSON}"):
            try:
                value = read_mapping(store, info.key, ("kind", "sections"))
            except (StoreError, AbsentObjectError) as error:
                problems.append(f"an evaluation of {dataset} could not be read: {error}")
                continue
            if value["kind"] == KIND:
                found.append(value)
    metrics: dict[str, Metric] = {}
    for value in sorted(found, key=lambda value: str(value.get("created"))):
        for section in _mappings(value["sections"]):
            for figure in _mappings(section.get("figures")):
                metrics[f"evaluation.{section.get('name')}.{figure.get('name')}"] = _metric(figure)
    return metrics


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _metric(figure: Mapping[str, Any]) -> Metric:
    value, better = figure.get("value"), figure.get("better")
    ways: dict[Any, Better] = {"higher": "higher", "lower": "lower"}
    return Metric(
        float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None,
        ways.get(better, "neither"),
        str(figure.get("unit") or ""),
        str(figure.get("meaning") or ""),
    )
