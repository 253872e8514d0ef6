"""SIGTERM while units are under way, without a run: who goes on, for how long, and who leaves at once.

What a whole run does is the case "preempted" of the fault suite, which `make test` tries."""

from __future__ import annotations

import subprocess
import sys

from factory.leaving import INTERRUPTED_CODE
from factory.run.drain import LEAVES_S
from tests.resident import LOOPBACK, resident
from tests.runs import REPOSITORY, environment

RUN = """
import signal, sys, time
import ray
from ray.experimental import internal_kv
from factory.run import command, drain

def work():
    on_terminate = signal.getsignal(signal.SIGTERM)
    ray.init(address=sys.argv[1], log_to_driver=False)
    signal.signal(signal.SIGTERM, on_terminate)  # Ray takes it for itself (factory/run/session.py)

    @ray.remote(num_cpus=0)
    def unit(seconds):
        with drain.under_way("step-1", "unit") as may_begin:
            if not may_begin:
                return "not begun"
            time.sleep(seconds)
            return "committed"

    with drain.patient(float(sys.argv[2])):
        first = unit.remote(float(sys.argv[3]))  # kept: what nobody refers to is not worked
        while not drain._units_under_way():
            time.sleep(0.05)
        print("at work", flush=True)
        mark = drain._mark_key(drain._job())
        while not drain.is_leaving():
            time.sleep(0.05)  # where a signal that is not spared ends the run: not inside of Ray
        while not internal_kv._internal_kv_exists(mark, namespace=drain.NAMESPACE):
            time.sleep(0.05)
        print(ray.get(unit.remote(0)), flush=True)
        time.sleep(600)
    return 0

sys.exit(command.guarded(work))
"""

THREADS = """
import queue, sys, threading, time
from factory.run import command, drain

def work():
    begun = threading.Semaphore(0)

    def units():
        for unit in range(9):
            with drain.under_way("step-1", f"{threading.get_ident()}-{unit}") as may_begin:
                if not may_begin:
                    return
                begun.release()
                time.sleep(3)
                sys.stdout.write("committed\\n")

    with drain.patient(60):
        for _ in range(2):
            threading.Thread(target=units, daemon=True).start()
        begun.acquire(), begun.acquire()
        print("at work", flush=True)
        time.sleep(600)
    return 0

sys.exit(command.guarded(work))
"""

LOST = """
import sys, time
from factory.run import command, drain

def work():
    with drain.patient(60):
        print("at work", flush=True)
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            pass  # as Python does with one that comes up in a destructor, or in a callback of Ray's
    print("units without receipts")
    return 0

sys.exit(command.guarded(work))
"""

LONG = 120.0


def started(grace_s: float, unit_s: float) -> subprocess.Popen[str]:
    """A driver whose one unit takes so long, once that is under way."""
    shared = resident(environment())
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, shared.join(), str(grace_s), str(unit_s)],
        cwd=REPOSITORY,
        env={**environment(), **LOOPBACK},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    return process


def ended(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    out, err = process.communicate(timeout=LONG)
    assert process.returncode == INTERRUPTED_CODE, err
    assert "Traceback" not in err
    return out.split("\n")[:-1], err


def test_a_unit_that_takes_longer_than_the_platform_gives_is_left() -> None:
    process = started(LEAVES_S + 1, unit_s=LONG)
    process.terminate()
    said, errors = ended(process)
    assert "committed" not in said, "none is begun any more"
    assert "1 unit is under way" in errors


def test_units_in_threads_of_the_driver_end_as_well() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", THREADS], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.terminate()
    said, errors = ended(process)
    assert said == ["committed"] * 2
    assert "SIGTERM: 2 units are under way" in errors


def test_a_run_leaves_although_the_interrupt_was_lost_on_its_way() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LOST], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.terminate()
    said, _ = ended(process)
    assert said == []


def test_without_time_to_speak_of_nothing_is_waited_for() -> None:
    process = started(LEAVES_S, unit_s=LONG)
    process.terminate()
    said, errors = ended(process)
    assert said == []
    assert "under way" not in errors
