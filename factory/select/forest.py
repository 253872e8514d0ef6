"""A random forest as plain arrays: written to npz without pickle, and walked by numpy alone.

Design: scikit-learn's own files are pickles, which run code when opened, and need scikit-learn in every worker.
The trees of all estimators are concatenated; a walk moves every (text, tree) pair one level down at a time.
Comparisons are those of scikit-learn (float32 feature <= float64 threshold), so results agree to rounding.

Cost: beside the embedding next to nothing; not measured apart.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from factory.arrays import arrays_in
from factory.errors import ConfigError

ARRAYS: Mapping[str, Any] = {
    "roots": np.int64,  # first node of each tree
    "features": np.int32,  # dimension a node looks at; -1 for a leaf
    "thresholds": np.float64,
    "left": np.int32,  # next nodes, counted from the first of all trees
    "right": np.int32,
    "values": np.float64,
}


@dataclass(frozen=True)
class Forest:
    """`dimensions` is the length of the vectors that the trees were grown on."""

    dimensions: int
    roots: NDArray[np.int64]
    features: NDArray[np.int32]
    thresholds: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    values: NDArray[np.float64]

    def predict(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Mean of the trees' values; `vectors` float32[N, dimensions], the result float64[N]."""
        rows = np.ascontiguousarray(vectors, np.float32)
        nodes = np.tile(self.roots.astype(np.int32), (len(rows), 1))
        places = np.arange(len(rows))[:, None]
        while True:
            features = self.features[nodes]
            inner = features >= 0
            if not inner.any():
                return self.values[nodes].mean(axis=1) if len(rows) else np.zeros(0)
            below = rows[places, np.maximum(features, 0)] <= self.thresholds[nodes]
            nodes = np.where(inner, np.where(below, self.left[nodes], self.right[nodes]), nodes)


def to_bytes(forest: Forest) -> bytes:
    """The same bytes for the same forest: entries carry no time."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("dimensions", *ARRAYS):
            data = io.BytesIO()
            np.save(data, np.asarray(getattr(forest, name)), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data.getvalue(), zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def from_bytes(data: bytes) -> Forest:
    """Raises ConfigError for anything but the arrays of a forest, and for trees that lead outside themselves."""
    try:
        arrays = arrays_in(data)
        dimensions = int(arrays["dimensions"])
        found = {name: arrays[name].astype(kind, casting="same_kind") for name, kind in ARRAYS.items()}
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise _damaged(f"{type(error).__name__}: {error}") from None
    forest = Forest(dimensions, **found)
    if fault := _fault(forest):
        raise _damaged(fault)
    return forest


def _fault(forest: Forest) -> str:
    nodes = forest.features.size
    if not forest.roots.size or any(getattr(forest, name).ndim != 1 for name in ARRAYS):
        return "it has no trees"
    if any(getattr(forest, name).size != nodes for name in ARRAYS if name != "roots"):
        return "its arrays have different lengths"
    if forest.roots.min() < 0 or forest.roots.max() >= nodes or forest.features.max(initial=-1) >= forest.dimensions:
        return "a root or a feature lies outside"
    inner = np.flatnonzero(forest.features >= 0)
    for branch in (forest.left[inner], forest.right[inner]):
        # Children come after their parents in scikit-learn's order, so a walk always ends.
        if (branch <= inner).any() or (branch >= nodes).any():
            return "a branch leads backwards or outside"
    if not np.isfinite(forest.values).all():
        return "a value is not finite"
    return ""


def _damaged(why: str) -> ConfigError:
    return ConfigError(
        f"the model file is no forest: {why}",
        cause="a model that something else trained, or a damaged file",
        remedy="train it with `python -m jobs.train_selector`",
    )
