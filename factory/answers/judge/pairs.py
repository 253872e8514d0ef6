"""Which of two answers is better: asked in both orders, and believed only where both say the same.

Design: judges prefer one position (Zheng et al. 2023, arXiv 2306.05685, section 3.3: the verdict changed with the order
in a third of GPT-4's and three quarters of Claude's comparisons), so every pair is asked twice with the answers
swapped. A verdict counts where both replies name the same answer, or both a tie; else the pair is undecided. How often
the order decided is the judge's bias by position, and is reported with its verdicts. Nothing here knows an engine.

Cost: two requests a pair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from factory.answers.judge.rubric import REASON_CHARACTERS, Rubric
from factory.answers.judge.step import NO_DOCUMENT
from factory.concepts.extract import closed_object
from factory.concepts.reply import read_reply
from factory.domains.prompt import Prompt
from factory.engine.api import Batch, Completion, Request, Sampling
from factory.identity import make_id

PROMPT = "judge_pair"
SAMPLING = Sampling(temperature=0, top_p=1, max_tokens=256)
"""Greedy: the two orders are to differ in nothing but the order."""

SCHEMA: dict[str, Any] = closed_object(
    {
        "reason": {"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS},
        "better": {"type": "string", "enum": ["first", "second", "tie"]},
    }
)

Better = Literal["first", "second", "tie"]
Ask = Callable[[Batch], Sequence[Completion]]
"""One completion a request, in order."""


@dataclass(frozen=True)
class Pair:
    """Two answers to one question; `document` is what they were made from, or empty."""

    question: str
    first: str
    second: str
    document: str = ""


@dataclass(frozen=True)
class Verdict:
    """`forward` and `swapped` are what the judge said of a pair in its own order and with its answers exchanged, both
    as names of the pair's own answers; None for a reply that is not usable."""

    forward: Better | None
    swapped: Better | None
    reason: str | None = None

    @property
    def better(self) -> Better | None:
        """None: undecided."""
        return self.forward if self.forward == self.swapped else None

    @property
    def usable(self) -> bool:
        return self.forward is not None and self.swapped is not None


@dataclass(frozen=True)
class PositionBias:
    """Over pairs with two usable replies: the share whose verdict changed with the order, and the share of all verdicts
    other than a tie that went to the answer shown first (0.5 where the order does not matter). None where there is
    nothing to divide by."""

    pairs: int
    flipped: float | None
    first_shown: float | None


def judge_pairs(pairs: Sequence[Pair], rubric: Rubric, prompt: Prompt, ask: Ask) -> list[Verdict]:
    """A verdict a pair. Raises EngineError when the engine is dead."""
    requests: list[Request] = []
    for pair in pairs:
        for order, (first, second) in enumerate(((pair.first, pair.second), (pair.second, pair.first))):
            document = pair.document if rubric.document and pair.document else NO_DOCUMENT
            messages = prompt.messages(
                rubric=rubric.text, question=pair.question, document=document, first=first, second=second
            )
            texts = (pair.question, pair.first, pair.second, pair.document)
            # The place among the requests as well: the same pair may be asked about twice.
            request_id = make_id("request", PROMPT, prompt.prompt_id, rubric.rubric_id, *texts, len(requests), order)
            requests.append(Request(request_id, messages))
    replies = [_reply(completion) for completion in ask(Batch(tuple(requests), SAMPLING, SCHEMA))] if requests else []
    return [
        Verdict(forward, _SWAPPED.get(swapped) if swapped else None, reason)
        for (forward, reason), (swapped, _) in zip(replies[::2], replies[1::2], strict=True)
    ]


_SWAPPED: dict[str, Better] = {"first": "second", "second": "first", "tie": "tie"}


def position_bias(verdicts: Sequence[Verdict]) -> PositionBias:
    usable = [verdict for verdict in verdicts if verdict.usable]
    shown_first = [verdict.forward == "first" for verdict in usable if verdict.forward != "tie"]
    shown_first += [verdict.swapped == "second" for verdict in usable if verdict.swapped != "tie"]
    return PositionBias(
        pairs=len(usable),
        flipped=sum(verdict.better is None for verdict in usable) / len(usable) if usable else None,
        first_shown=sum(shown_first) / len(shown_first) if shown_first else None,
    )


def _reply(completion: Completion) -> tuple[Better | None, str | None]:
    if completion.error is not None or not completion.texts:
        return None, None
    value = read_reply(completion.texts[0], completion.finish_reasons[0]).value or {}
    better, reason = value.get("better"), value.get("reason")
    # The swap of the swap: a name of an answer, or nothing; what is no text cannot be looked up.
    swapped = _SWAPPED.get(better) if isinstance(better, str) else None
    if swapped is None:
        return None, None
    found = _SWAPPED[swapped]
    return found, reason if isinstance(reason, str) else None
