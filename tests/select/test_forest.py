from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor

from factory.errors import ConfigError
from factory.select.forest import Forest, from_bytes, to_bytes
from factory.select.training.forest_training import arrays_of, grow
from factory.select.training.settings import ForestSettings

SMALL = ForestSettings(trees=12, max_features=0.5, jobs=1)


def data(seed: int, rows: int = 150, dimensions: int = 6) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(rows, dimensions)).astype(np.float32)
    return vectors, np.clip(5.5 + 3 * vectors[:, 0] + draw.normal(size=rows), 1, 10)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 9), st.sampled_from([None, 1, 4]))
def test_predictions_are_those_of_scikit_learn(seed: int, leaf: int, depth: int | None) -> None:
    vectors, scores = data(seed)
    regressor = RandomForestRegressor(9, min_samples_leaf=leaf, max_depth=depth, random_state=seed).fit(vectors, scores)
    forest = from_bytes(to_bytes(arrays_of(regressor, vectors.shape[1])))
    unseen, _ = data(seed + 1)
    # Exact ties with thresholds are where float32 and float64 comparisons would part.
    ties = np.repeat(regressor.estimators_[0].tree_.threshold[:1].astype(np.float32), 6)[None, :]
    everything = np.concatenate([vectors, unseen, ties])
    assert np.abs(forest.predict(everything) - regressor.predict(everything)).max() <= 1e-9


def test_a_tree_that_never_split_gives_its_value() -> None:
    vectors, _ = data(1)
    forest = grow(vectors, np.full(len(vectors), 4.0), SMALL, 1)
    assert forest.predict(vectors[:3]).tolist() == [4, 4, 4]


def test_no_vectors_give_no_scores() -> None:
    forest = grow(*data(2), SMALL, 1)
    assert forest.predict(np.zeros((0, 6), np.float32)).shape == (0,)


def test_the_same_forest_has_the_same_bytes_whatever_the_cores() -> None:
    vectors, scores = data(3)
    first = to_bytes(grow(vectors, scores, SMALL, 5))
    assert first == to_bytes(grow(vectors, scores, SMALL.model_copy(update={"jobs": 2}), 5))
    assert first != to_bytes(grow(vectors, scores, SMALL, 6))


def changed(forest: Forest, **arrays: object) -> bytes:
    return to_bytes(Forest(**{**forest.__dict__, **arrays}))  # type: ignore[arg-type]


def test_files_that_are_no_forest_are_refused() -> None:
    forest = grow(*data(4), SMALL, 1)
    whole = to_bytes(forest)
    pickled = io.BytesIO()
    np.savez(pickled, dimensions=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    loop = forest.left.copy()
    loop[0] = 0
    for damaged, why in (
        (b"", "EOFError|BadZip|no data"),
        (b"garbage", "Error"),
        (whole[:-200], "Error|BadZip"),
        (pickled.getvalue(), "allow_pickle|Object arrays"),
        (changed(forest, left=loop), "backwards"),
        (changed(forest, features=forest.features + 100), "outside"),
        (changed(forest, values=forest.values * np.nan), "not finite"),
        (changed(forest, values=forest.values[1:]), "different lengths"),
        (changed(forest, roots=forest.roots[:0]), "no trees"),
    ):
        with pytest.raises(ConfigError, match=why):
            from_bytes(damaged)
