"""The earlier version of a dataset that drift is measured from: its shape, read once and kept in the store.

Design: the driver reads the manifest for its digest, which names the shape from then on; where the store has no shape
of that name, the shards are read once, their columns that matter, and the shape is put there for the worker that judges
and for every later run.

Cost: that of the shape (shape.py) and of reading ten columns, once for a version.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from factory.errors import ConfigError, FactoryError
from factory.identity import canonical_json
from factory.publish.gates.batch import Batch
from factory.publish.gates.shape import Earlier, Shape, from_json
from factory.publish.locate import open_dataset, read_manifest
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import damaged
from factory.store.parquet import read_parquet

SHAPE_VERSION = 2
"""Raised when the same rows give another shape."""

SHAPE_COLUMNS = [
    "sample_id", "question", "answer", "level", "origin", "edu_level", "subject", "domain", "license", "attribution",
]  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """A published dataset; `digest` is its manifest's."""

    address: str
    digest: str
    endpoint_url: str | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        return f"gates/shape-{SHAPE_VERSION}-{self.digest}.json"

    def prepare(self, store: Store) -> None:
        """Puts the shape into the store of the run; to be called on the driver."""
        if store.head(self.key) is not None:
            return
        dataset = open_dataset(self.address, self.endpoint_url)
        manifest = read_manifest(dataset)
        if manifest["digest"] != self.digest:
            raise ConfigError(
                f"gate.drift.against={self.address} changed while the run was being planned",
                remedy="start the run again; it will be planned with the dataset as it is now",
            )
        store.put(
            self.key, canonical_json(shape_of(dataset, [shard["path"] for shard in manifest["shards"]]).to_json())
        )

    def load(self, store: Store) -> Earlier:
        """Raises ConfigError when the shape is gone from the store, StoreError when it is damaged."""
        try:
            return from_json(orjson.loads(store.get(self.key)))
        except ValueError as error:
            raise damaged(store.uri, self.key, str(error)) from None
        except AbsentObjectError:
            raise ConfigError(
                f"the shape of the earlier dataset {self.key} is gone from {store.uri}",
                cause="somebody deleted it while the run was going on",
                remedy="start the run again; it reads the earlier dataset anew",
            ) from None


def find_reference(address: str | None, endpoint_url: str | None) -> Reference | None:
    """The dataset at `address`; None for None. Raises ConfigError where there is none."""
    if address is None:
        return None
    try:
        manifest = read_manifest(open_dataset(address, endpoint_url))
    except FactoryError as error:
        raise ConfigError(
            f"gate.drift.against={address} cannot be compared with: {error.what}",
            cause="it is not the folder of a published version",
            remedy="give <root>/datasets/<name>/<version>, or null",
        ) from None
    return Reference(address, manifest["digest"], endpoint_url)


def shape_of(dataset: Store, shards: list[str]) -> Shape:
    """The shape of published shards, one after another."""
    shape = Shape()
    for path in shards:
        shape.add(Batch(read_parquet(dataset, path, SHAPE_COLUMNS)))
    return shape
