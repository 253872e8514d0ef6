"""The cases there are, and which of them with which seeds a suite works."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence

import tests.faults
from tests.faults.case import Case


def all_cases() -> list[Case]:
    """The CASES of every module cases_<kind>.py, by name of module. Raises ValueError for a name given twice."""
    names = sorted(each.name for each in pkgutil.iter_modules(tests.faults.__path__) if each.name.startswith("cases_"))
    cases = [case for name in names for case in importlib.import_module(f"tests.faults.{name}").CASES]
    slugs = [case.slug for case in cases]
    if doubled := {slug for slug in slugs if slugs.count(slug) > 1}:
        raise ValueError(f"cases of one name: {', '.join(sorted(doubled))}")
    return cases


def chosen(cases: Sequence[Case], named: Sequence[str], engine: str | None, quick: bool) -> list[Case]:
    """Cases whose name, or its slug, holds any of `named`; the one that is called just so, where there is one."""

    def meant(case: Case, word: str) -> bool:
        alone = any(word in (each.name, each.slug) for each in cases)
        return word in (case.name, case.slug) if alone else word.lower() in case.name.lower() or word in case.slug

    return [
        case
        for case in cases
        if (not named or any(meant(case, word) for word in named))
        and (engine is None or case.engine == engine)
        and (not quick or case.quick)
    ]


def trials(cases: Sequence[Case], seeds: int, vllm_seeds: int) -> Iterator[tuple[Case, int]]:
    """Seed by seed, so that a suite that is stopped has seen every case."""
    for seed in range(max(seeds, vllm_seeds)):
        yield from ((case, seed) for case in cases if seed < (vllm_seeds if case.engine == "vllm" else seeds))
