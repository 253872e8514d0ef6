"""What is to be written: drawn in code, spread evenly, and the same whoever asks for more of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from factory.domains.config import DomainConfig
from factory.domains.syllabus import Syllabus, load_syllabus
from factory.identity import ids_digest
from factory.select.training.assignments import ASSIGNMENT, AssignStep, assignment, plan_assignments
from factory.store.local import LocalStore


@pytest.fixture(scope="module")
def maths() -> Syllabus:
    return load_syllabus(DomainConfig(name="maths"))


def test_levels_take_turns_and_topics_do_not_come_twice_before_all_have_come(maths: Syllabus) -> None:
    levels = sorted({level for topic in maths.topics for level in topic.levels})
    drawn = [assignment(maths, "maths", 3, index) for index in range(len(levels) * 30)]
    assert set(Counter(one.level for one in drawn).values()) == {30}
    for level in levels:
        topics = Counter(one.topic.topic for one in drawn if one.level == level)
        available = sum(level in topic.levels for topic in maths.topics)
        assert max(topics.values()) - min(topics.values()) <= 1
        assert len(topics) == min(available, 30)
        assert all(level in one.topic.levels for one in drawn if one.level == level)


def test_every_genre_comes(maths: Syllabus) -> None:
    drawn = Counter(assignment(maths, "maths", 3, index).genre.name for index in range(400))
    assert len(drawn) == len(maths.genres)


def test_a_draw_depends_on_seed_domain_and_number_alone(maths: Syllabus) -> None:
    assert assignment(maths, "maths", 3, 17) == assignment(maths, "maths", 3, 17)
    first = [assignment(maths, "maths", 3, index) for index in range(60)]
    assert first != [assignment(maths, "maths", 4, index) for index in range(60)]
    assert first != [assignment(maths, "physics", 3, index) for index in range(60)]


def test_twice_as_many_documents_begin_with_the_same_units(maths: Syllabus, tmp_path: Path) -> None:
    few, many = plan_assignments(20, 10), plan_assignments(45, 10)
    assert [unit.unit_id for unit in many[:2]] == [unit.unit_id for unit in few]
    assert [unit.parameters for unit in many][-1] == {"start": 40, "stop": 45}
    step = AssignStep(maths, "maths", 3)
    result = step.work(LocalStore(str(tmp_path)), many[-1])
    (table,) = result.tables
    assert table.schema == ASSIGNMENT
    assert (result.inputs, result.used, table.num_rows) == (5, 5, 5)
    assert result.input_ids_digest == ids_digest(table.column("assignment_id").to_pylist())


def test_a_changed_syllabus_is_another_step(maths: Syllabus) -> None:
    shorter = Syllabus(maths.topics[:-1], maths.genres)
    assert AssignStep(maths, "maths", 3).identity() != AssignStep(shorter, "maths", 3).identity()
