"""Packs: the shipped one is whole, a user's own is found by path, and mistakes are named."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

from factory.domains.config import DomainConfig
from factory.domains.pack import PACKS, Pack, load_pack, shipped_packs
from factory.domains.task_prompts import TASK_PLACEHOLDERS
from factory.errors import ConfigError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    shutil.copytree(PACKS / "general", folder)
    return folder


def load(folder: Path) -> Pack:
    return load_pack(DomainConfig(path=str(folder)))


def refused(folder: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert caught.value.remedy
    return caught.value


def test_general_pack_loads_and_travels() -> None:
    pack = load_pack(DomainConfig())
    assert pack.name == "general"
    assert set(pack.prompts) == {
        "extract",
        "question_level_1",
        "question_level_2",
        "question_level_3",
        "answer",
        "reference_document",
        "rate_document",
        "same_problem",
        "judge_answer",
        "judge_pair",
        *TASK_PLACEHOLDERS,
    }
    again = pickle.loads(pickle.dumps(pack))
    assert again == pack
    assert again.identity() == pack.identity()


def test_every_shipped_pack_loads() -> None:
    assert "general" in shipped_packs()
    for name in shipped_packs():
        load_pack(DomainConfig(name=name))


def test_an_installed_package_carries_the_packs_files() -> None:
    """pyproject.toml takes *.md and *.yaml of every package found; all folders have to be found."""
    found = find_namespace_packages(str(PACKS.parents[1]), include=["factory*"])
    general = "factory.domains.general"
    assert {general, f"{general}.prompts", f"{general}.rubrics"} <= set(found)


def test_instructions_and_examples_are_shared_by_all_requests_of_a_step() -> None:
    """Everything before the document is equal between two requests: the prefix cache then holds it."""
    for name in ("extract", "question_level_1", "question_level_2", "rate_document"):
        prompt = load_pack(DomainConfig()).prompt(name)
        values = dict.fromkeys(prompt.placeholders, "same")
        first = prompt.messages(**{**values, "document": "one", "concepts": "1. a"})
        second = prompt.messages(**{**values, "document": "two", "concepts": "1. b"})
        assert first[:-1] == second[:-1]
        assert len(first[-1].content) < 80, f"{name}: the last turn holds more than the document"


def test_identity_changes_with_every_file(own: Path) -> None:
    before = load(own).identity()
    assert before == load_pack(DomainConfig()).identity()
    for path in sorted([own / "pack.yaml", *(own / "prompts").glob("*.md")]):
        original = path.read_text()
        path.write_text(original + "\n")
        assert load(own).identity() != before, path.name
        path.write_text(original)
    assert load(own).identity() == before


def test_system_message_goes_before_every_prompt(own: Path) -> None:
    (own / "prompts" / "system.md").write_text("You teach physics.\n")
    pack = load(own)
    assert pack.prompt("answer").messages(question="q", answer_style="s")[0].content == "You teach physics."
    assert pack.prompt("answer").prompt_id != load_pack(DomainConfig()).prompt("answer").prompt_id


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean `general`"):
        load_pack(DomainConfig(name="generall"))


def test_missing_folder_and_missing_files_are_named(own: Path, tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "nowhere").what
    (own / "prompts" / "extract.md").unlink()
    assert "extract.md is missing" in refused(own).what
    (own / "pack.yaml").unlink()
    assert "is missing" in refused(own).what


def test_a_prompt_file_nobody_reads_is_refused(own: Path) -> None:
    (own / "prompts" / "question_level1.md").write_text("{{document}}")
    assert "did you mean question_level_1.md" in refused(own).what


def test_a_file_that_is_not_text_is_named(own: Path) -> None:
    (own / "prompts" / "answer.md").write_bytes(b"\xff\xfe{{question}}")
    assert "answer.md cannot be read" in refused(own).what


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: general", "name: 'General Pack'", "name"),
        ("name: general", "nane: general", "nane"),
        ("[elementary,", "[Other, elementary,", "named twice"),
        ("levels: [", "levels: {", "not YAML"),
        (r"  - \b(?:the|this|that)", "  - (the|", "no regular expression"),
    ],
)
def test_a_bad_pack_yaml_is_named_by_key(own: Path, old: str, new: str, said: str) -> None:
    path = own / "pack.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert said in refused(own).what
    assert "<unicode string>" not in refused(own).what


def test_prompts_for_training_are_optional_and_missed_only_when_asked_for(own: Path) -> None:
    (own / "prompts" / "rate_document.md").unlink()
    pack = load(own)
    with pytest.raises(ConfigError, match=r"no prompts/rate_document\.md"):
        pack.prompt("rate_document")


def extending(folder: Path, *, extends: str = "general", keys: str = "", **prompts: str) -> Path:
    (folder / "prompts").mkdir(parents=True)
    (folder / "pack.yaml").write_text(f"extends: {extends}\nname: physics\ndescription: Physics.\n{keys}")
    for name, text in prompts.items():
        (folder / "prompts" / f"{name}.md").write_text(text)
    return folder


def test_a_pack_takes_what_it_does_not_give_from_the_one_it_extends(tmp_path: Path) -> None:
    general = load_pack(DomainConfig())
    pack = load(extending(tmp_path / "p", keys="levels: [college]\n", answer="Solve: {{question}}"))
    assert (pack.name, pack.description, pack.levels) == ("physics", "Physics.", ("college",))
    assert pack.task_words == general.task_words
    assert pack.prompt("answer").template == "Solve: {{question}}"
    assert pack.prompt("extract").prompt_id == general.prompt("extract").prompt_id


def test_a_pack_without_prompts_of_its_own_is_whole(tmp_path: Path) -> None:
    folder = extending(tmp_path / "p")
    (folder / "prompts").rmdir()
    assert set(load(folder).prompts) == set(load_pack(DomainConfig()).prompts)


def test_files_of_both_packs_count_in_the_identity(tmp_path: Path) -> None:
    pack = load(extending(tmp_path / "p", answer="Solve: {{question}}"))
    assert {"pack.yaml", "prompts/answer.md", "extends/general/pack.yaml", "extends/general/prompts/extract.md"} <= set(
        pack.files
    )
    other = load(extending(tmp_path / "q", answer="Solve it: {{question}}"))
    assert other.identity() != pack.identity()


def test_a_syllabus_counts_in_the_identity(own: Path) -> None:
    before = load(own).identity()
    (own / "syllabus.yaml").write_text("disciplines: []\n")
    assert load(own).identity() != before


def test_system_message_of_the_pack_itself_wins(tmp_path: Path) -> None:
    pack = load(extending(tmp_path / "p", system="You teach physics."))
    assert pack.prompt("extract").system == "You teach physics."


@pytest.mark.parametrize(
    ("extends", "said"),
    [
        ("genera", "did you mean `general`"),
        ("[general]", "no such pack"),
        ("maths", "which extends general itself"),
    ],
)
def test_what_cannot_be_extended_is_named(tmp_path: Path, extends: str, said: str) -> None:
    assert said in refused(extending(tmp_path / "p", extends=extends)).what


def test_a_pack_that_extends_itself_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    extending(tmp_path / "loop", extends="loop")
    monkeypatch.setattr("factory.domains.pack.PACKS", tmp_path)
    with pytest.raises(ConfigError, match="extends itself"):
        load_pack(DomainConfig(name="loop"))


def test_name_and_description_are_never_inherited(tmp_path: Path) -> None:
    folder = extending(tmp_path / "p")
    (folder / "pack.yaml").write_text("extends: general\n")
    said = refused(folder).what
    assert "name" in said
    assert "description" in said


def test_an_empty_pack_yaml_lists_the_keys(own: Path) -> None:
    (own / "pack.yaml").write_text("")
    assert "holds no keys" in refused(own).what
