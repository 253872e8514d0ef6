"""The short selection of the fault suite: real runs, with Ray and without in turn, one undisturbed reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.case import Case
from tests.faults.catalogue import all_cases
from tests.faults.reference import Reference, reference_of
from tests.faults.run_case import run_trial

QUICK = [case for case in all_cases() if case.quick]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference_of(QUICK[0], tmp_path_factory.mktemp("references"))


@pytest.mark.parametrize(("seed", "case"), enumerate(QUICK, start=1), ids=lambda value: getattr(value, "slug", ""))
def test_nothing_is_lost_doubled_or_paid_twice(seed: int, case: Case, reference: Reference, tmp_path: Path) -> None:
    result = run_trial(case, seed, reference, tmp_path / "trial")
    assert not result.problems, "\n".join(result.problems)
    assert (result.lost, result.doubled, result.repaid) == (0, 0, 0)


def test_the_short_selection_is_worked_with_ray_and_without() -> None:
    assert {case.executor(seed) for seed, case in enumerate(QUICK, start=1)} == {"ray", "processes"}
