"""Packs: the shipped one is whole, a user's own is found by path, and mistakes are named."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest
from setuptools import find_namespace_packages

from factory.config import DomainConfig
from factory.domains.pack import PACKS, Pack, load_pack, shipped_packs
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
    assert set(pack.prompts) == {"extract", "question_level_1", "question_level_2", "answer"}
    again = pickle.loads(pickle.dumps(pack))
    assert again == pack
    assert again.identity() == pack.identity()


def test_every_shipped_pack_loads() -> None:
    assert "general" in shipped_packs()
    for name in shipped_packs():
        load_pack(DomainConfig(name=name))


def test_an_installed_package_carries_the_packs_files() -> None:
    """pyproject.toml takes *.md and *.yaml of every package found; both folders have to be found."""
    found = find_namespace_packages(str(PACKS.parents[1]), include=["factory*"])
    assert {"factory.domains.general", "factory.domains.general.prompts"} <= set(found)


def test_instructions_and_examples_are_shared_by_all_requests_of_a_step() -> None:
    """Everything before the document is equal between two requests: the prefix cache then holds it."""
    for name in ("extract", "question_level_1", "question_level_2"):
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


def test_an_empty_pack_yaml_lists_the_keys(own: Path) -> None:
    (own / "pack.yaml").write_text("")
    assert "holds no keys" in refused(own).what
