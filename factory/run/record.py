"""The run record: `runs/<run>.json`, what a run is and how far it got.

Design: the run id is the hash of the configuration without cluster, store, engine and prices, together
with the models' revisions: the same command finds its run on any machine. The record is convenience, not
truth: progress is what the steps' commits say. It never holds a credential.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from factory.config import FactoryConfig
from factory.errors import StoreError
from factory.identity import canonical_json, fingerprint
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import damaged, names_below, read_mapping, typed_in

Record = dict[str, Any]


def run_id_of(config: FactoryConfig, models: Mapping[str, Any]) -> str:
    """16 hexadecimal digits."""
    return fingerprint({"recipe": config.recipe(), "models": dict(models)})[:16]


def record_key(run: str) -> str:
    return f"runs/{run}.json"


def run_ids(store: Store) -> list[str]:
    """Ids of the runs that have a record below a root."""
    return names_below(store, "runs/")


def read_record(store: Store, run: str) -> Record | None:
    """Raises StoreError when it is damaged."""
    return _read(store, record_key(run), ("run",))


def write_record(store: Store, record: Record) -> None:
    store.put(record_key(record["run"]), orjson.dumps(record, option=orjson.OPT_INDENT_2))


def done_key(run: str, step: str) -> str:
    return f"runs/{run}/{step}.done.json"


def read_done(store: Store, run: str, step: str) -> Record | None:
    """Raises StoreError when it is damaged, or a number that others add up is none."""
    key = done_key(run, step)
    done = _read(store, key, ("folder", "counts", "ledger"))
    if done is not None:
        typed_in(_Done, done, store.uri, key)
    return done


def section_of(config: Any, name: str) -> Mapping[str, Any]:
    """A section of a recorded configuration; empty where an older record, or one that was edited, has none."""
    found = config.get(name) if isinstance(config, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def finished_steps(store: Store, record: Mapping[str, Any], problems: list[str] | None = None) -> dict[str, Record]:
    """The done records of the steps that have finished as the run has them now, in their order; one of another folder
    is of an earlier execution, over other rows. A damaged one is named in `problems`; without those, raises
    StoreError."""
    run, found = str(record["run"]), {}
    for name, folder in (record.get("steps") or {}).items():
        try:
            done = read_done(store, run, name)
        except StoreError as error:
            if problems is None:
                raise
            problems.append(f"the figures of step {name} of run {run}: {error.what}; {error.remedy}")
            continue
        if done is not None and done["folder"] == folder:
            found[name] = done
    return found


@dataclass(frozen=True)
class _Done:
    """What everybody reads of a done record."""

    folder: str
    counts: Counted
    ledger: Mapping[str, float]


@dataclass(frozen=True)
class Counted:
    inputs: int
    used: int
    rejected: int
    quarantined: int
    accepted: int
    output_rejected: int
    produced: int


def write_done(store: Store, run: str, done: Record) -> None:
    store.put(done_key(run, done["step"]), canonical_json(done))


def plan_key(run: str, step: str) -> str:
    return f"runs/{run}/{step}.plan.json"


def kept_plan_key(folder: str, digest: str) -> str:
    """A plan under the digest of its units. A grown corpus plans anew under the same run and overwrites
    `plan_key`; what a published dataset was made of has to stay provable."""
    return f"steps/{folder}/plans/{digest}.json"


def planned_units(store: Store, run: str, step: str) -> list[str]:
    """Ids of the units a finished stage of this run covered."""
    key = plan_key(run, step)
    units: Any = read_mapping(store, key, ("units",))["units"]
    if not isinstance(units, list) or not all(isinstance(unit, str) for unit in units):
        raise damaged(store.uri, key, "units: no list of ids")
    ids: list[str] = units
    return ids


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _read(store: Store, key: str, required: Sequence[str]) -> Record | None:
    try:
        return read_mapping(store, key, required)
    except AbsentObjectError:
        return None
