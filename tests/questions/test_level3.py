"""Level 3: a walk's concepts and two documents become one prompt; echoes are checked against what was drawn."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.questions.level3 import Level3Step
from factory.run.reject import Reject
from factory.run.step import Parsed
from tests.questions.replies import CONFIG, JSON, PACK, completion

STEP = Level3Step(CONFIG, PACK, seed=5)
FOLDER = "question_3-abc"
WALK: dict[str, Any] = {
    "walk_id": "a" * 32,
    "topics": ["Graphs", "Queues"],
    "concepts": ["Vertex", "Service time", "Cycle", "Median"],
    "edu_level": "college",
    "subject": "Graph theory",
    "doc_ids": ["d" * 32, "e" * 32],
    "chunk_ids": ["c" * 32, "f" * 32],
    "sources": [
        {"doc_id": "d" * 32, "chunk_id": "c" * 32, "license": "MIT"},
        {"doc_id": "e" * 32, "chunk_id": "f" * 32, "license": "MIT"},
    ],
}
TEXTS = {"c" * 32: "A graph has vertices and edges.", "f" * 32: "Queues are described by service times."}
SETS = STEP.sets_for(WALK)
ASK = ["How many edges join five vertices in a tree?", "Why is the median robust?", "When does a queue grow?"]


def parse(said: Any, finish: str = "stop", row: dict[str, Any] = WALK) -> Parsed:
    return STEP.parse(row, TEXTS, [completion(said, finish)], FOLDER)


def test_the_prompt_holds_both_documents_the_topics_and_the_drawn_sets() -> None:
    messages = STEP.prompt(WALK, TEXTS, FOLDER)
    assert not isinstance(messages, Reject)
    asked = messages[-1].content
    first, second = (asked.index(TEXTS[chunk_id]) for chunk_id in WALK["chunk_ids"])
    assert first < second < asked.index("<topics>\nGraphs; Queues\n</topics>")
    for number, concepts in enumerate(SETS, 1):
        assert f"{number}. {'; '.join(concepts)}" in asked


def test_sets_differ_and_every_concept_of_the_walk_is_asked_about() -> None:
    assert len(SETS) == CONFIG.level_3_questions == len({frozenset(concepts) for concepts in SETS})
    assert {concept for concepts in SETS for concept in concepts} == set(WALK["concepts"])
    assert STEP.sets_for(WALK) == SETS
    assert STEP.sets_for(WALK | {"walk_id": "b" * 32}) != SETS


def test_rows_name_both_documents_and_what_was_drawn() -> None:
    said = {"questions": [{"concepts": list(c), "question": q} for c, q in zip(SETS, ASK, strict=True)]}
    parsed = parse(said)
    assert parsed.rejects == []
    assert [tuple(row["concepts"]) for row in parsed.accepted] == SETS
    assert pa.Table.from_pylist(parsed.accepted, schema=STEP.schema).num_rows == 3
    row = parsed.accepted[0]
    assert (row["level"], row["doc_ids"], row["walk_id"]) == (3, ["d" * 32, "e" * 32], "a" * 32)
    assert len({row["question_id"] for row in parsed.accepted}) == 3


def test_questions_about_other_concepts_are_turned_away() -> None:
    parsed = parse({"questions": [{"concepts": ["Vertex", "Colour"], "question": ASK[0]}]})
    assert [(reject.side, reject.reason) for reject in parsed.rejects] == [
        ("output", "concepts_not_echoed"),
        ("input", "no_questions"),
    ]


@pytest.mark.parametrize("concepts", [[], ["Vertex"], ["Vertex", "Vertex", "Vertex"]])
def test_a_walk_that_holds_one_concept_cannot_be_asked_about(concepts: list[str]) -> None:
    refused = STEP.prompt(WALK | {"concepts": concepts}, TEXTS, FOLDER)
    assert isinstance(refused, Reject)
    assert (refused.reason, refused.evidence) == ("too_few_concepts", {"concepts": len(set(concepts)), "needed": 2})


def test_a_short_walk_is_asked_about_in_smaller_sets() -> None:
    step = Level3Step(CONFIG.model_copy(update={"concepts_per_question": 3}), PACK, seed=5)
    assert {len(concepts) for concepts in step.sets_for(WALK)} == {3}
    assert step.sets_for(WALK | {"concepts": ["Vertex", "Median"]}) in ([("Vertex", "Median")], [("Median", "Vertex")])


def test_what_changes_rows_is_in_the_identity() -> None:
    for key, value in {"level_3_questions": 2, "concepts_per_question": 4, "min_characters": 20}.items():
        assert Level3Step(CONFIG.model_copy(update={key: value}), PACK, 5).identity() != STEP.identity(), key
    assert Level3Step(CONFIG.model_copy(update={"level_1_questions": 9}), PACK, 5).identity() == STEP.identity()


@given(said=JSON | st.text(), finish=st.sampled_from(["stop", "length"]))
def test_no_reply_is_lost_or_breaks_the_step(said: Any, finish: str) -> None:
    parsed = parse(said, finish)
    assert parsed.accepted or [reject.side for reject in parsed.rejects].count("input") == 1
