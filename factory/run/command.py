"""The command behind `python -m jobs.run`: compose, check, open the store, execute, report.

Design: a plain command is composed here, so that mistakes in it are answered in our words with a
suggestion; a sweep (`-m`) and Hydra's own flags (`--cfg job`, `--info`) go through `hydra.main`. A sweep's
points run one after another in this process and share step outputs by fingerprint.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

from factory.config import FactoryConfig
from factory.errors import FactoryError

HYDRA_FLAGS = ("-m", "--multirun", "--cfg", "-c", "--info", "-i", "--hydra-help", "--resolve", "--package", "-p")


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 published (or nothing to do), 2-7 by family of FactoryError, 130 interrupted."""
    if any(item in ("-h", "--help") for item in arguments):
        print(HELP)
        return 0
    signal.signal(signal.SIGTERM, _as_interrupt)
    _few_arenas()
    try:
        if any(item.split("=")[0] in HYDRA_FLAGS for item in arguments):
            return _through_hydra(arguments)
        from factory.run.compose import compose

        print(json.dumps(run(compose(arguments))))
        return 0
    except FactoryError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        return 130


def run(config: FactoryConfig) -> dict[str, Any]:
    """Executes one configuration and gives the closing JSON object."""
    from factory.run.progress import progress_for
    from factory.run.runner import execute
    from factory.store.open import open_store, probe

    store = open_store(config.store)
    probe(store)
    progress = progress_for(sys.stderr)
    try:
        result = execute(config, store, progress)
        if result.already_finished:
            progress.say(f"run {result.run} is finished already; nothing to do")
    finally:
        progress.close()
    return {
        "run": result.run,
        "state": "finished",
        "already_finished": result.already_finished,
        "dataset": f"{store.uri.rstrip('/')}/{result.dataset}",
        "report": f"{store.uri.rstrip('/')}/{result.report}",
        "samples": result.samples,
        "requests": result.requests,
        "seconds": round(result.seconds, 2),
    }


def _through_hydra(arguments: Sequence[str]) -> int:
    import hydra

    from factory.run.compose import CONF, RUN, from_hydra, register_defaults

    register_defaults(RUN)
    sys.argv = [sys.argv[0], *arguments]
    failures: list[int] = []

    @hydra.main(config_path=str(CONF), config_name="config", version_base="1.3")
    def job(composed: Any) -> None:
        try:
            print(json.dumps(run(from_hydra(RUN, composed))), flush=True)
        except FactoryError as error:
            # one bad point must not take the sweep's other points with it
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            failures.append(error.exit_code)

    job()
    return max(failures, default=0)


MALLOC_ARENAS = 2
"""glibc gives every thread a heap of its own, 16 on two cores, and keeps what each once took: looking at the first
lines of 49 source files in 16 threads kept 19 MiB of the driver's memory, with two arenas 4 MiB."""

M_ARENA_MAX = -8
"""mallopt(3)"""


def _few_arenas() -> None:
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such setting, and no such habit
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, MALLOC_ARENAS)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


HELP = """python -m jobs.run [KEY=VALUE ...]   runs the factory, or goes on with a run that stopped

  preset=demo|paper|production    a whole set of keys; any of them can be overridden after it
  corpus=docstrings|files         corpus.paths=[/data/shards,s3://bucket/prefix] with corpus=files
  model=smollm2|custom            model.id=… model.license=… model.output_terms=… with model=custom
  engine=vllm|openai|scripted     engine.base_url=http://127.0.0.1:8000/v1 with engine=openai
  store=local|s3                  store.root=DIR or s3://bucket/prefix; everything a run keeps lies below
  cluster=local|ray               cluster.address=auto on a Ray cluster
  limit=N                         N documents, sampled by hash, end to end; a later full run reuses them
  -m KEY=A,B,C                    a sweep: one run a point, sharing what they have in common

  `factory config` prints every key with its bounds, default and meaning.
  `factory plan KEY=VALUE ...` says what a run would do; `factory status ROOT` how far it is.
"""
