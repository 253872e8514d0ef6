"""Level 1: refusals, origins, levels, and every question accepted or rejected under its own id."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.identity import make_id
from factory.questions.level1 import Level1Step
from factory.run.step import Parsed
from tests.questions.replies import CONFIG, DOCUMENT, JSON, PACK, TEXT, TEXTS, completion

STEP = Level1Step(CONFIG, PACK, seed=5)
FOLDER = "question_1-abc"


def item(question: Any, origin: Any = "created", level: Any = "college") -> dict[str, Any]:
    return {"question": question, "origin": origin, "level": level}


def parse(said: Any, finish: str = "stop") -> Parsed:
    return STEP.parse(DOCUMENT, TEXTS, [completion(said, finish)], FOLDER)


def suitable(*items: Any) -> dict[str, Any]:
    return {"suitable": True, "questions": list(items)}


def reasons(parsed: Parsed, side: str) -> list[str]:
    return [reject.reason for reject in parsed.rejects if reject.side == side]


def test_questions_become_rows_with_ids_from_place_not_words() -> None:
    parsed = parse(suitable(item("How many edges has a tree?", "extracted"), item("Why has a tree no cycle?")))
    assert parsed.rejects == []
    assert pa.Table.from_pylist(parsed.accepted, schema=STEP.schema).num_rows == 2
    first, second = parsed.accepted
    assert set(first) == set(STEP.schema.names)
    assert first["question_id"] == make_id("question", DOCUMENT["chunk_id"], FOLDER, 0)
    assert second["question_id"] == make_id("question", DOCUMENT["chunk_id"], FOLDER, 1)
    assert (first["origin"], second["origin"]) == ("extracted", "created")
    assert first["level"] == 1
    assert first["prompt_id"] == PACK.prompt("question_level_1").prompt_id


def test_extracted_is_believed_only_where_the_document_holds_the_question() -> None:
    parsed = parse(suitable(item("What is the chromatic number of a tree?", "extracted")))
    assert parsed.accepted[0]["origin"] == "created"


@pytest.mark.parametrize("tag", ["extracted", "original", "<original_question>", "Original_Question"])
def test_the_papers_own_tags_are_understood(tag: str) -> None:
    """Prose of the paper and its prompt name the tags differently; servers that ignore schemas may too."""
    parsed = parse(suitable(item("How many edges has a tree?", tag.strip("<>"))))
    assert parsed.accepted[0]["origin"] == "extracted"


def test_a_refusal_is_a_reject_of_the_document() -> None:
    parsed = parse({"suitable": False, "questions": [item("How many edges has a tree?")]})
    assert parsed.accepted == []
    assert [(reject.item_id, reject.side, reject.reason) for reject in parsed.rejects] == [
        (DOCUMENT["chunk_id"], "input", "unsuitable_document")
    ]


@pytest.mark.parametrize(
    ("said", "finish", "reason"),
    [
        ("", "stop", "invalid_json"),
        ('{"suitable": true, "que', "length", "truncated"),
        ({"suitable": "yes", "questions": []}, "stop", "schema_mismatch"),
        ({"questions": []}, "stop", "schema_mismatch"),
        ({"suitable": True, "questions": {}}, "stop", "schema_mismatch"),
        (suitable(), "stop", "no_questions"),
    ],
)
def test_replies_without_questions_turn_the_document_away(said: Any, finish: str, reason: str) -> None:
    parsed = parse(said, finish)
    assert parsed.accepted == []
    assert reasons(parsed, "input") == [reason]


def test_each_turned_away_question_keeps_its_id_reason_and_text() -> None:
    parsed = parse(
        suitable(
            item("How many edges has a tree?"), item("how many edges has  a tree"), item("What does the text say?")
        )
    )
    duplicate, leaning = parsed.rejects
    assert (duplicate.reason, duplicate.side, duplicate.text) == (
        "duplicate_in_document",
        "output",
        "how many edges has  a tree",
    )
    assert duplicate.evidence == {"of": parsed.accepted[0]["question_id"]}
    assert duplicate.item_id == make_id("question", DOCUMENT["chunk_id"], FOLDER, 1)
    assert leaning.reason == "not_self_contained"


def test_a_document_whose_questions_all_fail_is_turned_away_itself() -> None:
    parsed = parse(suitable(item("It is."), item(3), item("How many edges?", "copied"), item("x", level="hard")))
    assert parsed.accepted == []
    assert reasons(parsed, "output") == ["too_short", "schema_mismatch", "schema_mismatch", "more_than_asked"]
    assert reasons(parsed, "input") == ["no_questions"]


def test_of_a_cut_reply_the_complete_questions_are_kept_and_the_cut_one_recorded() -> None:
    whole = json.dumps(suitable(item("How many edges has a tree?"), item("Why has a tree no cycle at all?")))
    parsed = parse(whole[: whole.index("no cycle")], "length")
    assert [row["text"] for row in parsed.accepted] == ["How many edges has a tree?"]
    assert reasons(parsed, "output") == ["truncated"]
    assert "Why has a tree" in (parsed.rejects[0].text or "")


@given(st.text() | JSON, st.sampled_from(["stop", "length", ""]))
def test_parsing_never_raises_and_rows_and_rejects_have_ids_of_their_own(said: Any, finish: str) -> None:
    parsed = parse(said, finish)
    pa.Table.from_pylist(parsed.accepted, schema=STEP.schema)
    outputs = [row["question_id"] for row in parsed.accepted]
    outputs += [reject.item_id for reject in parsed.rejects if reject.side == "output"]
    assert max(Counter(outputs).values(), default=1) == 1
    assert bool(parsed.accepted) != (len(reasons(parsed, "input")) == 1)


def test_examples_of_the_general_pack_satisfy_the_step_they_teach() -> None:
    """Read by a step with other instructions, because copying the examples themselves is what a check forbids."""
    turns = PACK.prompt("question_level_1").turns
    for (_, passage), (_, example) in zip(turns[:-1:2], turns[1::2], strict=True):
        assert json.dumps(json.loads(example)) == example, "written as the grammar writes it"
        texts = {DOCUMENT["chunk_id"]: passage}
        parsed = STEP.parse(DOCUMENT, texts, [completion(example)], FOLDER)
        assert set(reasons(parsed, "output")) == {"copies_prompt"}
        for one in json.loads(example)["questions"]:
            assert one["level"] in PACK.levels


def test_the_prompt_ends_with_the_document() -> None:
    messages = STEP.prompt(DOCUMENT, TEXTS, FOLDER)
    assert messages[-1].content == f"<passage>\n{TEXT}\n</passage>"
    assert "1 to 3 questions" in messages[0].content


def test_identity_knows_level_1_only() -> None:
    assert Level1Step(CONFIG.model_copy(update={"level_2_questions": 9}), PACK, 5).identity() == STEP.identity()
    for key, value in {"level_1_questions": 2, "min_characters": 20, "max_characters": 100}.items():
        assert Level1Step(CONFIG.model_copy(update={key: value}), PACK, 5).identity() != STEP.identity(), key
    assert json.dumps(STEP.identity())
    assert pickle.loads(pickle.dumps(STEP)) == STEP
