from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from factory.govern.documents import markers
from factory.govern.documents.markers import FILE_METADATA, REQUIRED, ROW_COLUMNS
from factory.govern.facts import Facts
from tests.govern.documents.agreeing import disagreements
from tests.publish.world import World

C2PA = "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"


@pytest.fixture(scope="module")
def data(facts: Facts) -> bytes:
    return markers.render(facts)


@pytest.fixture(scope="module")
def folder(worked: World, facts: Facts) -> Path:
    return Path(worked.store.uri) / facts.prefix


def changed(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    body = orjson.loads(data)
    change(body)
    return orjson.dumps(body)


def test_the_sidecar_says_what_the_facts_say(data: bytes, facts: Facts, silent: Facts) -> None:
    claims = markers.claims(data)
    assert disagreements(claims, facts) == []
    assert claims.files == {file.path: file.sha256 for file in facts.files if file.rows is not None}
    assert markers.problems(data) == markers.problems(markers.render(silent)) == []


def test_every_shard_has_its_source_type_bound_to_its_bytes(data: bytes, folder: Path) -> None:
    assets = orjson.loads(data)["assets"]
    assert {asset["path"] for asset in assets} == {f"data/{path.name}" for path in folder.glob("data/*.parquet")}
    for asset in assets:
        found = {each["label"]: each["data"] for each in asset["assertions"]}
        assert found["c2pa.hash.data"]["hash"] == hashlib.sha256((folder / asset["path"]).read_bytes()).hexdigest()
        assert found["c2pa.actions.v2"]["actions"][0]["digitalSourceType"] == C2PA


def test_every_row_and_every_file_carries_what_the_sidecar_says_they_carry(data: bytes, folder: Path) -> None:
    marked = orjson.loads(data)["marked"]
    assert (marked["rows"], marked["files"]["keys"]) == (list(ROW_COLUMNS), list(FILE_METADATA))
    for path in folder.glob("data/*.parquet"):
        table = pq.read_table(path)
        written = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        assert written["synthetic"] == "true"
        assert written["digital_source_type"] == C2PA
        assert "toy/question@r1" in written["generator"]
        assert all(written[key] for key in FILE_METADATA)
        for row in table.select(list(ROW_COLUMNS)).to_pylist():
            assert row["synthetic"] is True
            assert row["digital_source_type"] == C2PA
            assert row["question_model"]
            assert row["answer_model_revision"]
            assert row["lineage"]["run"] == written["run"]


def invisible(text: str) -> set[str]:
    """Characters that show nothing: format characters (zero-width ones, U+FEFF, tags) and variation selectors."""
    return {
        character
        for character in text
        if unicodedata.category(character) == "Cf"
        or 0xFE00 <= ord(character) <= 0xFE0F
        or 0xE0100 <= ord(character) <= 0xE01EF
    }


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in texts_of(each)]


def test_nothing_invisible_is_in_any_text_that_was_published(folder: Path) -> None:
    assert invisible("a\u200bb\ufe0fc\U000e0101\ufeff") == {"\u200b", "\ufe0f", "\U000e0101", "\ufeff"}
    for path in folder.glob("data/*.parquet"):
        rows = pq.read_table(path).to_pylist()
        assert len(texts_of(rows)) > 20 * len(rows)
        assert invisible("".join(texts_of(rows))) == set()
    for name in ("README.md", "ATTRIBUTION.md", "manifest.json", "prompts.json"):
        assert invisible((folder / name).read_text()) == set()


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_is_named(data: bytes, name: str) -> None:
    broken = changed(data, lambda body: body.pop(name))
    assert markers.problems(broken) == [f"{name} is missing"]
    with pytest.raises(ValueError, match=name):
        markers.claims(broken)


def test_a_file_of_another_origin_and_one_without_a_hash_are_told(data: bytes) -> None:
    def first(body: dict[str, Any], label: str) -> dict[str, Any]:
        found: dict[str, Any] = next(each["data"] for each in body["assets"][0]["assertions"] if each["label"] == label)
        return found

    human = changed(data, lambda body: first(body, "c2pa.actions.v2")["actions"][0].update(digitalSourceType="human"))
    assert any("another digital source type" in problem for problem in markers.problems(human))
    short = changed(data, lambda body: first(body, "c2pa.hash.data").update(hash="ab"))
    assert any("no SHA-256" in problem for problem in markers.problems(short))
