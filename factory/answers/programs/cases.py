"""Cases (a call, and what it gives) run against one program, in the sandbox of answers/verify.

Design: the expected values stay on this side, so the verdict is not the program's to give: it can print anything, and
passes by printing what is asked for. What a limit ended counts as failed for the case it met and those behind it, but
for wall time that ran out without processor time being used: a busy machine makes no program wrong.

Cost: 0.15 s a program and 20 ms a case of Python, on an idle core.
"""

from __future__ import annotations

import ast
import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson

from factory.answers.programs import runner
from factory.answers.programs.languages import LANGUAGES, Language
from factory.answers.verify.limits import Limits
from factory.answers.verify.sandbox import Ran, run_program
from factory.answers.verify.surface import UNREADABLE

TOLERANCE = 1e-9
"""Relative difference up to which two floats are one: sums in another order differ in their last digits."""

NOT_INSTALLED, NO_ISOLATION, WALL_TIME = "not_installed", "no_isolation", "wall_time"

Outcome = Literal["passed", "failed", "not_run"]


@dataclass(frozen=True)
class Case:
    """`call` is source of the language, `expected` what its value is written as, or what it prints."""

    call: str
    expected: str


@dataclass(frozen=True)
class CasesRan:
    """`outcomes` are in the order of the cases. `problem` names why nothing is known (then there are none), `detail`
    says more, of failures the first."""

    outcomes: tuple[Outcome, ...] = ()
    problem: str = ""
    detail: str = ""
    isolation: tuple[str, ...] = field(default=())

    @property
    def passed(self) -> tuple[bool, ...]:
        return tuple(outcome == "passed" for outcome in self.outcomes)


def run_cases(
    program: str, language: str, cases: Sequence[Case], limits: Limits, *, without_network_barrier: bool = False
) -> CasesRan:
    """Runs every case in a process of its own, all in one sandbox."""
    known = LANGUAGES[language]
    if (missing := known.missing()) is not None:
        return CasesRan(problem=NOT_INSTALLED, detail=missing)
    token = secrets.token_hex(16)
    given = {
        "files": [known.layout.format(program=program, call=case.call) for case in cases],
        "file": known.file,
        "compile": list(known.compile),
        "run": list(known.run),
        "token": token,
    }
    ran = run_program(
        _START.format(source=_source(), given=json.dumps(given)),
        limits._replace(address_bytes=known.address_mib << 20),
        without_network_barrier=without_network_barrier,
    )
    return _read(ran, known, cases, token)


_START = """
import json, sys, types
module = types.ModuleType("runner")
exec(compile({source!r}, "runner.py", "exec", dont_inherit=True), module.__dict__)
module.main(json.loads({given!r}))
"""


@cache
def _source() -> str:
    return Path(str(runner.__file__)).read_text()


def _read(ran: Ran, language: Language, cases: Sequence[Case], token: str) -> CasesRan:
    if not ran.started:
        return CasesRan(problem=NO_ISOLATION, detail=ran.problem[:200])
    results = _results(ran.stdout, token)
    outcomes: list[Outcome] = []
    detail = ""
    for number, case in enumerate(cases):
        result = results.get(number)
        if result is None:
            if ran.limit == "wall time" and "failed" not in outcomes:
                return CasesRan(problem=WALL_TIME, detail="wall time", isolation=ran.isolation)
            outcomes.append("failed" if number == len(results) else "not_run")
            detail = detail or f"{case.call}: {ran.limit or 'ended'}"
            continue
        right = result["code"] == 0 and same_result(language, result["printed"], case.expected)
        outcomes.append("passed" if right else "failed")
        if not right:
            said = result["said"] if result["code"] else _shown(language, result["printed"])
            detail = detail or f"{case.call}: {said} (expected {case.expected})"
    return CasesRan(tuple(outcomes), detail=detail[:300], isolation=ran.isolation)


def _results(stdout: str, token: str) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for line in stdout.splitlines():
        if not line.startswith(token):
            continue
        try:
            said = orjson.loads(line[len(token) :])
        except orjson.JSONDecodeError:
            continue
        kinds = {"case": int, "code": int, "printed": str, "said": str}
        if isinstance(said, dict) and all(type(said.get(key)) is kind for key, kind in kinds.items()):
            found.setdefault(said["case"], said)
    return found


def same_result(language: Language, printed: str, expected: str) -> bool:
    """Whether what a case printed is what is expected, by the language's way of comparing."""
    shown = _shown(language, printed)
    if shown == expected.strip():
        return True
    if language.gives == "text":
        return [line.rstrip() for line in shown.splitlines()] == [
            line.rstrip() for line in expected.strip().splitlines()
        ]
    one, other = _value(language, shown), _value(language, expected.strip())
    try:
        return one is not _NO_VALUE and other is not _NO_VALUE and same_value(one, other)
    except RecursionError:  # JSON may nest deeper than a comparison can go
        return False


def _shown(language: Language, printed: str) -> str:
    """Text whole; a value stands alone in the last line, whatever the program printed before."""
    return printed.strip() if language.gives == "text" else printed.rstrip("\n").rpartition("\n")[2].strip()


_NO_VALUE = object()


def _value(language: Language, text: str) -> Any:
    try:
        return ast.literal_eval(text) if language.gives == "python" else orjson.loads(text)
    except (*UNREADABLE, TypeError, orjson.JSONDecodeError):
        return _NO_VALUE


def same_value(one: Any, other: Any) -> bool:
    """Equality of plain values; floats up to TOLERANCE, also inside lists, tuples and dicts."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) or isinstance(other, float):
        numbers = isinstance(one, int | float) and isinstance(other, int | float)
        return numbers and (one == other or math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE))
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    return bool(one == other)
