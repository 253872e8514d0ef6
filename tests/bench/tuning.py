"""What settings of feeding are worth with real vLLM: `python -m tests.bench.tuning prefixes|units|ngram`.

`prefixes`: requests about the same passages in the order the factory sends them in (engine/order.py) and in random
order, in pairs with prompts of their own, once with a key-value cache that holds little more than what runs, as with
models that fill a GPU, and once with one that holds everything. `units`: one step with 1, 2, 4 and 8 units open, and
adaptively. `ngram`: the extraction prompts of the general pack, whose answers copy from the passage, without and with
n-gram speculation, with the engine full and nearly empty. The numbers of one part are of one run, one machine and one
model (SmolLM2-135M on a CPU unless the machine has a GPU): ratios mean something, rates do not. docs/decisions/0014
holds what was measured. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from factory.concepts.config import ExtractConfig
from factory.domains.config import DomainConfig
from factory.engine.api import Batch, Completion, Message, Request, Sampling
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.models import resolve
from factory.engine.order import engine_order
from factory.engine.vllm import VllmEngine
from tests.corpora import text_of

SEED = 17
QUESTIONS = 4
"""Requests about each passage."""


def build(max_model_len: int = 1024, **changes: Any) -> VllmEngine:
    model = resolve(ModelConfig(id="smollm2", license="Apache-2.0", output_terms="none"))
    config = EngineConfig(**{"kind": "vllm", "kv_cache_gib": 1, "max_num_seqs": 16, **changes})
    return VllmEngine(config, model, max_model_len=max_model_len, dtype="bfloat16", seed=SEED)


def passages(number: int, count: int, words: int) -> list[str]:
    first = number * 10_000
    return [" ".join(text_of(first + each, sentences=words // 12 + 2).split()[:words]) for each in range(count)]


def about_passages(label: str, number: int, count: int) -> list[Request]:
    """Some 330 prompt tokens each: instructions, a passage, and one of four questions about it."""
    asked = ("main idea", "first example", "hardest term", "weakest claim")
    return [
        Request(
            f"{label}-{place}-{question}",
            (
                Message(
                    "user", f"Read the passage, then do what is asked.\n\n{passage}\n\nState its {asked[question]}."
                ),
            ),
        )
        for place, passage in enumerate(passages(number, count, 200))
        for question in range(QUESTIONS)
    ]


async def timed(engine: VllmEngine, requests: Sequence[Request], sampling: Sampling, schema: Any = None) -> Any:
    started = time.monotonic()
    completions = await engine.generate(Batch(tuple(requests), sampling, schema))
    return time.monotonic() - started, completions


def spent(seconds: float, completions: Sequence[Completion]) -> dict[str, float]:
    prompt = sum(each.prompt_tokens for each in completions)
    return {
        "seconds": round(seconds, 2),
        "requests": len(completions),
        "prompt_tokens": prompt,
        "cached_share": round(sum(each.cached_tokens for each in completions) / prompt, 3),
        "generated_tokens": sum(sum(each.generated_tokens) for each in completions),
        "requests_per_second": round(len(completions) / seconds, 3),
    }


async def prefixes(options: argparse.Namespace) -> dict[str, Any]:
    sampling = Sampling(temperature=0.7, top_p=0.95, max_tokens=16, ignore_eos=True, seed=SEED)
    found: dict[str, Any] = {}
    # On a CPU a block has 128 tokens: 16 sequences of some 330 use 48 of 72, and each passage fills two.
    for name, pairs, extra in (
        ("little cache", options.pairs, {"num_gpu_blocks_override": 72}),
        ("ample cache", 1, {}),
    ):
        engine = build(extra=extra)
        await engine.start()
        try:
            await timed(engine, about_passages("warm", 0, 8), sampling)
            arms: dict[str, list[dict[str, float]]] = {"grouped": [], "random": []}
            for pair in range(pairs):
                for arm in ("grouped", "random") if pair % 2 else ("random", "grouped"):
                    number = 1 + 2 * pair + (arm == "grouped") + (100 if extra else 0)
                    requests = about_passages(f"{name}-{arm}-{pair}", number, options.passages)
                    random.Random(pair).shuffle(requests)
                    if arm == "grouped":
                        requests = [requests[place] for place in engine_order(requests)]
                    arms[arm].append(spent(*await timed(engine, requests, sampling)))
                    print(name, arm, arms[arm][-1], flush=True)
        finally:
            await engine.stop()
        ratios = [
            one["requests_per_second"] / other["requests_per_second"]
            for one, other in zip(arms["grouped"], arms["random"], strict=True)
        ]
        found[name] = {**arms, "ratio": round(statistics.median(ratios), 3), "ratios": [round(r, 3) for r in ratios]}
    return found


def units(options: argparse.Namespace) -> dict[str, Any]:
    from factory.engine.launch import start_pool
    from factory.run.compose import compose
    from factory.run.session import ray_session

    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        config = compose(["preset=demo", "engine=vllm", f"store.root={folder}", "cluster.object_store_mib=200"])
        found = {}
        with ray_session(config.cluster, engines=1):
            pool = start_pool(config.engine, resolve(config.model, "vllm"), seed=config.seed, run="tuning")
            try:
                _step(pool, config, folder, 0, 4, 8, False, options.tokens)
                for number, most in enumerate(options.open, 1):
                    name, adaptive = str(most) if most else "adaptive", not most
                    found[name] = _step(
                        pool, config, folder, number, options.units, most or 8, adaptive, options.tokens
                    )
                    print(name, found[name], flush=True)
            finally:
                pool.stop()
    return found


def _step(
    pool: Any, config: Any, folder: str, number: int, count: int, most: int, adaptive: bool, tokens: int
) -> dict[str, Any]:
    """Tokens/s from the first unit's beginning to the last commit, of units of 16 requests of some 250 tokens."""
    from pathlib import Path

    from factory.engine.build import slots_of
    from factory.run.attempt import StepRun
    from factory.run.execute import run_llm
    from factory.store.local import LocalStore
    from tests.bench.fixed_length import FixedLengthStep, commit_passages

    store, step = LocalStore(folder), FixedLengthStep(tokens)
    sliced = commit_passages(store, number, count * 16, 16, 150)
    run = StepRun(f"{step.name}-{number:016x}", "bench")
    info = asdict(pool.info())
    receipts = list(run_llm(store, step, run, sliced, pool, info, most, slots_of(config.engine), adaptive))
    begun = min(path.stat().st_mtime for path in Path(folder).glob(f"steps/{run.folder}/attempts/*.json"))
    ended = max(path.stat().st_mtime for path in Path(folder).glob(f"steps/{run.folder}/commits/*/*.json"))
    ledgers = [receipt.spent for receipt in receipts]
    made = sum(each["prompt_tokens"] + each["generated_tokens"] for each in ledgers)
    return {"seconds": round(ended - begun, 2), "tokens_per_second": round(made / (ended - begun), 1), "units": count}


