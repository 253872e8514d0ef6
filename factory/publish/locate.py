"""Where a dataset lies, and the root it was made under: from what a command line names to stores."""

from __future__ import annotations

from factory.errors import ConfigError
from factory.identity import sha256_hex
from factory.publish.manifest import MANIFEST, Manifest, kind_of, unseal
from factory.run.record import record_key
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import absent, damaged
from factory.store.open import open_root


def open_dataset(address: str, endpoint_url: str | None = None) -> Store:
    """The store whose root is the dataset itself: a folder or s3://bucket/prefix.

    The folder of a name that has one version stands for that version. Raises ConfigError where it has several.
    """
    where = address.rstrip("/") or "/"
    store = open_root(where, endpoint_url=endpoint_url)
    if store.head(MANIFEST) is not None:
        return store
    versions = sorted(
        version
        for version, _, rest in (info.key.partition("/") for info in store.list(""))
        if rest == MANIFEST  # deeper ones belong to something else
    )
    if len(versions) > 1:
        raise ConfigError(
            f"{store.uri} holds {len(versions)} versions: {', '.join(versions)}",
            cause="this is the folder of a dataset's name, not of one version",
            remedy=f"name one of them: {where}/{versions[-1]}",
        )
    return open_root(f"{where}/{versions[0]}", endpoint_url=endpoint_url) if versions else store


def read_manifest(store: Store, prefix: str = "") -> Manifest:
    """Of the dataset at `prefix`. Raises ConfigError when there is none, StoreError when it is not intact."""
    sealed, where = sealed_manifest(store, prefix), f"{store.uri}/{prefix}" if prefix else store.uri
    if kind_of(sealed) == "factory-mix":
        raise ConfigError(
            f"{where} is a mix, and this command is for datasets of a run",
            cause="rows of a mix come from several makers and lack the columns that it looks at",
            remedy="name the published datasets that the mix was made of: they stand in its manifest under inputs",
        )
    return unseal(sealed, f"{where}/{MANIFEST}")


def sealed_manifest(store: Store, prefix: str = "") -> bytes:
    """The bytes of the manifest of a dataset or mix at `prefix`. Raises ConfigError when there is none."""
    try:
        return store.get(f"{prefix}/{MANIFEST}" if prefix else MANIFEST)
    except KeyError:
        raise ConfigError(
            f"there is no {MANIFEST} in {f'{store.uri}/{prefix}' if prefix else store.uri}",
            cause="this is not a dataset, or its publication was never finished",
            remedy="give the folder that the run printed last, <root>/datasets/<name>/<version>",
        ) from None


def read_shard(dataset: Store, manifest: Manifest, path: str) -> bytes:
    """A shard's bytes. Raises StoreError where it is gone, or has other bytes than were published."""
    published = next(shard["sha256"] for shard in manifest["shards"] if shard["path"] == path)
    try:
        data = dataset.get(path)
    except AbsentObjectError as error:
        raise absent(error) from error
    if sha256_hex(data) != published:
        raise damaged(dataset.uri, path, "it has other bytes than the manifest names")
    return data


def root_above(address: str) -> str | None:
    """The part of a dataset's address above `datasets/`; None where it does not lie under a root."""
    return address.rstrip("/").rpartition("/datasets/")[0] or None


def open_root_of(dataset: Store, run: str, root: str | None, endpoint_url: str | None = None) -> Store:
    """The root that holds `run`: the one given, else the part of the dataset's address above `datasets/`.

    Raises ConfigError when the run is not there.
    """
    address = dataset.uri.rstrip("/")
    where = root or root_above(address)
    store = open_root(where, endpoint_url=endpoint_url) if where else None
    if store is not None and store.head(record_key(run)) is not None:
        return store
    raise ConfigError(
        f"the root of run {run} is not at {where}" if where else f"{address} does not lie under a root",
        cause="the dataset was copied away from where it was made",
        remedy="pass --root with the root of the run, or verify the dataset alone with --bytes",
    )
