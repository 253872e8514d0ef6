"""From what a command line names to a dataset and the root that its records are kept below."""

from __future__ import annotations

from dataclasses import dataclass

from factory.errors import ConfigError
from factory.govern.facts import Facts, facts_of
from factory.govern.state import Dataset, dataset_in
from factory.publish.locate import open_dataset, sealed_manifest
from factory.publish.manifest import KIND, MANIFEST, unseal
from factory.review.places import records_root
from factory.store.base import Store


@dataclass(frozen=True)
class Found:
    """A dataset or mix by itself (`store`), what its manifest says, and the root of its records."""

    store: Store
    root: Store
    dataset: Dataset
    sealed: bytes


def find(address: str, root: str | None = None, endpoint_url: str | None = None) -> Found:
    """Raises ConfigError where there is none at `address`, or where it does not lie below a root and none is given."""
    store = open_dataset(address, endpoint_url)
    sealed = sealed_manifest(store)
    return Found(store, records_root(store, root, endpoint_url), dataset_in(sealed, store.uri, MANIFEST), sealed)


def require_root(store: Store) -> Store:
    """`store` itself. Raises ConfigError where it holds no runs, steps or datasets: what is asked of a mistyped
    root would be answered with an all-clear."""
    if not any(True for folder in ("runs/", "steps/", "datasets/") for _ in store.list(folder)):
        raise ConfigError(
            f"there is no run and no dataset under {store.uri}",
            cause="a mistyped root, or nothing has been run there yet",
            remedy="give the folder or s3:// address that the run had as store.root",
        )
    return store


def facts_at(found: Found) -> Facts:
    """The facts of a dataset that a run published. Raises ConfigError for a mix, StoreError where the manifest is not
    intact."""
    if found.dataset.mix:
        raise ConfigError(
            f"{found.dataset.title} is a mix, which nobody approves by itself",
            cause="a mix is approved when every published dataset in it is, and a draft until then",
            remedy="approve the datasets that it was made of: they stand in its manifest under inputs",
        )
    return facts_of(unseal(found.sealed, f"{found.store.uri}/{MANIFEST}", KIND))
