"""Syllabi: the shipped ones are complete and balanced, and mistakes in one's own are named with their place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.domains.syllabus import Syllabus, load_syllabus, read_syllabus
from factory.errors import ConfigError

LEVELS = ("elementary", "college")
SHIPPED = ("maths", "computer_science", "biomedical")

GOOD = """
genres:
  - genre: blog post
    instructions: Write to the reader.
disciplines:
  - discipline: Physics
    subjects:
      - subject: Mechanics
        levels: [college]
        topics:
          - topic: Levers
            scope: moments
              and balance
            terms: [fulcrum, moment]
            levels: [elementary, college]
          - topic: Friction
            scope: static and kinetic
            terms: [coefficient of friction]
"""


def read(tmp_path: Path, text: str) -> Syllabus:
    path = tmp_path / "syllabus.yaml"
    path.write_text(text)
    return read_syllabus(path, LEVELS)


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert caught.value.remedy
    return caught.value.what


@pytest.mark.parametrize("domain", SHIPPED)
def test_a_shipped_syllabus_covers_its_field_at_every_level(domain: str) -> None:
    syllabus = load_syllabus(DomainConfig(name=domain))
    assert len(syllabus.subjects) >= 12
    assert len(syllabus.topics) >= 120
    assert len(syllabus.genres) >= 8
    subjects = Counter(topic.subject for topic in syllabus.topics)
    assert max(subjects.values()) <= 0.1 * len(syllabus.topics), "one subject outweighs the others"
    levels = Counter(level for topic in syllabus.topics for level in topic.levels)
    for level in ("elementary", "middle_school", "high_school", "college", "grad_school", "competition"):
        assert levels[level] >= 8, f"too few topics for {level}"
    for topic in syllabus.topics:
        assert len(topic.terms) >= 2, topic.topic
        assert len(topic.scope) >= 20, topic.topic
        assert len(set(topic.terms)) == len(topic.terms), topic.topic


@pytest.mark.parametrize("domain", SHIPPED)
def test_a_shipped_pack_runs_with_the_general_prompts(domain: str) -> None:
    own, general = load_pack(DomainConfig(name=domain)), load_pack(DomainConfig())
    assert own.prompt("question_level_1") == general.prompt("question_level_1")
    assert own.prompt("extract").turns[1:] == general.prompt("extract").turns[1:]  # its first may hold hints


def test_a_topic_has_the_levels_of_its_subject_unless_it_says_its_own(tmp_path: Path) -> None:
    syllabus = read(tmp_path, GOOD)
    assert [(topic.topic, topic.levels) for topic in syllabus.topics] == [
        ("Levers", ("elementary", "college")),
        ("Friction", ("college",)),
    ]
    assert syllabus.topics[0].scope == "moments and balance"
    assert (syllabus.topics[0].discipline, syllabus.topics[0].subject) == ("Physics", "Mechanics")


def test_every_word_of_it_counts_in_the_identity(tmp_path: Path) -> None:
    before = read(tmp_path, GOOD).identity()
    assert read(tmp_path, GOOD + "\n# a remark\n").identity() == before
    for old, new in (("fulcrum", "pivot"), ("static and", "static or"), ("Write to", "Talk to"), ("Physics", "Physic")):
        assert read(tmp_path, GOOD.replace(old, new)).identity() != before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("disciplines:", "discipline:", "unknown key `discipline`; did you mean `disciplines`?"),
        ("terms: [fulcrum", "term: [fulcrum", "topic 'Levers' of subject 'Mechanics': unknown key `term`; did you"),
        ("instructions:", "instruction:", "genre 'blog post': unknown key `instruction`; did you mean `instructions`?"),
        ("levels: [college]", "colour: [college]", "subject 'Mechanics': unknown key `colour`; known here: subject"),
        ("Friction", "levers", "the topic 'levers' is there 2 times"),
        ("scope: static and kinetic", "scope: ''", "'Friction' of subject 'Mechanics': `scope` is empty"),
        ("[fulcrum, moment]", "[]", "`terms` is empty or no list"),
        ("[fulcrum, moment]", "[true, moment]", "`terms` is empty or no list"),
        ("[elementary, college]", "[elementry]", "unknown level 'elementry'; did you mean `elementary`?"),
        ("  - genre: blog post\n    instructions: Write to the reader.\n", "", "`genres` is empty"),
        ("            terms: [coefficient of friction]\n", "", "'Friction' of subject 'Mechanics': `terms` is missing"),
        (
            "          - topic: Friction\n",
            "          - Friction\n          - topic: F\n",
            "holds 'Friction', which has",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    assert said in refused(tmp_path, GOOD.replace(old, new, 1))


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, GOOD.replace("scope: moments", "skope: moments").replace("[college]", "[kollege]"))
    assert "skope" in said
    assert "kollege" in said


def test_a_pack_without_a_syllabus_says_what_else_can_be_done() -> None:
    with pytest.raises(ConfigError) as caught:
        load_syllabus(DomainConfig())
    assert "training.positives.paths" in caught.value.remedy


def test_a_pack_of_ones_own_has_its_own_syllabus(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text("extends: general\nname: physics\ndescription: Physics.\n")
    (tmp_path / "syllabus.yaml").write_text(GOOD)
    assert len(load_syllabus(DomainConfig(path=str(tmp_path))).topics) == 2
