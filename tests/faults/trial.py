"""One trial: a run of a case with one seed, from outside: it is started, watched, disturbed and started again.

Design: the command a user types, in processes of their own, all marked (processes.py) so that each can be found and
none is left. What happens when is drawn from `rng`, which is seeded by case and seed alone, so a failure can be had
again. Moments are counted in commits of the reference, not in seconds: on a busy machine they fall at the same place
of the run.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from factory.store.base import Store
from factory.store.open import open_root
from tests.faults.case import LATENCY_S, WITHOUT_RAY, Case, Executor
from tests.faults.observed import Attempt, Observed, observe, progress
from tests.faults.processes import MARK, by_kind, end, marked, wait_until_workers_left
from tests.runs import LLM_STEPS, REPOSITORY, Finished, command, environment

if TYPE_CHECKING:
    from tests.faults.reference import Reference
    from tests.s3_server import S3Server

POLL_S = {"folder": 0.02, "s3": 0.1}
"""Between two looks at a root, less than a unit's 0.3 s; one at an S3 server costs both sides some milliseconds."""

LIMIT_S = {"scripted": 300.0, "vllm": 900.0}
"""Seconds a run may take before it counts as hanging: a scripted one takes 15 s alone, a minute beside others."""

MOMENT_S = {"scripted": 240.0, "vllm": 600.0}


WITNESS_S = 5.0
"""In which the witness of a run speaks when that has ended (factory/run/last_words.py): milliseconds, more on a busy
machine."""


class HangError(AssertionError):
    """A run did not end, or never came to where it was to be disturbed."""


@dataclass(frozen=True)
class Moment:
    """Where a fault was injected: `step` had at least `commits` commits; `seen` is the root just before."""

    step: str
    commits: int
    seen: Observed


@dataclass(frozen=True)
class Execution:
    """One start of the command, and where it writes what it says."""

    process: subprocess.Popen[bytes]
    mark: str
    out: Path
    err: Path

    @property
    def stderr(self) -> str:
        return self.err.read_text(errors="replace")

    @property
    def finished(self) -> Finished:
        """Raises AssertionError while it runs."""
        code = self.process.poll()
        assert code is not None, "the run has not ended"
        return Finished(code, self.out.read_text(errors="replace"), self.stderr)


