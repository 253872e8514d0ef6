"""Two answers compared: both orders are asked, and only what survives the order counts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from factory.answers.judge.pairs import PROMPT, Better, Pair, Verdict, judge_pairs, position_bias
from factory.answers.judge.rubric import load_rubric
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import Batch, Completion
from factory.engine.scripted import WELL_BEHAVED, ScriptedEngine, Shares

RUBRIC = load_rubric("answer", DomainConfig())
PROMPT_OF_PAIRS = load_pack(DomainConfig()).prompt(PROMPT)
PASSAGE = "A spanning tree of a connected graph contains every vertex and has no cycle."
GOOD = "It contains every vertex of the connected graph and has no cycle."
BAD = "Blacksmiths polished silver scabbards."


def _judged(pairs: Sequence[Pair], shares: Shares = WELL_BEHAVED) -> list[Verdict]:
    engine = ScriptedEngine(shares=shares)
    return judge_pairs(pairs, RUBRIC, PROMPT_OF_PAIRS, lambda batch: asyncio.run(engine.generate(batch)))


def _replying(*said: Better | str) -> list[Verdict]:
    """Verdicts where the replies, two a pair, are given."""

    def ask(batch: Batch) -> list[Completion]:
        texts = [orjson.dumps({"reason": "because", "better": word}).decode() for word in said]
        return [
            Completion(request.request_id, (text,), ("stop",), 1, (1,))
            for request, text in zip(batch.requests, texts, strict=True)
        ]

    pairs = [Pair("What is it?", "one", "other")] * (len(said) // 2)
    return judge_pairs(pairs, RUBRIC, PROMPT_OF_PAIRS, ask)


def test_each_pair_is_asked_twice_with_its_answers_exchanged() -> None:
    asked: list[Batch] = []

    def ask(batch: Batch) -> list[Completion]:
        asked.append(batch)
        return [Completion(request.request_id, (), (), 1, (), error="timeout") for request in batch.requests]

    (verdict,) = judge_pairs([Pair("Q", "ALPHA", "OMEGA")], RUBRIC, PROMPT_OF_PAIRS, ask)
    one, two = (request.messages[-1].content for request in asked[0].requests)
    assert one.index("ALPHA") < one.index("OMEGA")
    assert two.index("OMEGA") < two.index("ALPHA")
    assert not verdict.usable


def test_a_verdict_counts_where_both_orders_name_the_same_answer() -> None:
    assert [verdict.better for verdict in _replying("first", "second", "second", "first", "tie", "tie")] == [
        "first",
        "second",
        "tie",
    ]


def test_a_verdict_that_follows_the_place_is_undecided() -> None:
    assert [verdict.better for verdict in _replying("first", "first", "second", "second", "tie", "first")] == [None] * 3


def test_a_reply_that_is_none_of_the_words_is_not_usable() -> None:
    (verdict,) = _replying("both", "second")
    assert not verdict.usable
    assert verdict.better is None


def test_the_scripted_judge_prefers_what_keeps_to_the_matter_in_either_place() -> None:
    question = "What is a spanning tree?"
    pairs = [Pair(question, GOOD, BAD, PASSAGE), Pair(question, BAD, GOOD, PASSAGE), Pair(question, BAD, BAD, PASSAGE)]
    assert [verdict.better for verdict in _judged(pairs)] == ["first", "second", "tie"]


def test_a_judge_that_prefers_a_place_is_found_out() -> None:
    pairs = [Pair(f"What is spanning tree {number}?", GOOD, BAD, PASSAGE) for number in range(60)]
    found = [position_bias(_judged(pairs, Shares(0, 0, 0, 0, 0, 0, 0, share))) for share in (0.0, 0.4, 1.0)]
    flipped = [bias.flipped for bias in found]
    assert flipped[0] == 0
    assert flipped[1] is not None
    assert 0.2 < flipped[1] < 0.6
    assert flipped[2] == 1
    assert [bias.first_shown for bias in found][::2] == [0.5, 1]
