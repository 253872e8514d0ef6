"""What a trial came to: rows against the reference, attempts against the promise.

Design: pure functions over what was observed before (at the moments of the trial) and after (when the same command had
ended well); nothing here reads a file. Words: an attempt is *lost* when another one's commit holds its unit. It was
*re-done* work where it was under way when the fault struck, at most what was in flight then. It was *re-paid* where it
began at a unit that was committed already; that must never happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tests.faults.observed import Attempt, Observed

Unit = tuple[str, str]
Tables = Mapping[str, pa.Table]
Prompts = Mapping[Unit, Mapping[str, str]]
"""(step folder, unit) -> request id -> SHA-256 of its prompt."""

NAMED = 3
"""Things of one kind that are named in a problem; all are counted."""


@dataclass(frozen=True)
class Outcome:
    """Figures of one trial. `lost`, `doubled`: rows; `repaid`, `redone`, `in_flight`: requests, the last as seen when
    the fault was injected; `lost_attempts` also of steps that ask nothing. `problems` in words; none: it held."""

    result: Mapping[str, Any] = field(default_factory=dict)
    lost: int = 0
    doubled: int = 0
    repaid: int = 0
    redone: int = 0
    lost_attempts: int = 0
    in_flight: int = 0
    replacements: int = 0
    reruns: int = 0
    problems: tuple[str, ...] = ()
    after: Observed = field(default_factory=lambda: Observed({}, {}, ()))


def lost_and_doubled(
    calm: Tables, found: Tables, may_lose: Callable[[Mapping[str, Any]], bool] | None = None
) -> tuple[set[str], Counter[str]]:
    """Sample ids of the reference that are missing, and those that are there too often, with how often too often. A row
    that the reference does not have is there once too often."""
    wanted = {row["sample_id"]: row for row in _rows(calm)}
    times = Counter(row["sample_id"] for row in _rows(found))
    lost = {name for name, row in wanted.items() if name not in times and not (may_lose and may_lose(row))}
    return lost, Counter({name: n - (name in wanted) for name, n in times.items() if n > (name in wanted)})


def differing_rows(
    calm: Tables, found: Tables, may_lose: Callable[[Mapping[str, Any]], bool] | None = None
) -> list[str]:
    """Splits that are not equal row by row, with the first row in which they differ."""
    if calm.keys() != found.keys():
        return [f"splits {sorted(found)} instead of {sorted(calm)}"]
    problems = []
    for split, table in calm.items():
        if table.equals(found[split]):
            continue
        there = {row["sample_id"] for row in found[split].to_pylist()}
        expected = [row for row in table.to_pylist() if row["sample_id"] in there or not (may_lose and may_lose(row))]
        pairs = list(zip(expected, found[split].to_pylist(), strict=False))
        first = next(((a, b) for a, b in pairs if a != b), None)
        if first is not None:
            columns = [name for name in first[0] if first[0][name] != first[1].get(name)]
            problems.append(f"{split}: row {first[0]['sample_id']} differs in {', '.join(columns)}")
        elif len(expected) != found[split].num_rows:
            problems.append(f"{split}: {found[split].num_rows} rows instead of {len(expected)}")
    return problems


def differing_prompts(calm: Prompts, found: Prompts, always: Sequence[str]) -> list[str]:
    """Units whose requests are not those of the reference. Units are named by the content they read: where text that a
    model wrote differs, those after it are others. Steps in `always` read no such text and must agree in all units."""
    problems = [
        f"unit {unit} of {folder}: other requests or prompts than undisturbed"
        for (folder, unit) in sorted(calm.keys() & found.keys())
        if calm[folder, unit] != found[folder, unit]
    ]
    missing = [unit for unit in sorted(calm.keys() - found.keys()) if unit[0].rpartition("-")[0] in always]
    return problems + ([f"{len(missing)} units are missing: {_some(missing)}"] if missing else [])


def changed_commits(moments: Iterable[Observed], after: Observed, destroyed: set[Unit]) -> list[str]:
    """Commits that were there at a moment and are gone or have other bytes."""
    changed = sorted(
        {
            unit
            for seen in moments
            for unit, body in seen.commits.items()
            if unit not in destroyed and after.commits.get(unit) != body
        }
    )
    return [f"{len(changed)} committed units did not keep their bytes: {_some(changed)}"] if changed else []


def lost_attempts(after: Observed, destroyed: set[Unit]) -> list[Attempt]:
    return [
        each
        for each in after.attempts
        if (each.folder, each.unit) not in destroyed and after.winner((each.folder, each.unit)) != each.attempt
    ]


def repaid_attempts(moments: Sequence[Observed], after: Observed, destroyed: set[Unit]) -> list[Attempt]:
    """Lost attempts that began after their unit had been committed, by the store's clock or by two looks at it."""
    found = []
    for each in lost_attempts(after, destroyed):
        unit = (each.folder, each.unit)
        committed = after.committed_at.get(unit)
        later = committed is not None and each.begun > committed
        if later or any(unit in seen.commits and each.key not in _keys(seen) for seen in moments):
            found.append(each)
    return found


def requests_of(attempts: Iterable[Attempt], after: Observed) -> int:
    """What attempts asked at most: what they planned, or what the commit of their unit needed where rounds made it
    more."""
    total = 0
    for each in attempts:
        unit = (each.folder, each.unit)
        needed = after.commit(unit)["ledger"].get("requests", 0) if after.winner(unit) is not None else 0
        total += max(each.requests, int(needed))
    return total


def unconserved(dones: Iterable[Mapping[str, Any]]) -> list[str]:
    """Steps whose rows do not add up, each by itself and against the steps it reads."""
    by_step = {done["step"]: done for done in dones}
    problems = []
    for step, done in by_step.items():
        counts = done["counts"]
        if counts["inputs"] != counts["used"] + counts["rejected"] + counts["quarantined"]:
            problems.append(f"{step}: rows read are not those used, rejected and quarantined")
        if counts["produced"] != counts["accepted"] + counts["output_rejected"]:
            problems.append(f"{step}: rows produced are not those accepted and rejected")
        if done["reads"]:
            accepted = sum(by_step[name]["counts"]["accepted"] for name in done["reads"])
            if counts["inputs"] != accepted:
                problems.append(f"{step}: read {counts['inputs']} rows, but {accepted} had been accepted")
    return problems


def unrecorded_losses(dones: Iterable[Mapping[str, Any]], lost: Iterable[Attempt]) -> list[str]:
    """Steps whose ledger does not know of as many lost attempts as there are receipts of."""
    counted = Counter(each.folder for each in lost)
    return [
        f"{done['step']}: {counted[done['folder']]} attempts were lost, its ledger says {recorded}"
        for done in dones
        if (recorded := done["lost"].get("attempts", 0)) != counted[done["folder"]]
    ]


def _rows(tables: Tables) -> Iterable[Mapping[str, Any]]:
    return (row for table in tables.values() for row in table.to_pylist())


def _keys(seen: Observed) -> frozenset[str]:
    return frozenset(each.key for each in seen.attempts)


def _some(units: Sequence[Unit]) -> str:
    return ", ".join("/".join(unit) for unit in units[:NAMED]) + (" …" if units[NAMED:] else "")
