"""Engines as Ray actors: started once, spread over, replaced when lost, and nothing left behind."""

from __future__ import annotations

import asyncio
import copy
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from factory.cluster.config import ClusterConfig
from factory.engine.api import Batch, Completion, Message, Request, Sampling
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.launch import start_pool
from factory.engine.lost import ENGINE_KILLED, lost_actor
from factory.engine.models import ResolvedModel, resolve
from factory.engine.pool import EnginePool
from factory.engine.start_notes import PoolStarts
from factory.errors import ConfigError, EngineError
from factory.run.session import ray_session


def config(**changes: Any) -> EngineConfig:
    return EngineConfig(**{"kind": "scripted", **changes})


def model(config: EngineConfig, model_id: str = "any") -> ResolvedModel:
    return resolve(ModelConfig(id=model_id, license="x", output_terms="y"), config.kind)


def batch(name: str = "a", count: int = 3, text: str = "") -> Batch:
    requests = tuple(Request(f"{name}{i}", (Message("user", f"prompt {name} {i} {text}"),)) for i in range(count))
    return Batch(requests, Sampling(temperature=0.7, top_p=0.9, max_tokens=64))


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with ray_session(ClusterConfig(cpus=2, object_store_mib=100), engines=3):
        yield


@pytest.fixture
def pools(cluster: None) -> Iterator[Any]:
    """A function that starts pools, all of which are stopped afterwards."""
    started: list[EnginePool] = []

    def start(**changes: Any) -> EnginePool:
        settings = config(**changes)
        started.append(start_pool(settings, model(settings), seed=1, run=f"test{time.monotonic_ns()}"))
        return started[-1]

    yield start
    for pool in started:
        pool.stop()


def test_completions_come_in_the_batch_order_and_info_names_the_engine(pools: Any) -> None:
    pool = pools()
    completions = asyncio.run(pool.generate(batch(count=5)))
    assert [completion.request_id for completion in completions] == [f"a{i}" for i in range(5)]
    assert (pool.info().kind, pool.info().model) == ("scripted", "scripted")


def test_one_start_a_replica_however_many_steps_use_it(pools: Any) -> None:
    pool = pools(replicas=2)
    for step in range(3):
        asyncio.run(pool.generate(batch(f"step{step}")))
    assert pool.starts() == PoolStarts(2, 0, pool.starts().seconds)


def test_what_is_open_in_an_engine_can_be_looked_at(pools: Any) -> None:
    pool = pools(scripted_latency_s=2)

    async def looked() -> list[tuple[int, int]]:
        work = asyncio.gather(*(pool.generate(batch(f"b{i}")) for i in range(2)))
        seen = []
        while not work.done():
            (state,) = await asyncio.to_thread(pool.states)
            seen.append((state.open_batches, state.open_requests))
            await asyncio.sleep(0.1)
        return seen

    assert (2, 6) in asyncio.run(looked())
    (state,) = pool.states()
    assert (state.open_batches, state.open_requests) == (0, 0)
    assert pool.metrics() == {0: ""}  # only vLLM counts for itself


def test_batches_in_flight_spread_over_the_replicas(pools: Any) -> None:
    pool = pools(replicas=2, scripted_latency_s=0.5)

    async def eight() -> None:
        await asyncio.gather(*(pool.generate(batch(f"b{i}")) for i in range(8)))

    asyncio.run(eight())
    assert sorted(state.progress for state in pool.states()) == [12, 12]


def test_the_handle_works_inside_a_ray_data_stage(pools: Any) -> None:
    import ray

    pool = pools()

    class Ask:
        def __init__(self, pool: EnginePool) -> None:
            self.pool = pool

        async def __call__(self, rows: dict[str, Any]) -> Any:
            completions = await self.pool.generate(batch(str(rows["id"][0])))
            yield {"text": [completion.texts[0] for completion in completions]}

    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = (
        ray.data.range(6, override_num_blocks=6)
        .map_batches(
            Ask,
            fn_constructor_args=(pool,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=1, max_tasks_in_flight_per_actor=4),
            max_concurrency=4,
            num_cpus=0,
        )
        .take_all()
    )
    assert len(rows) == 18
    assert pool.starts().first == 1


