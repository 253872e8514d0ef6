from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from factory.errors import StoreError, TransientStoreError
from factory.store.open import open_root
from factory.store.s3 import S3Store
from factory.trouble.proxy import TroubleProxy
from tests.conftest import S3
from tests.s3_server import create_bucket, running


@pytest.fixture
def store(s3: S3) -> S3Store:
    opened = open_root(s3.root(), s3.endpoint_url, s3.region)
    assert isinstance(opened, S3Store)
    return opened


@pytest.mark.parametrize("lost", [1, 2])
def test_a_put_if_absent_whose_answer_was_lost_is_known_as_our_own_success(s3: S3, store: S3Store, lost: int) -> None:
    with TroubleProxy(s3.endpoint_url) as proxy:
        through = replace(store, endpoint_url=proxy.url)
        proxy.set(f"lose-answer PUT count={lost}")
        assert through.put_if_absent("commits/u.json", b"ours")
        assert proxy.faults["lose-answer"] == lost
    assert store.get("commits/u.json") == b"ours"


def test_a_lost_answer_of_a_refused_put_is_still_a_refusal_even_with_the_same_bytes(s3: S3, store: S3Store) -> None:
    assert store.put_if_absent("commits/u.json", b"theirs")
    with TroubleProxy(s3.endpoint_url) as proxy:
        through = replace(store, endpoint_url=proxy.url)
        proxy.set("lose-answer PUT count=1")
        assert not through.put_if_absent("commits/u.json", b"theirs")
        assert proxy.faults["lose-answer"] == 1


def test_where_the_store_keeps_no_token_the_same_bytes_decide_after_a_lost_answer(s3: S3, store: S3Store) -> None:
    store.put("commits/u.json", b"put without a token")
    with TroubleProxy(s3.endpoint_url) as proxy:
        through = replace(store, endpoint_url=proxy.url)
        assert not through.put_if_absent("commits/u.json", b"put without a token")
        proxy.set("lose-answer PUT count=1")
        assert through.put_if_absent("commits/u.json", b"put without a token")
        proxy.set("lose-answer PUT count=1")
        assert not through.put_if_absent("commits/u.json", b"other")


def test_a_put_if_match_whose_answer_was_lost_is_known_as_our_own_success(s3: S3, store: S3Store) -> None:
    store.put("lease", b"1")
    _, tag = store.get_tagged("lease")
    with TroubleProxy(s3.endpoint_url) as proxy:
        through = replace(store, endpoint_url=proxy.url)
        proxy.set("lose-answer PUT count=1")
        assert through.put_if_match("lease", b"2", tag)
        proxy.set("lose-answer PUT count=1")
        assert not through.put_if_match("lease", b"3", tag)
        assert proxy.faults["lose-answer"] == 2
    assert store.get("lease") == b"2"


def test_a_server_killed_and_started_again_is_waited_for() -> None:
    """Refused connections are transient: with little patience an error that says so, with enough a success."""
    with running() as server:
        create_bucket(server, "restarted")
        with pytest.MonkeyPatch.context() as patch:
            for name, value in server.environment().items():
                patch.setenv(name, value)
            store = S3Store("restarted", "root", server.endpoint_url, patience_s=60)
            store.put("before", b"kept")
            server.kill()
            with pytest.raises(TransientStoreError, match="run the same command again"):
                replace(store, patience_s=0.5).put("during", b"x")
            back = threading.Timer(1.5, server.start)
            back.start()
            started = time.monotonic()
            assert store.put_if_absent("during", b"waited")
            assert time.monotonic() - started > 1
            back.join()
            assert store.get("before") == b"kept"
            assert store.get("during") == b"waited"


def test_a_wrong_secret_is_explained_without_telling_it(
    s3: S3, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-1234")
    stranger = replace(store, region="eu-wrong-secret-1")  # another region: a client of its own, with this secret
    for call in (lambda: stranger.put("a", b"1"), lambda: list(stranger.list("")), lambda: stranger.get("a")):
        with pytest.raises(StoreError, match="AWS_SECRET_ACCESS_KEY") as caught:
            call()
        assert not isinstance(caught.value, TransientStoreError)
        assert "not-the-secret-1234" not in str(caught.value)
        assert s3.server.access_key not in str(caught.value)


def test_an_unknown_key_and_no_credentials_at_all_are_explained(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "unknownkey")
    with pytest.raises(StoreError, match="does not know this access key"):
        store.put("a", b"1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(StoreError, match="no credentials were found"):
        store.put("a", b"1")


def test_a_bucket_that_is_not_there_is_explained_for_reads_and_writes(store: S3Store) -> None:
    missing = replace(store, bucket="never-created-bucket")
    for call in (
        lambda: missing.put("a", b"1"),
        lambda: missing.put_if_absent("a", b"1"),
        lambda: missing.get("a"),
        lambda: list(missing.list("")),
        missing.clock,
    ):
        with pytest.raises(StoreError, match="bucket does not exist"):
            call()


def test_an_address_where_nobody_listens_is_transient_and_named(store: S3Store) -> None:
    nowhere = replace(store, endpoint_url="http://127.0.0.1:9", patience_s=0.3)
    with pytest.raises(TransientStoreError, match=r"cannot write a in s3://"):
        nowhere.put("a", b"1")


def test_neither_the_address_nor_the_pickle_holds_credentials(s3: S3, store: S3Store) -> None:
    import pickle

    store.put("a", b"1")
    for shown in (store.uri, repr(store), pickle.dumps(store).decode("latin1")):
        assert s3.server.secret_key not in shown
        assert s3.server.access_key not in shown


def test_unfinished_uploads_are_aborted_once_old_enough(s3: S3, store: S3Store) -> None:
    from factory.store.s3_client import client

    raw = client(store.endpoint_url, store.region)
    started = raw.create_multipart_upload(Bucket=store.bucket, Key=f"{store.prefix}/shards/x")
    raw.upload_part(
        Bucket=store.bucket, Key=f"{store.prefix}/shards/x", UploadId=started["UploadId"], PartNumber=1, Body=b"x"
    )
    assert list(store.list("")) == []
    assert store.discard_unfinished("", 3600) == 0
    assert store.discard_unfinished("other/", 0) == 0
    assert store.discard_unfinished("shards/", 0) == 1
    assert store.discard_unfinished("", 0) == 0


def test_a_subprocess_finds_the_store_by_its_address_alone(s3: S3) -> None:
    root = s3.root()
    code = f"from factory.store.open import open_root; open_root({root!r}).put('a', b'from the child')"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert open_root(root).get("a") == b"from the child"


def test_a_store_at_the_root_of_a_bucket_has_the_same_keys(s3: S3) -> None:
    create_bucket(s3.server, "bare-bucket")
    bare = S3Store("bare-bucket", "", s3.endpoint_url)
    bare.put("a/b", b"1")
    assert [info.key for info in bare.list("")] == ["a/b"]
    assert replace(bare, prefix="/a/").get("b") == b"1"
    assert bare.uri == "s3://bare-bucket"
