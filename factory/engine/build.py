"""One engine from the configuration: the only place that knows all three kinds."""

from __future__ import annotations

from typing import Protocol

from factory.engine.api import Engine
from factory.engine.budget import Allowance
from factory.engine.config import EngineConfig
from factory.engine.models import ResolvedModel


class WatchedEngine(Engine, Protocol):
    """An engine whose life can be told from outside."""

    def progress(self) -> int:
        """A number that grows while the engine works: tokens, answers. Standing still under load means hung."""
        ...


def longest_silence_s(config: EngineConfig) -> float:
    """Seconds with requests open and no progress after which an engine counts as hung.

    A server bounds each request itself: its engine is silent for a deadline, and for as long as it was asked to wait.
    """
    if config.kind != "openai":
        return config.timeout_s
    from factory.engine.openai import LONGEST_WAIT_S

    return config.timeout_s + LONGEST_WAIT_S


def slots_of(config: EngineConfig) -> int | None:
    """Requests that one engine runs at once, others wait in it; None: as many as it is given."""
    if config.kind == "vllm":
        return config.max_num_seqs
    if config.kind == "openai":
        return config.max_concurrency
    from factory.engine.scripted_latency import latency_from

    latency = latency_from(config.extra)
    return latency.slots if latency is not None else None


def allowance_of(config: EngineConfig) -> Allowance:
    return Allowance(config.killers_allowed, config.hangs_allowed, config.losses_allowed)


def build_engine(
    config: EngineConfig, model: ResolvedModel, max_model_len: int, dtype: str, seed: int
) -> WatchedEngine:
    """An engine of `config.kind`, not yet started. `max_model_len` in tokens, prompt and completion together.

    Raises ConfigError when `engine.extra` has keys that kind does not know.
    """
    if config.kind == "scripted":
        from factory.engine.scripted import from_extra

        return from_extra(model.id, config.extra, config.scripted_latency_s, max_model_len)
    if config.kind == "openai":
        from factory.engine.openai import OpenAiEngine

        return OpenAiEngine(config, model)
    from factory.engine.vllm import VllmEngine

    return VllmEngine(config, model, max_model_len=max_model_len, dtype=dtype, seed=seed)
