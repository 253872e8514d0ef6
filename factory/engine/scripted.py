"""The scripted engine: no model, instant, the same answer to the same request on every machine.

Design: what a completion says depends on the run's seed, the request (its id, messages and schema) and the
number of the sample, and on nothing else: not on batching, timing or which process answers. With a schema
it writes a valid instance in words of the prompt's source text; without, a few sentences and a line
`Final answer: …` on which most samples agree. Small deterministic shares of what real models also do
(refusals, duplicates, broken JSON, cut outputs, wrong echoes, copying, dissent) keep every path of the
pipeline in use. It is the engine of dry runs, tests and of every benchmark of what surrounds the model.

Cost: 30-80 microseconds a completion, so one process answers more than 10,000 requests a second.

`engine.extra` takes: `shares` (see `Shares`); `relevant`, words whose presence in the source text makes scores
high and whose absence makes them low, so that ratings can be learnt from; `latency` (scripted_latency.py): answers take
their time, each its own; and for fault drills `die_on`, `hang_on` and
`loop_on`: a prompt that contains the given text kills the engine, never gets an answer, or gets one that goes round in
circles until its tokens are used up.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson

from factory.engine.api import FINISH_LENGTH, FINISH_STOP, Batch, Completion, EngineInfo, Request, Sampling
from factory.engine.models import SCRIPTED_VERSION
from factory.engine.schema_instances import (
    Draw,
    Make,
    UnsupportedSchemaError,
    compile_schema,
    has_suitable_key,
    terms_of,
)
from factory.engine.scripted_judge import better_shown, merit
from factory.engine.scripted_latency import Latency, Slots, latency_from
from factory.engine.scripted_prompt import Material, material_of, snippet
from factory.engine.scripted_tasks import answered, described
from factory.errors import ConfigError, EngineError

CHARACTERS_PER_TOKEN = 4
"""Of English under the usual byte-pair tokenizers; the scripted engine counts tokens by it."""

RELEVANT, IRRELEVANT = 0.85, 0.15
"""Where scores of a document lie that holds one of the words in engine.extra.relevant, and of one that holds none."""

LOOP = " and so on and so forth,"

_YIELD_EVERY = 64
"""Completions between two turns of the event loop: about 5 ms, so a large batch does not starve others."""


@dataclass(frozen=True)
class Shares:
    """Shares of completions (0 to 1) that misbehave on purpose. The defaults are rates seen of small models."""

    refusal: float = 0.02
    duplicate: float = 0.02
    malformed: float = 0.02
    length: float = 0.02
    wrong_echo: float = 0.02
    copied: float = 0.02
    dissent: float = 0.2
    """Of samples whose final answer is not the request's usual one: enough for voting to need second rounds."""
    first_preferred: float = 0.1
    """Of comparisons of two answers that go to the one shown first, whatever they say."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ConfigError(f"engine.extra.shares.{item.name} must be between 0 and 1 (given: {value!r})")


WELL_BEHAVED = Shares(0, 0, 0, 0, 0, 0, 0, 0)


class ScriptedEngine:
    """See the module. `max_model_len` in tokens; None: prompts of any length are answered."""

    def __init__(
        self,
        model: str = "scripted",
        *,
        shares: Shares | None = None,
        latency_s: float = 0.0,
        latency: Latency | None = None,
        max_model_len: int | None = None,
        die_on: str | None = None,
        hang_on: str | None = None,
        loop_on: str | None = None,
        relevant: Sequence[str] = (),
    ) -> None:
        self._info = EngineInfo(
            kind="scripted",
            model=model,
            revision=f"scripted-{SCRIPTED_VERSION}",
            versions={"scripted": str(SCRIPTED_VERSION)},
            seed_per_request=True,
        )
        self._shares = shares or Shares()
        self._latency_s = latency_s
        self._latency = latency
        self._slots: Slots | None = None
        self._max_model_len = max_model_len
        self._die_on, self._hang_on, self._loop_on = die_on, hang_on, loop_on
        self._relevant = tuple(word.lower() for word in relevant)
        self._makes: dict[bytes, Make] = {}
        self._answered = 0
        self._dead: asyncio.Event | None = None

    async def start(self) -> EngineInfo:
        self._dead = asyncio.Event()
        self._slots = Slots(self._latency) if self._latency is not None else None
        return self._info

    async def stop(self) -> None:
        if self._dead is not None:
            self._dead.set()

    def progress(self) -> int:
        """Completions so far; a watchdog sees a hanging engine by its standing still."""
        return self._answered

    async def generate(self, batch: Batch) -> list[Completion]:
        if self._dead is None:
            await self.start()
        assert self._dead is not None
        started = time.monotonic()
        await self._act_out_faults(batch, self._dead)
        if self._latency_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dead.wait(), self._latency_s)
        schema_key = orjson.dumps(batch.schema, option=orjson.OPT_SORT_KEYS) if batch.schema is not None else b""
        make, refusal = self._compiled(batch.schema, schema_key)
        if self._slots is not None:
            dead, slots = self._dead, self._slots

            async def one(request: Request) -> Completion:
                began = time.monotonic()
                await slots.pass_through(request.request_id, dead)
                if dead.is_set():
                    raise _dead_error()
                self._answered += 1
                return self._complete(request, batch, make, refusal, schema_key, began)

            return list(await asyncio.gather(*map(one, batch.requests)))
        completions: list[Completion] = []
        for number, request in enumerate(batch.requests):
            if number % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
                if self._dead.is_set():
                    raise _dead_error()
            completion = self._complete(request, batch, make, refusal, schema_key, started)
            completions.append(completion)
            self._answered += 1
        return completions

    async def _act_out_faults(self, batch: Batch, dead: asyncio.Event) -> None:
        if dead.is_set():
            raise _dead_error()
        if self._die_on is not None and _mentions(batch, self._die_on):
            dead.set()
            raise _dead_error()
        if self._hang_on is not None and _mentions(batch, self._hang_on):
            await dead.wait()
            raise _dead_error()

    def _compiled(self, schema: dict[str, Any] | None, key: bytes) -> tuple[Make | None, str]:
        """The schema's writer, and why there is none."""
        if schema is None:
            return None, ""
        if key not in self._makes:
            try:
                self._makes[key] = compile_schema(schema)
            except (UnsupportedSchemaError, KeyError) as error:
                return None, f"{error}"
        return self._makes[key], ""

    def _complete(
        self, request: Request, batch: Batch, make: Make | None, refusal: str, schema_key: bytes, started: float
    ) -> Completion:
        sampling, schema = batch.sampling, batch.schema
        prompt_tokens = sum(len(message.content) for message in request.messages) // CHARACTERS_PER_TOKEN + 4
        if self._max_model_len is not None and prompt_tokens + sampling.max_tokens > self._max_model_len:
            return _failed(
                request,
                "prompt_too_long",
                f"{prompt_tokens} prompt tokens + {sampling.max_tokens} to generate exceed {self._max_model_len}",
                prompt_tokens,
            )
        if schema is not None and make is None:
            return _failed(request, "schema_refused", refusal, prompt_tokens)
        hasher = hashlib.blake2b(b"%d\x00%s\x00" % (sampling.seed, request.request_id.encode()), digest_size=8)
        hasher.update(schema_key)
        for message in request.messages:
            hasher.update(f"\x00{message.role}\x00{message.content}".encode("utf-8", "surrogatepass"))
        base = int.from_bytes(hasher.digest())
        material = material_of(request)
        common = random.Random(base)
        terms = terms_of(material.source, common.random)
        usual = _final_answer(common.random, terms)
        texts: list[str] = []
        reasons: list[str] = []
        tokens: list[int] = []
        for sample in range(sampling.samples):
            draw = Draw(
                random.Random(base + sample + 1).random,
                terms,
                concepts=material.concepts,
                duplicate_share=self._shares.duplicate,
                wrong_echo_share=self._shares.wrong_echo,
                source=material.source,
            )
            if make is not None and schema is not None:
                text = self._form(draw, make, schema, material, sampling)
            else:
                text = self._prose(draw, usual, material, sampling)
            if self._loop_on is not None and any(self._loop_on in message.content for message in request.messages):
                text, reason = _loop(text, sampling), FINISH_LENGTH
            else:
                text, reason = self._ending(draw, text, sampling, schema is not None)
            texts.append(text)
            reasons.append(reason)
            tokens.append(sampling.max_tokens if reason == FINISH_LENGTH else _tokens(text))
        return Completion(
            request_id=request.request_id,
            texts=tuple(texts),
            finish_reasons=tuple(reasons),
            prompt_tokens=prompt_tokens,
            generated_tokens=tuple(tokens),
            latency=time.monotonic() - started,
        )

    def _form(self, draw: Draw, make: Make, schema: Mapping[str, Any], material: Material, sampling: Sampling) -> str:
        draw.refused = draw.random() < self._shares.refusal and has_suitable_key(schema)
        draw.snippet = snippet(draw, material.source, 12)
        if (record := described(material.parts)) is not None and draw.random() >= self._shares.dissent:
            return record
        if material.judged:
            draw.leaning = merit(material.judged)
            draw.choice = better_shown(material.judged, draw.random(), self._shares.first_preferred)
        if self._relevant:
            source = material.source.lower()
            draw.leaning = RELEVANT if any(word in source for word in self._relevant) else IRRELEVANT
        text = orjson.dumps(make(draw)).decode()
        if _tokens(text) > sampling.max_tokens:
            draw.tight = True
            draw.written.clear()
            draw.echoes = 0
            text = orjson.dumps(make(draw)).decode()
        return text

    def _prose(self, draw: Draw, usual: str, material: Material, sampling: Sampling) -> str:
        if (answer := answered(material.parts, draw, self._shares.dissent)) is not None:
            return answer
        if draw.random() < self._shares.copied:
            body = snippet(draw, material.source, 60)
        else:
            body = " ".join([draw.sentence() for _ in range(2 + draw.below(4))])
        final = usual
        while draw.random() < self._shares.dissent:
            final = _final_answer(draw.random, draw.terms)
            if final != usual:
                break
        ending = f"\n\nFinal answer: {final}"
        room = sampling.max_tokens * CHARACTERS_PER_TOKEN - len(ending)
        return body[: max(room, 0)] + ending

    def _ending(self, draw: Draw, text: str, sampling: Sampling, is_json: bool) -> tuple[str, str]:
        """The text as it comes out, with its finish reason."""
        room = sampling.max_tokens * CHARACTERS_PER_TOKEN
        if sampling.ignore_eos:  # a fixed length was asked for: filled up or cut, and always full
            return (text * (room // max(len(text), 1) + 1))[:room], FINISH_LENGTH
        if len(text) > room:
            return text[:room], FINISH_LENGTH
        chance = draw.random()
        if chance < self._shares.length:
            return text[: len(text) // 2], FINISH_LENGTH
        if is_json and chance < self._shares.length + self._shares.malformed:
            return text[: max(1, len(text) * 2 // 3)], FINISH_STOP
        for stop in sampling.stop:
            text = text.split(stop, 1)[0]
        return text, FINISH_STOP


def _loop(text: str, sampling: Sampling) -> str:
    """A few words of sense, then the same ones until the budget is spent."""
    room = sampling.max_tokens * CHARACTERS_PER_TOKEN
    return (text[: room // 8] + LOOP * (room // len(LOOP) + 1))[:room]


def _mentions(batch: Batch, marker: str) -> bool:
    return any(marker in message.content for request in batch.requests for message in request.messages)


def _dead_error() -> EngineError:
    return EngineError(
        "the scripted engine is dead",
        cause="a prompt contained engine.extra.die_on, or the engine was stopped",
        remedy="take the marker out of the corpus, or engine.extra.die_on out of the config",
    )


def _failed(request: Request, error: str, detail: str, prompt_tokens: int) -> Completion:
    return Completion(request.request_id, (), (), prompt_tokens, (), error=error, error_detail=detail)


def _tokens(text: str) -> int:
    return max(1, -(-len(text) // CHARACTERS_PER_TOKEN))


def _final_answer(random_float: Any, terms: list[str]) -> str:
    if random_float() < 0.5:
        return str(int(random_float() * 1000))
    return terms[int(random_float() * len(terms))]


def from_extra(model: str, extra: Mapping[str, Any], latency_s: float, max_model_len: int | None) -> ScriptedEngine:
    """The engine that `engine.extra` describes. Raises ConfigError on a key it does not know."""
    known = {"shares", "die_on", "hang_on", "loop_on", "relevant", "latency"}
    if unknown := set(extra) - known:
        raise ConfigError(
            f"engine.extra: the scripted engine does not know {', '.join(sorted(unknown))}",
            remedy=f"known: {', '.join(sorted(known))}",
        )
    given = dict(extra.get("shares", {}))
    if unknown := set(given) - {item.name for item in fields(Shares)}:
        raise ConfigError(
            f"engine.extra.shares: unknown {', '.join(sorted(unknown))}",
            remedy=f"known: {', '.join(item.name for item in fields(Shares))}",
        )
    return ScriptedEngine(
        model,
        shares=Shares(**given),
        latency_s=latency_s,
        latency=latency_from(extra),
        max_model_len=max_model_len,
        die_on=extra.get("die_on"),
        hang_on=extra.get("hang_on"),
        loop_on=extra.get("loop_on"),
        relevant=tuple(map(str, extra.get("relevant", ()))),
    )