def test_a_killed_engine_is_replaced_and_only_its_batches_are_sent_again(pools: Any) -> None:
    pool = pools(replicas=2, scripted_latency_s=3)
    before = {state.replica: state for state in pool.states()}

    async def run() -> list[list[Completion]]:
        work = [asyncio.ensure_future(pool.generate(batch(f"b{i}"))) for i in range(4)]
        await asyncio.sleep(1)
        os.kill(before[0].pid, signal.SIGKILL)
        return list(await asyncio.gather(*work))

    results = asyncio.run(run())
    assert [completions[0].request_id for completions in results] == ["b00", "b10", "b20", "b30"]
    assert all(completion.error is None for completions in results for completion in completions)
    wait_until(lambda: pool.starts().replacements == 1)
    after = {state.replica: state for state in pool.states()}
    assert after[1].pid == before[1].pid
    assert after[0].pid != before[0].pid
    assert pool.starts().first == 2
    # Two batches each were on the dead and on the living replica; only the dead one's were answered twice.
    assert after[0].progress + after[1].progress == 12


def wait_until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.2)


def with_poison(name: str, count: int, poison: set[int], word: str = "poison") -> Batch:
    """A batch whose requests at the places `poison` kill the engine."""
    plain, bad = batch(name, count), batch(name, count, text=word)
    requests = tuple((bad if place in poison else plain).requests[place] for place in range(count))
    return replace(plain, requests=requests)


async def all_of(pool: EnginePool, batches: Sequence[Batch]) -> list[Completion]:
    # Handles of their own, as the tasks of a step have.
    answers = await asyncio.gather(*(copy.copy(pool).generate(each) for each in batches))
    return [completion for completions in answers for completion in completions]


def test_one_poison_prompt_among_those_in_flight_is_found_and_all_others_are_answered(pools: Any) -> None:
    pool = pools(extra={"die_on": "poison"}, scripted_latency_s=0.2)
    batches = [with_poison(f"b{number}-", 8, {5} if number == 2 else set()) for number in range(4)]
    completions = asyncio.run(all_of(pool, batches))
    assert [each.request_id for each in completions] == [each.request_id for one in batches for each in one.requests]
    (killer,) = [each for each in completions if each.error]
    assert (killer.request_id, killer.error) == ("b2-5", ENGINE_KILLED)
    assert "with this request alone" in killer.error_detail
    assert "die_on" in killer.error_detail
    starts = pool.starts()
    assert starts.first == 1
    assert starts.replacements <= math.ceil(math.log2(32)) + 1
    assert asyncio.run(pool.generate(batch("good")))[0].error is None


@pytest.mark.slow
def test_every_one_of_several_poison_prompts_is_found(pools: Any) -> None:
    pool = pools(extra={"die_on": "poison"})
    completions = asyncio.run(all_of(pool, [with_poison("a", 6, {0, 3}), with_poison("b", 6, {4})]))
    assert {each.request_id for each in completions if each.error == ENGINE_KILLED} == {"a0", "a3", "b4"}
    assert sum(each.error is None for each in completions) == 9


def test_while_one_replica_looks_for_its_killer_the_others_go_on(pools: Any) -> None:
    pool = pools(replicas=2, extra={"die_on": "poison"}, scripted_latency_s=0.3)

    async def run() -> tuple[list[Completion], list[Completion]]:
        hunt = asyncio.ensure_future(copy.copy(pool).generate(with_poison("bad", 8, {1})))
        await asyncio.sleep(0.1)
        others: list[Completion] = []
        handle = copy.copy(pool)
        while not hunt.done():
            others += await handle.generate(batch(f"good{len(others)}-"))
        return await hunt, others

    hunted, others = asyncio.run(run())
    assert [each.request_id for each in hunted if each.error] == ["bad1"]
    assert len(others) >= 9
    assert all(each.error is None for each in others)


