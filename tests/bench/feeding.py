"""Two ways of feeding vLLM from Ray Data, over two consecutive steps with one model.

`pool`: the factory's named engine actors, kept across steps, called from an asynchronous stage of a Ray Data
pipeline with several units in flight. `processor`: `ray.data.llm`'s vLLM processor, built for each step as
its documentation does. Both get the same prompts, the same engine arguments and environment, and a fixed
output length; the second step's prompts hold the first step's answers, so the steps cannot overlap. Every
arm is a process with a Ray of its own, so that its starts count; arms take turns.

    python -m tests.bench.feeding [--rounds 3] [--units 8] [--tokens 32]

The results are docs/decisions/0002-feeding-vllm.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pickle
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

UNIT_ROWS = 16
UNITS_IN_FLIGHT = 8
MAX_NUM_SEQS = 64
MAX_MODEL_LEN = 2048
SEED = 17
STEADY_FROM = 0.25
"""Share of a step's requests finished before its steady state is taken to begin."""

Steps = list[list[dict[str, Any]]]


def prompts(step: int, count: int, before: Iterable[str]) -> list[str]:
    """About 250 prompt tokens each, different between requests and steps, shared with no cache."""
    from tests.corpora import text_of

    answers = list(before) or [""] * count
    return [
        f"Write a summary of text {step}-{number}.\n\n"
        f"{' '.join(text_of(step * 10_000 + number, sentences=14).split()[:110])}\n{answer[:40]}"
        for number, answer in enumerate(answers)
    ]


def measure_pool(units: int, tokens: int) -> tuple[Steps, list[float], dict[str, Any]]:
    """Rows of both steps, seconds when each began and ended, and what the pool counted."""
    import ray

    from factory.engine.api import Batch, Message, Request, Sampling
    from factory.engine.config import EngineConfig, ModelConfig
    from factory.engine.launch import start_pool
    from factory.engine.models import resolve
    from factory.engine.pool import EnginePool

    config = EngineConfig(kind="vllm", max_num_seqs=MAX_NUM_SEQS, units_in_flight=UNITS_IN_FLIGHT)
    model = resolve(ModelConfig(id="smollm2", license="-", output_terms="-", max_model_len=MAX_MODEL_LEN))
    sampling = Sampling(temperature=0.7, top_p=0.95, max_tokens=tokens, ignore_eos=True, seed=SEED)

    def render(block: dict[str, Any]) -> dict[str, Any]:
        unit = pickle.loads(block["unit"][0])
        requests = tuple(Request(f"{unit['id']}-{i}", (Message("user", text),)) for i, text in enumerate(unit["texts"]))
        return {"batch": [pickle.dumps(Batch(requests, sampling))]}

    class Ask:
        def __init__(self, pool: EnginePool) -> None:
            self.pool = pool

        async def __call__(self, block: dict[str, Any]) -> Any:
            completions = await self.pool.generate(pickle.loads(block["batch"][0]))
            yield {"completions": [pickle.dumps(completions)]}

    def commit(block: dict[str, Any]) -> dict[str, Any]:
        completions = pickle.loads(block["completions"][0])
        return {
            "at": [time.time()] * len(completions),
            "text": [completion.texts[0] for completion in completions],
            "tokens": [completion.generated_tokens[0] for completion in completions],
            "prompt_tokens": [completion.prompt_tokens for completion in completions],
        }

    def step(number: int, texts: list[str]) -> list[dict[str, Any]]:
        slices = [{"id": f"{number}-{i}", "texts": texts[i * UNIT_ROWS : (i + 1) * UNIT_ROWS]} for i in range(units)]
        items = [{"unit": pickle.dumps(one)} for one in slices]
        rows: list[dict[str, Any]] = (
            ray.data.from_items(items, override_num_blocks=units)
            .map_batches(render, batch_size=1)
            .map_batches(
                Ask,
                fn_constructor_args=(pool,),
                batch_size=1,
                compute=ray.data.ActorPoolStrategy(size=1, max_tasks_in_flight_per_actor=UNITS_IN_FLIGHT),
                max_concurrency=UNITS_IN_FLIGHT,
                num_cpus=0,
            )
            .map_batches(commit, batch_size=1)
            .take_all()
        )
        return rows

    pool = start_pool(config, model, seed=SEED, run="feeding")
    try:
        steps, marks = _two_steps(step, units)
        return steps, marks, {"pool_starts": pool.starts().first, "pool_start_seconds": pool.starts().seconds}
    finally:
        pool.stop()


