"""The command behind `python -m jobs.run`: compose, check, open the store, execute, report.

Design: every command is composed here, so that mistakes in it are answered in our words with a suggestion: a plain
one, each point of a sweep (`-m`, worked by factory/sweep), and one that Hydra only prints (`--cfg job`, `--info`).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any

from factory.cluster.address import require_drivers
from factory.config import FactoryConfig
from factory.credentials import print_blanked
from factory.errors import FactoryError
from factory.leaving import INTERRUPTED_CODE
from factory.observe import logs
from factory.run import last_words
from factory.run.drain import MEANT_S, spared
from factory.run.forced_end import PATIENCE_S, note_forced_end
from factory.store.base import AbsentObjectError
from factory.store.objects import absent

GOES_ON = "the same command goes on where this one stopped"
BEGINS_ANEW = "the same command begins anew"
"""Of jobs that keep nothing until they are done: evaluate, mix."""

INTERRUPTED = f"interrupted; {GOES_ON}"

_interrupted = INTERRUPTED
"""Of the one command of this process: its second signal is answered outside of `guarded`."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 published (or nothing to do), 2-8 by family of FactoryError, 130 interrupted."""
    if any(item in ("-h", "--help") for item in arguments):
        print(HELP)
        return 0
    with logs.logging_as(logs.asked_for(arguments)):
        return guarded(partial(_execute, arguments))


def guarded(command: Callable[[], int], again: str = GOES_ON) -> int:
    """The exit code of a command that may end with a FactoryError, be interrupted or be preempted. `again` says what
    the same command does after an interruption."""
    global _interrupted
    _interrupted = f"interrupted; {again}"
    last_words.interruption_is(_interrupted)
    signal.signal(signal.SIGTERM, _as_terminated)
    if not logs.is_json():
        sys.excepthook = print_blanked
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a job in the background ignores it
        signal.signal(signal.SIGINT, _as_interrupt)
    _few_arenas()
    try:
        try:
            return command()
        except AbsentObjectError as error:
            raise absent(error) from error
    except FactoryError as error:
        logs.tell_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        _say_interrupted()
        return INTERRUPTED_CODE


def _execute(arguments: Sequence[str]) -> int:
    from factory.run.compose import compose
    from factory.run.overrides import HYDRA_OPTIONS, check_options
    from factory.run.pack_settings import pack_settings, told

    check_options(arguments)
    if any(item.split("=")[0] in HYDRA_OPTIONS for item in arguments):
        return _printed_by_hydra(arguments)
    if any(item in SWEEP for item in arguments):
        from factory.sweep.command import sweep

        return sweep([item for item in arguments if item not in SWEEP])
    config = compose(arguments)
    if config.corpus.kind == "files" and not any(item.startswith("preset=") for item in arguments):
        limit, longest = config.limit, config.select.max_characters
        logs.tell(
            f"note: no preset is given, so preset=demo holds what is not set otherwise (limit={limit}, "
            f"select.max_characters={longest}, …); preset=paper and preset=production are for whole corpora"
        )
    settings = pack_settings(config.domain)
    if settings.values:
        said = ", ".join(told(settings, config.model_dump(mode="json")))
        logs.tell(f"note: set by the domain pack ({settings.path}): {said}")
    print(json.dumps(run(config)))
    return 0


def run(config: FactoryConfig) -> dict[str, Any]:
    """Executes one configuration and gives the closing JSON object."""
    from factory.run.progress import progress_for
    from factory.run.runner import execute
    from factory.store.open import open_store, probe

    require_drivers(config.cluster.address)
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


SWEEP = ("-m", "--multirun")


def _printed_by_hydra(arguments: Sequence[str]) -> int:
    """Hydra's own flags print and run nothing. Raises ConfigError for what a plain command would be refused for,
    values aside: looking at a composed configuration helps most where one is missing or wrong."""
    import hydra
    from hydra._internal.utils import get_args_parser

    from factory.run.compose import CONF, RUN, composed_by_hydra, register_defaults
    from factory.run.overrides import sweep_points

    overrides = get_args_parser().parse_args(list(arguments)).overrides
    for point in sweep_points(overrides, CONF) if any(item in SWEEP for item in arguments) else [overrides]:
        composed_by_hydra(RUN, point)
    register_defaults(RUN)
    sys.argv = [sys.argv[0], *arguments]

    @hydra.main(config_path=str(CONF), config_name=RUN.file, version_base="1.3")
    def job(_composed: Any) -> None:
        """Never reached: a flag that prints does not run."""

    job()
    return 0


MALLOC_ARENAS = 2
"""glibc gives every thread a heap of its own, 16 on two cores, and keeps what each once took: looking at the first
lines of 49 source files in 16 threads kept 19 MiB of the driver's memory, with two arenas 4 MiB."""

M_ARENA_MAX = -8
"""mallopt(3)"""


def _few_arenas() -> None:
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such setting, and no such habit
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, MALLOC_ARENAS)


_interruption_said = threading.Event()


def _as_terminated(number: int, frame: FrameType | None) -> None:
    if not spared():
        _as_interrupt(number, frame)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    last_words.leaving()
    # `timeout` signals its child and then the group: the second signal must not cut short what the first began.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, partial(_at_once, time.monotonic()))
    threading.Thread(target=_end_without_ray, name="end-without-ray", daemon=True).start()
    raise KeyboardInterrupt


def _at_once(first: float, _number: int, _frame: FrameType | None) -> None:
    """Whoever presses Ctrl-C again does not want to wait for Ray, whose processes end with this one."""
    if time.monotonic() - first < MEANT_S:
        return
    last_words.said()
    if not _interruption_said.is_set():
        # print may have been interrupted by this very signal, and cannot be entered twice
        line = logs.line_of("interrupted", "warning", {"message": _interrupted}) if logs.is_json() else _interrupted
        os.write(2, f"{line}\n".encode())
    os._exit(INTERRUPTED_CODE)


def _end_without_ray() -> None:
    """Ends this process if it is still there after `PATIENCE_S`; Ray's processes end with their parent."""
    time.sleep(PATIENCE_S)
    note_forced_end("interrupted", "", KeyboardInterrupt.__name__)
    last_words.said()
    _say_interrupted()
    os._exit(INTERRUPTED_CODE)


def _say_interrupted() -> None:
    if not _interruption_said.is_set():
        _interruption_said.set()
        logs.tell(_interrupted, event="interrupted", level="warning")


HELP = """python -m jobs.run [KEY=VALUE ...]   runs the factory, or goes on with a run that stopped

  preset=demo|paper|production    a whole set of keys; any of them can be overridden after it
  corpus=docstrings|files         corpus.paths=[/data/shards,s3://bucket/prefix] with corpus=files
  model=smollm2|custom            model.id=… model.license=… model.output_terms=… with model=custom
  engine=vllm|openai|scripted     engine.base_url=http://127.0.0.1:8000/v1 with engine=openai
  store=local|s3                  store.root=DIR or s3://bucket/prefix; everything a run keeps lies below
  cluster=local|ray|indexed       ray: on a node of a Ray cluster (elsewhere python -m jobs.submit); indexed: no Ray
  limit=N                         N documents, sampled by hash, end to end; a later full run reuses them
  -m KEY=A,B,C                    a sweep: one run a point, sharing what they have in common (docs/sweeps.md)
  sweep.at_once=N sweep.jobs=true N points at a time, each a process here, or each a Ray job of cluster.address

  `factory config` prints every key with its bounds, default and meaning.
  `factory plan KEY=VALUE ...` says what a run would do; `factory status ROOT` how far it is.
"""
