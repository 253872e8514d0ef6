"""LLM steps against the bare asynchronous vLLM engine, in interleaved pairs on one machine.

The factory arm is the real thing: `run_llm` over committed units, through Ray Data, the engine pool's named
actor, prepare, settle and commit on a local store. The bare arm is vLLM's AsyncLLM in an actor of its own,
with the very arguments and environment of the factory's engine, handed the same prompts as ready token ids
all at once, with no factory code around it. Both engines stay loaded and work in turn; what the idle one
costs meanwhile is measured and reported. Every pair has prompts of its own, so that no arm finds the other's
or an earlier pair's in a prefix cache; which arm goes first alternates. Output length is fixed (ignore_eos).
The first batch of both arms warms up and is not counted.

The factory's clock runs from the first batch on its way to the engine to the last commit. What comes before
(starting the step's Ray Data pipeline, rendering a first unit: once a step, whatever its size) is reported
beside it, in seconds and as a ratio that includes it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from factory.config import FactoryConfig
from factory.engine.api import Batch, Completion
from factory.engine.places import Pressure
from factory.engine.pool import EnginePool
from factory.run.attempt import StepRun
from factory.store.local import LocalStore
from tests.bench.figures import Figures, Row
from tests.bench.fixed_length import FixedLengthStep, commit_passages, prompts_of

RATIO_TARGET = 0.95
PROMPT_WORDS = 150
"""Makes about 250 prompt tokens with SmolLM2's tokenizer and chat template."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine-requests", type=int, default=160, help="engine: requests an arm and pair")
    parser.add_argument("--engine-tokens", type=int, default=48, help="engine: tokens generated a request")
    parser.add_argument("--engine-pairs", type=int, default=5, help="engine: pairs that count")
    parser.add_argument("--engine-unit-rows", type=int, default=16, help="engine: requests a unit")
    parser.add_argument("--engine-overrides", nargs="*", default=(), help="engine: configuration, KEY=VALUE")


@dataclass(frozen=True)
class Arm:
    """One arm of a pair: generated tokens, and seconds by its clock and with the step's start."""

    tokens: int
    seconds: float
    seconds_with_start: float
    idle_share: float = 0.0
    """Of one core, what the other arm's engine used meanwhile."""

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


def measure(options: argparse.Namespace) -> Figures:
    from factory.run.compose import compose

    kind = "scripted" if options.tiny else "vllm"
    requests = 32 if options.tiny else options.engine_requests
    pairs = 1 if options.tiny else options.engine_pairs
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        overrides = ("preset=demo", f"engine={kind}", f"store.root={folder}", "cluster.object_store_mib=200")
        config = compose([*overrides, *options.engine_overrides])
        step = FixedLengthStep(options.engine_tokens)
        measured, about = _pairs(config, step, LocalStore(folder), requests, pairs, options.engine_unit_rows)
    ratios = [factory.rate / bare.rate for factory, bare in measured]
    with_start = [bare.seconds / factory.seconds_with_start for factory, bare in measured]
    factory_rates = [factory.rate for factory, _ in measured]
    bare_rates = [bare.rate for _, bare in measured]
    median = statistics.median(ratios)
    idle = max(arm.idle_share for pair in measured for arm in pair)
    rows = [
        Row("factory / bare engine, median of pairs", f"{median:.3f}", f">= {RATIO_TARGET}:", median >= RATIO_TARGET),
        Row("range of it", f"{min(ratios):.3f} to {max(ratios):.3f}"),
        Row("with the step's start, median", f"{statistics.median(with_start):.3f}"),
        Row("generated tokens/s, factory", _range(factory_rates)),
        Row("generated tokens/s, bare engine", _range(bare_rates)),
        Row("seconds to start the step, median", f"{statistics.median(_starts(measured)):.1f} s"),
        Row("prompt tokens a request, mean", f"{about['prompt_tokens']:.0f}"),
        Row("idle engine's share of a core, worst", f"{idle:.1%}"),
    ]
    values = {
        "ratio_median": round(median, 4),
        "ratio_min": round(min(ratios), 4),
        "ratio_max": round(max(ratios), 4),
        "ratio_with_step_start_median": round(statistics.median(with_start), 4),
        "factory_tokens_per_second": [round(rate, 2) for rate in factory_rates],
        "bare_tokens_per_second": [round(rate, 2) for rate in bare_rates],
        "step_start_seconds": [round(seconds, 2) for seconds in _starts(measured)],
        "idle_engine_core_share_max": round(idle, 4),
        "engine": about["engine"],
        "sizes": {
            "pairs": pairs,
            "requests": requests,
            "generated_tokens": options.engine_tokens,
            "prompt_tokens_mean": round(about["prompt_tokens"], 1),
            "unit_rows": options.engine_unit_rows,
            "units_in_flight": config.engine.units_in_flight,
            "max_num_seqs": config.engine.max_num_seqs,
        },
    }
    return Figures("engine", rows, values)


