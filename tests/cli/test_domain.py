"""`factory domain`: a new pack works before a line of it is changed, and check names what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from factory.cli.main import main
from factory.domains.pack import shipped_packs


@pytest.fixture
def new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["domain", "new", "volcanoes", "--path", str(tmp_path / "volcanoes")]) == 0
    assert "factory domain check" in capsys.readouterr().out
    return tmp_path / "volcanoes"


def checked(pack: str | Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["domain", "check", str(pack), "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["ok"] is (code == 0)
    return code, found


def test_a_new_pack_is_complete_and_its_items_come_out_as_expected(
    new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = checked(new, capsys)
    states = {part["name"]: part["state"] for part in found["parts"]}
    assert (code, found["defects"], found["notes"]) == (0, [], [])
    assert {states[name] for name in ("settings", "hints", "syllabus.yaml", "checks.py", "items.jsonl")} == {"there"}
    assert states["prompts/answer.md"] == "inherited"
    assert found["tried"]["items"] == 7
    assert min(found["tried"]["gates"]["unfinished"]) > 0
    assert "EXTENDED" not in (new / "pack.yaml").read_text()


@pytest.mark.parametrize("name", shipped_packs())
def test_every_shipped_pack_passes_its_own_check(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = checked(name, capsys)
    assert (code, found["defects"]) == (0, [])


@pytest.mark.parametrize(
    ("file", "old", "new_text", "said"),
    [
        ("pack.yaml", "gate:\n", "gate:\n    pack: {unfinishd: {threshold: 0.1}}\n", "did you mean `unfinished`?"),
        ("pack.yaml", "settings:\n", "settings:\n  judge: {rubric: anser}\n", "did you mean `answer`?"),
        (
            "items.jsonl",
            '"final_answer": "8"',
            '"final_answer": "9"',
            "items.jsonl:1: verified=no where yes is",
        ),
        ("items.jsonl", '{"unfinished": true}', '{"unfinished": false}', "gate unfinished says"),
        ("items.jsonl", '{"unfinished": true}', '{"finished": true}', "there is no gate `finished`"),
        ("items.jsonl", '"verified": "unchecked"', '"verified": "perhaps"', "items.jsonl:4"),
        ("items.jsonl", '"verified": "no"', '"verifed": "no"', "did you mean `verified`"),
        ("checks.py", "float(said[0]) == float(expected)", "said[0] == unknown", "NameError: name 'unknown'"),
        ("checks.py", "import re\n", "import re, nothing_there\n", "checks.py:9: the pack's code cannot be loaded"),
        ("data/values.txt", "= 8", "= eight", "could not convert string to float"),
        ("pack.yaml", "require: not_wrong", "require: rigth", "answer.require"),
        ("pack.yaml", "hints: >-", "hint: >-", "did you mean `hints`"),
        ("syllabus.yaml", "[introductory, intermediate]", "[introductary]", "did you mean `introductory`"),
        ("rubrics/answer.yaml", "weight: 2", "weight: -2", "rubrics/answer.yaml"),
        ("review.yaml", "reasons:", "resaons:", "did you mean `reasons`"),
    ],
)
def test_a_defect_is_named_by_its_file(
    new: Path, capsys: pytest.CaptureFixture[str], file: str, old: str, new_text: str, said: str
) -> None:
    path = new / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new_text, 1))
    code, found = checked(new, capsys)
    assert code == 1
    assert said in "\n".join(found["defects"])


def test_checks_that_were_never_tried_on_a_bad_item_are_noted(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (new / "items.jsonl").read_text().splitlines()
    (new / "items.jsonl").write_text("\n".join(line for line in lines if '"no"' not in line and "true" not in line))
    code, found = checked(new, capsys)
    assert code == 0
    assert found["notes"] == [
        "no item expects verified=no: plant one",
        "no item that gate unfinished should find: plant one",
    ]
    (new / "items.jsonl").unlink()
    assert "was tried on nothing" in checked(new, capsys)[1]["notes"][0]


def test_a_question_prompt_that_does_not_say_which_tags_there_are_is_noted(
    new: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (new / "pack.yaml").open("a") as file:
        file.write("tags: {bloom: [remember, apply]}\n")
    assert "prompts/question_level_1.md lacks {{tags}}" in "\n".join(checked(new, capsys)[1]["notes"])


def test_a_prompt_is_shown_as_a_model_gets_it(new: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["domain", "check", str(new), "--show", "extract"]) == 0
    shown = capsys.readouterr().out
    assert "Prefer the standard terms of the field" in shown
    assert "{{" not in shown
    assert main(["domain", "check", str(new), "--show", "extrakt"]) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Volcanoes"], "is no name of a pack"),
        (["maths"], "a pack named maths comes with the package"),
        (["x", "--extends", "genera"], "did you mean `general`"),
        (["x", "--extends", "maths"], "which extends general itself"),
    ],
)
def test_a_pack_that_could_not_be_used_is_not_written(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["domain", "new", *arguments, "--path", str(tmp_path / "p")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["domain", "new", "x", "--path", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_list_names_every_pack_that_comes_with_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["domain", "list", "--json"]) == 0
    assert [pack["name"] for pack in json.loads(capsys.readouterr().out)["packs"]] == shipped_packs()
