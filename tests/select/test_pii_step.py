"""What the step commits of documents with personal data: masked text, places of placeholders, masked rejects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.engine.tokenizer import Tokenizer
from factory.run.units import Unit, UnitResult
from factory.select.config import LanguageConfig, PiiConfig
from factory.select.pii_kinds import PLACEHOLDERS
from factory.select.step import EXCERPT_CHARACTERS, select_step
from factory.store.base import Store
from tests.corpus.shards import range_over, write_jsonl
from tests.select.planted import planted_documents
from tests.select.test_order import config_with, names


def selected(store: Store, folder: Path, records: list[dict[str, Any]], **select: Any) -> UnitResult:
    range_ = range_over(write_jsonl(folder / "a.jsonl", records))
    step = select_step(config_with(**select), Tokenizer("words"))
    step.prepare(store)
    return step.work(store, Unit(range_.range_id, parameters=orjson.loads(orjson.dumps({"range": range_.to_json()}))))


def test_licences_come_first_and_personal_data_after_the_cheap_filters() -> None:
    order = names(config_with(language=LanguageConfig(languages=("en",))))
    assert order[:2] == ["licence", "length"]
    assert order.index("pii") == order.index("language") + 1
    assert "pii" not in names(config_with(pii=PiiConfig(action="keep")))


def test_each_chunk_names_the_placeholders_it_holds(local_store: Store, tmp_path: Path) -> None:
    paragraphs = [
        f"Paragraph {number} is about something else. " * 6 + f"Ask person{number}.name@acme.org about it."
        for number in range(40)
    ]
    result = selected(local_store, tmp_path, [{"text": "\n\n".join(paragraphs)}], min_characters=20, chunk_tokens=64)
    rows = [row for table in result.tables for row in table.to_pylist()]
    assert len(rows) > 10
    seen = 0
    for row in rows:
        assert "acme.org" not in row["text"]
        for span in row["masked"]:
            start, end = span["start"] - row["span_start"], span["end"] - row["span_start"]
            assert row["text"][start:end] == PLACEHOLDERS[span["kind"]]
        assert len(row["masked"]) == row["text"].count("<EMAIL>")
        seen += len(row["masked"])
    assert seen == 40
    assert result.facts["masked=email"] == 40


def test_no_reject_of_any_filter_stores_what_was_found(local_store: Store, tmp_path: Path) -> None:
    documents = list(planted_documents(120, seed=3))
    records = [
        {"text": document.text, "license": "CC-BY-NC-4.0" if number % 2 else "MIT"}
        for number, document in enumerate(documents)
    ]
    result = selected(local_store, tmp_path, records, min_characters=1, pii=PiiConfig(action="reject"))
    assert {reject.reason for reject in result.rejects} == {"licence_denied", "pii"}
    assert len(result.rejects) == 120
    stored = orjson.dumps([[reject.text, reject.evidence, reject.reason] for reject in result.rejects]).decode()
    for document in documents:
        for plant in document.plants:
            assert document.text[plant.start : plant.end] not in stored


def test_a_value_across_the_end_of_an_excerpt_is_masked(local_store: Store, tmp_path: Path) -> None:
    for back in range(1, 30, 4):
        text = "word " * (EXCERPT_CHARACTERS // 5)
        text = text[: EXCERPT_CHARACTERS - back] + " jane.doe@acme.org and then some more words"
        (reject,) = selected(local_store, tmp_path, [{"text": text, "license": "CC-BY-NC-4.0"}]).rejects
        assert reject.text is not None
        assert len(reject.text) <= EXCERPT_CHARACTERS
        assert "jane" not in reject.text


ADDRESSES = ("jane.doe@acme.org", "joe@mail.acme.org")


@pytest.mark.parametrize("action", ["mask", "reject"])
def test_no_evidence_holds_what_the_excerpt_masks(local_store: Store, tmp_path: Path, action: Any) -> None:
    shard = tmp_path / "a.jsonl"
    lines = [
        '{"text": "broken, write to jane.doe@acme.org',
        "{" + "x" * 173 + " mail joe@mail.acme.org",
        orjson.dumps("a text alone by jane.doe@acme.org").decode(),
        orjson.dumps({"text": "A page. " * 50, "license": "CC BY-NC 4.0, ask jane.doe@acme.org"}).decode(),
    ]
    shard.write_text("".join(f"{line}\n" for line in lines))
    range_ = range_over(shard)
    step = select_step(config_with(pii=PiiConfig(action=action)), Tokenizer("words"))
    result = step.work(local_store, Unit(range_.range_id, parameters={"range": range_.to_json()}))
    reasons = [reject.reason for reject in result.rejects]
    assert reasons == ["invalid_json", "invalid_json", "invalid_json", "licence_denied"]
    stored = orjson.dumps([reject.evidence for reject in result.rejects]).decode()
    assert stored.count("<EMAIL>") >= 3
    assert "jane" not in stored
    assert "joe" not in stored, "an address that the end of an excerpt cut"
    assert all(reject.evidence["shard"].endswith("a.jsonl") for reject in result.rejects)


def test_masked_copies_of_one_letter_are_one_document(local_store: Store, tmp_path: Path) -> None:
    letter = "Dear reader, please write to {} if the second proof on page nine is not clear to you."
    records = [{"text": letter.format(address)} for address in ("jane@acme.org", "joe@acme.org")]
    result = selected(local_store, tmp_path, records, min_characters=20)
    rows = [row for table in result.tables for row in table.to_pylist()]
    assert len({row["doc_id"] for row in rows}) == 1
