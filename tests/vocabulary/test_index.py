"""Which terms of a vocabulary are found in a passage."""

from __future__ import annotations

import pytest

from factory.vocabulary.entries import Entry
from factory.vocabulary.index import LONGEST_NAME, TermIndex, build_index, cut, index_from_bytes, index_to_bytes

ENTRIES = (
    Entry("Diabetes Mellitus, Type 2", "E11", "Insulin no longer lowers blood glucose enough.", ("NIDDM",), "disease"),
    Entry("Diabetes Mellitus", "E10-E14", "", ("diabetes",), "disease"),
    Entry("Neoplasms", "D009369", "New growth of tissue.", ("Tumours",), "disease"),
    Entry("Biopsy", "D001706", "", (), "procedure"),
    Entry("Acute lymphoblastic leukaemia", "C91.0", "", ("ALL",), "disease"),
    Entry("Amoxicillin trihydrate", "J01CA04", "", ("co-amoxil",), "drug"),
    Entry("COVID-19", "U07.1", "", (), "disease"),
)


@pytest.fixture(scope="module")
def index() -> TermIndex:
    return build_index([("own.tsv", ENTRIES)], 120)


def terms_in(index: TermIndex, text: str) -> list[str]:
    return [index.term(found.place).term for found in index.found(text)]


def test_the_longest_name_wins_and_its_place_is_that_of_the_text_as_written(index: TermIndex) -> None:
    text = "Patients with type-2 diabetes\u00a0mellitus and ﬁbrosis; diabetes in general."
    found = index.found(text)
    assert [text[each.start : each.end] for each in found] == ["type-2 diabetes\u00a0mellitus", "diabetes"]
    assert [index.term(each.place).code for each in found] == ["E11", "E10-E14"]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("a benign neoplasm", "Neoplasms"),
        ("TUMOURS of the lung", "Neoplasms"),
        ("the tumour", "Neoplasms"),
        ("two biopsies", "Biopsy"),
        ("diabetes mellitus, type 2", "Diabetes Mellitus, Type 2"),
        ("after covid-19", "COVID-19"),
        ("NIDDM is", "Diabetes Mellitus, Type 2"),
    ],
)
def test_a_term_is_found_in_any_case_and_number(index: TermIndex, text: str, term: str) -> None:
    assert terms_in(index, text) == [term]


@pytest.mark.parametrize("text", ["all patients", "All patients", "niddm", "diabetic", "", "…", "co"])
def test_an_abbreviation_has_to_stand_as_it_is_written(index: TermIndex, text: str) -> None:
    assert terms_in(index, text) == []
    assert terms_in(index, "children with ALL") == ["Acute lymphoblastic leukaemia"]


def test_in_a_vocabulary_of_capitals_they_mean_nothing() -> None:
    loud = build_index([("loud.tsv", [Entry("FEVER"), Entry("COUGH"), Entry("OF")])], 0)
    assert terms_in(loud, "fever of unknown origin, and Cough") == ["FEVER", "COUGH"]


def test_of_two_files_with_one_name_the_first_says_what_it_means() -> None:
    index = build_index([("a.tsv", [Entry("fever", "A")]), ("b.tsv", [Entry("Fever", "B"), Entry("chill", "B2")])], 0)
    found = [index.term(each.place) for each in index.found("Fever and chills")]
    assert [(term.code, term.vocabulary) for term in found] == [("A", "a.tsv"), ("B2", "b.tsv")]


def test_a_name_of_many_words_or_of_none_is_not_looked_for() -> None:
    long = " ".join(f"word{number}" for number in range(LONGEST_NAME + 1))
    index = build_index([("a.tsv", [Entry(long), Entry("5"), Entry("the"), Entry("—")])], 0)
    assert index.found(f"{long} 5 the —") == []


def test_kinds_are_asked_by_whole_name_and_by_word(index: TermIndex) -> None:
    assert index.has_kind("drug")
    assert not index.has_kind("gene")
    assert index.has_word("Amoxicillin", "drug")
    assert not index.is_name("amoxicillin", "drug")
    assert index.is_name("amoxicillin trihydrate", "drug")
    assert index.is_name("Co-amoxil", "drug")
    assert not index.has_word("diabetes", "drug")
    assert not index.has_word("diabetes", "gene")
    assert index.has_word("diabetes", "disease")


def test_a_definition_is_cut_behind_a_word(index: TermIndex) -> None:
    assert cut("Insulin no longer lowers blood glucose enough.", 24) == "Insulin no longer…"
    assert cut("short", 5) == "short"
    assert cut("short", 0) == ""
    assert len(build_index([("a.tsv", [Entry("x-ray", definition="word " * 99)])], 30).term(0).definition) <= 30


def test_an_index_comes_back_from_its_bytes_as_it_was(index: TermIndex) -> None:
    again = index_from_bytes(index_to_bytes(index))
    text = "ALL, neoplasms, type 2 diabetes mellitus; amoxicillin trihydrate"
    assert [again.term(each.place) for each in again.found(text)] == [
        index.term(each.place) for each in index.found(text)
    ]
    assert again.has_word("trihydrate", "drug")


def test_an_empty_vocabulary_finds_nothing() -> None:
    empty = index_from_bytes(index_to_bytes(build_index([("a.tsv", [])], 0)))
    assert empty.found("fever") == []
    assert empty.terms == 0
    assert not empty.has_word("fever", "disease")
