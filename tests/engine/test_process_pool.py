"""Engines as processes, without Ray: the same answers, replaced when lost, killers found, nothing left behind."""

from __future__ import annotations

import asyncio
import copy
import os
import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.build import build_engine
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.lost import ENGINE_KILLED
from factory.engine.models import ResolvedModel, resolve
from factory.engine.process_pool import ProcessPool, devices_of, start_process_pool
from factory.errors import ConfigError, EngineError


def config(**changes: Any) -> EngineConfig:
    return EngineConfig(**{"kind": "scripted", **changes})


def model(config: EngineConfig) -> ResolvedModel:
    return resolve(ModelConfig(id="any", license="x", output_terms="y"), config.kind)


def batch(name: str = "a", count: int = 3, text: str = "") -> Batch:
    requests = tuple(Request(f"{name}{i}", (Message("user", f"prompt {name} {i} {text}"),)) for i in range(count))
    return Batch(requests, Sampling(temperature=0.7, top_p=0.9, max_tokens=64))


@pytest.fixture
def pools() -> Iterator[Any]:
    started: list[ProcessPool] = []

    def start(**changes: Any) -> ProcessPool:
        settings = config(**changes)
        started.append(start_process_pool(settings, model(settings), seed=1))
        return started[-1]

    yield start
    for pool in started:
        pool.stop()


def test_answers_are_those_of_the_engine_itself(pools: Any) -> None:
    pool = pools(replicas=2)
    settings = config()

    async def alone() -> list[Any]:
        engine = build_engine(settings, model(settings), 4096, "bfloat16", 1)
        await engine.start()
        return await engine.generate(batch(count=6))

    found = asyncio.run(copy.copy(pool).generate(batch(count=6)))
    assert [(each.request_id, each.texts) for each in found] == [
        (each.request_id, each.texts) for each in asyncio.run(alone())
    ]
    assert pool.info().kind == "scripted"
    assert (pool.starts().first, pool.starts().replacements) == (2, 0)
    states = pool.states()
    assert [state.replica for state in states] == [0, 1]
    assert len({state.pid for state in states} | {os.getpid()}) == 3


def test_units_are_dealt_out_to_all_replicas_in_parts(pools: Any) -> None:
    pool = pools(replicas=2, extra={"latency": {"median_s": 0.1, "sigma": 0.3, "slots": 8}})
    found = asyncio.run(copy.copy(pool).generate(batch(count=40)))
    assert [each.request_id for each in found] == [f"a{number}" for number in range(40)]
    assert min(state.progress for state in pool.states()) >= 12


def test_an_engine_that_is_killed_is_replaced_and_its_requests_asked_again(pools: Any) -> None:
    pool = pools(scripted_latency_s=1.5)

    async def disturbed() -> list[Any]:
        asking = asyncio.ensure_future(copy.copy(pool).generate(batch(count=4)))
        open_requests = 0
        while open_requests < 4:
            assert not asking.done()
            (state,) = await asyncio.to_thread(pool.states)
            open_requests = state.open_requests
        os.kill(state.pid, signal.SIGKILL)
        return await asking

    found = asyncio.run(disturbed())
    assert [each.error for each in found] == [None] * 4
    assert pool.starts().replacements == 1


@pytest.mark.slow
def test_a_prompt_that_kills_engines_is_found_and_the_others_are_answered(pools: Any) -> None:
    pool = pools(extra={"die_on": "POISON"})
    poisoned = batch("p", 1, "POISON")
    both = Batch((*batch(count=2).requests, *poisoned.requests), poisoned.sampling)
    found = asyncio.run(copy.copy(pool).generate(both))
    assert [each.error for each in found] == [None, None, ENGINE_KILLED]


def test_what_an_engine_says_of_its_start_is_passed_on() -> None:
    settings = config(extra={"unknown": 1})
    with pytest.raises(EngineError, match="unknown"):
        start_process_pool(settings, model(settings), seed=1)


def test_nothing_is_left_behind(pools: Any) -> None:
    pool = pools()
    (state,) = pool.states()
    (replica,) = pool._processes
    process = replica._process
    pool.stop()
    pool.stop()
    assert not psutil.pid_exists(state.pid)
    assert process.exitcode == 0, "it was told to leave and did not, until it was killed"
    assert pool.starts().first == 1


def test_each_engine_has_gpus_of_its_own() -> None:
    two = config(kind="vllm", replicas=2, tensor_parallel=2)
    assert devices_of(two, ["0", "1", "2", "3"]) == [
        {"CUDA_VISIBLE_DEVICES": "0,1"},
        {"CUDA_VISIBLE_DEVICES": "2,3"},
    ]
    assert devices_of(two, []) == [{}, {}], "on CPUs they share the cores"
    assert devices_of(config(replicas=2), ["0"]) == [{}, {}]
    with pytest.raises(ConfigError, match="need 4, this machine has 3"):
        devices_of(two, ["0", "1", "2"])
