"""Trials in processes of their own, some at a time: what a trial waits for leaves a core to another.

Design: processes, not threads, because a trial on S3 has the credentials of its own server in the environment, and
prints what `factory` says there through sys.stdout. Trials share undisturbed runs, which the first makes while others
wait, and nothing else: folders, ports and Ray's sessions are their own. A case that wants the machine to itself comes
when the others are done.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.faults.case import Case
from tests.faults.catalogue import all_cases
from tests.faults.reference import reference_of
from tests.faults.results import Result
from tests.faults.run_case import run_trial

Wanted = Sequence[tuple[Case, int]]


def worked(wanted: Wanted, folder: Path, code: str, jobs: int) -> Iterator[Result]:
    """Results as they come, with at most `jobs` trials at work. Leaving it early waits for those that are."""
    if jobs > 1:
        yield from _side_by_side([each for each in wanted if not each[0].alone], folder, code, jobs)
        wanted = [each for each in wanted if each[0].alone]
    for case, seed in wanted:
        yield tried(case, seed, folder, code)


def tried(case: Case, seed: int, folder: Path, code: str) -> Result:
    """One trial, with the kept undisturbed run of this code. One that could not begin took no time."""
    try:
        reference = reference_of(case, folder / "references" / code)
        return run_trial(case, seed, reference, folder / "trials" / f"{case.slug}-{seed}")
    except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        said = f"it could not begin, or its undisturbed run failed: {error}"
        return Result(case.name, seed, case.engine, case.executor(seed), problems=(said,))


def _side_by_side(wanted: Wanted, folder: Path, code: str, jobs: int) -> Iterator[Result]:
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), initializer=_begin)
    try:
        begun = [pool.submit(_tried_by_name, case.name, seed, folder, code) for case, seed in wanted]
        for each in as_completed(begun):
            yield each.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _tried_by_name(name: str, seed: int, folder: Path, code: str) -> Result:
    return tried(next(case for case in all_cases() if case.name == name), seed, folder, code)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ends the trial that is at work, in good order
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """What its trial has left running, the next start of the suite ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
