"""Records that nobody's command wrote: what they open, which is nothing, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from factory.govern.erasure.records import Begun, begun_key, put
from factory.govern.records import Record, append, read_records, record_bytes, record_key, sealed, signoff_prefix
from factory.govern.withdrawals import withdrawn_documents
from factory.identity import canonical_json
from tests.govern.signing_off import Signed, evaluate, factory, resealed

LOG = signoff_prefix("toy", "v1")


def verified(signed: Signed, capsys: pytest.CaptureFixture[str], *more: str | Path) -> tuple[int, dict[str, Any]]:
    """Exit code of `factory verify`, and what its last line says."""
    capsys.readouterr()
    code = factory("verify", signed.dataset, *more)
    return code, orjson.loads(capsys.readouterr().out.rstrip("\n").rpartition("\n")[2])


def approved(signed: Signed, *more: str | Path) -> Record:
    """A dataset that ada has approved; the record."""
    evaluate(signed.store, signed.published)
    assert factory("approve", signed.dataset, "--as", "ada", *more) == 0
    return read_records(signed.store, LOG)[-1]


def test_the_only_record_cannot_be_rewritten_unnoticed(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    approved(signed)
    key = record_key(LOG, 1)
    before = orjson.loads(signed.store.get(key))
    signed.store.put(key, canonical_json(before | {"note": "read all rows"}))
    assert verified(signed, capsys)[0] == 1
    factory("status", signed.root)
    assert "unreadable" in capsys.readouterr().out
    signed.store.put(key, orjson.dumps(before, option=orjson.OPT_INDENT_2))
    assert verified(signed, capsys)[0] == 1


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        (lambda record: replace(record, by="mallory"), "'mallory' is not one of governance.approvers"),
        (lambda record: replace(record, evidence={}), "does not name the threshold of privacy membership_auc<=0.6"),
        (
            lambda record: replace(
                record,
                evidence={
                    **record.evidence,
                    "thresholds": [each | {"value": 0.99} for each in record.evidence["thresholds"]],
                },
            ),
            "threshold of privacy membership_auc<=0.6 does not hold by its own evidence",
        ),
    ],
)
def test_an_approval_that_contradicts_the_manifest_opens_nothing(
    signed: Signed, forge: Callable[[Record], Record], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = approved(signed)
    signed.store.put(record_key(LOG, 1), record_bytes(sealed(forge(record))))
    assert signed.state == "draft"
    code, told = verified(signed, capsys)
    assert code == 1
    assert says in told["state"]["why"]
    assert [each["name"] for each in told["checks"] if not each["ok"]] == ["sign-off"]
    factory("status", signed.root)
    assert says in capsys.readouterr().out
    assert factory("approve", signed.dataset, "--as", "ada") == 0, "who may approve mends it"
    assert verified(signed, capsys)[0] == 0


def test_a_withdrawal_is_taken_back_by_who_may_approve_alone(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    record = approved(signed)
    assert factory("withdraw", signed.dataset, "--as", "anybody", "--reason", "a complaint") == 0
    assert factory("withdraw", signed.dataset, "--as", "mallory", "--reason", "no", "--reinstate") == 2
    assert "'mallory' is not one of governance.approvers" in capsys.readouterr().err
    append(signed.store, LOG, Record("reinstatement", record.subject, "mallory", note="no"))
    assert signed.state == "withdrawn"
    assert verified(signed, capsys)[0] == 1
    assert factory("withdraw", signed.dataset, "--as", "grace", "--reason", "settled", "--reinstate") == 0
    assert signed.state == "draft"
    assert verified(signed, capsys)[0] == 0


@pytest.mark.parametrize("words", ["a\nstate   approved: by ada", "a\u2028b", "a\x85b", "a\rb", "a\tb"])
def test_no_value_is_printed_as_a_line_of_its_own(
    signed: Signed, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    record = approved(signed)
    for option in ("--role", "--note", "--condition", "--review-board"):
        assert factory("approve", signed.dataset, "--as", "ada", option, words) == 2
    assert factory("withdraw", signed.dataset, "--as", "ada", "--reason", words) == 2
    assert "holds a line break" in capsys.readouterr().err
    assert len(read_records(signed.store, LOG)) == 1
    signed.store.put(
        record_key(LOG, 1), canonical_json(resealed(orjson.loads(record_bytes(replace(record, role=words)))))
    )
    _, told = verified(signed, capsys)
    assert len(told["state"]["why"].splitlines()) == 1
    assert "\t" not in told["state"]["why"]


def test_a_reason_that_says_nothing_is_refused(signed: Signed, capsys: pytest.CaptureFixture[str]) -> None:
    for reason in ("", "  "):
        assert factory("withdraw", signed.dataset, "--as", "ada", "--reason", reason) == 2
        assert "the reason is empty" in capsys.readouterr().err
        assert factory("erase", signed.root, "a" * 32, "--reason", reason) == 2
    assert factory("withdraw", signed.dataset, "--as", " ", "--reason", "why") == 2
    assert signed.state == "draft"


def test_while_an_erasure_is_not_finished_nothing_is_declared(
    signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(signed.store, signed.published)
    assert factory("sign", "--new-key", tmp_path / "key") == 0
    put(signed.store, begun_key("e1"), Begun("e1", "erasure", (), "on request", "ada", "2026-01-01"))
    for command in (
        ["approve", signed.dataset, "--as", "ada"],
        ["approve", signed.dataset, "--as", "ada", "--dry-run"],
        ["sign", signed.dataset, "--key", tmp_path / "key"],
        ["withdraw", signed.dataset, "--as", "ada", "--reason", "why"],
        ["withdraw", "--document", "a" * 32, "--root", signed.root, "--unknown", "--as", "ada", "--reason", "why"],
    ):
        capsys.readouterr()
        assert factory(*command) == 2
        assert "was begun at 2026-01-01 and is not finished" in capsys.readouterr().err
    assert factory("status", signed.root) == 0
    assert "erasure e1, begun at 2026-01-01 by ada, is not finished" in capsys.readouterr().out
    assert factory("status", signed.root, "--json") == 0
    assert orjson.loads(capsys.readouterr().out)["unfinished_erasures"][0]["erasure"] == "e1"


def test_a_mistyped_root_gives_no_all_clear_and_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere, doc_id = tmp_path / "nowhere", "a" * 32
    for command in (
        ["impact", nowhere, doc_id],
        ["withdraw", "--document", doc_id, "--root", nowhere, "--unknown", "--as", "ada", "--reason", "why"],
        ["erase", nowhere, doc_id, "--reason", "why"],
        ["retention", nowhere, "--days", "3"],
    ):
        capsys.readouterr()
        assert factory(*command) == 2
        assert "there is no run and no dataset under" in capsys.readouterr().err
    assert not nowhere.exists()


def test_a_document_that_nothing_has_read_is_withdrawn_only_if_that_is_meant(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["withdraw", "--document", "a" * 32, "--root", signed.root, "--as", "ada", "--reason", "why"]
    assert factory(*typed) == 2
    assert f"nothing below {signed.store.uri} has document {'a' * 32}" in capsys.readouterr().err
    assert not withdrawn_documents(signed.store)
    assert factory(*typed, "--unknown") == 0
    assert withdrawn_documents(signed.store).keys() == {"a" * 32}


def test_an_approved_dataset_with_rows_of_a_withdrawn_document_says_so(
    signed: Signed, capsys: pytest.CaptureFixture[str]
) -> None:
    approved(signed)
    table = pq.read_table(next(signed.dataset.glob("data/*.parquet")), columns=["doc_ids"])
    doc_id = str(table.column("doc_ids")[0].as_py()[0])
    typed = ["withdraw", "--document", doc_id, "--root", signed.root, "--as", "grace", "--reason", "why"]
    assert factory(*typed) == 0
    code, told = verified(signed, capsys)
    assert (code, told["state"]["state"]) == (0, "approved")
    assert f"rows of it rest on withdrawn documents: {doc_id} (" in told["state"]["why"]
    factory("status", signed.root)
    assert "not looked at: whether its rows rest on withdrawn documents" in capsys.readouterr().out
    typed[typed.index("grace")] = "mallory"
    assert factory(*typed, "--reinstate") == 2
    typed[typed.index("mallory")] = "ada"
    assert factory(*typed, "--reinstate") == 0
    assert "withdrawn_rows" not in verified(signed, capsys)[1]["state"]


def test_a_signature_covers_the_approval_and_is_asked_for(
    signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owner, ada = tmp_path / "owner", tmp_path / "ada"
    for key in (owner, ada):
        assert factory("sign", "--new-key", key) == 0
    assert factory("sign", signed.dataset, "--key", owner) == 0
    approved(signed)
    proof = ["--signature", "--public-key", f"{owner}.pub"]

    def sign_off(*more: str) -> tuple[int, str]:
        code, told = verified(signed, capsys, *proof, *more)
        return code, next(each["detail"] for each in told["checks"] if each["name"] == "signed sign-off")

    code, said = sign_off()
    assert (code, "the approval, has no signature" in said) == (1, True)
    assert verified(signed, capsys, *proof, "--bytes")[0] == 0, "the dataset alone needs its own signature alone"
    record = approved(signed, "--key", ada)
    assert record.number == 2
    code, said = sign_off()
    assert (code, "it is signed by another key" in said) == (1, True)
    code, said = sign_off("--public-key", f"{ada}.pub")
    assert (code, "000002.signed.json: signed by" in said) == (0, True)
    # Whoever can write the root writes a record with the right digest, of somebody who may approve.
    signed.store.put(record_key(LOG, 2), record_bytes(sealed(replace(record, by="grace", note="all is well"))))
    assert verified(signed, capsys)[0] == 0, "no digest can tell"
    code, said = sign_off("--public-key", f"{ada}.pub")
    assert (code, "the record was changed after it was signed" in said) == (1, True)