async def ngram(options: argparse.Namespace) -> dict[str, Any]:
    from factory.concepts.extract import ExtractStep, sampling_from
    from factory.domains.pack import load_pack
    from factory.engine.config import SamplingConfig

    config = ExtractConfig(max_topics=2, max_concepts=6, sampling=SamplingConfig(max_tokens=160))
    step = ExtractStep(config, load_pack(DomainConfig()), SEED)
    sampling = sampling_from(config.sampling, SEED)
    found: dict[str, Any] = {}
    for tokens in options.ngrams:
        engine = build(2048, max_num_seqs=32, ngram_tokens=tokens)
        await engine.start()
        try:
            await timed(engine, _extractions(step, "warm", 0, 8), sampling, step.response_schema)
            for name, count, at_once in (("full", 48, 48), ("nearly empty", 12, 2)):
                requests = _extractions(step, f"{tokens}-{name}", 1 + (name == "full"), count)
                started, completions = time.monotonic(), []
                limit = asyncio.Semaphore(at_once)

                async def one(request: Request, engine: VllmEngine = engine, limit: Any = limit) -> list[Completion]:
                    async with limit:
                        return await engine.generate(Batch((request,), sampling, step.response_schema))

                for answered in await asyncio.gather(*map(one, requests)):
                    completions += answered
                figures = spent(time.monotonic() - started, completions)
                figures["generated_per_second"] = round(figures["generated_tokens"] / figures["seconds"], 1)
                found.setdefault(name, {})[str(tokens)] = figures
                print(tokens, name, figures, flush=True)
        finally:
            await engine.stop()
    return found


def _extractions(step: Any, label: str, number: int, count: int) -> list[Request]:
    requests = []
    for place, text in enumerate(passages(number, count, 150)):
        row = {"chunk_id": "c", "text": text, "sources": [{"chunk_id": "c"}]}
        requests.append(Request(f"{label}-{place}", step.prompt(row, {"c": text}, "extract-bench")))
    return requests


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tuning", description=__doc__)
    parser.add_argument("part", choices=["prefixes", "units", "ngram"])
    parser.add_argument("--pairs", type=int, default=3, help="prefixes: pairs with little cache")
    parser.add_argument("--passages", type=int, default=40, help=f"prefixes: passages, {QUESTIONS} requests each")
    parser.add_argument("--units", type=int, default=12, help="units: of 16 requests")
    parser.add_argument("--tokens", type=int, default=32, help="units: generated a request")
    parser.add_argument(
        "--open", type=int, nargs="*", default=[8, 4, 2, 1, 0], help="units: open at once; 0: adaptive, 8 at most"
    )
    parser.add_argument("--ngrams", type=int, nargs="*", default=[0, 3, 5], help="ngram: tokens guessed, 0 for none")
    options = parser.parse_args(arguments)
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    parts: dict[str, Any] = {"prefixes": prefixes, "ngram": ngram}
    found = units(options) if options.part == "units" else asyncio.run(parts[options.part](options))
    from tests.bench.figures import machine_now

    print(json.dumps({"benchmark": f"tuning {options.part}", "found": found, "machine": machine_now()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
