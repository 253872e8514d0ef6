"""Ratings from files: three formats, three ways to name a document, several raters, and mistakes named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.corpus.documents import document_id
from factory.errors import ConfigError
from factory.identity import sha256_hex
from factory.select.config import PiiConfig
from factory.select.pii import Pii
from factory.select.training.config import RaterConfig, RatingColumns
from factory.select.training.ratings import (
    Given,
    Rating,
    by_document,
    decided,
    met,
    read_ratings,
    require_matches,
    unmatched_in_words,
    with_raters_masked,
)


def rater(path: Path | str, **changes: Any) -> RaterConfig:
    return RaterConfig(name="people", kind="file", path=str(path), **changes)


def jsonl(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def refused(config: RaterConfig) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_ratings(config)
    assert caught.value.what.startswith("the rater people")
    return caught.value


def test_jsonl_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    rows = [{"doc_id": "a", "score": 7.5, "rater": "ann"}, {"doc_id": "b", "score": 2.0, "rater": ""}]
    jsonl(tmp_path / "r.jsonl", *rows)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "r.parquet")
    (tmp_path / "r.csv").write_text("doc_id,score,rater\na,7.5,ann\nb,2,\n")
    found = [read_ratings(rater(tmp_path / name)).rows for name in ("r.jsonl", "r.parquet", "r.csv")]
    expected = (Given("people", "ann", "a", 7.5, None), Given("people", "people", "b", 2.0, None))
    assert found == [expected] * 3


def test_a_document_is_named_by_id_digest_or_text(tmp_path: Path) -> None:
    text = "A  ring\r\nwith one.  "
    digest = sha256_hex(text.encode())
    path = jsonl(
        tmp_path / "r.jsonl",
        {"doc_id": "a", "score": 1},
        {"text_sha256": digest, "score": 2},
        {"text": text, "score": 3},
    )
    named = [(row.name, row.text) for row in read_ratings(rater(path)).rows]
    kept = "A  ring\nwith one."
    assert named == [("a", None), (digest, None), (document_id(kept), kept)]


def test_columns_can_be_called_otherwise(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "r.jsonl", {"id": "a", "stars": 9, "who": "bob"})
    columns = RatingColumns(doc_id="id", score="stars", rater="who")
    assert read_ratings(rater(path, columns=columns)).rows == (Given("people", "bob", "a", 9, None),)


def test_a_pattern_reads_several_files_and_names_each_by_content(tmp_path: Path) -> None:
    jsonl(tmp_path / "one.jsonl", {"doc_id": "a", "score": 1})
    jsonl(tmp_path / "two.jsonl", {"doc_id": "b", "score": 2})
    file = read_ratings(rater(tmp_path / "*.jsonl"))
    assert len(file.rows) == 2
    assert file.sha256 == {name: sha256_hex((tmp_path / name).read_bytes()) for name in ("one.jsonl", "two.jsonl")}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"doc_id": "a", "score": 0}, "row 1 has the score 0"),
        ({"doc_id": "a", "score": 11}, "row 1 has the score 11"),
        ({"doc_id": "a", "score": "good"}, "row 1 has the score 'good'"),
        ({"doc_id": "a", "score": True}, "row 1 has the score True"),
        ({"doc_id": "a", "score": None}, "row 1 has the score None"),
        ({"doc_id": "a", "score": float("nan")}, "row 1 has the score NaN"),
        ({"doc_id": "a", "score": float("inf")}, "row 1 has the score inf"),
        ({"doc_id": "a"}, "row 1 has no value for score"),
        ({"score": 3}, "row 1 has no value for doc_id or text or text_sha256"),
        ("7", "row 1 is a str"),
    ],
)
def test_a_row_that_says_nothing_usable_is_named(tmp_path: Path, row: Any, said: str) -> None:
    assert said in refused(rater(jsonl(tmp_path / "r.jsonl", row))).what


def test_a_column_of_nearly_that_name_is_pointed_at(tmp_path: Path) -> None:
    error = refused(rater(jsonl(tmp_path / "r.jsonl", {"docid": "a", "score": 3})))
    assert "'docid' looks like it" in error.cause


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("r.jsonl", b"", "holds no ratings"),
        ("r.jsonl", b'{"doc_id": ', "not readable as jsonl"),
        ("r.parquet", b"nothing", "not readable as parquet"),
        ("r.xlsx", b"x", "cannot tell the format"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert said in refused(rater(tmp_path / name)).what


def test_a_path_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    assert "leads to no file" in refused(rater(tmp_path / "none.jsonl")).what


def test_several_ratings_by_one_rater_are_averaged_and_others_kept_apart() -> None:
    given = [Given("people", "ann", "n1", 4, None), Given("people", "ann", "x1", 6, None)]
    given += [Given("people", "bob", "n1", 9, None), Given("people", "bob", "unknown", 1, None)]
    assert by_document(given, {"d1": ["n1", "x1"]}) == [
        Rating("d1", "people", "ann", 5),
        Rating("d1", "people", "bob", 9),
    ]


def test_the_first_entry_that_rated_a_document_decides_by_the_mean_of_its_raters() -> None:
    ratings = [
        Rating("d1", "model", "model", 2),
        Rating("d1", "people", "ann", 5),
        Rating("d1", "people", "bob", 8),
        Rating("d2", "model", "model", 3),
    ]
    chosen = decided(ratings, ["people", "model"])
    assert {doc_id: (one.entry, one.score) for doc_id, one in chosen.items()} == {
        "d1": ("people", 6.5),
        "d2": ("model", 3),
    }


def test_ratings_that_met_no_document_are_counted() -> None:
    given = [Given("people", "ann", name, 4, None) for name in ("n1", "n2", "gone", "private", "lost")]
    given.append(Given("more", "more", "n1", 4, None))
    found = met(given, {"d1": ["n1"], "d2": ["n2"]}, {"private": "pii"})
    assert (found["people"].used, found["people"].unmatched, found["people"].left_out) == (2, 2, {"pii": 1})
    assert unmatched_in_words(found) == [
        "rater people: 2 of 5 met no document that the filters left; 1 of 5 left out, their texts are pii"
    ]


def test_raters_whose_names_are_addresses_are_masked_and_told_apart() -> None:
    names = ["ann@acme.org", "bob", "joe@acme.org", "ann@acme.org"]
    mask = Pii(PiiConfig()).masked
    rows = with_raters_masked([Given("people", name, "n", 4, None) for name in names], mask)
    assert [row.rater for row in rows] == ["<EMAIL> 1", "bob", "<EMAIL> 2", "<EMAIL> 1"]
    (alone,) = with_raters_masked([Given("people", "ann@acme.org", "n", 4, None)], mask)
    assert alone.rater == "<EMAIL>"


def test_a_file_without_a_document_in_the_corpus_says_what_to_do(tmp_path: Path) -> None:
    file = read_ratings(rater(jsonl(tmp_path / "r.jsonl", {"doc_id": "a", "score": 3})))
    with pytest.raises(ConfigError, match="none of the 1 documents rated in") as caught:
        require_matches([file], [])
    assert "column `text`" in caught.value.remedy
    require_matches([file], [Rating("a", "people", "people", 3)])
