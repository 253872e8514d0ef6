"""The scripted engine: same request, same answer; schemas obeyed; misbehaviour in the shares asked for."""

from __future__ import annotations

import asyncio
import os
import pydoc_data.topics
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.engine.api import Batch, Completion, Message, Request, Sampling
from factory.engine.scripted import WELL_BEHAVED, ScriptedEngine, Shares, from_extra
from factory.errors import ConfigError, EngineError

QUESTIONS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "suitable": {"type": "boolean"},
        "questions": {
            "type": "array",
            "minItems": 0,
            "maxItems": 5,
            "items": {
                "type": "object",
                "properties": {
                    "question": {"type": "string", "minLength": 15, "maxLength": 200},
                    "origin": {"enum": ["extracted", "created"]},
                },
                "required": ["question", "origin"],
            },
        },
    },
    "required": ["suitable", "questions"],
}
TOPICS = sorted(pydoc_data.topics.topics.values())


def requests(count: int, extra: str = "") -> tuple[Request, ...]:
    texts = [f"Read.\n<document>\n{TOPICS[i % len(TOPICS)][:5000]}\n</document>\n{extra}{i}" for i in range(count)]
    return tuple(Request(f"request-{i}", (Message("user", text),)) for i, text in enumerate(texts))


def sampling(**changes: Any) -> Sampling:
    return Sampling(**{"temperature": 0.7, "top_p": 0.95, "max_tokens": 1024, **changes})


def ask(engine: ScriptedEngine, batch: Batch) -> list[Completion]:
    return asyncio.run(engine.generate(batch))


def texts(completions: list[Completion]) -> list[tuple[str, ...]]:
    return [completion.texts for completion in completions]


def test_same_request_same_answer_in_another_process_and_another_batch() -> None:
    batch = Batch(requests(3), sampling(samples=2, seed=5), QUESTIONS)
    here = texts(ask(ScriptedEngine(), batch))
    alone = [
        texts(ask(ScriptedEngine(), Batch((request,), batch.sampling, QUESTIONS)))[0] for request in batch.requests
    ]
    code = (
        "import pickle, sys, asyncio\nfrom factory.engine.scripted import ScriptedEngine\n"
        "batch = pickle.load(sys.stdin.buffer)\n"
        "print([completion.texts for completion in asyncio.run(ScriptedEngine().generate(batch))])"
    )
    import pickle

    there = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(batch),
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    assert there.stdout.decode().strip() == str(here)
    assert alone == here


@pytest.mark.parametrize("change", ["seed", "message", "schema", "request_id"])
def test_any_part_of_the_request_changes_the_answer(change: str) -> None:
    request = requests(1)[0]
    before = Batch((request,), sampling(seed=1), QUESTIONS)
    after = {
        "seed": Batch((request,), sampling(seed=2), QUESTIONS),
        "message": Batch(
            (Request(request.request_id, (Message("system", "x"), *request.messages)),), sampling(seed=1), QUESTIONS
        ),
        "schema": Batch((request,), sampling(seed=1), {**QUESTIONS, "title": "x"}),
        "request_id": Batch((Request("another", request.messages),), sampling(seed=1), QUESTIONS),
    }[change]
    engine = ScriptedEngine(shares=WELL_BEHAVED)
    assert texts(ask(engine, before)) != texts(ask(engine, after))


def test_well_behaved_answers_all_satisfy_the_schema_and_differ_by_document() -> None:
    completions = ask(ScriptedEngine(shares=WELL_BEHAVED), Batch(requests(70), sampling(samples=2), QUESTIONS))
    seen: Counter[str] = Counter()
    for completion in completions:
        assert completion.finish_reasons == ("stop", "stop")
        for text in completion.texts:
            answer = orjson.loads(text)
            jsonschema.validate(answer, QUESTIONS)
            own = [item["question"] for item in answer["questions"]]
            assert len(set(own)) == len(own) >= 1
            seen.update(own)
    assert sum(seen.values()) > 200
    assert max(seen.values()) <= 2


def test_words_come_from_the_document_not_from_the_instructions() -> None:
    words = " ".join(f"gamma{'abcdefgh'[i % 8]}" for i in range(300))
    prompt = f"Instructions about elephants. {'elephants ' * 50}\n<document>\n{words}\n</document>\nelephants elephants"
    schema = {"type": "array", "minItems": 5, "maxItems": 5, "items": {"type": "string"}}
    wrapped = {"type": "object", "properties": {"concepts": schema}}
    batch = Batch((Request("r", (Message("user", prompt),)),), sampling(), wrapped)
    (completion,) = ask(ScriptedEngine(shares=WELL_BEHAVED), batch)
    concepts = orjson.loads(completion.texts[0])["concepts"]
    assert all(word.startswith("gamma") for concept in concepts for word in concept.split())


