"""Erased documents that a corpus still holds: turned away without a name, and everything else stays where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from factory.corpus.documents import document_id, normalise
from factory.run.attempt import account, content_sha256
from factory.select.config import SelectConfig
from factory.select.erased import DenyList, salted
from factory.select.filters import Candidate, Verdict
from factory.select.step import SelectStep
from factory.store.base import Store
from tests.corpora import row_of, write_shard
from tests.select.test_step import STEP, rows_of, step_with, work

SALT = "5a17"


def denying(step: SelectStep, *texts: str) -> SelectStep:
    ids = (document_id(normalise(text)) for text in texts)
    return replace(step, erased=DenyList(SALT, frozenset(salted(SALT, each) for each in ids)))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write_shard(tmp_path / "shard", [row_of(number) for number in range(30)], 0)
    return tmp_path / "shard.parquet"


def test_an_erased_document_is_turned_away_by_its_entry_and_leaves_no_trace(local_store: Store, corpus: Path) -> None:
    text = row_of(7)["text"]
    result = work(local_store, corpus, denying(STEP, text))
    (reject,) = result.rejects
    assert reject.reason == "erased"
    assert reject.text is None
    assert reject.evidence == {"shard": reject.evidence["shard"], "row": 7}
    said = f"{reject}{rows_of(result)}"
    assert document_id(normalise(text)) not in said
    assert text[:40] not in said
    counts, reasons = account(result)
    counts.check("a unit with an erased document")
    assert reasons == {"input": {"erased": 1}}


def test_parts_without_the_document_are_those_that_were_there_before(local_store: Store, corpus: Path) -> None:
    before = [content_sha256(table) for table in work(local_store, corpus).tables]
    after = [content_sha256(table) for table in work(local_store, corpus, denying(STEP, row_of(7)["text"])).tables]
    assert len(before) == len(after) > 5
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_a_part_whose_documents_are_all_erased_is_left_out(local_store: Store, corpus: Path) -> None:
    tables = work(local_store, corpus).tables
    first = set(tables[0]["doc_id"].to_pylist())
    texts = [row_of(number)["text"] for number in range(30)
             if document_id(normalise(row_of(number)["text"])) in first]  # fmt: skip
    after = work(local_store, corpus, denying(STEP, *texts)).tables
    assert [content_sha256(table) for table in after] == [content_sha256(table) for table in tables[1:]]


class Masking:
    """A filter that replaces a text, as masking of personal data does."""

    name = "masking"

    def identity(self) -> dict[str, object]:
        return {}

    def prepare(self, store: Store) -> None: ...

    def open(self, store: Store):  # type: ignore[no-untyped-def]
        def judge(documents: list[Candidate]) -> list[Verdict | None]:
            for document in documents:
                document.text = document.text.replace("number", "[NUMBER]")
            return [None] * len(documents)

        return judge


def test_it_is_known_by_its_text_as_it_came_and_as_filters_left_it(local_store: Store, corpus: Path) -> None:
    step = replace(STEP, filters=(Masking(),))
    came = row_of(3)["text"]
    for text in (came, normalise(came).replace("number", "[NUMBER]")):
        result = work(local_store, corpus, denying(step, text))
        assert [reject.evidence["row"] for reject in result.rejects] == [3]


def test_what_a_filter_turns_away_is_not_kept_either(local_store: Store, corpus: Path) -> None:
    step = step_with(SelectConfig(min_characters=20, max_characters=25, chunk_tokens=64, unit_rows=10))
    text = row_of(7)["text"]
    rejects = work(local_store, corpus, denying(step, text)).rejects
    assert [reject.reason for reject in rejects if reject.evidence["row"] == 7] == ["erased"]
    assert not any(reject.item_id == document_id(normalise(text)) for reject in rejects)


def test_without_erasures_a_step_is_named_as_ever_and_with_them_by_their_entries() -> None:
    assert "erased" not in STEP.identity()
    one, other = denying(STEP, "one").identity(), denying(STEP, "two").identity()
    assert one != other
    assert {name: value for name, value in one.items() if name != "erased"} == STEP.identity()