def measure_processor(units: int, tokens: int) -> tuple[Steps, list[float], dict[str, Any]]:
    import ray
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    from factory.engine import smollm2
    from factory.engine.config import EngineConfig
    from factory.engine.vllm import cpu_environment

    environment = cpu_environment(EngineConfig(kind="vllm"), len(os.sched_getaffinity(0)))
    folder = str(smollm2.prepare())

    def before(row: dict[str, Any]) -> dict[str, Any]:
        return {
            "messages": [{"role": "user", "content": row["text"]}],
            "sampling_params": {"temperature": 0.7, "top_p": 0.95, "max_tokens": tokens, "ignore_eos": True},
        }

    def after(row: dict[str, Any]) -> dict[str, Any]:
        return {
            "at": time.time(),
            "text": row["generated_text"],
            "tokens": row["num_generated_tokens"],
            "prompt_tokens": row["num_input_tokens"],
        }

    def step(number: int, texts: list[str]) -> list[dict[str, Any]]:
        processor = build_processor(
            vLLMEngineProcessorConfig(
                model_source=folder,
                engine_kwargs={
                    "dtype": "bfloat16",
                    "seed": SEED,
                    "max_model_len": MAX_MODEL_LEN,
                    "max_num_seqs": MAX_NUM_SEQS,
                    "enable_prefix_caching": True,
                    "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": True},
                    "disable_log_stats": True,
                    "distributed_executor_backend": "uni",
                },
                batch_size=UNIT_ROWS,
                max_concurrent_batches=UNITS_IN_FLIGHT,
                concurrency=1,
                placement_group_config={"bundles": [{"CPU": 1}]},
                runtime_env={"env_vars": {**environment, "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "WARNING"}},
                log_engine_metrics=False,
                # With a CPU each, as they come, its stages hold what the engine or a task waits for: on two, for ever.
                chat_template_stage={"enabled": True, "num_cpus": 0.1},
                tokenize_stage={"enabled": True, "num_cpus": 0.1},
                detokenize_stage=False,
            ),
            preprocess=before,
            postprocess=after,
            preprocess_map_kwargs={"num_cpus": 0.2},
            postprocess_map_kwargs={"num_cpus": 0.2},
        )
        items = [{"text": text} for text in texts]
        rows: list[dict[str, Any]] = processor(ray.data.from_items(items, override_num_blocks=units)).take_all()
        return rows

    steps, marks = _two_steps(step, units)
    return steps, marks, {}


def _two_steps(step: Callable[[int, list[str]], list[dict[str, Any]]], units: int) -> tuple[Steps, list[float]]:
    count = units * UNIT_ROWS
    marks = [time.time()]
    first = step(1, prompts(1, count, ()))
    marks.append(time.time())
    second = step(2, prompts(2, count, sorted(row["text"] for row in first)))
    marks.append(time.time())
    return [first, second], marks


class Watched:
    """vLLM engine processes below this one, and processor seconds of everything below it, by looking twice a
    second: the same for both arms, and, unlike seconds on the clock, hardly moved by what else runs here."""

    def __init__(self) -> None:
        self.engines: set[int] = set()
        self._seconds: dict[int, float] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        import psutil  # type: ignore[import-untyped]

        while not self._end.wait(0.5):
            for process in psutil.Process().children(recursive=True):
                try:
                    used = process.cpu_times()
                    self._seconds[process.pid] = used.user + used.system
                    if "EngineCore" in " ".join(process.cmdline()):
                        self.engines.add(process.pid)
                except psutil.Error:
                    continue

    def processor_seconds(self) -> float:
        return round(sum(self._seconds.values()), 1)

    def stop(self) -> None:
        self._end.set()
        self._thread.join()


def steady_rate(rows: list[dict[str, Any]]) -> float:
    """Generated tokens a second from when a quarter of the requests was finished to the last one."""
    rows = sorted(rows, key=lambda row: float(row["at"]))
    begin = rows[int(len(rows) * STEADY_FROM)]["at"]
    later = [row for row in rows if row["at"] > begin]
    return float(sum(row["tokens"] for row in later) / (later[-1]["at"] - begin)) if later else 0.0


def run_arm(name: str, units: int, tokens: int) -> dict[str, Any]:
    """One arm in this process: both steps, with a local Ray started before the clock."""
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    ray.init(
        num_cpus=2,
        resources={"engine": 1.0},
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        object_store_memory=300 * 2**20,
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    watched = Watched()
    load = os.getloadavg()[0]
    began = time.time()
    steps, marks, more = (measure_pool if name == "pool" else measure_processor)(units, tokens)
    total = marks[-1] - began
    watched.stop()
    ray.shutdown()
    return {
        "arm": name,
        "total_seconds": round(total, 1),
        "before_first_step": round(marks[0] - began, 1),
        "step_seconds": [round(end - start, 1) for start, end in itertools.pairwise(marks)],
        "steady_tokens_per_second": [round(steady_rate(rows), 1) for rows in steps],
        "engine_starts": len(watched.engines),
        "processor_seconds": watched.processor_seconds(),
        "requests": sum(len(rows) for rows in steps),
        "generated_tokens": sum(row["tokens"] for rows in steps for row in rows),
        "prompt_tokens_mean": round(statistics.mean(row["prompt_tokens"] for rows in steps for row in rows), 1),
        "load_at_start": round(load, 2),
        **more,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.feeding", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times each arm runs, in turns")
    parser.add_argument("--units", type=int, default=8, help=f"units a step, of {UNIT_ROWS} requests")
    parser.add_argument("--tokens", type=int, default=32, help="tokens generated a request")
    parser.add_argument("--arm", choices=["pool", "processor"], help="one arm, once, in this process")
    options = parser.parse_args()
    if options.arm:
        print(json.dumps(run_arm(options.arm, options.units, options.tokens)))
        return 0
    results = []
    for number in range(options.rounds):
        for arm in ("pool", "processor") if number % 2 == 0 else ("processor", "pool"):
            command = [sys.executable, "-m", "tests.bench.feeding", "--arm", arm]
            command += ["--units", str(options.units), "--tokens", str(options.tokens)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            print(results[-1], flush=True)
    print(json.dumps({"benchmark": "feeding", "results": results}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
