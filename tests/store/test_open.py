from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from factory.errors import ConfigError, StoreError
from factory.store.base import ObjectInfo, Store
from factory.store.config import StoreConfig
from factory.store.local import LocalStore
from factory.store.open import open_root, open_store, probe
from factory.store.s3 import S3Store
from tests.conftest import S3


@dataclass(frozen=True)
class Careless(LocalStore):
    """A store that takes conditions and ignores some, as gateways without conditional writes do."""

    ignores: str = ""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if self.ignores == "absence":
            self.put(key, data)
            return True
        if self.ignores == "absence in a race":  # looks first, writes then
            if self.head(key) is not None:
                return False
            self.put(key, data)
            return True
        if self.ignores == "refusal":
            if not super().put_if_absent(key, data):
                self.put(key, data)
                return False
            return True
        return super().put_if_absent(key, data)

    def put_if_match(self, key: str, data: bytes, etag: str) -> bool:
        if self.ignores == "tags":
            self.put(key, data)
            return True
        return super().put_if_match(key, data, etag)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return iter(()) if self.ignores == "listings" else super().list(prefix)

    def delete(self, key: str) -> None:
        if self.ignores != "deletes":
            super().delete(key)


def test_a_good_store_passes_and_nothing_is_left_behind(store: Store) -> None:
    store.put("kept", b"1")
    probe(store)
    probe(store)
    assert [info.key for info in store.list("")] == ["kept"]


def test_no_empty_folder_stays_in_a_local_root(tmp_path: Path) -> None:
    probe(LocalStore(str(tmp_path)))
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("ignores", "said"),
    [
        ("absence", "put-if-absent succeeded although the object was there"),
        ("absence in a race", "writers racing for one object"),
        ("refusal", "a refused put changed the object"),
        ("tags", "entity tag the object does not have"),
        ("listings", "missing from the listing"),
        ("deletes", "still there after it was deleted"),
    ],
)
def test_a_store_that_ignores_a_condition_is_refused(tmp_path: Path, ignores: str, said: str) -> None:
    def probe_often() -> None:
        for _ in range(20):  # a race is not lost every time
            probe(Careless(str(tmp_path), ignores))

    with pytest.raises(StoreError, match=said) as caught:
        probe_often()
    assert caught.value.cause
    assert "conditional writes" in caught.value.remedy


def test_a_refused_store_is_left_clean(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        probe(Careless(str(tmp_path), "absence"))
    assert list(LocalStore(str(tmp_path)).list("")) == []


def test_a_store_that_cannot_be_reached_is_said_within_the_probes_patience(s3: S3) -> None:
    nowhere = S3Store("bucket", "", "http://127.0.0.1:9", patience_s=0.3)
    with pytest.raises(StoreError, match="down or overloaded"):
        probe(nowhere)


def test_addresses_open_the_store_they_name(tmp_path: Path) -> None:
    assert open_root(str(tmp_path)) == LocalStore(str(tmp_path))
    assert open_root(f"file://{tmp_path}") == LocalStore(str(tmp_path))
    s3 = open_root("s3://my-bucket/a/b/", "http://127.0.0.1:9000", "eu-central-1")
    assert s3 == S3Store("my-bucket", "a/b", "http://127.0.0.1:9000", "eu-central-1")
    assert s3.uri == "s3://my-bucket/a/b"
    config = StoreConfig(root="s3://my-bucket", endpoint_url=None, region="us-west-2")
    assert open_store(config) == S3Store("my-bucket", "", None, "us-west-2")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: open_root("gs://bucket/x"), "conditional puts"),
        (lambda: open_root("s3:/bucket/x"), "misspelt"),
        (lambda: open_root("s3://"), "misspelt"),
        (lambda: open_root("s3://UPPER_case/x"), "misspelt"),
        (lambda: open_root("s3://key:hunter2secret@bucket/x"), "AWS_SECRET_ACCESS_KEY"),
        (lambda: open_root("s3://bucket", "http://key:hunter2secret@host:9000"), "AWS_SECRET_ACCESS_KEY"),
        (lambda: open_root("s3://bucket", "host:9000"), "https://host:9000"),
    ],
)
def test_addresses_that_make_no_sense_are_refused_at_once(call: Callable[[], Store], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        call()
    assert "hunter2secret" not in str(caught.value)


def test_a_local_store_opens_without_importing_boto3() -> None:
    code = (
        "import sys; from factory.store.open import open_root, probe; open_root('/tmp'); print('boto3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_the_probe_does_not_change_the_patience_of_the_store_itself(s3_store: Store) -> None:
    assert isinstance(s3_store, S3Store)
    before = replace(s3_store)
    probe(s3_store)
    assert s3_store == before
