from __future__ import annotations

import dataclasses

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from factory.select.training.examples import Example
from factory.select.training.metrics import agreements, cohen_kappa, kept_at, measure, rank_area, spearman, wilson
from tests.select.training.fields import example

SCORES = st.lists(st.tuples(st.floats(1, 10), st.integers(1, 10)), min_size=4, max_size=60)


def rated(ratings: list[float], source: str = "s") -> list[Example]:
    return [example(f"t{n}", float(rating), f"d{n}", source) for n, rating in enumerate(ratings)]


@given(SCORES)
def test_figures_are_those_of_scikit_learn_and_scipy(pairs: list[tuple[float, int]]) -> None:
    scores, ratings = [score for score, _ in pairs], [float(rating) for _, rating in pairs]
    found = measure(scores, rated(ratings), 6.5)
    wanted, kept = np.array(ratings) >= 6.5, np.array(scores) >= 6.5
    if kept.any():
        assert found.precision.value == pytest.approx(reference.precision_score(wanted, kept))
    else:
        assert found.precision.value is None
    if wanted.any():
        assert found.recall.value == pytest.approx(reference.recall_score(wanted, kept))
    if 0 < wanted.sum() < len(wanted):
        assert found.roc_area == pytest.approx(reference.roc_auc_score(wanted, scores))
    assert found.mean_absolute_error == pytest.approx(reference.mean_absolute_error(ratings, scores))
    if len(set(scores)) > 1 and len(set(ratings)) > 1:
        assert found.spearman == pytest.approx(stats.spearmanr(scores, ratings).statistic, abs=1e-9)
    assert sum(item.examples for item in found.reliability) == len(pairs)


@given(SCORES)
def test_the_curve_keeps_less_and_recalls_less_as_the_threshold_rises(pairs: list[tuple[float, int]]) -> None:
    found = measure([score for score, _ in pairs], rated([float(rating) for _, rating in pairs]), 5.0)
    kept = [point.kept for point in found.curve]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == 1
    assert (found.curve[0].threshold, found.curve[-1].threshold, len(found.curve)) == (1.0, 10.0, 91)
    recalls = [point.recall for point in found.curve if point.recall is not None]
    assert recalls == sorted(recalls, reverse=True)


def test_what_cannot_be_said_is_none() -> None:
    found = measure([2.0, 3.0], rated([1, 2]), 6.5)
    assert (found.precision.value, found.recall.value, found.f1, found.roc_area) == (None, None, None, None)
    assert measure([5.0, 5.0], rated([1, 9]), 6.5).spearman is None
    with pytest.raises(ValueError, match="1 scores for 2 examples"):
        measure([1.0], rated([1, 2]), 6.5)
    with pytest.raises(ValueError, match="0 scores for 0 examples"):
        measure([], [], 6.5)


def test_sources_are_measured_apart() -> None:
    examples = [*rated([10, 10, 1], "good"), *rated([10, 1, 1], "bad")]
    found = measure([9, 8, 2, 3, 9, 1], examples, 6.5)
    bad, good = found.by_source
    assert (good.source, good.precision.value, good.recall.value) == ("good", 1, 1)
    assert (bad.source, bad.precision.value, bad.recall.value, bad.kept) == ("bad", 0, 0, 1)


def test_intervals_are_wilsons() -> None:
    share = wilson(8, 10)
    interval = stats.binomtest(8, 10).proportion_ci(method="wilson")
    assert share.value == 0.8
    assert (share.low, share.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert wilson(0, 0).value is None


def test_what_thresholds_keep_of_a_corpus() -> None:
    kept = {item.threshold: item.documents for item in kept_at([1.0, 6.4, 6.5, 10.0])}
    assert (kept[1.0], kept[6.4], kept[6.5], kept[6.6], kept[10.0]) == (4, 3, 2, 1, 1)
    assert kept_at([]) == ()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=50))
def test_kappa_is_cohens(pairs: list[tuple[int, int]]) -> None:
    first, second = (np.array(values) for values in zip(*pairs, strict=True))
    for quadratic in (False, True):
        found = cohen_kappa(first, second, 5, quadratic=quadratic)
        if found is not None:
            weights = "quadratic" if quadratic else None
            assert found == pytest.approx(
                reference.cohen_kappa_score(first, second, labels=range(5), weights=weights), abs=1e-9
            )


def test_raters_are_compared_on_the_documents_they_share() -> None:
    def by(rater: str, ratings: dict[str, float]) -> list[Example]:
        return [Example("t", score, name, "s", "rated", rater) for name, score in ratings.items()]

    strict = by("strict", {"a": 8, "b": 2, "c": 7, "only strict": 3})
    mild = by("mild", {"a": 9, "b": 3, "c": 8, "only mild": 3})
    lone = by("lone", {"z": 5})
    (found,) = agreements([*strict, *mild, *lone, example("t", 1.0, "a", origin="corpus_negative")], 6.5)
    assert (found.first, found.second, found.documents) == ("mild", "strict", 3)
    assert (found.bias, found.exact, found.within_one, found.kappa) == (1, 0, 1, 1)
    assert found.quadratic_kappa is not None
    assert 0.5 < found.quadratic_kappa < 1


def test_everything_goes_into_a_manifest() -> None:
    orjson.dumps(dataclasses.asdict(measure([9.0, 2.0], rated([10, 1]), 6.5)))


def test_ranks_of_ties_are_their_mean() -> None:
    assert rank_area(np.array([1.0, 1.0]), np.array([True, False])) == 0.5
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == -1
