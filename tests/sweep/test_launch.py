"""Points that never get as far as Ray: what is said, recorded and given back, here and in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from factory.cli.main import main as factory_cli_main
from factory.leaving import INTERRUPTED_CODE
from factory.store.local import LocalStore
from factory.sweep.launch import Log, error_in
from factory.sweep.record import find_sweep
from tests.runs import REPOSITORY, environment

MISSING = ("-m", "preset=demo", "engine=scripted", "corpus=files", "corpus.paths=[/no/such]")


def sweep(root: Path, *items: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs.run", *MISSING, f"store.root={root}", *items]
    return subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("at_once", [1, 2])
def test_every_point_is_tried_all_failures_are_named_and_the_exit_code_says_so(tmp_path: Path, at_once: int) -> None:
    done = sweep(tmp_path / "root", "seed=1,2", f"sweep.at_once={at_once}")
    assert done.returncode == 3, done.stderr
    assert "point 1 of 2: seed=1" in done.stderr
    assert done.stderr.count("CorpusError: ") >= 4
    named = done.stderr[done.stderr.index("2 of 2 points failed:") :].splitlines()
    assert named[1].startswith("  point 1 (seed=1), exit code 3: CorpusError: ")
    assert named[2].startswith("  point 2 (seed=2), exit code 3: CorpusError: ")
    closing = json.loads(done.stdout.splitlines()[-1])
    assert closing["state"] == "failed"
    assert closing["failed"] == ["seed=1", "seed=2"]
    record = find_sweep(LocalStore(str(tmp_path / "root")), "last")
    assert [(point.state, point.exit_code) for point in record.points] == [("failed", 3)] * 2
    assert record.launcher == ("here" if at_once == 1 else "processes")
    assert factory_cli_main(["compare", str(tmp_path / "root"), "--sweep", closing["sweep"]]) == 0


@pytest.mark.parametrize("at_once", [1, 2])
def test_with_json_every_line_is_json_and_what_ended_a_point_is_known(tmp_path: Path, at_once: int) -> None:
    done = sweep(tmp_path / "root", "seed=1,2", f"sweep.at_once={at_once}", "observe.logs=json")
    assert done.returncode == 3, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["error"] for line in lines if line["event"] == "failed"] == ["CorpusError"] * 2
    record = find_sweep(LocalStore(str(tmp_path / "root")), "last")
    assert ["CorpusError: " in point.error for point in record.points] == [True, True]


def test_jobs_without_a_cluster_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    done = sweep(tmp_path / "root", "seed=1,2", "sweep.jobs=true")
    assert done.returncode == 2
    assert "cluster.address names no cluster" in done.stderr
    assert not (tmp_path / "root").exists()


def test_a_bad_point_is_named_and_nothing_is_started(tmp_path: Path) -> None:
    done = sweep(tmp_path / "root", "seed=1,-1")
    assert done.returncode == 2
    assert "point 2 of 2 (seed=-1)" in done.stderr
    assert not (tmp_path / "root").exists()


def test_a_point_in_a_process_ends_with_its_sweep(tmp_path: Path) -> None:
    """The sweep is killed; a point that is left alone would go on with nobody to see it."""
    code = (
        "import subprocess, sys, time; "
        "subprocess.Popen([sys.executable, '-c', "
        "'import factory.sweep.child as c, os, threading, time; '"
        "'threading.Thread(target=c.end_with, args=(os.getppid(),), daemon=True).start(); '"
        "'print(os.getpid(), flush=True); time.sleep(600)']); time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    try:
        child.wait(timeout=60)
    except psutil.TimeoutExpired:
        os.kill(child.pid, signal.SIGKILL)
        raise


def test_a_point_whose_sweep_ended_before_it_could_look_ends_too(tmp_path: Path) -> None:
    points = [item for item in MISSING if item != "-m"]
    command = [sys.executable, "-m", "factory.sweep.child", "1", *points, f"store.root={tmp_path / 'root'}"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=200)
    assert done.returncode in (-signal.SIGTERM, INTERRUPTED_CODE), done.stderr
    assert not (tmp_path / "root").exists()


def test_a_log_gives_its_lines_and_keeps_the_closing_object() -> None:
    lines: list[str] = []
    log = Log(lines.append)
    for piece in ("one\ntw", "o\n", '{"run": "ab", "sam', 'ples": 3}\n', '{"other": 1}\n'):
        log.write(piece)
    outcome = log.outcome(0)
    assert lines == ["one", "two", '{"other": 1}']
    assert outcome.result == {"run": "ab", "samples": 3}
    assert log.outcome(4).result == {}


def test_what_ended_a_point_is_found_in_its_log() -> None:
    assert error_in(["a line", "GateError: none", "  likely cause: x"], 7) == "GateError: none"
    as_json = '{"time": "x", "level": "error", "error": "GateError", "message": "none"}'
    assert error_in([as_json, "a line"], 7) == "GateError: none"
    assert error_in(["a line"], 137) == "ended by signal 9"
    assert error_in(["a line"], 1) == "a line"
    assert error_in([], 1) == ""
