"""The same Croissant document, to be copied into the folder that holds manifest.json and data/: a hub, a download.

Design: the one file that may lie in a dataset without being listed in its manifest, which it names by hash and so
cannot be in. `factory verify` and `factory bundle --check` hold it against the manifest, byte for byte.
"""

from __future__ import annotations

from factory.govern.croissant.dataset import croissant
from factory.govern.croissant.reading import claims, problems
from factory.govern.facts import Facts
from factory.publish.manifest import CROISSANT
from factory.store.base import Store

__all__ = ["PATH", "claims", "fault", "problems", "render"]

PATH = "beside-data/croissant.json"


def render(facts: Facts) -> bytes:
    return croissant(facts, ".")


def fault(dataset: Store, facts: Facts, prefix: str = "") -> str:
    """What is wrong with the copy in the dataset at `prefix` of a store, empty where nothing is. Raises KeyError where
    there is none."""
    if dataset.get(f"{prefix}/{CROISSANT}" if prefix else CROISSANT) == render(facts):
        return ""
    return (
        f"is not what this version of factory writes of the manifest: copy {PATH} of the bundle that `factory bundle "
        "DATASET` writes"
    )
