"""A judge is asked in both orders; only two equal answers count, and what it said stands in the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from factory.curate.decon.config import EmbeddingConfig
from factory.curate.decon.judge import JUDGED_CHARACTERS, SCHEMA, Judge, batch_of, judgement, reply_of
from factory.curate.decon.nearest import distinct_texts
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import Batch, Completion
from factory.engine.scripted import WELL_BEHAVED, ScriptedEngine
from tests.corpora import text_of
from tests.curate.decon.material import items
from tests.curate.decon.test_nearest import config, nearest

__all__ = ["config"]

PROMPT = load_pack(DomainConfig()).prompt("same_problem")
TEXTS = tuple(text_of(number, 2) for number in range(12))
ROWS = tuple(text_of(number, 2) for number in range(100, 120))


def completion(*texts: str, error: str | None = None) -> Completion:
    return Completion("r", texts, ("stop",) * len(texts), 1, (1,) * len(texts), error=error)


def test_both_texts_come_first_once_and_long_ones_are_cut() -> None:
    batch = batch_of(PROMPT, [("the item", "the row" + "x" * JUDGED_CHARACTERS)])
    first, second = (request.messages[-1].content for request in batch.requests)
    assert first.index("the item") < first.index("the row")
    assert second.index("the row") < second.index("the item")
    assert "x" * (JUDGED_CHARACTERS - 6) not in first
    assert len({request.request_id for request in batch.requests}) == 2
    assert batch.sampling.temperature == 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (completion('{"reason": "x", "same": true}'), True),
        (completion('{"reason": "x", "same": false}'), False),
        (completion('{"reason": "x", "sa'), None),
        (completion('{"same": "yes"}'), None),
        (completion("[true]"), None),
        (completion(error="prompt_too_long"), None),
    ],
)
def test_a_reply_is_yes_no_or_not_usable(said: Completion, expected: bool | None) -> None:
    assert reply_of(said) is expected


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (True, True, "same"),
        (False, False, "different"),
        (True, False, "undecided"),
        (False, True, "undecided"),
        (None, True, "undecided"),
        (None, None, "undecided"),
    ],
)
def test_only_two_equal_answers_decide(first: bool | None, second: bool | None, verdict: str) -> None:
    assert judgement(first, second, "m", "r", "p").verdict == verdict


def judge_with(engine: ScriptedEngine, config: EmbeddingConfig, asked: list[Batch]) -> Judge:
    def ask(batch: Batch) -> Sequence[Completion]:
        asked.append(batch)
        return asyncio.run(engine.generate(batch))

    given = items(TEXTS)
    return Judge(nearest(config, given), distinct_texts(given), ask, PROMPT, "scripted", "scripted-1")


def test_every_near_hit_is_judged_by_the_engine_and_carries_its_answers(config: EmbeddingConfig) -> None:
    asked: list[Batch] = []
    judge = judge_with(ScriptedEngine(shares=WELL_BEHAVED), config, asked)
    hits = judge(ROWS, range(len(ROWS)))
    (batch,) = asked
    assert len(hits) == 3 * len(ROWS)
    assert len(batch.requests) == 2 * len(hits)
    assert batch.schema == SCHEMA
    assert {hit.verdict for hit in hits} == {"contaminated", "undecided", "different"}
    for hit in hits:
        assert hit.judged is not None
        judged = hit.evidence()["judged"]
        assert (judged["model"], judged["revision"], judged["prompt_id"]) == (
            "scripted", "scripted-1", PROMPT.prompt_id,
        )  # fmt: skip
        assert (judged["first"] and judged["second"]) == (hit.verdict == "contaminated")
        assert (judged["first"] != judged["second"]) == (hit.verdict == "undecided")
        assert f"<first>\n{TEXTS[int(hit.item)]}\n</first>" in "".join(
            message.content for request in batch.requests for message in request.messages
        )


def test_equal_rows_are_asked_about_once_and_none_without_a_hit(config: EmbeddingConfig) -> None:
    asked: list[Batch] = []
    judge = judge_with(ScriptedEngine(shares=WELL_BEHAVED), config, asked)
    one, other = (judge([ROWS[0]] * 2, [row]) for row in (0, 1))
    assert [hit.judged for hit in one] == [hit.judged for hit in other]
    asked.clear()
    both = judge([ROWS[0]] * 2, [0, 1])
    assert len(asked[0].requests) == len(both) == 6
    asked.clear()
    assert judge(ROWS, []) == []
    assert asked == []
