"""From an address to a store, and the proof that the store keeps its promises.

Design: a store that takes a condition and ignores it (older Ceph and MinIO, `rclone serve s3`, some gateways)
would let two writers commit the same unit, and nothing later would notice. So every run first tries the
conditions out on objects of its own. Cost of `probe`: about 20 requests, 50 ms on the loopback, 1 s far away.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from factory.errors import ConfigError, StoreError
from factory.store.base import Store, in_a_hurry
from factory.store.local import LocalStore

if TYPE_CHECKING:
    from factory.store.config import StoreConfig

PROBE_PATIENCE_S = 15.0
"""A mistyped endpoint should be said within seconds; the run itself waits longer for a server that restarts."""

RACING_WRITERS = 3
"""Enough to catch a store that looks first and writes then; SeaweedFS makes each loser wait up to a second."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_store(config: StoreConfig) -> Store:
    """The store of a run. Raises ConfigError when the address makes no sense; talks to nobody yet."""
    return open_root(config.root, config.endpoint_url, config.region)


def open_root(uri: str, endpoint_url: str | None = None, region: str = "us-east-1") -> Store:
    """A store at a folder or at `s3://bucket/prefix`. Raises ConfigError; talks to nobody yet."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        if uri.startswith(("s3:", "file:")):
            raise _misspelt(f"store.root is {uri!r}")
        return _local(uri)
    if scheme == "file":
        return _local(rest)
    if scheme not in ("s3", "s3a"):
        raise ConfigError(
            f"store.root starts with {scheme}://, which the factory cannot write to",
            cause="results need conditional puts, which are built for local folders and S3 only",
            remedy="use a folder, or s3://bucket/prefix with store.endpoint_url set to the service's S3 endpoint",
        )
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket or ":" in bucket or "?" in rest:
        raise ConfigError(
            "store.root holds more than a bucket and a prefix",
            cause="credentials, ports or options written into the address",
            remedy="write s3://bucket/prefix; the port belongs into store.endpoint_url, "
            "credentials into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if not _BUCKET.fullmatch(bucket):
        raise _misspelt(f"store.root names the bucket {bucket!r}, and S3 allows none of that name")
    if endpoint_url is not None:
        _check_endpoint(endpoint_url)
    from factory.store.s3 import S3Store  # brings boto3, 0.3 s that a local run need not pay

    return S3Store(bucket, prefix, endpoint_url, region)


def _local(path: str) -> LocalStore:
    try:
        store = LocalStore(path)
        Path(store.root).exists()
    except (RuntimeError, ValueError, OSError) as error:  # "~name" of nobody, a zero byte, a name too long
        if isinstance(error, PermissionError):
            return LocalStore(path)  # what may not be looked at is said when it is used
        raise _misspelt(f"{_shown(path)} is no folder: {error.args[-1]}"[:500]) from None
    place = Path(store.root)
    for part in (place, *place.parents):
        with contextlib.suppress(PermissionError):  # what may not be looked at is said when it is used
            if part.is_file():
                raise ConfigError(
                    f"{part} is a file where a folder is needed",
                    cause="a file, of a corpus for example, was named as store.root, ROOT or DATASET",
                    remedy="name a folder, new or left by an earlier run: store.root=DIR",
                )
    return store


def _shown(text: str) -> str:
    """A name from a command line, of which not every byte need be UTF-8."""
    return text.encode(errors="backslashreplace").decode()[:200]


def _misspelt(what: str) -> ConfigError:
    return ConfigError(what, cause="a misspelt address", remedy="write a folder, or s3://bucket/prefix")


def _check_endpoint(endpoint_url: str) -> None:
    try:
        parts = urlsplit(endpoint_url)
        parts.port  # noqa: B018 - raises where it is no number of a port
    except ValueError as error:
        raise ConfigError(
            f"store.endpoint_url is {_shown(endpoint_url)!r}, which is no web address: {error}",
            cause="a slip in the host or the port",
            remedy="write it like https://host:9000",
        ) from None
    if "@" in parts.netloc or parts.query:
        raise ConfigError(
            "store.endpoint_url holds more than an address",
            cause="credentials or options written into it; it is printed and kept with the run",
            remedy="write https://host:port; credentials belong into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(
            f"store.endpoint_url is {endpoint_url!r}, which is no web address",
            cause="the scheme is missing or misspelt",
            remedy="write it like https://host:9000",
        )


def probe(store: Store) -> None:
    """Refuses a store that cannot be written, read back, listed or emptied, or that ignores conditions.

    Raises StoreError (what, cause, remedy). Leaves nothing behind.
    """
    # A wrong address should not take the whole patience of a run to be noticed.
    store = in_a_hurry(store, PROBE_PATIENCE_S)
    # At the root itself: in a local store a key with a folder would leave the empty folder behind.
    key = f"probe-{uuid.uuid4().hex}"
    try:
        _probe_absent(store, key)
        _probe_match(store, key)
        _probe_race(store, key + "-race")
    finally:
        store.delete(key)
        store.delete(key + "-race")
    if store.head(key) is not None:
        raise _unfit(store, "an object is still there after it was deleted", "caching between here and the store")


def _probe_absent(store: Store, key: str) -> None:
    if not store.put_if_absent(key, b"first"):
        raise _unfit(store, "a put-if-absent of a new object was refused")
    if store.put_if_absent(key, b"second"):
        raise _unfit(store, "a put-if-absent succeeded although the object was there")
    if store.get(key) != b"first":
        raise _unfit(store, "a refused put changed the object, or it cannot be read back at once")
    if key not in {info.key for info in store.list(key)}:
        raise _unfit(store, "a new object is missing from the listing", "listings that lag behind writes")


def _probe_match(store: Store, key: str) -> None:
    _, etag = store.get_tagged(key)
    if store.put_if_match(key, b"third", _another_tag(etag)):
        raise _unfit(store, "a put-if-match succeeded with an entity tag the object does not have")
    if not store.put_if_match(key, b"third", etag) or store.get(key) != b"third":
        raise _unfit(store, "a put-if-match with the right entity tag did not replace the object")
    if store.put_if_match(key, b"fourth", etag):
        raise _unfit(store, "a put-if-match succeeded with an entity tag from before the last write")


def _probe_race(store: Store, key: str) -> None:
    with ThreadPoolExecutor(RACING_WRITERS) as pool:
        wins = sum(pool.map(lambda writer: store.put_if_absent(key, b"writer %d" % writer), range(RACING_WRITERS)))
    if wins != 1:
        raise _unfit(store, f"of {RACING_WRITERS} writers racing for one object {wins} were told that they won")


def _another_tag(etag: str) -> str:
    """A well-formed tag that differs in its first digit, so that a server cannot refuse it for its form."""
    position = next(index for index, character in enumerate(etag) if character.isalnum())
    return etag[:position] + ("1" if etag[position] == "0" else "0") + etag[position + 1 :]


def _unfit(store: Store, happened: str, cause: str = "a store that does not honour conditional writes") -> StoreError:
    return StoreError(
        f"{store.uri} cannot be used: {happened}",
        cause=cause + "; two workers could commit the same work twice there",
        remedy="use a store with conditional writes (AWS S3, SeaweedFS, MinIO, Ceph from Squid on), or a local folder",
    )
