"""Answers that take their time: a request as long everywhere, spread as asked, as many at once as there are slots."""

from __future__ import annotations

import asyncio
import math
import statistics
import time

import pytest

from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.build import slots_of
from factory.engine.config import EngineConfig
from factory.engine.extra import identity_of_extra
from factory.engine.scripted import ScriptedEngine, from_extra
from factory.engine.scripted_latency import Latency, latency_from
from factory.errors import ConfigError

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=64)


def batch(count: int) -> Batch:
    return Batch(tuple(Request(f"r{i}", (Message("user", f"prompt {i}"),)) for i in range(count)), SAMPLING)


def test_times_are_lognormal_and_belong_to_the_request() -> None:
    latency = Latency(0.2, 0.7)
    times = [latency.seconds_of(f"request-{number}") for number in range(4000)]
    assert times == [Latency(0.2, 0.7, 99).seconds_of(f"request-{number}") for number in range(4000)]
    assert statistics.median(times) == pytest.approx(0.2, rel=0.05)
    assert statistics.stdev(map(math.log, times)) == pytest.approx(0.7, rel=0.05)
    assert statistics.mean(times) == pytest.approx(latency.mean_s, rel=0.05)


def test_requests_wait_for_a_slot_and_say_the_same_as_without_latency() -> None:
    slow = from_extra("scripted", {"latency": {"median_s": 0.05, "sigma": 0, "slots": 2}}, 0.0, None)

    async def run() -> tuple[float, list[str]]:
        await slow.start()
        started = time.monotonic()
        completions = await slow.generate(batch(8))
        return time.monotonic() - started, [each.texts[0] for each in completions]

    seconds, texts = asyncio.run(run())
    assert seconds >= 4 * 0.05
    assert texts == [each.texts[0] for each in asyncio.run(ScriptedEngine().generate(batch(8)))]
    assert slow.progress() == 8


def test_latency_is_no_part_of_what_a_model_is_and_gives_the_engine_its_slots() -> None:
    extra = {"latency": {"median_s": 1.0, "slots": 3}}
    assert identity_of_extra("scripted", extra) == {}
    assert slots_of(EngineConfig(kind="scripted", extra=extra)) == 3
    assert slots_of(EngineConfig(kind="scripted")) is None
    assert slots_of(EngineConfig(kind="vllm", max_num_seqs=99)) == 99


@pytest.mark.parametrize(
    "given", [{"sigma": 1.0}, {"median_s": 0.1, "slot": 3}, {"median_s": -1}, {"median_s": 1, "slots": 2.5}, 3]
)
def test_a_latency_that_makes_no_sense_is_refused(given: object) -> None:
    with pytest.raises(ConfigError, match=r"engine\.extra\.latency"):
        latency_from({"latency": given})