@dataclass
class Trial:
    """`folder` is the trial's own; `corpus` is shared with the reference, and put back before and after each trial.
    `environment` is added to that of runs started from then on. `server`: the S3 server of this trial, if its case
    has one; what the trial itself asks of the store goes there directly, whatever stands before it for the run.
    `destroyed`: units, as (step folder, unit), whose commits or files the fault itself damaged: they may be done
    again, and their bytes may change."""

    case: Case
    seed: int
    folder: Path
    corpus: Path
    root: str
    reference: Reference
    server: S3Server | None = None
    environment: dict[str, str] = field(default_factory=dict)
    destroyed: set[tuple[str, str]] = field(default_factory=set)
    executions: list[Execution] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.case.name}/{self.seed}")

    @property
    def executor(self) -> Executor:
        return self.case.executor(self.seed)

    @property
    def local(self) -> Path:
        """The root as a folder. Raises AssertionError for a case on S3."""
        assert "://" not in self.root, f"{self.case.name} has no local root"
        return Path(self.root)

    @property
    def store(self) -> Store:
        """The root as the trial itself sees it, past any proxy."""
        return open_root(self.root, self.server.endpoint_url if self.server else None)

    def start(self, *extra: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Starts the case's command in a session of its own; `extra` overrides come last."""
        number = len(self.executions) + 1
        mark = f"{self.folder}#{number}"
        executor = WITHOUT_RAY if self.executor == "processes" else ()
        out, err = self.folder / f"run-{number}.out", self.folder / f"run-{number}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                command(self.corpus, self.root, (*self.case.overrides, *executor, *self.case.disturbing, *extra)),
                cwd=REPOSITORY,
                env={**_environment(), **self.environment, **(environment or {}), MARK: mark, "SPT_NOENV": "1"},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        self.executions.append(Execution(process, mark, out, err))
        return process

    def execution(self, process: subprocess.Popen[bytes]) -> Execution:
        return next(each for each in self.executions if each.process is process)

    def moment(self, process: subprocess.Popen[bytes] | None = None, steps: Sequence[str] = LLM_STEPS) -> Moment:
        """Waits until a seeded step of `steps` has a seeded number of commits and a unit in flight, and a seeded part
        of a unit's time more. `process` is the run that has to be alive meanwhile; by default the last one started.

        The number is below what the reference has of that step, so the moment lies inside the run. Raises HangError.
        """
        process = process or self.executions[-1].process
        step = self.rng.choice([each for each in steps if self.reference.units.get(each)])
        commits = self.rng.randrange(self.reference.units[step])
        delay = self.rng.uniform(0, LATENCY_S)
        store, until = self.store, time.monotonic() + MOMENT_S[self.case.engine]
        while True:
            committed, begun = progress(store, step)
            if committed >= commits and (begun > committed or committed >= self.reference.units[step]):
                break
            if process.poll() is not None:
                raise HangError(f"the run ended before {step} had {commits} commits:\n{self._said(process)}")
            if time.monotonic() > until:
                raise HangError(f"{step} had only {committed} of {commits} commits:\n{self._said(process)}")
            time.sleep(POLL_S[self.case.store])
        time.sleep(delay)
        self.moments.append(Moment(step, commits, observe(store)))
        return self.moments[-1]

    def note(self) -> Moment:
        """Takes down what is there now as a moment: for faults whose time is not chosen by commits."""
        self.moments.append(Moment("", 0, observe(self.store)))
        return self.moments[-1]

    def in_flight(self) -> tuple[Attempt, ...]:
        """Attempts begun and not committed now."""
        return observe(self.store).in_flight()

    def processes(self, process: subprocess.Popen[bytes] | None = None) -> dict[str, list[psutil.Process]]:
        """The living processes of a run, by default the last one started, as processes.by_kind sorts them."""
        process = process or self.executions[-1].process
        return by_kind(self.execution(process).mark, process.pid)

    def finish(self, process: subprocess.Popen[bytes] | None = None, limit_s: float | None = None) -> Finished:
        """Waits for a run's end. Raises HangError, after ending it, when it takes longer than `limit_s`."""
        process = process or self.executions[-1].process
        limit_s = limit_s or LIMIT_S[self.case.engine]
        try:
            process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            said = self._said(process)
            self.end(process)
            raise HangError(f"the run did not end within {limit_s:g} s:\n{said}") from None
        return self.execution(process).finished

    def said(self, process: subprocess.Popen[bytes], words: str) -> str:
        """What a run that has ended wrote to stderr, `words` waited for: its witness may speak a moment later."""
        until = time.monotonic() + WITNESS_S
        while words not in (said := self.execution(process).stderr) and time.monotonic() < until:
            time.sleep(0.1)
        return said

    def rerun(self, *extra: str) -> Finished:
        """The same command again, to its end."""
        return self.finish(self.start(*extra))

    def kill(self, process: subprocess.Popen[bytes] | None = None, *, wait: bool = True) -> None:
        """SIGKILL to the driver of a run; with `wait`, until its workers have left and no unit can commit any more."""
        process = process or self.executions[-1].process
        process.kill()
        process.wait()
        if wait:
            assert wait_until_workers_left(self.execution(process).mark, process.pid), "workers outlive their driver"

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Ends every process of a run at once."""
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        end(marked(self.execution(process).mark))

    def clean(self) -> None:
        """Leaves no process of this trial."""
        for execution in self.executions:
            self.end(execution.process)

    def _said(self, process: subprocess.Popen[bytes]) -> str:
        return self.execution(process).stderr[-3000:]


def _environment() -> dict[str, str]:
    """That of tests, less what would change what a run does, or costs."""
    return {name: value for name, value in {**os.environ, **environment()}.items() if name not in _LEFT_OUT}


_LEFT_OUT = (
    *("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION"),
    *("JOB_COMPLETIONS", "JOB_COMPLETION_INDEX"),
    "PYTHONDONTWRITEBYTECODE",  # with it every process compiles the factory: 24 s of a core a run instead of 7
)
