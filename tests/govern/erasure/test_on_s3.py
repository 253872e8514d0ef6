"""An erasure on a real S3 server: the same, and old versions are spoken of."""

from __future__ import annotations

import pytest

from factory.govern.erasure.erase import erase
from factory.govern.erasure.versioning import kept_versions
from factory.publish.proof import verify_root
from factory.publish.verify import verify_bytes
from factory.run.outputs import forget_committed
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from factory.store.s3 import S3Store
from factory.store.s3_client import client
from tests.conftest import S3
from tests.govern.erasure.worlds import silent
from tests.publish.world import make_world


def test_a_document_leaves_a_root_on_s3_and_the_dataset_verifies(s3_store: Store) -> None:
    forget_committed()
    prefix = make_world(s3_store, documents=3).publish().prefix
    shard = next(info.key for info in s3_store.list(f"{prefix}/data/"))
    doc_id = read_parquet(s3_store, shard)["doc_ids"][0].as_py()[0]
    done = erase(s3_store, [doc_id], "asked for", "me", silent)
    assert done.left == ()
    found = verify_bytes(s3_store, prefix)
    assert found.manifest is not None
    checks = [*found.checks, *verify_root(s3_store, s3_store, prefix, found.manifest)]
    assert all(check.ok for check in checks), checks
    for info in s3_store.list(""):
        if info.key.endswith(".parquet"):
            assert doc_id not in str(read_parquet(s3_store, info.key).to_pylist())
        else:
            assert doc_id.encode() not in s3_store.get(info.key)


def test_a_bucket_that_keeps_versions_is_named(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    store = S3Store(s3.bucket, "x", s3.endpoint_url, s3.region)
    server = type(client(s3.endpoint_url, s3.region))
    for status, said in (("Enabled", "has versioning (Enabled)"), ("", None)):
        answer = {"Status": status} if status else {}
        monkeypatch.setattr(server, "get_bucket_versioning", lambda *_, told=answer, **_given: told, raising=False)
        told = kept_versions(store)
        assert told is None if said is None else said in str(told)
    assert kept_versions(LocalStore("anywhere")) is None