def test_a_lost_engine_that_nobody_killed_with_a_prompt_quarantines_nobody(pools: Any) -> None:
    pool = pools(scripted_latency_s=1.5)
    (state,) = pool.states()

    async def run() -> list[Completion]:
        work = asyncio.ensure_future(all_of(pool, [batch("a", 4), batch("b", 4)]))
        await asyncio.sleep(0.7)
        os.kill(state.pid, signal.SIGKILL)
        return await work

    completions = asyncio.run(run())
    assert [each.error for each in completions] == [None] * 8
    assert pool.starts().replacements == 1


def test_a_prompt_that_hangs_the_engine_is_noticed_by_its_progress_and_found_among_the_others(pools: Any) -> None:
    pool = pools(extra={"hang_on": "treacle"}, timeout_s=1.0)
    completions = asyncio.run(all_of(pool, [with_poison("stuck", 4, {2}, "treacle")]))
    assert [each.request_id for each in completions if each.error == ENGINE_KILLED] == ["stuck2"]
    assert "made no progress for 1 s" in next(each.error_detail for each in completions if each.error)


def test_more_killers_than_allowed_stop_the_run_and_say_which_allowance_was_spent(pools: Any) -> None:
    pool = pools(extra={"die_on": "poison"}, killers_allowed=1, losses_allowed=0, hangs_allowed=0)
    with pytest.raises(EngineError, match=r"(?s)2 prompts killed or hung engines.*killers_allowed=1.*die_on") as caught:
        asyncio.run(pool.generate(with_poison("bad", 12, {3, 9})))
    assert "committed work is kept" in str(caught.value)


def test_finding_a_killer_spends_nothing_of_what_is_there_for_losses_and_hangs(pools: Any) -> None:
    pool = pools(extra={"die_on": "poison"}, killers_allowed=1, losses_allowed=0, hangs_allowed=0)
    completions = asyncio.run(pool.generate(with_poison("bad", 12, {3})))
    assert [each.request_id for each in completions if each.error] == ["bad3"]


def test_an_engine_lost_through_no_prompts_fault_spends_the_allowance_for_losses(pools: Any) -> None:
    pool = pools(losses_allowed=0, hangs_allowed=3, killers_allowed=3, scripted_latency_s=1.5)
    (state,) = pool.states()

    async def run() -> list[Completion]:
        work = asyncio.ensure_future(pool.generate(batch("a", 2)))
        await asyncio.sleep(0.5)
        os.kill(state.pid, signal.SIGKILL)
        return await work

    with pytest.raises(EngineError, match="losses_allowed=0"):
        asyncio.run(run())


def test_an_actor_that_ray_ended_for_memory_is_a_loss_with_that_cause() -> None:
    from ray.exceptions import ActorDiedError, OutOfMemoryError

    lost = lost_actor(OutOfMemoryError("Task was killed due to the node running low on memory.\nMemory: 15.2GB"))
    assert (lost.death, lost.preempted) == ("loss", False)
    assert "short of memory" in lost.what
    assert "engine.kv_cache_gib" in lost.remedy
    assert "actor died" in lost_actor(ActorDiedError()).what


