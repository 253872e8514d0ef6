"""The documented format of vocabularies, and what is said of files that are not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.errors import ConfigError
from factory.vocabulary.entries import Entry, read_entries, write_entries

WANTED = [
    Entry("Fever", "R50.9", "A body temperature above the usual.", ("Pyrexia", "febrile state"), "finding"),
    Entry("Cough"),
]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.tsv",
            "term\tcode\tdefinition\tsynonyms\tkind\nFever\tR50.9\tA body temperature  above the usual.\t"
            "Pyrexia| febrile state |\tFinding\n\nCough\n",
        ),
        (
            "b.csv",
            '\ufeffkind,Term,code,synonyms,definition\nfinding,Fever,R50.9,Pyrexia|febrile state,"A body temperature '
            'above\nthe usual."\n,Cough,,,\n',
        ),
        (
            "c.jsonl",
            '{"term": "Fever", "code": "R50.9", "definition": "A body temperature above the usual.", '
            '"synonyms": ["Pyrexia", "febrile state"], "kind": "finding"}\n{"term": "Cough", "code": null}\n',
        ),
    ],
)
def test_the_three_layouts_say_the_same(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(read_entries(tmp_path / name)) == WANTED


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    hostile = Entry('a "quoted" term', "", "tab and, comma", ("'", "{{document}}"), "x")
    assert write_entries(iter([*WANTED, hostile]), tmp_path / "out.tsv") == 3
    assert list(read_entries(tmp_path / "out.tsv")) == [*WANTED, hostile]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.tsv", "term\tsynonym\nx\ty\n", "did you mean `synonyms`?"),
        ("a.tsv", "code\nx\n", "column `term` is missing"),
        ("a.tsv", "", "column `term` is missing"),
        ("a.tsv", "term\tterm\nx\ty\n", "twice"),
        ("a.tsv", "term\nx\ty\n", "a.tsv:2: it has 2 fields, the header 1"),
        ("a.tsv", "term\tcode\n\tx\n", "`term` is empty"),
        ("a.csv", 'term\n"x\n', "a.csv:"),
        ("a.tsv", "term\n" + "x" * 401 + "\n", "401 characters"),
        ("a.jsonl", "{", "no JSON"),
        ("a.jsonl", '["x"]', "no JSON object"),
        ("a.jsonl", '{"term": 5}', "which is no text"),
        ("a.jsonl", '{"term": "x", "synonyms": 5}', "neither a text nor a list"),
        ("a.txt", "term\nx\n", "ends in .tsv, .csv, .jsonl"),
        ("a.tsv.gz", "term\nx\n", "compressed"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        list(read_entries(tmp_path / name))
    assert said in str(refused.value)
    assert "a." in refused.value.what


def test_a_file_that_is_not_there_or_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_entries(tmp_path / "gone.tsv"))
    (tmp_path / "latin.tsv").write_bytes("term\nFieber höher\n".encode("latin-1"))
    with pytest.raises(ConfigError, match="not UTF-8"):
        list(read_entries(tmp_path / "latin.tsv"))
