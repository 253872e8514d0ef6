"""LoRA adapters in the real engine, on the real small model: a zero one changes nothing, another one does."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from factory.engine import smollm2
from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.config import AdapterConfig, EngineConfig, ModelConfig
from factory.engine.models import resolve
from factory.engine.vllm import VllmEngine
from tests.engine.lora import make_adapter

ASKED = ("Name a colour.", "What is the capital of France?")


def answers(adapter: Path | None) -> list[str]:
    own = AdapterConfig(path=str(adapter)) if adapter is not None else AdapterConfig()
    model = resolve(ModelConfig(id="smollm2", license="Apache-2.0", output_terms="none", adapter=own))
    config = EngineConfig(kind="vllm", kv_cache_gib=1, max_num_seqs=4)
    engine = VllmEngine(config, model, max_model_len=256, dtype="bfloat16", seed=11)
    requests = tuple(Request(f"r{number}", (Message("user", text),)) for number, text in enumerate(ASKED))
    with asyncio.Runner() as runner:
        info = runner.run(engine.start())
        try:
            found = runner.run(engine.generate(Batch(requests, Sampling(temperature=0, top_p=1, max_tokens=8))))
        finally:
            runner.run(engine.stop())
    assert info.revision == model.revision
    assert all(completion.error is None for completion in found)
    return [completion.texts[0] for completion in found]


def answers_apart(adapter: Path | None) -> list[str]:
    """In a process of its own: three engines one after the other leave their sockets behind in one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(answers, adapter).result()


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_adapter_changes_what_is_written_and_one_of_zeros_does_not(tmp_path: Path) -> None:
    model = smollm2.prepare()
    base = "HuggingFaceTB/SmolLM2-135M-Instruct"
    zero = make_adapter(tmp_path / "zero", model, scale=0.0, base=base)
    random = make_adapter(tmp_path / "random", model, scale=1.0, base=base)
    alone = answers_apart(None)
    assert answers_apart(zero) == alone
    changed = answers_apart(random)
    assert all(one != other for one, other in zip(changed, alone, strict=True))
