"""The bare engine: vLLM's AsyncLLM in an actor of its own, handed every prompt at once.

Design: arguments and environment are the ones the factory's own engine would use, taken from it; beyond that
no code of the factory runs between prompts and tokens. Prompts arrive as token ids, rendered before the clock
starts, so the bare arm is given even less to do than `AsyncLLM` given texts. For smoke tests there is the
same arm around the scripted engine.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from typing import Any

import psutil  # type: ignore[import-untyped]

from factory.config import FactoryConfig
from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.models import ResolvedModel, path_here

Prompts = Sequence[tuple[Message, ...]]
Result = tuple[float, int, list[int]]
"""Seconds, generated tokens, and prompt tokens of every request."""


class BareVllm:
    """Ray actor. Methods are coroutines: AsyncLLM belongs to the actor's event loop."""

    async def start(self, config: FactoryConfig, model: ResolvedModel) -> list[int]:
        """Loads the model; process ids of the actor and of vLLM's processes below it."""
        from factory.engine.vllm import VllmEngine, cpu_environment

        engine = VllmEngine(
            config.engine, model, max_model_len=config.model.max_model_len, dtype=config.model.dtype, seed=config.seed
        )
        arguments = engine._arguments(path_here(model))
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        from vllm.platforms import current_platform

        if current_platform.is_cpu():
            os.environ.update(cpu_environment(config.engine, len(os.sched_getaffinity(0))))
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self._llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
        return [process.pid for process in (psutil.Process(), *psutil.Process().children(recursive=True))]

    async def run(self, prompts: Prompts, sampling: Sampling, label: str) -> Result:
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        from factory.engine.chat import ChatRenderer

        rendered = ChatRenderer(self._llm.get_tokenizer()).render(prompts)
        inputs = [tokens_input(list(prompt.token_ids)) for prompt in rendered]
        params = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            ignore_eos=sampling.ignore_eos,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

        async def one(number: int) -> int:
            final: Any = None
            async for output in self._llm.generate(inputs[number], params, f"{label}-{number}"):
                final = output
            return len(final.outputs[0].token_ids)

        started = time.perf_counter()
        generated = await asyncio.gather(*(one(number) for number in range(len(inputs))))
        return time.perf_counter() - started, sum(generated), [len(prompt.token_ids) for prompt in rendered]

    async def stop(self) -> None:
        await asyncio.to_thread(self._llm.shutdown, 10.0)


class BareScripted:
    """The same arm around the scripted engine: proves the benchmark works, measures nothing."""

    async def start(self, config: FactoryConfig, model: ResolvedModel) -> list[int]:
        from factory.engine.scripted import ScriptedEngine

        self._engine = ScriptedEngine(model.id)
        return [os.getpid()]

    async def run(self, prompts: Prompts, sampling: Sampling, label: str) -> Result:
        requests = tuple(Request(f"{label}-{number}", prompt) for number, prompt in enumerate(prompts))
        started = time.perf_counter()
        completions = await self._engine.generate(Batch(requests, sampling))
        seconds = time.perf_counter() - started
        generated = sum(sum(completion.generated_tokens) for completion in completions)
        return seconds, generated, [completion.prompt_tokens for completion in completions]

    async def stop(self) -> None:
        await self._engine.stop()


class BareEngine:
    """Handle to the actor, for the driver."""

    def __init__(self, config: FactoryConfig, model: ResolvedModel, options: dict[str, Any]) -> None:
        import ray

        kind = BareVllm if config.engine.kind == "vllm" else BareScripted
        self._actor = ray.remote(kind).options(**options).remote()
        self.pids: list[int] = ray.get(self._actor.start.remote(config, model))
        self._runs = 0

    def run(self, prompts: Prompts, sampling: Sampling) -> Result:
        import ray

        self._runs += 1
        result: Result = ray.get(self._actor.run.remote(prompts, sampling, f"bare-{self._runs}"))
        return result

    def stop(self) -> None:
        import ray

        ray.get(self._actor.stop.remote())
        ray.kill(self._actor)


def start_bare(config: FactoryConfig, model: ResolvedModel) -> BareEngine:
    """Starts the bare engine where the factory would place its own. It keeps no core to itself: the arms take
    turns, and a second reservation would leave the factory's tasks none."""
    from factory.engine.placement import ENGINE_RESOURCE

    return BareEngine(config, model, {"num_cpus": 0, "resources": {ENGINE_RESOURCE: 1.0}})
