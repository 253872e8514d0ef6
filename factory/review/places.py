"""Where the decisions about a dataset are kept, and what ties them to its bytes."""

from __future__ import annotations

from factory.errors import ConfigError
from factory.identity import sha256_hex
from factory.publish.locate import root_above
from factory.publish.manifest import MANIFEST
from factory.store.base import Store
from factory.store.open import open_root


def records_root(dataset: Store, root: str | None, endpoint_url: str | None = None) -> Store:
    """The root below which decisions are kept: the one given, else the part of the dataset's address above `datasets/`.

    It need not hold the run. Raises ConfigError where a dataset that was copied away names none.
    """
    address = dataset.uri.rstrip("/")
    where = root or root_above(address)
    if not where:
        raise ConfigError(
            f"{address} does not lie under a root, so there is no place for decisions",
            cause="the dataset was copied away from where it was made",
            remedy="pass --root with the root of the run, or any folder: decisions go below its datasets/",
        )
    return open_root(where, endpoint_url=endpoint_url)


def manifest_sha256(dataset: Store) -> str:
    """What ties a review to the bytes it was drawn from."""
    return sha256_hex(dataset.get(MANIFEST))
