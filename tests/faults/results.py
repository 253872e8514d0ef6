"""What trials came to, kept so that a suite that was killed goes on: one small file a trial, by commit, case and seed.

Design: a result belongs to the state of the code it was made with (code_state.py); results of another state are never
taken for this one's. What the suite prints at the end, and what the docs say, are sums over such files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tests.faults.case import Case
from tests.faults.code_state import CodeState

KEPT = Path("results")


@dataclass(frozen=True)
class Result:
    """Figures of one trial (see outcome.Outcome). `folder` is where a failed trial lies."""

    case: str
    seed: int
    engine: str = "scripted"
    lost: int = 0
    doubled: int = 0
    repaid: int = 0
    redone: int = 0
    lost_attempts: int = 0
    in_flight: int = 0
    replacements: int = 0
    reruns: int = 0
    seconds: float = 0.0
    moments: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    folder: str = ""

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Result:
        known = {each.name for each in fields(Result)}
        given = {name: item for name, item in value.items() if name in known}
        return Result(**{**given, "moments": tuple(given["moments"]), "problems": tuple(given["problems"])})


@dataclass(frozen=True)
class Kept:
    """Results below a folder; `state` is the code that results are made with now."""

    folder: Path
    state: CodeState

    def path(self, case: Case, seed: int) -> Path:
        return self.folder / KEPT / self.state.key / case.slug / f"{seed}.json"

    def put(self, case: Case, result: Result) -> None:
        """Whole or not at all: written beside its name, then renamed."""
        path = self.path(case, result.seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        body = {**result.to_json(), "commit": self.state.commit, "dirty": self.state.dirty}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(body, indent=2))
        temporary.replace(path)

    def get(self, case: Case, seed: int) -> Result | None:
        """None where there is none that can be read."""
        try:
            return Result.from_json(json.loads(self.path(case, seed).read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def of_state(self, case: Case, key: str) -> list[Result]:
        found = []
        for path in sorted((self.folder / KEPT / key / case.slug).glob("*.json"), key=lambda each: int(each.stem)):
            try:
                found.append(Result.from_json(json.loads(path.read_text())))
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def latest(self, case: Case) -> tuple[str, list[Result]]:
        """A case's results with the code as it is now; where there are none, those of the state that was last at work
        on the case. The key of the state comes first; it is empty where there are none at all."""
        if own := self.of_state(case, self.state.key):
            return self.state.key, own
        states = (self.folder / KEPT).glob(f"*/{case.slug}")
        for place in sorted(states, key=lambda each: each.stat().st_mtime, reverse=True):
            if found := self.of_state(case, place.parent.name):
                return place.parent.name, found
        return "", []


@dataclass(frozen=True)
class Row:
    """One case in the table: sums over its seeds, and the most that any of them re-did. `key` names the code."""

    case: Case
    key: str
    seeds: int
    lost: int
    doubled: int
    repaid: int
    redone: int
    in_flight: int
    replacements: int
    failed: int
    seconds: float


def row_of(case: Case, key: str, results: Sequence[Result]) -> Row:
    return Row(
        case=case,
        key=key,
        seeds=len(results),
        lost=sum(each.lost for each in results),
        doubled=sum(each.doubled for each in results),
        repaid=sum(each.repaid for each in results),
        redone=max((each.redone for each in results), default=0),
        in_flight=max((each.in_flight for each in results), default=0),
        replacements=max((each.replacements for each in results), default=0),
        failed=sum(not each.ok for each in results),
        seconds=sum(each.seconds for each in results) / max(1, len(results)),
    )


def rows_of(cases: Iterable[Case], kept: Kept) -> list[Row]:
    """A row for every case that has ever been tried."""
    found = [(case, *kept.latest(case)) for case in cases]
    return [row_of(case, key, results) for case, key, results in found if results]


def closing_object(results: Sequence[Result], state: CodeState, states: Iterable[str] = ()) -> dict[str, Any]:
    """The last line of stdout. `lost`, `doubled` and `repaid` are sums, `redone` is the sum of requests of lost
    attempts; `mixed` says whether the table in the docs holds rows of other states of the code."""
    others = sorted({*states} - {state.key, ""})
    return {
        "suite": "faults",
        "cases": len({each.case for each in results}),
        "seeds": len({each.seed for each in results}),
        "trials": len(results),
        "lost": sum(each.lost for each in results),
        "doubled": sum(each.doubled for each in results),
        "repaid": sum(each.repaid for each in results),
        "redone": sum(each.redone for each in results),
        "redone_at_most": max((each.redone for each in results), default=0),
        "in_flight_at_most": max((each.in_flight for each in results), default=0),
        "seconds": round(sum(each.seconds for each in results), 1),
        "failures": [
            {"case": each.case, "seed": each.seed, "folder": each.folder, "problems": list(each.problems)}
            for each in results
            if not each.ok
        ],
        "commit": state.commit,
        "dirty": state.dirty,
        "mixed": bool(others),
        "other_states": others,
    }
