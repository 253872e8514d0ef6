"""Extraction: what models reply becomes one row or one named reject, and nothing raises."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from factory.concepts.config import ExtractConfig
from factory.concepts.extract import NAME_CHARACTERS, ExtractStep
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import Completion
from factory.engine.config import SamplingConfig
from factory.run.reject import Reject
from factory.run.step import Parsed

TEXT = "A graph has vertices and edges. A tree is a connected graph without cycles."
ROW: dict[str, Any] = {"chunk_id": "c" * 32, "doc_id": "d" * 32, "text": TEXT, "sources": []}
TEXTS = {ROW["chunk_id"]: TEXT}
CONFIG = ExtractConfig(max_topics=2, min_concepts=1, max_concepts=3, sampling=SamplingConfig(max_tokens=64))
STEP = ExtractStep(CONFIG, load_pack(DomainConfig()), seed=5)


def completion(text: str, finish: str = "stop") -> Completion:
    return Completion("r1", (text,), (finish,), 10, (5,))


def parse(reply: Any, finish: str = "stop") -> Parsed:
    text = reply if isinstance(reply, str) else json.dumps(reply)
    return STEP.parse(ROW, TEXTS, [completion(text, finish)], "extract-f")


def reply(*topics: tuple[Any, Any], level: Any = "college", subject: Any = "Graph theory") -> dict[str, Any]:
    return {
        "level": level,
        "subject": subject,
        "topics": [{"topic": name, "key_concepts": concepts} for name, concepts in topics],
    }


def only_reject(parsed: Parsed) -> Reject:
    assert parsed.accepted == []
    assert len(parsed.rejects) == 1
    assert parsed.rejects[0].item_id == ROW["chunk_id"]
    assert parsed.rejects[0].side == "input"
    return parsed.rejects[0]


def test_a_good_reply_becomes_a_row_of_the_table() -> None:
    parsed = parse(reply((" 1. Graphs", ["vertex", " edge "]), ("Trees", ["cycle"]), level="Grad School"))
    assert parsed.rejects == []
    [row] = parsed.accepted
    assert pa.Table.from_pylist([row], schema=STEP.schema).num_rows == 1
    assert set(row) == set(STEP.schema.names)
    assert row["edu_level"] == "grad_school"
    assert row["topics"] == [
        {"topic": "Graphs", "key_concepts": ["vertex", "edge"]},
        {"topic": "Trees", "key_concepts": ["cycle"]},
    ]
    assert row["request_id"] == "r1"


def test_empty_repeated_and_cut_concepts_are_dropped_and_topics_of_one_name_merged() -> None:
    cut = "x" * NAME_CHARACTERS
    parsed = parse(reply(("Graphs", ["vertex", "Vertex ", " ", cut]), ("graphs", ["edge", "a of a of a"]), ("", ["b"])))
    assert parsed.accepted[0]["topics"] == [{"topic": "Graphs", "key_concepts": ["vertex", "edge"]}]
    assert [(reject.reason, reject.side, reject.evidence["kind"]) for reject in parsed.rejects] == [
        ("name_empty", "output", "concept"),
        ("name_too_long", "output", "concept"),
        ("name_repeats_itself", "output", "concept"),
        ("name_empty", "output", "topic"),
    ]


def test_a_concept_of_ten_thousand_characters_is_a_reject_that_shows_its_beginning() -> None:
    parsed = parse(reply(("Graphs", ["vertex", "ab" * 5_000])))
    assert parsed.accepted[0]["topics"] == [{"topic": "Graphs", "key_concepts": ["vertex"]}]
    [left_out] = parsed.rejects
    assert (left_out.reason, left_out.evidence) == ("name_too_long", {"kind": "concept", "characters": 10_000})
    assert left_out.text is not None
    assert 0 < len(left_out.text) < 1_000


def test_names_written_as_one_are_taken_apart() -> None:
    parsed = parse(reply(("Calculus", ["limits; continuity", "AT&amp; T"])))
    assert parsed.accepted[0]["topics"][0]["key_concepts"] == ["limits", "continuity", "AT&amp; T"]


def test_a_concept_may_stand_under_two_topics() -> None:
    parsed = parse(reply(("Graphs", ["vertex"]), ("Trees", ["vertex"])))
    assert [topic["key_concepts"] for topic in parsed.accepted[0]["topics"]] == [["vertex"], ["vertex"]]


def test_more_than_was_asked_for_is_cut_to_the_bounds() -> None:
    """Servers may ignore schemas."""
    parsed = parse(reply(*[(f"topic {t}", [f"concept {t} {c}" for c in range(9)]) for t in range(9)]))
    topics = parsed.accepted[0]["topics"]
    assert len(topics) == CONFIG.max_topics
    assert all(len(topic["key_concepts"]) == CONFIG.max_concepts for topic in topics)


@pytest.mark.parametrize(
    ("said", "finish", "reason"),
    [
        ('{"level": "college", "sub', "length", "truncated"),
        ('{"level": "college", "sub', "stop", "invalid_json"),
        ([1], "stop", "schema_mismatch"),
        (reply(("Graphs", ["vertex"]), level="beginner"), "stop", "schema_mismatch"),
        (reply(("Graphs", ["vertex"]), level=3), "stop", "schema_mismatch"),
        (reply(("Graphs", ["vertex"]), subject=None), "stop", "schema_mismatch"),
        (reply(("Graphs", "vertex")), "stop", "schema_mismatch"),
        (reply(("Graphs", [1])), "stop", "schema_mismatch"),
        ({**reply(), "topics": {}}, "stop", "schema_mismatch"),
        (reply(), "stop", "no_concepts"),
        (reply(("Graphs", ["", " . "])), "stop", "no_concepts"),
        (reply(("Graphs", ["vertex"] * 4), ("Trees", ["vertex"] * 4)), "stop", "repetition"),
        (reply(("Photosynthesis", ["Chlorophyll", "Calvin cycle"])), "stop", "copies_prompt"),
    ],
)
def test_each_failure_has_its_own_reason_and_keeps_the_text(said: Any, finish: str, reason: str) -> None:
    reject = only_reject(parse(said, finish))
    assert reject.reason == reason
    assert reject.text == (said if isinstance(said, str) else json.dumps(said))
    assert len(json.dumps(dict(reject.evidence))) < 500


def test_a_document_about_the_prompts_example_is_no_copy() -> None:
    texts = {ROW["chunk_id"]: "Chlorophyll feeds the Calvin cycle."}
    said = json.dumps(reply(("Photosynthesis", ["Chlorophyll", "Calvin cycle"])))
    assert STEP.parse(ROW, texts, [completion(said)], "f").accepted


JSON: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["level", "subject", "topics", "topic", "key_concepts"]), inner)
    ),
    max_leaves=20,
)


@given(st.text() | JSON, st.sampled_from(["stop", "length", ""]))
def test_parsing_never_raises_and_never_loses_the_row(said: Any, finish: str) -> None:
    parsed = parse(said, finish)
    assert len(parsed.accepted) + len(parsed.rejects) == 1


@given(
    st.lists(st.tuples(st.text(), st.lists(st.text(), max_size=8)), max_size=6), st.text(), st.sampled_from(["college"])
)
def test_accepted_rows_fit_the_table_and_the_bounds(topics: list[Any], subject: str, level: str) -> None:
    parsed = parse(reply(*topics, level=level, subject=subject))
    pa.Table.from_pylist(parsed.accepted, schema=STEP.schema)
    for row in parsed.accepted:
        assert 1 <= len(row["topics"]) <= CONFIG.max_topics
        for topic in row["topics"]:
            assert 1 <= len(topic["key_concepts"]) <= CONFIG.max_concepts


def test_a_completion_without_a_text_is_a_reject() -> None:
    assert STEP.parse(ROW, TEXTS, [Completion("r", (), (), 1, ())], "f").rejects[0].reason == "invalid_json"


def test_the_prompt_ends_with_the_document_and_names_the_bounds() -> None:
    messages = STEP.prompt(ROW, TEXTS, "f")
    assert messages[-1].content.rstrip().endswith(f"{TEXT}\n</passage>")
    assert "competition" in messages[0].content
    assert "1 to 2" in messages[0].content


def test_examples_of_the_general_pack_satisfy_the_step_they_teach() -> None:
    """An example that our own parser turned away would teach the model to be turned away."""
    step = ExtractStep(ExtractConfig(min_concepts=3, max_concepts=5), STEP.pack, 1)
    turns = step.pack.prompt("extract").turns
    for (_, passage), (role, example) in zip(turns[:-1:2], turns[1::2], strict=True):
        assert role == "assistant"
        assert json.dumps(json.loads(example)) == example, "written as the grammar writes it"
        parsed = step.parse(ROW, {ROW["chunk_id"]: passage}, [completion(example)], "f")
        assert [reject.reason for reject in parsed.rejects] == []


def test_identity_holds_what_can_change_a_row_and_nothing_else() -> None:
    other = ExtractStep(CONFIG.model_copy(update={"max_topics": 3}), STEP.pack, 5)
    assert other.identity() != STEP.identity()
    assert ExtractStep(CONFIG, STEP.pack, 6).identity() == STEP.identity()
    assert ExtractStep(CONFIG, STEP.pack, 6).sampling.seed == 6
    assert pickle.loads(pickle.dumps(STEP)) == STEP
    assert json.dumps(STEP.identity())


def test_parsing_a_hundred_concepts_costs_well_under_a_millisecond() -> None:
    step = ExtractStep(ExtractConfig(), STEP.pack, 1)
    said = json.dumps(reply(*[(f"topic {t}", [f"concept number {t} {c}" for c in range(20)]) for t in range(5)]))
    best = min(_seconds(lambda: step.parse(ROW, TEXTS, [completion(said)], "f")) for _ in range(20))
    assert best < 2e-3, "ten times what it took when written"


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def test_a_subject_is_put_into_the_packs_taxonomy_and_one_that_is_not_in_it_is_counted() -> None:
    pack = replace(load_pack(DomainConfig()), subjects={"Graph theory": ("networks", "graphs"), "Algebra": ()})
    step = ExtractStep(CONFIG, pack, seed=5)

    def of(subject: str) -> tuple[str, list[tuple[str, str, str | None]]]:
        said = json.dumps(reply(("Trees", ["cycle"]), subject=subject))
        parsed = step.parse(ROW, TEXTS, [completion(said)], "extract-f")
        told = [(reject.side, reject.reason, reject.text) for reject in parsed.rejects]
        return parsed.accepted[0]["subject"], told

    assert of("Network.") == ("Graph theory", [])
    assert of("algebra") == ("Algebra", [])
    assert of("Cooking") == ("other", [("output", "subject_not_in_taxonomy", "Cooking")])
    assert of("Other") == ("other", [])
    assert "subjects" in step.identity()
    assert "subjects" not in STEP.identity()
