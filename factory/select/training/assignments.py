"""What is to be written for the cold start: one topic, genre and level a document, drawn in code.

Design: assignment number i depends on (seed, domain, i) and the syllabus alone, so twice as many documents begin
with the same ones and what was paid for is found again. Levels take turns, in a seeded order a round, because
syllabi have most topics where the field has most to say (college) and a selector has to know children's texts
too. Within a level, topics come in seeded rounds: none a second time before all have had their turn. Genres are
drawn freely.

Cost: 20 microseconds an assignment.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from factory.domains.syllabus import Genre, Syllabus, Topic
from factory.identity import ids_digest, make_id, seed_for
from factory.run.units import Unit, UnitResult
from factory.store.base import Store

STEP_VERSION = 1

ASSIGNMENT = pa.schema(
    [
        ("assignment_id", pa.string()),
        ("discipline", pa.string()),
        ("subject", pa.string()),
        ("topic", pa.string()),
        ("scope", pa.string()),
        ("terms", pa.list_(pa.string())),
        ("level", pa.string()),
        ("genre", pa.string()),
        ("instructions", pa.string()),
    ]
)


@dataclass(frozen=True)
class Assignment:
    topic: Topic
    genre: Genre
    level: str


def assignment(syllabus: Syllabus, domain: str, seed: int, index: int) -> Assignment:
    """The document with the number `index` (0-based)."""
    levels = sorted({level for topic in syllabus.topics for level in topic.levels})
    turn, place = divmod(index, len(levels))
    level = _shuffled(levels, seed, domain, "levels", turn)[place]
    fitting = [topic for topic in syllabus.topics if level in topic.levels]
    round_, place = divmod(turn, len(fitting))
    topic = _shuffled(fitting, seed, domain, "topics", level, round_)[place]
    genre = syllabus.genres[seed_for("genre", seed, domain, index) % len(syllabus.genres)]
    return Assignment(topic, genre, level)


def _shuffled(items: Sequence[Any], seed: int, *parts: str | int) -> list[Any]:
    shuffled = list(items)
    random.Random(seed_for("syllabus", seed, *parts)).shuffle(shuffled)
    return shuffled


@dataclass(frozen=True)
class AssignStep:
    """WorkStep: units are blocks of consecutive numbers; ASSIGNMENT rows come out."""

    syllabus: Syllabus
    domain: str
    seed: int

    name = "assign"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"syllabus": self.syllabus.identity(), "domain": self.domain, "seed": self.seed}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        rows = [self._row(index) for index in range(unit.parameters["start"], unit.parameters["stop"])]
        ids = [row["assignment_id"] for row in rows]
        return UnitResult(
            inputs=len(rows),
            used=len(rows),
            tables=(pa.Table.from_pylist(rows, schema=ASSIGNMENT),),
            id_column="assignment_id",
            input_ids_digest=ids_digest(ids),
        )

    def _row(self, index: int) -> dict[str, Any]:
        drawn = assignment(self.syllabus, self.domain, self.seed, index)
        return {
            "assignment_id": make_id("assignment", self.domain, self.seed, index),
            "discipline": drawn.topic.discipline,
            "subject": drawn.topic.subject,
            "topic": drawn.topic.topic,
            "scope": drawn.topic.scope,
            "terms": list(drawn.topic.terms),
            "level": drawn.level,
            "genre": drawn.genre.name,
            "instructions": drawn.genre.instructions,
        }


def plan_assignments(documents: int, unit_rows: int) -> list[Unit]:
    """Blocks of `unit_rows` numbers; the last one is smaller where the count does not divide."""
    blocks = [(start, min(start + unit_rows, documents)) for start in range(0, documents, unit_rows)]
    return [
        Unit(make_id("assignments", start, stop), parameters={"start": start, "stop": stop}) for start, stop in blocks
    ]
