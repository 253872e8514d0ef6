"""Worker processes in place of Ray: what they return, raise and survive, and that none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from factory.cluster.config import ClusterConfig
from factory.errors import ClusterError, CorpusError
from factory.run.execute import each_on_worker, on_worker
from factory.run.processes import Workers, cores, current, in_threads, process_session
from tests.runs import REPOSITORY


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with process_session(ClusterConfig(executor="processes", cpus=2)) as found:
        yield found


def pid_of() -> int:
    return os.getpid()


def nested(number: int) -> list[int]:
    return each_on_worker(partial(pow, 2), [number, number + 1])


def fail() -> None:
    raise CorpusError("it is gone", cause="somebody", remedy="bring it back")


def die_once(mark: str) -> str:
    if not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "there"


def die(_mark: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_work_is_done_in_another_process_and_in_the_order_of_the_items(workers: Workers) -> None:
    assert current() is workers
    assert on_worker(pid_of) != os.getpid()
    assert each_on_worker(partial(pow, 2), list(range(9))) == [2**number for number in range(9)]
    assert each_on_worker(pid_of_item, []) == []


def pid_of_item(_: object) -> int:
    return os.getpid()


def test_work_that_hands_out_work_does_it_itself(workers: Workers) -> None:
    assert workers.call(nested, 3) == [8, 16]


def test_errors_of_ours_come_back_as_they_are(workers: Workers) -> None:
    with pytest.raises(CorpusError) as caught:
        on_worker(fail)
    assert (caught.value.what, caught.value.remedy) == ("it is gone", "bring it back")


def test_a_worker_that_dies_costs_its_work_once_more(workers: Workers, tmp_path: Path) -> None:
    assert workers.call(die_once, str(tmp_path / "mark")) == "there"


def test_work_that_kills_its_workers_ends_with_words(workers: Workers) -> None:
    with pytest.raises(ClusterError, match="memory"):
        workers.call(die, "")
    assert on_worker(pid_of) != os.getpid(), "the next one is worked all the same"


def test_nothing_is_left_behind() -> None:
    before = {each.pid for each in psutil.Process().children(recursive=True)}
    with process_session(ClusterConfig(executor="processes", cpus=1)) as workers:
        worker = workers.call(pid_of)
    assert current() is not workers
    end = time.monotonic() + 30
    while psutil.pid_exists(worker) and worker not in before:
        assert time.monotonic() < end
        time.sleep(0.05)
    with pytest.raises(ClusterError):
        workers.call(pid_of)


SESSION = """
import time
from factory.cluster.config import ClusterConfig
from factory.run.processes import process_session
from tests.run.test_processes import pid_of

if __name__ == "__main__":
    with process_session(ClusterConfig(executor="processes", cpus=1)) as workers:
        print(workers.call(pid_of), flush=True)
        time.sleep(600)
"""


def test_workers_end_when_the_run_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "session.py"
    script.write_text(SESSION)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    run = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment)
    assert run.stdout is not None
    worker = psutil.Process(int(run.stdout.readline()))
    server = worker.parent()
    run.kill()
    run.communicate()
    assert server is not None
    assert psutil.wait_procs([worker, server], timeout=60)[1] == []


INTERRUPTED = """
import os, sys
from factory.cluster.config import ClusterConfig
from factory.run.processes import process_session
from tests.run.test_processes import pid_of

if __name__ == "__main__":
    try:
        with process_session(ClusterConfig(executor="processes", cpus=1)) as workers:
            print("begun", flush=True)
            workers.call(pid_of)
            workers.call(pid_of)
    except KeyboardInterrupt:
        os._exit(130)
"""


@pytest.mark.parametrize("after_s", [0.1, 0.4])
def test_ctrl_c_while_workers_start_is_answered_by_the_run_alone(after_s: float, tmp_path: Path) -> None:
    """They are importing then, and Ctrl-C reaches every process of the terminal."""
    script = tmp_path / "session.py"
    script.write_text(INTERRUPTED)
    run = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        start_new_session=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "begun\n"
    time.sleep(after_s)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (130, "")


def test_threads_give_all_they_have_and_the_first_error() -> None:
    left = iter(range(20))
    assert sorted(in_threads(lambda: next(left, None), lambda number: [number, -number], 4)) == sorted(
        [*range(20), *(-number for number in range(20))]
    )

    def broken(number: int) -> list[int]:
        if number == 3:
            raise CorpusError("no")
        return [number]

    more = iter(range(20))
    with pytest.raises(CorpusError):
        list(in_threads(lambda: next(more, None), broken, 2))


def test_cores_are_those_that_may_be_used() -> None:
    assert cores(ClusterConfig(executor="processes", cpus=3)) == 3
    assert 1 <= cores(ClusterConfig(executor="processes")) <= len(os.sched_getaffinity(0))
