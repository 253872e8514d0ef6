"""SIGTERM, as `timeout`, schedulers and node shutdowns send it: to the driver and its group, or to every process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.corpora import write_corpus
from tests.runs import REPOSITORY, command, end_of_ray, environment

SLOW = ("engine.scripted_latency_s=0.5", "engine.units_in_flight=1")
SECONDS = 30
"""Ray gives up on a lost head after 60 s; a scheduler's patience is often 30."""


def begun(corpus: Path, root: Path) -> subprocess.Popen[bytes]:
    """A run in the middle of its extraction, leader of a process group of its own."""
    process = subprocess.Popen(
        command(corpus, str(root), SLOW),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        process_group=0,
    )
    deadline = time.monotonic() + 120
    while not list(root.glob("steps/extract-*/commits/*/*.json")):
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def send_to_group(process: subprocess.Popen[bytes]) -> None:
    # `timeout` signals its child and then the group, which the child is in.
    os.kill(process.pid, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGTERM)


def send_to_all(process: subprocess.Popen[bytes]) -> None:
    for member in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
        member.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("send", [send_to_group, send_to_all])
def test_a_terminated_run_ends_in_good_order_within_seconds(
    send: Callable[[subprocess.Popen[bytes]], None], tmp_path: Path
) -> None:
    corpus, root = write_corpus(tmp_path / "corpus", 40), tmp_path / "root"
    process = begun(corpus, root)
    ray = psutil.Process(process.pid).children(recursive=True)
    send(process)
    try:
        _, stderr = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        end_of_ray(ray)
    assert process.returncode == 130, stderr[-2000:]
    assert b"interrupted; the same command goes on where this one stopped" in stderr
    assert b"Traceback" not in stderr
    (record,) = root.glob("runs/*.json")
    assert json.loads(record.read_text())["state"] == "interrupted"
