"""The short selection of the fault suite: real runs, one seed, one undisturbed reference for all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.__main__ import all_cases
from tests.faults.case import Case
from tests.faults.reference import Reference, reference_of
from tests.faults.run_case import run_trial

QUICK = [case for case in all_cases() if case.quick]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference_of(QUICK[0], tmp_path_factory.mktemp("references"))


@pytest.mark.parametrize("case", QUICK, ids=lambda case: case.slug)
def test_nothing_is_lost_doubled_or_paid_twice(case: Case, reference: Reference, tmp_path: Path) -> None:
    result = run_trial(case, 0, reference, tmp_path / "trial")
    assert not result.problems, "\n".join(result.problems)
    assert (result.lost, result.doubled, result.repaid) == (0, 0, 0)
