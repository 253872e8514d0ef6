"""What trials came to, kept in the repository: docs/reliability.jsonl, a short line a trial, only ever appended.

Design: a line says which code the trial ran with (code_state.py); results of other code are never taken for this
code's unless that is asked for, and then it is said. A trial that failed keeps its line; when it is tried again the
later one counts, and the table says how many had failed before. A suite that was killed goes on with the trials that
have no line; a line that a kill cut short is no line. What the suite prints at the end, and what the docs say, are
sums over these lines.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tests.faults.case import Case
from tests.faults.code_state import CodeState

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "reliability.jsonl"

SAID = 160
"""Characters kept of a problem; the whole lies in the folder of the trial."""

PLACES = re.compile(r"(?:/[\w.+~-]+){2,}")
"""Files and folders of the machine, which say nothing elsewhere."""


@dataclass(frozen=True)
class Result:
    """Figures of one trial (see outcome.Outcome). `folder` is where a failed trial lies."""

    case: str
    seed: int
    engine: str = "scripted"
    executor: str = "ray"
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


@dataclass(frozen=True)
class Record:
    """A result and the code it was made with."""

    state: CodeState
    result: Result

    def line(self) -> str:
        body = {name: value for name, value in vars(self.result).items() if name not in ("folder", "problems")}
        verdict = {"ok": self.result.ok, "problems": [_short(each) for each in self.result.problems]}
        return json.dumps({**vars(self.state), **body, **verdict}, separators=(",", ":")) + "\n"


def record_of(line: str) -> Record:
    """Raises ValueError, KeyError or TypeError for what is no record."""
    value = json.loads(line)
    given = {each.name: value[each.name] for each in fields(Result) if each.name in value}
    lists = {name: tuple(given[name]) for name in ("moments", "problems")}
    return Record(CodeState(value["code"], value["commit"], value["dirty"]), Result(**{**given, **lists}))


class Kept:
    """The file, read once; what is put is appended. `state` is the code that results are made with now."""

    def __init__(self, path: Path, state: CodeState) -> None:
        self.path, self.state = path, state
        self.records: list[Record] = []
        self._tried: dict[tuple[str, int], list[Record]] = defaultdict(list)
        if path.exists():
            for line in path.read_text().splitlines():
                with suppress(ValueError, KeyError, TypeError):
                    self._take(record_of(line))

    def _take(self, record: Record) -> None:
        self.records.append(record)
        self._tried[record.result.case, record.result.seed].append(record)

    def put(self, result: Result) -> None:
        """In one write to the end; a line that was cut short before it is ended first."""
        record = Record(self.state, result)
        whole = not self.path.exists() or self.path.read_bytes()[-1:] in (b"", b"\n")
        with self.path.open("ab", buffering=0) as file:
            file.write((("" if whole else "\n") + record.line()).encode())
            os.fsync(file.fileno())
        self._take(record)

    def get(self, case: Case, seed: int, older: bool = False) -> Result | None:
        """The last result of a trial with this code; with `older`, else that with any other."""
        of_it = self._tried.get((case.name, seed), [])
        own = [each for each in of_it if each.state.code == self.state.code]
        chosen = own or (of_it if older else [])
        return chosen[-1].result if chosen else None

    def of(self, case: Case) -> list[Record]:
        """The last record of every seed: with the code as it is now, else with the code that it was last tried with."""
        found: dict[int, Record] = {}
        for mine in (False, True):
            for each in self.records:
                if each.result.case == case.name and (not mine or each.state.code == self.state.code):
                    found[each.result.seed] = each
        return [found[seed] for seed in sorted(found)]

    def failed_before(self, records: Iterable[Record]) -> int:
        """Failed trials of the same case, seed and code as one of `records`, before it."""
        counted = {(each.result.case, each.result.seed, each.state.code): each for each in records}
        return sum(
            not each.result.ok
            and (last := counted.get((each.result.case, each.result.seed, each.state.code))) is not None
            and last is not each
            for each in self.records
        )


@dataclass(frozen=True)
class Row:
    """One case in the table: sums over its seeds, and the most that any of them re-did. `executors` and `states` say
    how many trials there were of each."""

    case: Case
    seeds: int
    executors: Mapping[str, int]
    states: Mapping[CodeState, int]
    lost: int
    doubled: int
    repaid: int
    redone: int
    in_flight: int
    replacements: int
    failed: int
    failed_before: int
    seconds: float


def row_of(case: Case, records: Sequence[Record], failed_before: int = 0) -> Row:
    results = [each.result for each in records]
    return Row(
        case=case,
        seeds=len(results),
        executors=Counter(each.executor for each in results),
        states=Counter(_one_name(records)),
        lost=sum(each.lost for each in results),
        doubled=sum(each.doubled for each in results),
        repaid=sum(each.repaid for each in results),
        redone=max((each.redone for each in results), default=0),
        in_flight=max((each.in_flight for each in results), default=0),
        replacements=max((each.replacements for each in results), default=0),
        failed=sum(not each.ok for each in results),
        failed_before=failed_before,
        seconds=sum(each.seconds for each in results) / max(1, len(results)),
    )


def rows_of(cases: Iterable[Case], kept: Kept) -> list[Row]:
    """A row for every case that has ever been tried."""
    found = [(case, kept.of(case)) for case in cases]
    return [row_of(case, records, kept.failed_before(records)) for case, records in found if records]


def closing_object(results: Sequence[Result], state: CodeState, states: Iterable[CodeState] = ()) -> dict[str, Any]:
    """The last line of stdout. `lost`, `doubled` and `repaid` are sums, `redone` is the sum of requests of lost
    attempts; `mixed` says whether the table in the docs holds trials of other code."""
    others = sorted({each.name for each in states if each.code != state.code})
    return {
        "suite": "faults",
        "cases": len({each.case for each in results}),
        "seeds": len({each.seed for each in results}),
        "trials": len(results),
        "executors": dict(Counter(each.executor for each in results)),
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


def _one_name(records: Iterable[Record]) -> list[CodeState]:
    """The states, where several commits are of the same code under the name of the last."""
    last = {each.state.code: each.state for each in records}
    return [last[each.state.code] for each in records]


def _short(problem: str) -> str:
    """The first line and, where that only leads to what a run printed, the last that is no detail of another."""
    lines = problem.strip().splitlines() or [""]
    short = lines[0]
    if short.endswith(":"):
        short += next((f" {line}" for line in reversed(lines[1:]) if line.strip() and not line[0].isspace()), "")
    return PLACES.sub("…", short)[:SAID]
