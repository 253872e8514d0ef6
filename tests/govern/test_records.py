"""The log that approvals and withdrawals are kept in, on both kinds of store."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from factory.errors import ConfigError, StoreError
from factory.govern.records import Record, append, read_records, record_key
from factory.govern.withdrawals import reinstate_document, withdraw_document, withdrawn_documents
from factory.identity import canonical_json, make_id
from factory.publish.manifest import MANIFEST
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.open import open_root
from tests.conftest import S3
from tests.govern.signing_off import factory, resealed
from tests.publish.world import World

PREFIX = "datasets/d/records/v/signoff"
RECORD = Record("approval", "0" * 64, "ada")
ONE, OTHER = make_id("document", "one"), make_id("document", "other")


def test_many_who_write_at_once_all_stand_one_after_another(store: Store) -> None:
    with ThreadPoolExecutor(6) as pool:
        written = list(pool.map(lambda n: append(store, PREFIX, replace(RECORD, by=f"p{n}")), range(6)))
    found = read_records(store, PREFIX)
    assert [record.number for record in found] == [1, 2, 3, 4, 5, 6]
    assert sorted(record.by for record in found) == [f"p{n}" for n in range(6)]
    assert {record.number: record for record in written} == {record.number: record for record in found}


def test_a_record_sent_again_because_its_answer_was_lost_stands_once(local_store: LocalStore) -> None:
    first = append(local_store, PREFIX, replace(RECORD, nonce="same"))

    class Forgetful(LocalStore):
        """Lists nothing, as a store would that has not been asked since the answer was lost."""

        def list(self, prefix: str):  # type: ignore[no-untyped-def]
            return iter(())

    assert append(Forgetful(local_store.root), PREFIX, replace(RECORD, nonce="same")) == first
    assert len(read_records(local_store, PREFIX)) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: {**record, "by": "eve"}, "do not match the digest it carries"),
        (lambda record: resealed({**record, "number": 7}), "it calls itself number 7"),
        (
            lambda record: resealed({**record, "by": "eve"}),
            "the record before it is not the one that it was written after",
        ),
        (lambda record: {**record, "kind": "blessing"}, "kind"),
        (lambda record: {key: value for key, value in record.items() if key != "nonce"}, "it lacks nonce"),
    ],
)
def test_what_was_changed_is_named(local_store: LocalStore, change: object, says: str) -> None:
    for _ in range(3):
        append(local_store, PREFIX, RECORD)
    key = record_key(PREFIX, 2)
    assert callable(change)
    local_store.put(key, canonical_json(change(orjson.loads(local_store.get(key)))))
    with pytest.raises(StoreError, match=says):
        read_records(local_store, PREFIX)


def test_documents_are_withdrawn_and_taken_back_one_by_one(local_store: LocalStore) -> None:
    withdraw_document(local_store, ONE, "ada", "", "on request")
    withdraw_document(local_store, OTHER, "ada", "", "on request")
    assert withdrawn_documents(local_store).keys() == {ONE, OTHER}
    with pytest.raises(ConfigError, match="withdrawn already, by ada"):
        withdraw_document(local_store, ONE, "grace", "", "again")
    reinstate_document(local_store, ONE, "grace", "", "settled")
    assert withdrawn_documents(local_store).keys() == {OTHER}
    with pytest.raises(ConfigError, match="is not withdrawn"):
        reinstate_document(local_store, ONE, "grace", "", "again")
    assert withdraw_document(local_store, ONE, "ada", "", "asked again").number == 3
    assert withdrawn_documents(local_store)[ONE].note == "asked again"


@pytest.mark.s3
def test_the_commands_work_on_object_storage(
    worked: World, s3: S3, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dataset published to a folder and copied to a bucket: approved, signed, searched, withdrawn there."""
    assert isinstance(worked.store, LocalStore)
    local = LocalStore(str(shutil.copytree(worked.store.root, tmp_path / "root")))
    published = World(local, worked.dones, worked.steps).publish()
    root = s3.root()
    store = open_root(root)
    for info in local.list(f"{published.prefix}/"):  # other tests of the room publish into the same root
        store.put(info.key, local.get(info.key))
    dataset = f"{root}/{published.prefix}"
    assert factory("approve", dataset, "--as", "ada") == 0
    assert factory("sign", "--new-key", tmp_path / "key") == 0
    assert factory("sign", dataset, "--key", tmp_path / "key") == 0
    assert factory("impact", root, "--model", "toy/answer", "--json") == 0
    told = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["rows"] == published.manifest["totals"]["rows"]
    assert told["datasets"][0]["state"] == "approved"
    assert factory("withdraw", dataset, "--as", "ada", "--reason", "a complaint") == 0
    typed = ["verify", dataset, "--bytes", "--signature", "--public-key", tmp_path / "key.pub"]
    assert factory(*typed) == 0
    assert store.head(f"{published.prefix}/{MANIFEST}") is not None
