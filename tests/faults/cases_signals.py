"""Signals: SIGTERM as schedulers, `timeout` and node shutdowns send it, and Ctrl-C, once and twice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time

import psutil

from tests.faults.case import Case
from tests.faults.outcome import Outcome
from tests.faults.processes import GONE_S, marked
from tests.faults.trial import Trial

GRACE_S = 30.0
"""What Kubernetes and Slurm give between SIGTERM and SIGKILL, unless told otherwise."""

STARTS_S = 60.0

STARTED_S = {"ray": 8.0, "processes": 3.0}
"""Seconds from the first look at the root until units of the first steps are worked."""

AT_ONCE_S = 15.0
"""What an end without waiting for units may take: 1 to 3 s, 8 s at most, and more on a busy machine."""

SAID = "interrupted; the same command goes on where this one stopped"

RAY_ABORTED, RAY_ABORTED_CODE = "An unexpected system state has occurred", 1
"""What Ray's core writes when it ends the process it is part of, and the code that it gives: "Tried to complete task
that was not pending", while a run was leaving (seen once, preempted without grace, seed 11). A witness then speaks for
the run (factory/run/last_words.py); the code is Ray's."""

DRAINS = "under way and may commit within"


def terminated(trial: Trial) -> None:
    """SIGTERM to the driver, as on preemption: within the grace period of 30 s what was under way is committed, nothing
    more is begun, and the run has left in good order."""
    process = trial.start()
    trial.moment()
    process.terminate()
    _left_in_good_order(trial, process)
    assert not trial.in_flight(), "units were left that had time to commit"


def terminated_without_grace(trial: Trial) -> None:
    """SIGTERM to the driver where the platform gives no time to speak of (`cluster.grace_seconds=5`): it leaves."""
    process = trial.start()
    trial.moment()
    process.terminate()
    _left_in_good_order(trial, process)
    assert DRAINS not in trial.execution(process).stderr


def terminated_twice(trial: Trial) -> None:
    """SIGTERM to the driver, units of 8 s under way, and again after one to three seconds: then it leaves at once."""
    process = trial.start()
    trial.moment()
    process.terminate()
    time.sleep(trial.rng.uniform(1, 3))
    waited = DRAINS in trial.execution(process).stderr
    process.terminate()
    _left_in_good_order(trial, process, limit_s=AT_ONCE_S if waited else GRACE_S)


def terminated_with_group(trial: Trial) -> None:
    """SIGTERM to the driver and then to its group, as `timeout` sends it."""
    process = trial.start()
    trial.moment()
    process.terminate()
    os.killpg(process.pid, signal.SIGTERM)
    _left_in_good_order(trial, process)


def all_terminated(trial: Trial) -> None:
    """SIGTERM to every process of the run, as a machine sends it that shuts down."""
    process = trial.start()
    trial.moment()
    for each in marked(trial.execution(process).mark):
        with contextlib.suppress(psutil.Error):
            each.terminate()
    _left_in_good_order(trial, process)


def interrupted(trial: Trial) -> None:
    """Ctrl-C in the terminal."""
    process = trial.start()
    trial.moment()
    os.killpg(process.pid, signal.SIGINT)
    _left_in_good_order(trial, process)


def interrupted_twice(trial: Trial) -> None:
    """Ctrl-C, and again within two seconds, while the run is leaving."""
    process = trial.start()
    trial.moment()
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(trial.rng.uniform(0, 2))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    _left_in_good_order(trial, process)


def interrupted_at_the_start(trial: Trial) -> None:
    """Ctrl-C in the first seconds, while the run plans, starts Ray or its workers, or begins."""
    process = trial.start()
    until = time.monotonic() + STARTS_S
    while not trial.local.exists() and time.monotonic() < until:  # before that, Python is importing
        time.sleep(0.05)
    time.sleep(trial.rng.uniform(0, STARTED_S[trial.executor]))
    trial.note()
    os.killpg(process.pid, signal.SIGINT)
    finished = trial.finish(process, limit_s=GRACE_S)
    assert finished.code == 130, f"exit code {finished.code}:\n{finished.stderr[-3000:]}"
    assert "Traceback" not in finished.stderr, finished.stderr[-3000:]
    _nobody_left(trial, process)


def _left_in_good_order(trial: Trial, process: subprocess.Popen[bytes], limit_s: float = GRACE_S) -> None:
    """Within the grace period, with words and a record; of its processes none that works is left soon after."""
    finished = trial.finish(process, limit_s=limit_s)
    said = trial.said(process, SAID)
    assert finished.code == (RAY_ABORTED_CODE if RAY_ABORTED in said else 130), (
        f"exit code {finished.code}:\n{said[-3000:]}"
    )
    assert SAID in said, said[-3000:]
    assert "Traceback" not in said, said[-3000:]
    (record,) = trial.local.glob("runs/*.json")
    assert json.loads(record.read_text())["state"] == "interrupted"
    begun = {each.key for each in trial.in_flight()}
    time.sleep(1)
    assert {each.key for each in trial.in_flight()} <= begun, "units are begun after the run has left"
    _nobody_left(trial, process)


def _nobody_left(trial: Trial, process: subprocess.Popen[bytes]) -> None:
    """Ray's own agents take a minute to notice that they are alone; everybody else has to leave."""
    until = time.monotonic() + GONE_S
    while left := {kind: found for kind, found in trial.processes(process).items() if kind != "service" and found}:
        assert time.monotonic() < until, f"processes are left: {left}"
        time.sleep(0.2)


def nothing_redone(_trial: Trial, outcome: Outcome) -> None:
    assert not outcome.lost_attempts, f"{outcome.lost_attempts} attempts were lost that had time to commit"


CASES = (
    Case("preempted", terminated, check=nothing_redone),
    Case("preempted without grace", terminated_without_grace, disturbing=("cluster.grace_seconds=5",)),
    Case("preempted twice", terminated_twice, disturbing=("engine.scripted_latency_s=8",), documents=12),
    Case("SIGTERM to the group", terminated_with_group, check=nothing_redone),
    Case("SIGTERM to every process", all_terminated),
    Case("Ctrl-C", interrupted),
    Case("Ctrl-C twice", interrupted_twice),
    Case("Ctrl-C at the start", interrupted_at_the_start),
)
