"""An S3 that errs, throttles, resets and forgets: what passes is not noticed, what does not is explained."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from factory.errors import StoreError, TransientStoreError
from factory.store.lease import held
from factory.store.open import open_root
from factory.store.s3 import PART_BYTES, S3Store
from factory.trouble.proxy import TroubleProxy
from tests.conftest import S3

SMALL = random.Random(5).randbytes(70_000)


@pytest.fixture
def proxy(s3: S3) -> Iterator[TroubleProxy]:
    with TroubleProxy(s3.endpoint_url, seed=3) as running:
        yield running


@pytest.fixture
def through(s3: S3, proxy: TroubleProxy) -> S3Store:
    store = open_root(s3.root(), proxy.url, s3.region)
    assert isinstance(store, S3Store)
    return store


@pytest.mark.parametrize(
    "rule",
    [
        "500 share=0.3",
        "503 share=0.3",
        "slowdown share=0.3",
        "429 share=0.3",
        "reset share=0.3",
        "reset-body PUT share=0.5",
        "reset-answer share=0.3",
        "lose-answer share=0.3",
        "expired skip=2 count=1",
    ],
)
def test_what_passes_is_not_noticed(rule: str, proxy: TroubleProxy, through: S3Store) -> None:
    proxy.set(rule)
    for number in range(4):
        through.put(f"data/{number}", SMALL)
        assert through.get(f"data/{number}") == SMALL
        assert through.get_range(f"data/{number}", 10, 5000) == SMALL[10:5000]
        assert through.put_if_absent(f"commits/{number}", b"ours"), "whatever was lost on the way, it was ours"
        assert not through.put_if_absent(f"commits/{number}", b"ours")
        _, tag = through.get_tagged(f"commits/{number}")
        assert through.put_if_match(f"commits/{number}", b"newer", tag)
    assert {info.key for info in through.list("data/")} == {f"data/{number}" for number in range(4)}
    through.delete("data/0")
    assert through.head("data/0") is None
    assert sum(proxy.faults.values()) > 0


def test_slow_bodies_and_short_silences_are_waited_for(proxy: TroubleProxy, through: S3Store) -> None:
    proxy.set("slow rate=200000 count=4", "stall seconds=0.5 count=2")
    through.put("a", SMALL)
    assert [through.get("a") == SMALL for _ in range(5)] == [True] * 5
    assert proxy.faults == {"slow": 4, "stall": 2}


@pytest.mark.parametrize("how", ["put", "put_file"])
def test_of_a_long_upload_only_the_parts_that_broke_are_sent_again(
    how: str, proxy: TroubleProxy, through: S3Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = random.Random(7).randbytes(PART_BYTES) * 2 + b"the end"
    proxy.set("reset-body PUT *uploadId=* count=1", "503 PUT *uploadId=* count=1")
    if how == "put":
        through.put("large", data)
    else:
        path = tmp_path_factory.mktemp("upload") / "file"
        path.write_bytes(data)
        through.put_file("large", str(path))
    assert proxy.faults == {"reset-body": 1, "503": 1}
    assert proxy.traffic.up < 2 * len(data), "not all of it was sent again"
    proxy.set("reset-answer GET *large* count=1")
    assert through.get("large") == data
    assert through.discard_unfinished("", 0) == 0


CALLS: tuple[Callable[[S3Store], object], ...] = (
    lambda store: store.put("a", b"1"),
    lambda store: store.put_if_absent("a", b"1"),
    lambda store: store.get("a"),
    lambda store: store.head("a"),
    lambda store: list(store.list("")),
    lambda store: store.delete("a"),
    lambda store: store.put("long", b"x" * (PART_BYTES + 1)),
)


@pytest.mark.parametrize("call", CALLS)
def test_expired_credentials_are_explained_for_every_call(
    call: Callable[[S3Store], object], proxy: TroubleProxy, through: S3Store
) -> None:
    proxy.set("expired")
    with pytest.raises(StoreError, match="temporary credentials have expired") as caught:
        call(through)
    assert not isinstance(caught.value, TransientStoreError)
    assert "renew them" in caught.value.remedy
    assert proxy.requests <= 4, "tried once more with credentials read afresh (botocore asks a second HEAD each time)"


@pytest.mark.parametrize("call", CALLS)
def test_a_bucket_that_denies_is_explained_for_every_call(
    call: Callable[[S3Store], object], proxy: TroubleProxy, through: S3Store
) -> None:
    proxy.set("denied")
    with pytest.raises(StoreError, match="these credentials lack a permission") as caught:
        call(through)
    assert "s3:GetObject" in caught.value.remedy


def test_a_store_that_stays_away_is_waited_for_and_then_named(proxy: TroubleProxy, through: S3Store) -> None:
    proxy.dark(600)
    with pytest.raises(TransientStoreError, match="cannot write a") as caught:
        replace(through, patience_s=1).put("a", b"1")
    assert "run the same command again" in caught.value.remedy


def test_a_lease_of_a_store_that_is_gone_is_not_given_back_for_ever(
    proxy: TroubleProxy, through: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends because its store is gone has waited for it already."""
    monkeypatch.setattr("factory.store.lease.HURRY_S", 0.3)
    patient = replace(through, patience_s=1e6)
    with held(patient, "run-x", "a test", print):
        proxy.dark(1e6)
    proxy.dark(0)
    assert through.head("leases/run-x.json") is not None
