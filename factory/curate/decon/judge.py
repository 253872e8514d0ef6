"""Whether a row and a benchmark item are the same problem: a language model's word, asked in both orders.

Design: the second half of the LMSYS decontaminator (Yang et al. 2023, arXiv 2311.04850, algorithm 2), which asks once;
models prefer one position (Zheng et al. 2023, arXiv 2306.05685, section 3.3), so here each pair is asked twice with the
texts swapped. It is the same problem only where both answers say so; where they differ, or one of them is not usable,
it is undecided. The prompt is the domain pack's `same_problem`. Nothing here knows an engine.

Cost: two requests a hit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from factory.curate.decon.hits import Hit, Judged
from factory.curate.decon.nearest import Nearest
from factory.domains.prompt import Prompt
from factory.engine.api import Batch, Completion, Request, Sampling
from factory.identity import make_id

JUDGED_CHARACTERS = 4000
"""Of each text, about 1,000 tokens: a problem is shorter, and a document must not fill the model's context."""

SAMPLING = Sampling(temperature=0, top_p=1, max_tokens=160)
"""Greedy; the reason has at most 240 characters."""

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": 240}, "same": {"type": "boolean"}},
    "required": ["reason", "same"],
    "additionalProperties": False,
}

Ask = Callable[[Batch], Sequence[Completion]]
"""One completion a request, in order."""


@dataclass(frozen=True)
class Judge:
    """Near hits, judged; what a Screen asks instead of `near`. `items` are the texts behind its vectors
    (`distinct_texts`), `model` and `revision` name whoever answers `ask`."""

    near: Nearest
    items: Sequence[str]
    ask: Ask
    prompt: Prompt
    model: str
    revision: str

    def __call__(self, texts: Sequence[str], rows: Sequence[int]) -> list[Hit]:
        """The hits of `near`, each with what the judge says: contaminated where it is the same problem. Raises
        EngineError when the engine is dead."""
        found = self.near.found(texts, rows)
        if not found:
            return []
        pairs = [(self.items[item], texts[hit.row]) for hit, item in found]
        distinct = list(dict.fromkeys(pairs))
        replies = [reply_of(completion) for completion in self.ask(batch_of(self.prompt, distinct))]
        said = dict(zip(distinct, zip(replies[::2], replies[1::2], strict=True), strict=True))
        return [self._judged(hit, *said[pair]) for (hit, _), pair in zip(found, pairs, strict=True)]

    def _judged(self, hit: Hit, first: bool | None, second: bool | None) -> Hit:
        judged = judgement(first, second, self.model, self.revision, self.prompt.prompt_id)
        return replace(hit, similar=judged.verdict != "same", judged=judged)


def judgement(first: bool | None, second: bool | None, model: str, revision: str, prompt_id: str) -> Judged:
    """Both answers together; None is an answer that was not usable."""
    if first is None or second is None or first != second:
        return Judged("undecided", first, second, model, revision, prompt_id)
    return Judged("same" if first else "different", first, second, model, revision, prompt_id)


def batch_of(prompt: Prompt, pairs: Sequence[tuple[str, str]]) -> Batch:
    """Two requests for each (item, row): the item first, then the row first. Ids are of the pair: pairs must differ."""
    requests = []
    for item, row in pairs:
        one, other = item[:JUDGED_CHARACTERS], row[:JUDGED_CHARACTERS]
        for order, (first, second) in enumerate(((one, other), (other, one))):
            request_id = make_id("request", "same_problem", prompt.prompt_id, item, row, order)
            requests.append(Request(request_id, prompt.messages(first=first, second=second)))
    return Batch(tuple(requests), SAMPLING, dict(SCHEMA))


def reply_of(completion: Completion) -> bool | None:
    """What a completion says; None where it failed, was cut, or is no such object."""
    if completion.error is not None or not completion.texts:
        return None
    try:
        reply = orjson.loads(completion.texts[0])
    except orjson.JSONDecodeError:
        return None
    same = reply.get("same") if isinstance(reply, dict) else None
    return same if isinstance(same, bool) else None
