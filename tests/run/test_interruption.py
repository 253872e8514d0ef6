"""Signals to a command, without a run: it ends in good order, at once when asked twice, and in any case."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from factory.leaving import INTERRUPTED_CODE
from factory.run.command import INTERRUPTED
from factory.run.drain import MEANT_S
from tests.runs import REPOSITORY

COMMAND = """
import sys, time
import factory.run.command as command
command.PATIENCE_S = float(sys.argv[1])

def work():
    try:
        print("at work", flush=True)
        time.sleep(60)
    finally:
        print("clearing up", flush=True)
        time.sleep(float(sys.argv[2]))
        print("cleared up", flush=True)
    return 0

sys.exit(command.guarded(work))
"""

NEVER = 600.0


@pytest.fixture
def started(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    """A command at work; its parameters are the patience it has and the time that clearing up takes it, in seconds."""
    patience, clearing = request.param
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(patience), str(clearing)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    yield process
    process.kill()
    process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED_CODE
    assert err.count(INTERRUPTED) == 1
    assert "Traceback" not in err
    return out, err


@pytest.mark.parametrize("started", [(NEVER, 0)], indirect=True)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_command_in_good_order(started: subprocess.Popen[str], sent: signal.Signals) -> None:
    started.send_signal(sent)
    assert "cleared up" in ended(started)[0]


@pytest.mark.parametrize("started", [(NEVER, 2)], indirect=True)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_a_wrapper_passes_on_once_more_changes_nothing(
    started: subprocess.Popen[str], sent: signal.Signals
) -> None:
    started.send_signal(sent)
    assert started.stdout is not None
    assert started.stdout.readline() == "clearing up\n"
    started.send_signal(sent)
    assert "cleared up" in ended(started)[0]


@pytest.mark.parametrize("started", [(NEVER, NEVER)], indirect=True)
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_ctrl_c_once_more_ends_a_command_that_is_still_clearing_up(
    started: subprocess.Popen[str], first: signal.Signals
) -> None:
    started.send_signal(first)
    assert started.stdout is not None
    assert started.stdout.readline() == "clearing up\n"
    time.sleep(2 * MEANT_S)
    started.send_signal(signal.SIGINT)
    assert "cleared up" not in ended(started)[0]


@pytest.mark.parametrize("started", [(1, NEVER)], indirect=True)
def test_a_command_that_cannot_clear_up_ends_when_patience_does(started: subprocess.Popen[str]) -> None:
    started.terminate()
    assert "cleared up" not in ended(started)[0]
