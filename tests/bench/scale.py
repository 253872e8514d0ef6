"""`python -m tests.bench.scale`: 10,000 shards on 1,000 preempted GPUs, simulated; the tables of docs/scale.md.

What goes in, and where it comes from:
- requests to the store and seconds of a commit are measured here, on one real unit of an LLM step, on a folder and,
  with --s3, on a real S3 server of this machine (its network is a loopback: on AWS a put takes longer);
- seconds to deal out a part with so many engines are measured here (factory/engine/places.py);
- engine seconds a unit are given (--unit-s; the design aims at one to three minutes), or read from the records of a
  real run (--root ROOT);
- bytes a unit in the driver are those of docs/benchmarks.md, `units`, 100,000 units; prices are list prices, given.
The rest is simulated (scale_model.py). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from factory.engine.places import Places
from factory.store.base import Store
from factory.store.local import LocalStore
from tests.bench.scale_model import Outcome, World, simulate, undealt
from tests.runs import LLM_STEPS

HOUR = 3600.0
DRIVER_BYTES_A_UNIT = 414 * 2**20 / 100_000
"""Peak of a driver that finds 100,000 committed units, half of them folded: docs/benchmarks.md, `units`."""

PUT_USD, GET_USD = 0.005 / 1000, 0.0004 / 1000
"""Amazon S3 Standard, us-east-1, list prices: PUT, COPY, POST and LIST; GET and all others."""

FOLD_TAIL, FOLD_FILE, PAGE = 8, 10_000, 1000
"""A fold when an eighth is outside (run/folding.py), commits an index file holds, keys a listing's page has."""

Measured = Mapping[str, float]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("--shards", type=int, default=10_000)
    parser.add_argument("--units-a-shard", type=int, default=40)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--unit-s", type=float, default=120.0, help="engine seconds a unit")
    parser.add_argument("--root", help="take them from the LLM steps of the runs below this folder")
    parser.add_argument("--hours", type=float, default=4.0, help="mean hours until a node is preempted")
    parser.add_argument("--gpu-hour", type=float, default=2.0, help="price of a GPU hour, for the share of the store")
    parser.add_argument("--s3", action="store_true", help="measure a unit on a real S3 server as well")
    options = parser.parse_args(arguments)
    unit_s = engine_seconds_a_unit(Path(options.root)) if options.root else options.unit_s
    store = unit_on_a_folder()
    if options.s3:
        store = {**store, "s3_commit_s": unit_on_s3()["commit_s"]}
    world = World(
        nodes=options.nodes,
        units=options.shards * options.units_a_shard,
        unit_s=unit_s,
        commit_s=store.get("s3_commit_s", store["commit_s"]),
        preempted_every_s=options.hours * HOUR,
    )
    found = report(world, store, options.gpu_hour)
    print(json.dumps({"benchmark": "scale", **found}), flush=True)
    return 0