@pytest.mark.parametrize(
    "given_concepts",
    ["<concepts>\n- heat flow\n- entropy\n</concepts>", "Use these concepts:\n1. heat flow\n2. entropy\n"],
)
def test_given_concepts_are_echoed_but_for_the_wrong_share(given_concepts: str) -> None:
    schema = {
        "type": "object",
        "properties": {"concepts": {"type": "array", "items": {"type": "string"}, "maxItems": 3}},
    }
    batch = Batch(requests(400, given_concepts), sampling(), schema)
    good = ask(ScriptedEngine(shares=WELL_BEHAVED), batch)
    assert {orjson.loads(completion.texts[0])["concepts"][0] for completion in good} == {"heat flow"}
    some = ask(ScriptedEngine(shares=Shares(0, 0, 0, 0, wrong_echo=0.1, copied=0, dissent=0)), batch)
    wrong = sum("heat flow" not in orjson.loads(completion.texts[0])["concepts"] for completion in some)
    assert 20 <= wrong <= 65


def test_numbered_sets_of_concepts_are_echoed_one_a_question() -> None:
    name = {"type": "string", "minLength": 1, "maxLength": 80}
    concepts = {"type": "array", "items": name, "minItems": 2, "maxItems": 2}
    question = {"type": "object", "properties": {"concepts": concepts, "question": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {"questions": {"type": "array", "items": question, "minItems": 2, "maxItems": 2}},
    }
    prompt = (
        "Copy them.\n\nSets of concepts:\n1. heat flow; entropy\n2. work; heat flow\n\nPassage:\n"
        + "gamma delta " * 200
    )
    batch = Batch((Request("r", (Message("user", prompt),)),), sampling(), schema)
    (completion,) = ask(ScriptedEngine(shares=WELL_BEHAVED), batch)
    first, second = orjson.loads(completion.texts[0])["questions"]
    assert first["concepts"] == ["heat flow", "entropy"]
    assert second["concepts"] == ["work", "heat flow"]
    assert "gamma" in first["question"] or "delta" in first["question"]


def test_default_shares_show_each_misbehaviour_in_about_its_share() -> None:
    completions = ask(ScriptedEngine(), Batch(requests(4000), sampling(), QUESTIONS))
    cut = [completion for completion in completions if completion.finish_reasons == ("length",)]
    broken = [completion for completion in completions if completion not in cut and not is_json(completion.texts[0])]
    whole = [orjson.loads(completion.texts[0]) for completion in completions if is_json(completion.texts[0])]
    refused = [answer for answer in whole if not answer["suitable"]]
    stock = [
        item for answer in whole for item in answer["questions"] if item["question"].startswith("What is the main")
    ]
    for found in (cut, broken, refused):
        assert 0.012 * 4000 < len(found) < 0.03 * 4000
    assert stock
    assert all(answer["questions"] == [] for answer in refused)


def is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True


def test_most_samples_agree_on_the_final_answer_and_some_dissent() -> None:
    completions = ask(ScriptedEngine(), Batch(requests(300), sampling(samples=8), None))
    votes = [Counter(text.rsplit("Final answer: ", 1)[-1] for text in completion.texts) for completion in completions]
    shares = [vote.most_common(1)[0][1] / 8 for vote in votes]
    assert 0.6 < sum(shares) / len(shares) < 0.95
    assert any(share == 1 for share in shares)
    assert any(share <= 0.5 for share in shares)


def test_output_beyond_max_tokens_is_cut_with_finish_length() -> None:
    schema = {"type": "object", "properties": {"note": {"type": "string", "minLength": 4000}}}
    (completion,) = ask(ScriptedEngine(shares=WELL_BEHAVED), Batch(requests(1), sampling(max_tokens=50), schema))
    assert completion.finish_reasons == ("length",)
    assert completion.generated_tokens == (50,)
    assert len(completion.texts[0]) == 200


def test_ignore_eos_fills_the_length_asked_for() -> None:
    (completion,) = ask(ScriptedEngine(), Batch(requests(1), sampling(max_tokens=48, ignore_eos=True), None))
    assert completion.generated_tokens == (48,)


def test_one_long_prompt_fails_alone() -> None:
    long = Request("long", (Message("user", "word " * 5000),))
    first, second = ask(ScriptedEngine(max_model_len=4096), Batch((long, *requests(1)), sampling(), None))
    assert (first.error, first.texts) == ("prompt_too_long", ())
    assert second.error is None


def test_a_schema_it_cannot_guarantee_is_refused_per_request() -> None:
    schema = {"type": "object", "properties": {"year": {"type": "string", "pattern": "^[0-9]{4}$"}}}
    (completion,) = ask(ScriptedEngine(), Batch(requests(1), sampling(), schema))
    assert completion.error == "schema_refused"
    assert "pattern" in completion.error_detail


LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, more: {"type": "integer", "minimum": low, "maximum": low + more},
        st.integers(-9, 9),
        st.integers(0, 9),
    ),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 60),
        st.integers(1, 60),
    ),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=5), min_size=1, max_size=4)),
    st.just({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
    st.just({"$ref": "#/$defs/named"}),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(
            lambda items, low, more: {"type": "array", "items": items, "minItems": low, "maxItems": low + more},
            inner,
            st.integers(0, 3),
            st.integers(0, 3),
        ),
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(
            lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)},
            st.dictionaries(
                st.sampled_from(["question", "concepts", "topic", "answer", "suitable", "quote"]), inner, max_size=4
            ),
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(schema=SCHEMAS, seed=st.integers(0, 1000))
def test_instances_of_any_schema_it_takes_are_valid(schema: dict[str, Any], seed: int) -> None:
    whole = {**schema, "$defs": {"named": {"type": "string", "maxLength": 12}}}
    engine = ScriptedEngine(shares=Shares(0.3, 0.3, 0, 0, 0.3, 0, 0))
    batch = Batch(
        requests(1, "<concepts>\n1. one; two\n2. three; four\n</concepts>"),
        sampling(seed=seed, max_tokens=100_000),
        whole,
    )
    (completion,) = ask(engine, batch)
    jsonschema.validate(orjson.loads(completion.texts[0]), whole)


def test_a_marked_prompt_kills_the_engine_and_everything_in_flight() -> None:
    async def run() -> list[BaseException | list[Completion]]:
        engine = ScriptedEngine(die_on="poison", latency_s=30)
        await engine.start()
        bystander = asyncio.create_task(engine.generate(Batch(requests(1), sampling(), None)))
        await asyncio.sleep(0.01)
        killer = engine.generate(Batch(requests(1, "poison"), sampling(), None))
        later = await asyncio.gather(bystander, killer, return_exceptions=True)
        return [
            *later,
            *await asyncio.gather(engine.generate(Batch(requests(1), sampling(), None)), return_exceptions=True),
        ]

    started = time.monotonic()
    outcomes = asyncio.run(run())
    assert all(isinstance(outcome, EngineError) for outcome in outcomes)
    assert len(outcomes) == 3
    assert time.monotonic() - started < 5


def test_a_hanging_prompt_holds_its_batch_alone_and_progress_stands_still() -> None:
    async def run() -> tuple[int, int]:
        engine = ScriptedEngine(hang_on="treacle")
        await engine.start()
        hung = asyncio.create_task(engine.generate(Batch(requests(1, "treacle"), sampling(), None)))
        await engine.generate(Batch(requests(5), sampling(), None))
        first = engine.progress()
        done, _ = await asyncio.wait([hung], timeout=0.1)
        assert not done
        await engine.stop()
        with pytest.raises(EngineError):
            await hung
        return first, engine.progress()

    assert asyncio.run(run()) == (5, 5)


@pytest.mark.parametrize("extra", [{"dieon": "x"}, {"shares": {"refusals": 0.1}}, {"shares": {"refusal": 2}}])
def test_unknown_or_impossible_extras_are_config_errors(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"engine\.extra"):
        from_extra("scripted", extra, 0, None)


def test_scores_follow_the_words_that_make_a_text_relevant() -> None:
    engine = from_extra("scripted", {"relevant": ["Polynomial"], "shares": vars(WELL_BEHAVED)}, 0, None)
    score = {"type": "integer", "enum": list(range(1, 11))}
    schema = {"type": "object", "properties": {"overall": score}, "required": ["overall"]}
    asked = tuple(
        Request(f"r{number}", (Message("user", f"<document>\nAbout a {word}.\n</document>"),))
        for number, word in enumerate(["polynomial", "garden"] * 20)
    )
    found = [orjson.loads(reply.texts[0])["overall"] for reply in ask(engine, Batch(asked, sampling(), schema))]
    assert min(found[::2]) >= 7
    assert max(found[1::2]) <= 4
    assert len(set(found)) > 2, "raters differ a little"


def test_a_prompt_marked_to_loop_gets_words_of_sense_and_then_the_same_ones_until_its_budget_is_spent() -> None:
    engine = ScriptedEngine(shares=WELL_BEHAVED, loop_on="treadmill")
    looped, plain = ask(engine, Batch((*requests(1, "treadmill"), *requests(1)), sampling(max_tokens=400), None))
    assert (looped.finish_reasons, looped.generated_tokens) == (("length",), (400,))
    assert looped.texts[0].count("and so on and so forth") > 40
    assert "and so forth" not in plain.texts[0]
