"""Level 2: concepts drawn in code, echoed by the model, checked against what was drawn."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.questions.level2 import Level2Step
from factory.run.reject import Reject
from factory.run.step import Parsed
from tests.questions.replies import CONCEPTS, CONFIG, JSON, PACK, TEXT, TEXTS, completion

STEP = Level2Step(CONFIG, PACK, seed=5)
FOLDER = "question_2-abc"
SETS = STEP.sets_for(CONCEPTS)
ASK = [
    "How many edges join a vertex of a tree to others?",
    "Why does a cycle need as many edges as vertices?",
    "When is a connected graph without a cycle called a tree?",
]


def parse(said: Any, finish: str = "stop") -> Parsed:
    return STEP.parse(CONCEPTS, TEXTS, [completion(said, finish)], FOLDER)


def reply(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"questions": [{"concepts": echo, "question": question} for echo, question in pairs]}


def reasons(parsed: Parsed, side: str) -> list[str]:
    return [reject.reason for reject in parsed.rejects if reject.side == side]


def test_the_prompt_lists_the_drawn_sets_after_the_document() -> None:
    messages = STEP.prompt(CONCEPTS, TEXTS, FOLDER)
    assert not isinstance(messages, Reject)
    listed = "\n".join(f"{number}. {'; '.join(concepts)}" for number, concepts in enumerate(SETS, 1))
    assert messages[-1].content == f"<passage>\n{TEXT}\n</passage>\n<concepts>\n{listed}\n</concepts>"
    assert len(SETS) == 3


def test_echoed_questions_become_rows_that_say_what_was_drawn() -> None:
    parsed = parse(reply(*[(list(concepts), question) for concepts, question in zip(SETS, ASK, strict=True)]))
    assert parsed.rejects == []
    assert [tuple(row["concepts"]) for row in parsed.accepted] == SETS
    assert pa.Table.from_pylist(parsed.accepted, schema=STEP.schema).num_rows == 3
    row = parsed.accepted[0]
    assert set(row) == set(STEP.schema.names)
    assert (row["level"], row["origin"], row["edu_level"], row["subject"]) == (2, "created", "college", "Graph theory")


def test_an_echo_counts_whatever_its_order_case_and_spaces() -> None:
    parsed = parse(reply(([f"  {name.upper()} " for name in reversed(SETS[1])], ASK[0])))
    assert tuple(parsed.accepted[0]["concepts"]) == SETS[1], "written as it was drawn"


@pytest.mark.parametrize(
    "echo", [["Vertex", "Colour"], [], list(SETS[0][:1]), [*SETS[0], "Colour"], [SETS[0][0], SETS[0][0]]]
)
def test_any_other_echo_turns_the_question_away_with_both_sides_as_evidence(echo: list[str]) -> None:
    parsed = parse(reply((echo, ASK[0])))
    assert reasons(parsed, "output") == ["concepts_not_echoed"]
    assert parsed.rejects[0].evidence["echoed"] == echo
    assert parsed.rejects[0].evidence["open"] == [list(concepts) for concepts in SETS]
    assert reasons(parsed, "input") == ["no_questions"]


def test_a_set_can_be_used_once() -> None:
    parsed = parse(reply((list(SETS[0]), ASK[0]), (list(SETS[0]), ASK[1])))
    assert len(parsed.accepted) == 1
    assert reasons(parsed, "output") == ["concepts_not_echoed"]


def test_the_checks_of_level_1_hold_here_too() -> None:
    parsed = parse(reply((list(SETS[0]), "According to the passage, what is a tree?"), (list(SETS[1]), ASK[1])))
    assert reasons(parsed, "output") == ["not_self_contained"]
    assert len(parsed.accepted) == 1


def test_a_row_with_too_few_concepts_is_never_asked() -> None:
    row = {**CONCEPTS, "topics": [{"topic": "Graphs", "key_concepts": ["Vertex", "vertex "]}]}
    reject = STEP.prompt(row, TEXTS, FOLDER)
    assert isinstance(reject, Reject)
    assert (reject.item_id, reject.side, reject.reason) == (CONCEPTS["chunk_id"], "input", "too_few_concepts")


@pytest.mark.parametrize(
    ("said", "finish", "reason"),
    [
        ("", "stop", "invalid_json"),
        ('{"questions": [{"concepts": ["Ver', "length", "truncated"),
        ([], "stop", "schema_mismatch"),
        ({"questions": "none"}, "stop", "schema_mismatch"),
        ({"questions": []}, "stop", "no_questions"),
    ],
)
def test_replies_without_questions_turn_the_row_away(said: Any, finish: str, reason: str) -> None:
    parsed = parse(said, finish)
    assert parsed.accepted == []
    assert reasons(parsed, "input") == [reason]


def test_malformed_and_surplus_questions_are_rejects_of_their_own() -> None:
    good = (list(SETS[0]), ASK[0])
    parsed = parse(reply(good, ("Vertex", ASK[1]), (list(SETS[1]), None), (list(SETS[2]), ASK[2])))
    assert len(parsed.accepted) == 1
    assert reasons(parsed, "output") == ["schema_mismatch", "schema_mismatch", "more_than_asked"]


@given(st.text() | JSON, st.sampled_from(["stop", "length", ""]))
def test_parsing_never_raises_and_rows_and_rejects_have_ids_of_their_own(said: Any, finish: str) -> None:
    parsed = parse(said, finish)
    pa.Table.from_pylist(parsed.accepted, schema=STEP.schema)
    outputs = [row["question_id"] for row in parsed.accepted]
    outputs += [reject.item_id for reject in parsed.rejects if reject.side == "output"]
    assert max(Counter(outputs).values(), default=1) == 1
    assert bool(parsed.accepted) != (len(reasons(parsed, "input")) == 1)


@given(st.lists(st.tuples(st.sampled_from([*SETS, ("Vertex", "Colour")]), st.sampled_from(ASK)), max_size=3))
def test_accepted_rows_never_claim_a_set_twice_or_one_not_drawn(pairs: list[tuple[tuple[str, ...], str]]) -> None:
    parsed = parse(reply(*[(list(concepts), question) for concepts, question in pairs]))
    claimed = [tuple(row["concepts"]) for row in parsed.accepted]
    assert len(set(claimed)) == len(claimed)
    assert set(claimed) <= set(SETS)
    assert len(parsed.accepted) + len(reasons(parsed, "output")) == len(pairs)


def test_identity_knows_level_2_only_and_the_seed_reaches_the_draw() -> None:
    assert Level2Step(CONFIG.model_copy(update={"level_1_questions": 9}), PACK, 5).identity() == STEP.identity()
    for key, value in {"level_2_questions": 2, "concepts_per_question": 3, "min_characters": 20}.items():
        assert Level2Step(CONFIG.model_copy(update={key: value}), PACK, 5).identity() != STEP.identity(), key
    assert any(Level2Step(CONFIG, PACK, seed).sets_for(CONCEPTS) != SETS for seed in range(6, 12))
    assert STEP.sampling.seed == 5, "sampling, and with it the seed, is part of every step's fingerprint"
    assert json.dumps(STEP.identity())
    assert pickle.loads(pickle.dumps(STEP)).sets_for(CONCEPTS) == SETS
