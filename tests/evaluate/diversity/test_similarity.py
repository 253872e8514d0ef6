"""Likeness of questions: cosines within a document, documents as observations, levels on what they share."""

from __future__ import annotations

import numpy as np
import pytest

from factory.evaluate.diversity.facts import LOWEST
from factory.evaluate.diversity.similarity import BINS, Drawn, binned, bootstrap, likenesses, pair_cosines


def drawn(level: int, **rows: tuple[int, ...]) -> Drawn:
    return Drawn(level, rows, {document: (True,) * len(own) for document, own in rows.items()})


def test_cosines_are_of_all_pairs_once() -> None:
    unit = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    assert pair_cosines(unit, [0, 1, 2]) == pytest.approx([0, 0.6, 0.8], abs=1e-6)
    assert pair_cosines(unit, [1, 1]).tolist() == [1.0]


def test_the_length_of_a_vector_means_nothing_and_a_zero_vector_is_like_nothing() -> None:
    vectors = np.array([[5, 0], [3, 4], [0, 0]], np.float32)
    (found,) = likenesses([drawn(1, a=(0, 1), b=(0, 2))], vectors, 0)
    assert found.mean.mean == pytest.approx((0.6 + 0) / 2, abs=1e-6)


def test_every_document_weighs_the_same_however_many_pairs_it_has() -> None:
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1]], np.float32)
    (found,) = likenesses([drawn(2, many=(0, 1, 2), few=(0, 3))], vectors, 0)
    assert (found.documents, found.questions, found.pairs) == (2, 5, 4)
    assert found.mean.mean == pytest.approx(0.5)
    assert sum(found.bins) == 4


def test_levels_are_compared_on_documents_that_have_both() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    first, second = likenesses([drawn(3, a=(0, 2), c=(0, 1)), drawn(1, a=(0, 1), b=(0, 1))], vectors, 0)
    assert (first.level, second.level) == (1, 3)
    assert first.against_first is None
    assert second.shared == 1
    assert second.against_first is not None
    assert second.against_first.mean == pytest.approx(-1.0)


def test_what_curation_dropped_is_left_out_of_the_second_mean_alone() -> None:
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    item = Drawn(1, {"a": (0, 0, 1)}, {"a": (True, False, True)})
    (found,) = likenesses([item], vectors, 0)
    assert found.mean.mean == pytest.approx(1 / 3)
    assert found.kept is not None
    assert found.kept.mean == pytest.approx(0.0)
    assert found.kept_pairs == 1


def test_a_level_without_a_document_of_two_questions_is_left_out() -> None:
    assert likenesses([drawn(1, a=(0,))], np.ones((1, 2), np.float32), 0) == ()


def test_bins_hold_every_cosine_whatever_rounding_made_of_it() -> None:
    found = binned(np.array([-1.0, LOWEST, 0.999, 1.0, 1.0 + 1e-9]))
    assert len(found) == BINS
    assert found[0] == 2
    assert found[-1] == 3


def test_the_interval_covers_the_mean_narrows_with_documents_and_repeats_with_its_seed() -> None:
    values = np.random.default_rng(1).normal(0.4, 0.1, 400).tolist()
    wide, narrow = bootstrap(values[:20], 3), bootstrap(values, 3)
    assert narrow.low < narrow.mean < narrow.high
    assert narrow.high - narrow.low < wide.high - wide.low
    # 1.96 standard errors either side, give or take the resampling
    assert narrow.high - narrow.low == pytest.approx(2 * 1.96 * np.std(values) / 20, rel=0.1)
    assert bootstrap(values, 3) == narrow
    with pytest.raises(ValueError, match="nothing"):
        bootstrap([], 3)