def test_of_three_replicas_one_is_replaced_while_the_other_two_go_on(pools: Any) -> None:
    pool = pools(replicas=3, scripted_latency_s=0.3)
    before = {state.replica: state for state in pool.states()}
    finished: list[tuple[float, str]] = []

    async def one(number: int) -> None:
        (completion,) = await copy.copy(pool).generate(batch(f"unit{number}-", 1))
        assert completion.error is None
        finished.append((time.monotonic(), completion.request_id))

    async def run() -> tuple[float, float]:
        work = [asyncio.ensure_future(one(number)) for number in range(12)]
        await asyncio.sleep(0.1)
        os.kill(before[1].pid, signal.SIGKILL)
        killed = time.monotonic()
        number = len(work)
        while (pool.starts().replacements) == 0:  # more work all the while: somebody has to do it
            work.append(asyncio.ensure_future(one(number)))
            number += 1
            await asyncio.sleep(0.1)
        replaced = time.monotonic()
        await asyncio.gather(*work)
        return killed, replaced

    killed, replaced = asyncio.run(run())
    after = {state.replica: state for state in pool.states()}
    assert (after[0].pid, after[2].pid) == (before[0].pid, before[2].pid)
    assert after[1].pid != before[1].pid
    meanwhile = [name for at, name in finished if killed + 0.4 < at < replaced]
    assert meanwhile, "the others finished nothing while the third one was started again"
    assert len({name for _, name in finished}) == len(finished)
    # What the dead engine had in flight was asked once more; nothing that had its completion was.
    assert sum(state.progress for state in after.values()) + before[1].progress <= len(finished)
    assert pool.starts() == PoolStarts(3, 1, pool.starts().seconds)


def test_a_slow_engine_that_keeps_answering_is_not_hung(pools: Any) -> None:
    pool = pools(scripted_latency_s=0.4, timeout_s=1.0)

    async def run() -> None:
        for i in range(5):
            await pool.generate(batch(f"b{i}"))

    asyncio.run(run())
    assert pool.starts().replacements == 0


def test_an_engine_that_cannot_start_says_why_and_leaves_no_actor(cluster: None) -> None:
    import ray

    settings = config(kind="openai", base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(EngineError, match="did not answer"):
        start_pool(settings, model(settings), seed=1, run="failing")
    wait_until(
        lambda: not [actor for actor in ray.util.list_named_actors(all_namespaces=True) if "failing" in actor["name"]]
    )


def test_stop_ends_the_processes_and_keeps_the_count(pools: Any) -> None:
    pool = pools(replicas=2)
    pids = [state.pid for state in pool.states()]
    pool.stop()
    pool.stop()
    assert pool.starts().first == 2
    wait_until(lambda: not any(alive(pid) for pid in pids))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_more_replicas_than_the_cluster_declares_is_a_config_error(cluster: None) -> None:
    settings = config(replicas=4)
    with pytest.raises(ConfigError, match=r"engine\.replicas=4.* room for 3"):
        start_pool(settings, model(settings), seed=1, nodes_wait_s=0)


def test_the_requests_of_one_unit_are_spread_over_replicas_with_slots_and_come_back_in_order(pools: Any) -> None:
    pool = pools(replicas=3, extra={"latency": {"median_s": 0.2, "sigma": 0.3, "slots": 8}})
    completions = asyncio.run(pool.generate(batch("one", 45)))
    assert [each.request_id for each in completions] == [f"one{i}" for i in range(45)]
    assert min(state.progress for state in pool.states()) >= 8
    pressure = pool.pressure()
    assert (pressure.slots, pressure.open, pressure.waiting) == (24, 0, 0)
    assert pressure.tokens == sum(each.prompt_tokens + sum(each.generated_tokens) for each in completions)


def test_units_that_know_nothing_of_each_other_share_the_replicas_evenly(pools: Any) -> None:
    pool = pools(replicas=3, scripted_latency_s=0.5)
    asyncio.run(all_of(pool, [batch(f"u{number}", 4) for number in range(6)]))
    assert sorted(state.progress for state in pool.states()) == [8, 8, 8]


def test_one_that_kills_engines_is_found_also_where_units_are_dealt_out_in_parts(pools: Any) -> None:
    settings = {"latency": {"median_s": 0.05, "sigma": 0.3, "slots": 8}, "die_on": "poison"}
    pool = pools(replicas=2, extra=settings)
    completions = asyncio.run(all_of(pool, [with_poison("a", 20, {7}), batch("b", 20)]))
    assert [each.request_id for each in completions if each.error] == ["a7"]
    assert len(completions) == 40