def _pairs(
    config: FactoryConfig, step: FixedLengthStep, store: LocalStore, requests: int, pairs: int, unit_rows: int
) -> tuple[list[tuple[Arm, Arm]], dict[str, Any]]:
    """(factory, bare) of every counted pair, and what engine and prompts they had."""
    from factory.engine.launch import start_pool
    from factory.engine.models import resolve
    from factory.run.session import ray_session
    from tests.bench.bare_engine import BareEngine, start_bare

    model = resolve(config.model, config.engine.kind)
    prompt_tokens: list[int] = []
    measured: list[tuple[Arm, Arm]] = []
    with ExitStack() as stack:
        stack.enter_context(ray_session(config.cluster, engines=2))
        pool = start_pool(
            config.engine,
            model,
            seed=config.seed,
            run="bench",
        )
        stack.callback(pool.stop)
        info = asdict(pool.info())
        bare: BareEngine = start_bare(config, model)
        stack.callback(bare.stop)
        pool_pids = _engine_processes(exclude=bare.pids)
        for pair in range(pairs + 1):
            units = commit_passages(store, pair, requests, unit_rows, PROMPT_WORDS)
            prompts = prompts_of(store, step, units)
            run = StepRun(f"{step.name}-{pair:016x}", "bench")

            def factory_arm(run: StepRun = run, units: Any = units, idle_pids: list[int] = bare.pids) -> Arm:
                return _factory_arm(config, step, store, run, units, TimedPools(pool, store.root), info, idle_pids)

            def bare_arm(prompts: Any = prompts) -> Arm:
                idle = _processor_seconds(pool_pids)
                seconds, tokens, prompted = bare.run(prompts, step.sampling)
                prompt_tokens.extend(prompted)
                return Arm(tokens, seconds, seconds, (_processor_seconds(pool_pids) - idle) / seconds)

            if pair % 2:
                arms = (factory_arm(), bare_arm())
            else:
                arms = tuple(reversed((bare_arm(), factory_arm())))  # type: ignore[assignment]
            if arms[0].tokens != arms[1].tokens:
                raise RuntimeError(f"the arms did different work: {arms[0].tokens} and {arms[1].tokens} tokens")
            if pair:  # pair 0 warms both engines up
                measured.append(arms)
    return measured, {"engine": info, "prompt_tokens": statistics.mean(prompt_tokens)}


@dataclass
class TimedPool:
    """The engine pool, with a file that appears when the first batch is handed to it: its time is the arm's
    start. Lives in the step's own process, so the driver cannot simply look at a clock."""

    pool: EnginePool
    mark: str
    marked: bool = False

    async def generate(self, batch: Batch) -> list[Completion]:
        if not self.marked:
            self.marked = True
            Path(f"{self.mark}-{uuid.uuid4().hex}").touch()
        return await self.pool.generate(batch)

    def pressure(self) -> Pressure:
        return self.pool.pressure()


@dataclass(frozen=True)
class TimedPools:
    pool: EnginePool
    folder: str

    def timed(self, name: str) -> Any:
        return TimedPool(self.pool, f"{self.folder}/{name}")


def _factory_arm(
    config: FactoryConfig,
    step: FixedLengthStep,
    store: LocalStore,
    run: StepRun,
    units: Any,
    pools: TimedPools,
    info: dict[str, Any],
    idle_pids: list[int],
) -> Arm:
    from factory.run.execute import run_llm

    idle = _processor_seconds(idle_pids)
    called = time.time()
    in_flight = config.engine.units_in_flight * config.engine.replicas
    receipts = list(run_llm(store, step, run, units, pools.timed(run.folder), info, in_flight))
    ended = time.time()
    commits = [receipt.commit for receipt in receipts if receipt.commit is not None]
    if len(commits) != len(units):
        raise RuntimeError(f"{len(units)} units gave {len(commits)} commits")
    first = min(path.stat().st_mtime for path in Path(pools.folder).glob(f"{run.folder}-*"))
    idle_share = (_processor_seconds(idle_pids) - idle) / (ended - called)
    tokens = int(sum(commit.ledger["generated_tokens"] for commit in commits))
    return Arm(tokens, ended - first, ended - called, idle_share)


def _engine_processes(exclude: list[int]) -> list[int]:
    """Processes of vLLM (VLLM::EngineCore, VLLM::Worker) below this one, but those of the bare arm."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "".join(process.cmdline()[:1]).startswith("VLLM::"):
                found.append(process.pid)
        except psutil.Error:
            continue
    return [pid for pid in found if pid not in exclude]


def _processor_seconds(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def _starts(measured: list[tuple[Arm, Arm]]) -> list[float]:
    return [factory.seconds_with_start - factory.seconds for factory, _ in measured]


def _range(values: list[float]) -> str:
    return f"{statistics.median(values):,.1f} ({min(values):,.1f} to {max(values):,.1f})"
