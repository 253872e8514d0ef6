"""Public layouts of terminologies, in files by our own hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.cli.main import main
from factory.cli.vocabulary import LAYOUTS as OFFERED
from factory.errors import ConfigError
from factory.vocabulary.entries import Entry, read_entries
from factory.vocabulary.layouts import LAYOUTS, read_layout

SHORT, LONG = 60, 77


def order_line(number: int, code: str, valid: int, short: str, long: str) -> str:
    return f"{number:05d} {code:<7} {valid} {short:<{SHORT}} {long}"


ORDER = "\n".join(
    [
        order_line(1, "Q99", 0, "Made-up fevers", "Made-up fevers"),
        order_line(2, "Q990", 1, "Blue fever, unspecified", "Blue fever of the left knee, unspecified"),
    ]
)
CODES = "Q990    Blue fever of the left knee, unspecified\n\nQ99.1   Green fever, not elsewhere classified\n"
MESH = """*NEWRECORD
RECTYPE = D
MH = Fevers, Blue
PRINT ENTRY = Blue Sickness|T047|EQV|NRW|ABC (2001)|010101|abcdef
ENTRY = Knee Fever
MN = C23.888.119
MS = Fever of the knee
 that is blue.
UI = D999001

*NEWRECORD
RECTYPE = D
MH = Bluestatin
MN = D02.111
MN = D27.505
PA = Imaginary Agents
UI = D999002

*NEWRECORD
RECTYPE = C
NM = green dye 5
SY = dye 5|T109|EQV
NO = a dye that was never made
UI = C999003
"""
HEADER = "id\teffectiveTime\tactive\tmoduleId\tconceptId\tlanguageCode\ttypeId\tterm\tcaseSignificanceId\n"
SNOMED = HEADER + "".join(
    f"{number}\t20200101\t{active}\t1\t{concept}\ten\t{kind}\t{term}\t0\n"
    for number, (active, concept, kind, term) in enumerate(
        [
            (1, "777", "900000000000003001", "Blue fever (disorder)"),
            (1, "777", "900000000000013009", "Knee fever"),
            (0, "777", "900000000000013009", "Fever that was withdrawn"),
            (1, "777", "900000000000550004", "A fever of the knee."),
            (1, "778", "900000000000003001", "Product containing bluestatin (medicinal product)"),
        ]
    )
)

WANTED = {
    "icd10cm-order": [
        Entry("Made-up fevers", "Q99", kind="disease"),
        Entry("Blue fever of the left knee, unspecified", "Q99.0", "", ("Blue fever of the left knee",), "disease"),
    ],
    "icd10cm-codes": [
        Entry("Blue fever of the left knee, unspecified", "Q99.0", "", ("Blue fever of the left knee",), "disease"),
        Entry("Green fever, not elsewhere classified", "Q99.1", "", ("Green fever",), "disease"),
    ],
    "mesh": [
        Entry("Fevers, Blue", "D999001", "Fever of the knee", ("Knee Fever", "Blue Sickness"), "disease"),
        Entry("Bluestatin", "D999002", kind="drug"),
        Entry("green dye 5", "C999003", "a dye that was never made", ("dye 5",), "chemical"),
    ],
    "snomed": [
        Entry("Knee fever", "777", "A fever of the knee.", ("Blue fever",), "disease"),
        Entry("bluestatin", "778", kind="drug"),
    ],
}
TEXTS = {"icd10cm-order": ORDER, "icd10cm-codes": CODES, "mesh": MESH.replace("\n that is blue.", ""), "snomed": SNOMED}


def test_the_command_offers_every_layout() -> None:
    assert set(WANTED) == set(LAYOUTS) == set(OFFERED)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "release.txt"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("layout", WANTED)
def test_a_layout_is_read_as_entries(tmp_path: Path, layout: str) -> None:
    assert list(read_layout(written(tmp_path, TEXTS[layout]), layout)) == WANTED[layout]


@pytest.mark.parametrize(
    ("layout", "text", "said"),
    [
        ("icd10cm-order", CODES, ":1: no line of order number"),
        ("icd10cm-order", ORDER[:60], ":1: no line of order number"),
        ("icd10cm-codes", "Q990 Blue fever\nblue fever\n", ":2: no line of a code"),
        ("mesh", MESH, ":8: neither"),
        ("mesh", "MH = Fever\n", ":1: neither"),
        ("mesh", "*NEWRECORD\nUI = D1\n", ":1: a record without MH"),
        ("snomed", "id\tterm\n", ":1: the header lacks active, conceptId, typeId"),
        ("snomed", SNOMED + "1\t2\n", "it has 2 fields, the header 9"),
    ],
)
def test_a_file_of_another_layout_is_refused_with_its_line(tmp_path: Path, layout: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        list(read_layout(written(tmp_path, text), layout))
    assert said in refused.value.what


@pytest.mark.parametrize("layout", WANTED)
def test_converting_writes_what_a_run_reads(tmp_path: Path, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.tsv"
    source = written(tmp_path, TEXTS[layout])
    assert main(["domain", "vocabulary", "convert", layout, str(source), str(out)]) == 0
    assert list(read_entries(out)) == WANTED[layout]
    assert f"domain.vocabulary.files=[{out}]" in capsys.readouterr().out
    assert main(["domain", "vocabulary", "convert", layout, str(source), str(out)]) != 0
    assert "is there already" in capsys.readouterr().err


def test_what_cannot_be_converted_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = written(tmp_path, "nonsense")
    assert main(["domain", "vocabulary", "convert", "mesh", str(source), str(tmp_path / "out.tsv")]) != 0
    assert "release.txt:1" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["release.txt"]


def test_a_look_at_a_vocabulary_says_its_kinds_and_what_it_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = written(tmp_path, SNOMED), tmp_path / "out.tsv"
    text = tmp_path / "text.txt"
    text.write_text("Bluestatin against knee fevers.")
    assert main(["domain", "vocabulary", "convert", "snomed", str(source), str(out)]) == 0
    assert main(["domain", "vocabulary", "check", str(out), "--text", str(text)]) == 0
    said = capsys.readouterr().out
    assert "2 terms" in said
    assert "disease 1" in said
    assert "'knee fevers': Knee fever (777)" in said