def report(world: World, store: Measured, gpu_hour: float) -> dict[str, Any]:
    """Simulates and prints; `store` is what a unit asks of the store (`put`, `get`) and how long its commit takes."""
    deal_us = {
        f"{world.nodes:,} engines": seconds_a_part(world.nodes) * 1e6,
        f"{world.nodes:,} engines, nine in ten yet to come": seconds_a_part(world.nodes, world.nodes * 9 // 10) * 1e6,
        f"{10 * world.nodes:,} engines": seconds_a_part(10 * world.nodes) * 1e6,
    }
    rows: list[tuple[str, World, Outcome]] = []
    for name, each in _worlds(world):
        rows.append((name, each, simulate(each)))
        print(_line(*rows[-1]), file=sys.stderr, flush=True)
    main_run = rows[0][2]
    asked = requests_to_the_store(world.units, main_run.units_begun, main_run.seconds, store)
    money = asked["put"] * PUT_USD + asked["get"] * GET_USD
    gpu_money = world.nodes * main_run.seconds / HOUR * gpu_hour
    print(
        "| world | hours | against ideal | done twice | tail, minutes | tail, share |\n|---|---:|---:|---:|---:|---:|"
    )
    for row in rows:
        print(_line(*row))
    print("\n| what | figure |\n|---|---:|")
    figures = {
        "units, engine seconds a unit": f"{world.units:,}, {world.unit_s:.0f}",
        "requests of a unit to the store: PUT and LIST, GET and HEAD": f"{store['put']:.0f}, {store['get']:.0f}",
        "seconds to commit a unit, folder": f"{store['commit_s']:.3f}",
        **({"the same on S3 of this machine": f"{store['s3_commit_s']:.3f}"} if "s3_commit_s" in store else {}),
        "objects written": f"{asked['objects']:,.0f}",
        "PUT and LIST requests": f"{asked['put']:,.0f}",
        "GET and HEAD requests": f"{asked['get']:,.0f}",
        "their price": f"{money:,.2f} USD, {money / gpu_money:.4%} of the GPUs' {gpu_money:,.0f} USD",
        "PUT and LIST a second": f"{asked['put'] / main_run.seconds:.1f}",
        "driver's memory for its units": f"{world.units * DRIVER_BYTES_A_UNIT / 2**20:,.0f} MiB",
        **{f"dealing out a part, {engines}": f"{value:.0f} us" for engines, value in deal_us.items()},
    }
    for name, figure in figures.items():
        print(f"| {name} | {figure} |")
    return {
        "runs": [{"world": name, **asdict(outcome)} for name, _, outcome in rows],
        "store": dict(store),
        "requests": asked,
        "usd": round(money, 2),
        "deal_microseconds": {engines: round(value, 1) for engines, value in deal_us.items()},
        "driver_mib": round(world.units * DRIVER_BYTES_A_UNIT / 2**20),
    }


def _worlds(world: World) -> Iterator[tuple[str, World]]:
    hours = world.preempted_every_s / HOUR
    yield f"as planned: {world.unit_s:.0f} s a unit, preempted every {hours:g} h", world
    yield "without one queue: units stay with their engine", undealt(world)
    yield "no preemption", replace(world, preempted_every_s=math.inf)
    yield "no preemption, without one queue", undealt(replace(world, preempted_every_s=math.inf))
    for other in (hours / 4, hours * 3):
        yield f"preempted every {other:g} h", replace(world, preempted_every_s=other * HOUR)
    for factor in (0.25, 4.0):
        units = round(world.units / factor)
        yield f"{world.unit_s * factor:.0f} s a unit", replace(world, unit_s=world.unit_s * factor, units=units)
    yield "8 units open a node instead of 2", replace(world, open_units=8)


def _line(name: str, world: World, outcome: Outcome) -> str:
    return (
        f"| {name} | {outcome.seconds / HOUR:.2f} | {outcome.slower:.3f} | {outcome.redone_share:.2%} | "
        f"{outcome.tail_s / 60:.1f} | {outcome.tail_share:.1%} |"
    )


def requests_to_the_store(units: int, begun: int, seconds: float, store: Measured) -> dict[str, float]:
    """What a run of one LLM step asks: of its units, those that were begun again included; folding; the lease."""
    pages = math.ceil(units / PAGE)
    folds = max(1.0, math.log(max(units / PAGE, 1.0)) / math.log(1 + 1 / FOLD_TAIL))
    lists = folds * pages / FOLD_TAIL * (FOLD_TAIL + 1) / 2 + 2 * pages  # growing listings; the plan's and the end's
    leases = seconds / 5.0
    put = begun * store["put"] + lists + math.ceil(units / FOLD_FILE) + leases
    get = begun * store["get"] + units
    return {"put": put, "get": get, "objects": units * (store["put"]) + (begun - units)}


def seconds_a_part(engines: int, absent: int = 0, parts: int = 400) -> float:
    """Of one core: asking for a part, getting its place and giving it back, with all engines full but those that have
    yet to come."""
    places, shut = Places(engines, 256), range(engines - absent, engines)
    places.ask("all", 10**9, (), 0.0)
    given = [place for _, dealt in places.deal(shut, 0.0) for place in dealt]
    started = time.process_time()
    for turn in range(parts):
        places.give_back(given[turn].number, 100, False, 0.0)
        places.ask("all", 10**9, (), 0.0)
        given += [place for _, dealt in places.deal(shut, 0.0) for place in dealt]
    return (time.process_time() - started) / parts


def unit_on_a_folder() -> Measured:
    with tempfile.TemporaryDirectory(prefix="factory-scale-") as folder:
        return unit_on(LocalStore(folder))


def unit_on_s3() -> Measured:
    from factory.store.open import open_root
    from tests.s3_server import running

    with running("scale") as server, patch.dict("os.environ", server.environment()):
        return unit_on(open_root("s3://scale/root"))


def unit_on(store: Store, tries: int = 5, rows: int = 256) -> Measured:
    """Requests of one unit of an LLM step to the store, and the median of seconds from its last answer to its commit:
    read, asked (a scripted engine), settled, written and committed by the code that runs do it with."""
    import asyncio

    from factory.engine.api import Completion
    from factory.engine.scripted import ScriptedEngine
    from factory.run import llm
    from factory.run.attempt import StepRun, begin, committed_before, finish
    from tests.bench.fixed_length import FixedLengthStep, commit_passages

    step, engine = FixedLengthStep(256), ScriptedEngine()
    asked: Counter[str] = Counter()
    seconds = []
    for number in range(tries):
        (unit,) = commit_passages(store, number, rows, rows, 400)  # type: ignore[arg-type]
        run = StepRun(f"{step.name}-{number:016x}", "scale")
        with counted(type(store)) as requests:
            assert committed_before(store, run, unit) is None
            prepared = llm.prepare(store, step, run.folder, unit)
            attempt = begin(store, run, unit, {})
            answers: dict[int, list[Completion]] = asyncio.run(llm.ask(step, run.folder, prepared, engine.generate))
            began = time.monotonic()
            result, table = llm.settle(step, run.folder, prepared, answers)
            finish(store, run, attempt, result, table, {})
            seconds.append(time.monotonic() - began)
        asked = requests
    put = sum(asked[name] for name in ("put", "put_if_absent", "put_if_match", "list"))
    get = sum(asked[name] for name in ("get", "get_tagged", "get_range", "head"))
    return {"put": float(put), "get": float(get), "commit_s": statistics.median(seconds)}


@contextmanager
def counted(kind: type[Any]) -> Iterator[Counter[str]]:
    """Calls of a kind of store in the body. `get` is a tagged get: it counts as that alone."""
    requests: Counter[str] = Counter()
    plain = {}

    def counting(name: str, call: Any) -> Any:
        def asked(*arguments: Any, **named: Any) -> Any:
            requests[name] += 1
            return call(*arguments, **named)

        return asked

    for name in ("get", "get_tagged", "get_range", "head", "put", "put_if_absent", "put_if_match", "list"):
        plain[name] = getattr(kind, name)
        setattr(kind, name, counting(name, plain[name]))
    try:
        yield requests
    finally:
        for name, call in plain.items():
            setattr(kind, name, call)


def engine_seconds_a_unit(root: Path) -> float:
    """Mean over the LLM steps of all runs below a root."""
    units = seconds = 0.0
    for path in root.glob("runs/*/*.done.json"):
        done = json.loads(path.read_text())
        if done["step"] in LLM_STEPS:
            units += done["units"]
            seconds += done["ledger"].get("engine_seconds", 0.0)
    if not units:
        raise SystemExit(f"no LLM step of a run was finished below {root}")
    return seconds / units


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
