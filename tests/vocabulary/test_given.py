"""A run's vocabulary: what names it, how it comes to workers, what a prompt is given of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.config import FactoryConfig
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.domains.prompt import Prompt
from factory.errors import ConfigError
from factory.run.compose import compose
from factory.run.steps import build_steps, llm_steps
from factory.store.local import LocalStore
from factory.vocabulary.config import VocabularyConfig
from factory.vocabulary.given import Vocabulary, read_vocabulary

TABLE = (
    "term\tcode\tdefinition\tkind\nInsulin\tA1\tLowers blood glucose.\tdrug\nType 1 diabetes\tE10\t\tdisease\n"
    "Fever\nPain\n"
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "own.tsv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def given(path: Path, **keys: int) -> Vocabulary:
    found = read_vocabulary(VocabularyConfig(files=(str(path),), **keys))
    assert found is not None
    return found


def test_a_prompt_is_given_terms_of_its_passages_in_order_each_once(table: Path, store: LocalStore) -> None:
    vocabulary = given(table)
    vocabulary.prepare(store)
    vocabulary.load(store)
    assert vocabulary.words(["In type 1 diabetes insulin is missing.", "Insulin and fever."]) == (
        "- Type 1 diabetes (E10)\n- Insulin (A1): Lowers blood glucose.\n- Fever"
    )
    assert vocabulary.words(["Nothing of the kind."]) == ""


def test_of_more_terms_than_asked_for_the_longest_names_are_kept_then_the_frequent(
    table: Path, store: LocalStore
) -> None:
    vocabulary = given(table, max_terms=2)
    vocabulary.prepare(store)
    vocabulary.load(store)
    assert vocabulary.words(["Fever, pain, pain and type 1 diabetes."]) == "- Pain\n- Type 1 diabetes (E10)"


def test_a_worker_needs_the_store_and_not_the_files(table: Path, store: LocalStore) -> None:
    vocabulary = given(table)
    vocabulary.prepare(store)
    table.unlink()
    again = Vocabulary.recorded(vocabulary.identity())
    assert again == vocabulary
    again.prepare(store)  # there already
    assert again.load(store).terms == 4
    assert again.told(store) == [{"name": "own.tsv", "sha256": vocabulary.files[0].sha256, "terms": 4}]


def test_what_names_it_is_content_and_not_the_place(table: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "own.tsv").write_text(TABLE)
    assert given(elsewhere / "own.tsv").identity() == given(table).identity()
    (elsewhere / "own.tsv").write_text(TABLE + "Cough\n")
    assert given(elsewhere / "own.tsv").key != given(table).key
    assert given(table, definition_characters=10).key != given(table).key
    assert given(table, max_terms=1).key == given(table).key


def test_what_cannot_be_used_is_said_before_a_run(table: Path, store: LocalStore, tmp_path: Path) -> None:
    assert read_vocabulary(VocabularyConfig()) is None
    with pytest.raises(ConfigError, match="cannot be read"):
        read_vocabulary(VocabularyConfig(files=("gone.tsv",)))
    with pytest.raises(ConfigError, match=r"two files own\.tsv"):
        read_vocabulary(VocabularyConfig(files=(str(table), str(table))))
    vocabulary = given(table, definition_characters=7)  # no other test has put this one into the process
    table.write_text(TABLE + "Cough\n")
    with pytest.raises(ConfigError, match="changed while"):
        vocabulary.prepare(store)
    with pytest.raises(ConfigError, match="is not in"):
        vocabulary.load(store)


def config(*extra: str) -> FactoryConfig:
    return compose(["engine=scripted", "store.root=/nowhere", *extra])


def test_without_a_vocabulary_steps_are_named_as_before_there_was_one() -> None:
    plain = config()
    assert "vocabulary" not in plain.recipe()["domain"]
    assert "vocabulary" in config("domain.vocabulary.max_terms=3").recipe()["domain"]
    for step in llm_steps(plain, load_pack(plain.domain)).values():
        assert "vocabulary" not in step.identity()


def test_only_steps_whose_prompts_ask_are_named_by_it(table: Path) -> None:
    vocabulary = given(table)
    infused = config("domain.variant=knowledge_infused", f"domain.vocabulary.files=[{table}]")
    steps = llm_steps(infused, load_pack(infused.domain), vocabulary)
    assert all(step.identity()["vocabulary"]["max_terms"] == 8 for step in steps.values())
    plain = config()
    for step in llm_steps(plain, load_pack(plain.domain), vocabulary).values():
        assert "vocabulary" not in step.identity()


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (("domain.variant=knowledge_infused",), "none is given"),
        (("domain.vocabulary.files=[{table}]",), "no prompt of this run has"),
    ],
)
def test_a_vocabulary_nobody_uses_or_a_variant_without_one_is_refused(
    table: Path, extra: tuple[str, ...], said: str
) -> None:
    asked = config(*(item.replace("{table}", str(table)) for item in extra))
    with pytest.raises(ConfigError, match=said):
        build_steps(asked, load_pack(asked.domain), None)


def test_the_checks_of_a_pack_may_ask_it_though_no_prompt_does(table: Path) -> None:
    asked = config("domain=biomedical", f"domain.vocabulary.files=[{table}]")
    steps = build_steps(asked, load_pack(asked.domain), None)
    assert "max_terms" not in steps.check.identity()["vocabulary"]
    assert steps.gate.identity()["vocabulary"] == steps.check.identity()["vocabulary"]


PROMPT = Prompt(
    "answer",
    "Solve.\n<vocabulary>\n{{vocabulary}}\n</vocabulary>\nTerms: {{ vocabulary }}\n{{vocabulary}}\n{{question}}",
)


def test_a_block_that_has_nothing_to_hold_leaves_nothing_behind() -> None:
    assert PROMPT.render(question="Why?", vocabulary="- x") == (
        "Solve.\n<vocabulary>\n- x\n</vocabulary>\nTerms: - x\n- x\nWhy?"
    )
    assert PROMPT.render(question="Why?", vocabulary="") == "Solve.\nTerms: \nWhy?"
    assert PROMPT.messages(question="Why?")[0].content == "Solve.\nTerms: \nWhy?"


@pytest.mark.parametrize("domain", ["general", "biomedical"])
def test_the_variant_has_every_prompt_with_its_block_behind_the_passage(domain: str) -> None:
    infused = load_pack(DomainConfig(name=domain, variant="knowledge_infused"))
    plain = load_pack(DomainConfig(name=domain))
    for name in ("extract", "question_level_1", "question_level_2", "question_level_3", "answer"):
        assert "vocabulary" in infused.prompt(name).placeholders
        assert "vocabulary" not in plain.prompt(name).placeholders
        last = infused.prompt(name).without_vocabulary.turns[-1][1]
        assert "vocabulary" not in last or name == "answer"
        if name != "answer":
            assert last == plain.prompt(name).turns[-1][1]
