"""Several programs for one task, and tests that none of their authors wrote, tried against each other.

Design: the tests were written with the task, by another request (and, where the run names two models, another model)
than each program. Neither side is believed alone (the idea of CodeT, arXiv 2207.10397): a test that an empty body
passes says nothing, one that every program fails is more likely wrong than they all are, and both are thrown out with
the reason; of the programs the one wins that passes most of what is left, and how many behave as it does is its
agreement.
Examples that the task shows bind: a program that breaks one does not do the task, however many break it.

Cost: cases.py's for each different program and for the empty body.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from factory.answers.programs.cases import Case, CasesRan, run_cases
from factory.answers.programs.languages import LANGUAGES, declared_name
from factory.answers.verify.config import CodeConfig

PASSES_EMPTY, FAILS_ALL = "passes_empty", "fails_all"
"""Why a test is thrown out."""


@dataclass(frozen=True)
class TaskCase:
    """`shown`: it stands in the task as an example of use."""

    case: Case
    shown: bool = False


@dataclass(frozen=True)
class Trial:
    """`winner` is the place of a program, `agreement` the share of programs that behave as it does on the tests that
    were kept; `passed` says of each program how many of them it passed. `thrown_out` has a reason or "" for each test,
    `passed_by` how many programs passed it. `problem`: nothing could be run, and why; the first program then wins."""

    winner: int = 0
    agreement: float = 0.0
    passed: tuple[int, ...] = ()
    thrown_out: tuple[str, ...] = ()
    passed_by: tuple[int, ...] = ()
    problem: str = ""
    detail: str = ""


def empty_body(language: str, signature: str) -> str:
    """A program that declares what is asked for and does nothing."""
    known = LANGUAGES[language]
    return known.empty.format(signature=signature.strip(), name=declared_name(known, signature))


def try_programs(
    programs: Sequence[str], language: str, signature: str, tests: Sequence[TaskCase], config: CodeConfig
) -> Trial:
    """Runs every different program, and the empty body, on every test. `programs` are those of all samples."""
    cases = [test.case for test in tests]
    ran: dict[str, CasesRan] = {}
    for program in (empty_body(language, signature), *programs):
        if program not in ran:
            ran[program] = run(program, language, cases, config)
            if ran[program].problem:
                same = programs.count(programs[0]) / len(programs)
                return Trial(agreement=same, problem=ran[program].problem, detail=ran[program].detail)
    empty = ran[empty_body(language, signature)].passed
    results = [ran[program].passed for program in programs]
    passed_by = tuple(sum(result[at] for result in results) for at in range(len(tests)))
    thrown_out = tuple(
        PASSES_EMPTY if empty[at] else FAILS_ALL if len(programs) > 1 and not passed_by[at] and not test.shown else ""
        for at, test in enumerate(tests)
    )
    kept = [tuple(result[at] for at, reason in enumerate(thrown_out) if not reason) for result in results]
    alike = Counter(kept)
    winner = max(range(len(programs)), key=lambda at: (sum(kept[at]), alike[kept[at]], -at))
    return Trial(winner, alike[kept[winner]] / len(programs), tuple(map(sum, kept)), thrown_out, passed_by)


def run(program: str, language: str, cases: Sequence[Case], config: CodeConfig) -> CasesRan:
    return run_cases(program, language, cases, config.limits, without_network_barrier=config.without_network_barrier)
