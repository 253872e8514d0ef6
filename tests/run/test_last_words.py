"""A driver that is ended from within, or killed: its witness says what it could not."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from tests.runs import REPOSITORY

DRIVER = """
import os, signal, sys
from factory.observe import logs
from factory.run import last_words
from factory.run.last_words import witnessed

last_words.interruption_is("interrupted; the same command goes on")
with logs.logging_as(sys.argv[1] == "json"), witnessed():
    {body}
print("at its end", file=sys.stderr, flush=True)
"""


def said(body: str, form: str = "text") -> tuple[int, str]:
    """Exit code of a driver that does this while it is witnessed, and what stands on stderr when all have left it."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER.format(body=body), form],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


def test_driver_that_ray_ends_on_the_spot_is_spoken_for() -> None:
    code, error = said("os._exit(1)")
    assert code == 1
    assert error.startswith("ClusterError: the run's process ended without a word\n  likely cause: it was killed")
    assert "give the same command again; what is committed is kept" in error


def test_driver_that_is_killed_is_spoken_for() -> None:
    code, error = said("os.kill(os.getpid(), signal.SIGKILL)")
    assert code == -9
    assert "ended without a word" in error


def test_driver_that_was_leaving_is_said_to_be_interrupted() -> None:
    assert said("last_words.leaving(); os._exit(1)") == (1, "interrupted; the same command goes on\n")


def test_driver_that_speaks_for_itself_is_not_interrupted() -> None:
    assert said("last_words.leaving()") == (0, "at its end\n")
    assert said("last_words.leaving(); last_words.said(); os._exit(130)") == (130, "")


def test_driver_that_fails_speaks_for_itself() -> None:
    code, error = said("raise SystemExit('failed')")
    assert (code, error) == (1, "failed\n")


@pytest.mark.parametrize("body", ["os._exit(1)", "last_words.leaving(); os._exit(1)"])
def test_logs_as_json_get_one_line_with_the_time_of_the_end(body: str) -> None:
    before = time.time()
    _, error = said(f"import time; time.sleep(1.5); {body}", "json")
    line = json.loads(error)
    assert line["event"] == ("interrupted" if "leaving" in body else "failed")
    assert "the same command" in (line["remedy"] if line["event"] == "failed" else line["message"])
    from datetime import datetime

    assert datetime.fromisoformat(line["time"]).timestamp() > before + 1.5


def test_signal_to_the_group_leaves_the_witness_alone() -> None:
    code, error = said(
        "signal.signal(signal.SIGTERM, signal.SIG_IGN); os.setpgid(0, 0); os.killpg(0, signal.SIGTERM); os._exit(1)"
    )
    assert code == 1
    assert "ended without a word" in error
