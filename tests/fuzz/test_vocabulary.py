"""Vocabularies that people give, and their index: read, or refused with words; any passage is looked at."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import example
from hypothesis import strategies as st

from factory.domains.biomedical.checks import verdict
from factory.domains.checks import Question
from factory.errors import ConfigError
from factory.vocabulary.entries import Entry, read_entries
from factory.vocabulary.index import build_index, index_from_bytes, index_to_bytes
from factory.vocabulary.layouts import LAYOUTS, read_layout
from tests.fuzz.breaking import broken_bytes, broken_json, texts
from tests.fuzz.harness import fuzzed, refused
from tests.vocabulary.test_layouts import CODES, MESH, ORDER, SNOMED

ENTRY = {"term": "Fever", "code": "R50", "definition": "Hot.", "synonyms": ["pyrexia"], "kind": "finding"}
TABLE = "term\tcode\tdefinition\tsynonyms\tkind\nFever\tR50\tHot.\tpyrexia|ague\tfinding\nCOUGH\t\t\t\t\n"
ENTRIES = [Entry("Type 2 diabetes", "E11", "", ("T2D",), "disease"), Entry("fever", kind="finding")]
INDEX = index_to_bytes(build_index([("a.tsv", ENTRIES)], 50))


@fuzzed(
    "factory.vocabulary.entries.read_entries",
    suffix=st.sampled_from([".tsv", ".csv"]),
    data=st.one_of(
        broken_bytes([TABLE.encode(), TABLE.replace("\t", ",").encode()]),
        texts(TABLE, "\t", '"', "|").map(lambda text: text.encode("utf-8", "surrogatepass")),
    ),
)
@example(suffix=".csv", data=b'term\n"' + b"x" * 200_000)
@example(suffix=".tsv", data=b"term\n\0\n")
def test_a_table_is_read_or_refused(place: Path, suffix: str, data: bytes) -> None:
    path = place / f"own{suffix}"
    path.write_bytes(data)
    with refused(ConfigError):
        build_index([("own", read_entries(path))], 20).found("fever and cough")


@fuzzed(
    "factory.vocabulary.entries.read_entries",
    share=2,
    data=st.one_of(
        broken_json(ENTRY, 4).map(lambda value: json.dumps(value).encode()), broken_bytes([json.dumps(ENTRY).encode()])
    ),
)
@example(data=b'{"term": "\\ud800"}')
@example(data=b"[" * 2000)
def test_json_lines_are_read_or_refused(place: Path, data: bytes) -> None:
    path = place / "own.jsonl"
    path.write_bytes(data)
    with refused(ConfigError):
        build_index([("own", read_entries(path))], 20).found("fever and cough")


@fuzzed("factory.vocabulary.index.index_from_bytes", share=2, data=broken_bytes([INDEX], 2))
def test_an_index_is_read_or_refused(data: bytes) -> None:
    try:
        index = index_from_bytes(data)
    except ValueError:
        return
    for found in index.found("type 2 diabetes, T2D and fever"):
        index.term(found.place)


@fuzzed("factory.vocabulary.index.build_index", share=2, text=texts("type 2 diabetes", "T2D", "fever"))
def test_any_passage_is_looked_at(text: str) -> None:
    index = index_from_bytes(INDEX)
    free = 0
    for found in index.found(text):
        assert free <= found.start < found.end <= len(text)
        free = found.end


PASSAGE = "Amoxicillin 500 mg is given three times a day. You should take it with water. The diagnosis is otitis media."


@fuzzed(
    "factory.domains.biomedical.checks.verdict",
    share=2,
    answer=texts(PASSAGE, "five hundred mg", "twice daily", "1/0 g", "9e9 IU", "2 x 10^99 units"),
)
@example(answer=f"{'9' * 5000} mg of amoxicillin every {'9' * 5000} hours")
@example(answer="1/0 mg of amoxicillin q0h")
@example(answer="1,111" * 2000 + " mg")
@example(answer="one " * 3000 + "mg daily")
def test_any_answer_is_judged(answer: str) -> None:
    found = verdict(Question("How much amoxicillin is given?", passages=(PASSAGE,)), answer)
    assert found.verified in ("no", "unchecked")
    assert bool(found.evidence) is (found.verified == "no")


RELEASES = [text.encode() for text in (ORDER, CODES, MESH, SNOMED)]


@fuzzed(
    "factory.vocabulary.layouts.read_layout",
    layout=st.sampled_from(sorted(LAYOUTS)),
    data=broken_bytes(RELEASES),
)
def test_a_release_is_read_or_refused(place: Path, layout: str, data: bytes) -> None:
    path = place / "release.txt"
    path.write_bytes(data)
    with refused(ConfigError):
        for entry in read_layout(path, layout):
            assert entry.term
