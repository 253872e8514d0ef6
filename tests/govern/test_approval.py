from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from factory.govern.records import Record, append, read_records, record_key, signoff_prefix
from factory.identity import canonical_json
from factory.publish.manifest import seal
from factory.store.local import LocalStore
from tests.govern.signing_off import Signed, evaluate, factory, resealed
from tests.publish.world import World


def test_a_dataset_is_a_draft_until_somebody_who_may_approves_it(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    key = evaluate(signed.store, signed.published)
    assert signed.state == "draft"
    assert (
        factory("approve", signed.dataset, "--as", "ada", "--role", "data owner", "--condition", "not for exams") == 0
    )
    assert "approved by ada" in capsys.readouterr().out
    assert signed.state == "approved"
    (record,) = read_records(signed.store, signoff_prefix("toy", "v1"))
    assert (record.by, record.role, record.evidence["review_board"]) == ("ada", "data owner", "RB-7")
    assert record.evidence["conditions"] == ["not for exams"]
    assert list(record.evidence["evaluations"]) == [key]
    assert [each["holds"] for each in record.evidence["thresholds"]] == [True, True]


def test_everything_that_stands_in_the_way_is_named_at_once(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(signed.store, signed.published, auc=0.7, worst=0.2)
    assert factory("approve", signed.dataset, "--as", "mallory") == 7
    said = capsys.readouterr().err
    assert "'mallory' is not one of governance.approvers: ada, grace" in said
    assert "threshold of privacy membership_auc<=0.6 (it is 0.7)" in said
    assert "threshold of bias accuracy_by_level.accuracy.min>=0.5 (it is 0.2)" in said
    assert signed.state == "draft"
    assert read_records(signed.store, signoff_prefix("toy", "v1")) == []


def test_a_threshold_nobody_has_measured_does_not_hold(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    assert factory("approve", signed.dataset, "--as", "ada") == 7
    assert "there is no evaluation of this dataset" in capsys.readouterr().err
    evaluate(signed.store, signed.published, auc=None)
    assert factory("approve", signed.dataset, "--as", "ada") == 7
    assert "membership_auc<=0.6 (no value: no held-out)" in capsys.readouterr().err


def test_the_newest_evaluation_decides_and_one_of_other_bytes_does_not(signed: Signed) -> None:
    evaluate(signed.store, signed.published, auc=0.9, name="e1")
    key = evaluate(signed.store, signed.published, auc=0.5, name="e2")
    assert factory("approve", signed.dataset, "--as", "grace", "--dry-run") == 0
    other = orjson.loads(signed.store.get(key)) | {"dataset_digest": "0" * 64}
    signed.store.put(key, orjson.dumps(other))
    assert factory("approve", signed.dataset, "--as", "grace", "--dry-run") == 7


def test_a_gate_that_failed_is_in_the_way(world: World, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published = world.publish(version="failed")
    key = f"{published.prefix}/manifest.json"
    gates = [
        {**published.manifest["gates"][0], "passed": False, "severity": "error", "threshold": 5.0, "measured": 1.0}
    ]
    world.store.put(key, seal({**published.manifest, "gates": gates}))
    assert factory("approve", root / published.prefix, "--as", "anybody") == 7
    assert f"gate {gates[0]['name']} failed" in capsys.readouterr().err


@pytest.mark.parametrize("harm", ["cut", "flipped", "removed"])
def test_what_is_damaged_is_neither_approved_nor_signed(
    harm: str, signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(signed.store, signed.published)
    key = tmp_path / "key"
    assert factory("sign", "--new-key", key) == 0
    assert factory("approve", signed.dataset, "--as", "ada") == 0
    shard = next(signed.dataset.glob("data/*.parquet"))
    data = shard.read_bytes()
    shard.unlink()
    if harm != "removed":
        shard.write_bytes(data[:-50] if harm == "cut" else data[:99] + bytes([data[99] ^ 1]) + data[100:])
    cut = f"has {len(data) - 50:,} bytes, and {len(data):,} were published"
    said = {"cut": cut, "removed": "is gone", "flipped": "has other bytes than were published"}
    capsys.readouterr()
    for dry_run in (["--dry-run"], []):
        assert factory("approve", signed.dataset, "--as", "ada", *dry_run) == 7
        told = capsys.readouterr().err
        assert f"data/{shard.name} {said[harm]}" in told
        assert "factory verify" in told
    assert factory("sign", signed.dataset, "--key", key) == 4
    told = capsys.readouterr().err
    assert f"data/{shard.name} {said[harm]}" in told
    assert "factory verify" in told
    assert not list(signed.root.glob("datasets/toy/records/v1/signatures/*"))
    assert factory("approve", signed.dataset, "--as", "ada", "--revoke", "--note", "it is damaged") == 0


def test_an_approval_can_be_taken_back_and_given_again(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(signed.store, signed.published)
    assert factory("approve", signed.dataset, "--as", "ada", "--revoke", "--note", "too early") == 2
    assert factory("approve", signed.dataset, "--as", "ada") == 0
    assert factory("approve", signed.dataset, "--as", "mallory", "--revoke", "--note", "no") == 2
    assert signed.state == "approved"
    assert factory("approve", signed.dataset, "--as", "grace", "--revoke", "--note", "a complaint") == 0
    assert signed.state == "draft"
    assert factory("status", signed.root) == 0
    assert "approval revoked by grace" in capsys.readouterr().out
    assert factory("approve", signed.dataset, "--as", "ada") == 0
    assert signed.state == "approved"


def test_an_approval_is_of_the_bytes_that_were_approved(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(signed.store, signed.published)
    assert factory("approve", signed.dataset, "--as", "ada") == 0
    key = f"{signed.published.prefix}/manifest.json"
    signed.store.put(key, seal({**signed.published.manifest, "created": "2027-01-01T00:00:00+00:00"}))
    assert signed.state == "draft"
    factory("status", signed.root)
    assert "has another manifest than stands there now" in capsys.readouterr().out


def test_an_approval_copied_from_another_dataset_is_said_to_be_of_that(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(signed.store, signed.published)
    assert factory("approve", signed.dataset, "--as", "ada") == 0
    manifest = {**signed.published.manifest, "version": "v2"}
    signed.store.put("datasets/toy/v2/manifest.json", seal(manifest))
    for info in list(signed.store.list(f"{signoff_prefix('toy', 'v1')}/")):
        key = f"{signoff_prefix('toy', 'v2')}/{info.key.rpartition('/')[2]}"
        signed.store.put(key, signed.store.get(info.key))
    factory("status", signed.root)
    told = capsys.readouterr().out
    assert "draft: what ada approved on " in told
    assert " is toy@v1, another dataset" in told


def test_verify_and_status_say_the_state(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(signed.store, signed.published)
    assert factory("verify", signed.dataset) == 0
    shown = capsys.readouterr()
    assert orjson.loads(shown.out.splitlines()[-1])["state"]["state"] == "draft"
    assert "state   draft" in shown.err
    factory("approve", signed.dataset, "--as", "ada")
    capsys.readouterr()
    assert factory("verify", signed.dataset) == 0
    assert orjson.loads(capsys.readouterr().out.splitlines()[-1])["state"]["by"] == "ada"
    assert factory("status", signed.root, "--json") == 0
    listed = orjson.loads(capsys.readouterr().out)["datasets"]
    (told,) = [each for each in listed if each["version"] == signed.published.manifest["version"]]
    assert (told["dataset"], told["state"], told["by"]) == ("toy", "approved", "ada")


def test_a_withdrawn_dataset_says_so_until_it_is_taken_back(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(signed.store, signed.published)
    factory("approve", signed.dataset, "--as", "ada")
    assert factory("withdraw", signed.dataset, "--as", "ada", "--reason", "a complaint") == 0
    assert signed.state == "withdrawn"
    assert factory("withdraw", signed.dataset, "--as", "ada", "--reason", "again") == 2
    assert factory("approve", signed.dataset, "--as", "ada") == 7
    assert "withdrawn by ada" in capsys.readouterr().err
    assert factory("withdraw", signed.dataset, "--as", "ada", "--reason", "settled", "--reinstate") == 0
    assert signed.state == "draft", "what was withdrawn is approved again, or not at all"
    factory("status", signed.root)
    assert "withdrawal taken back by ada" in capsys.readouterr().out


def test_the_figures_that_conditions_can_name_are_listed(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(signed.store, signed.published)
    assert factory("approve", signed.dataset, "--figures") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "membership_auc  0.55" in lines
    assert "membership_auc_high  0.59" in lines
    assert "accuracy_by_level.accuracy.max  0.8" in lines


def test_a_record_that_was_edited_or_removed_is_found(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    prefix = signoff_prefix("toy", "v1")
    for number in range(3):
        append(signed.store, prefix, Record("approval", "0" * 64, f"person {number}"))
    assert [record.number for record in read_records(signed.store, prefix)] == [1, 2, 3]
    key = record_key(prefix, 1)
    edited = orjson.loads(signed.store.get(key)) | {"by": "somebody else"}
    before = signed.store.get(key)
    signed.store.put(key, orjson.dumps(edited))
    assert factory("verify", signed.dataset) == 1
    assert f"{record_key(prefix, 1)} in" in capsys.readouterr().err
    signed.store.put(key, canonical_json(resealed(edited)))
    assert factory("verify", signed.dataset) == 1
    assert f"{record_key(prefix, 2)} in" in capsys.readouterr().err
    signed.store.delete(key)
    assert factory("approve", signed.dataset, "--as", "ada") == 4
    assert "it is gone" in capsys.readouterr().err
    signed.store.put(key, before)
    assert len(read_records(signed.store, prefix)) == 3


def test_two_who_write_at_once_both_stand(signed: Signed) -> None:
    prefix, other = signoff_prefix("toy", "v1"), LocalStore(signed.store.root)

    class Racing(LocalStore):
        """Somebody else is quicker, once."""

        def put_if_absent(self, key: str, data: bytes) -> bool:
            if not read_records(other, prefix):
                append(other, prefix, Record("approval", "1" * 64, "first"))
            return LocalStore.put_if_absent(self, key, data)

    second = append(Racing(signed.store.root), prefix, Record("approval", "1" * 64, "second"))
    assert second.number == 2
    assert [record.by for record in read_records(other, prefix)] == ["first", "second"]
