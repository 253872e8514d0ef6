"""Programs that mean harm, in the sandbox as this machine allows it; skipped where it allows no namespaces."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from factory.answers.verify.code import CodeVerdict, code_and_tests, run_tests, verify_code
from factory.answers.verify.config import CodeConfig
from factory.answers.verify.limits import Limits
from factory.answers.verify.sandbox import Ran, run_linked, run_program
from tests.runs import REPOSITORY

LIMITS = Limits(
    cpu_seconds=1, wall_seconds=60, memory_bytes=256 << 20, processes=16, file_bytes=4 << 20, output_bytes=64 << 10
)
BARRIERS = ("network", "files", "processes", "users")


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    ran = run_program("print('hello')", LIMITS)
    if not ran.started:
        pytest.skip(f"no namespaces here: {ran.problem}")
    assert (ran.code, ran.stdout, ran.isolation) == (0, "hello\n", BARRIERS)


def run(program: str, limits: Limits = LIMITS) -> Ran:
    ran = run_program(program, limits)
    assert ran.started, ran.problem
    return ran


def assert_nothing_is_left() -> None:
    """Programs of tests beside this one end by themselves; what escaped its sandbox would not."""
    found = [one for one in psutil.process_iter(["cmdline"]) if "program.py" in (one.info["cmdline"] or [])]
    assert not psutil.wait_procs(found, timeout=30)[1]


def test_an_endless_loop_uses_up_its_processor_time() -> None:
    ran = run("while True: pass")
    # Whichever comes first: the watcher, or the kernel's own limit, a second later.
    assert ran.limit == "processor time" or ran.code not in (0, None)


def test_waiting_for_ever_uses_up_the_time_there_is() -> None:
    assert run("import time\ntime.sleep(1000)", LIMITS._replace(wall_seconds=1)).limit == "wall time"


def test_a_fork_bomb_stays_within_its_number_of_processes_and_dies_whole() -> None:
    bomb = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    ran = run(bomb, LIMITS._replace(wall_seconds=3))
    assert ran.limit in ("processor time", "wall time")
    assert_nothing_is_left()
    counted = run(
        "import os, time\nfor number in range(100):\n    try:\n        if os.fork() == 0:\n            time.sleep(5); "
        "os._exit(0)\n    except OSError:\n        print(number); break\n"
    )
    assert int(counted.stdout) < LIMITS.processes


def test_what_is_left_running_dies_with_the_program() -> None:
    daemon = (
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        time.sleep(600)\n    os._exit(0)\nprint('left')"
    )
    assert run(daemon).stdout == "left\n"
    assert_nothing_is_left()


def test_memory_is_bounded_at_once_and_bit_by_bit() -> None:
    assert "MemoryError" in run("bytearray(1 << 33)").stderr
    grown = run("kept = []\nwhile True: kept.append(bytearray(8 << 20))")
    # Whichever comes first: the limit on its addresses, or the watcher of what it holds.
    assert grown.limit == "memory" or "MemoryError" in grown.stderr


def test_nothing_outside_the_scratch_folder_can_be_written_or_even_seen(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    program = f"""
for path in ("/etc/x", "/usr/x", "/x", "/python/x", "/dev/x", "{tmp_path}/x", "/proc/sys/kernel/hostname"):
    try:
        open(path, "w").write("x")
        print("wrote", path)
    except OSError:
        pass
try:
    print(open("{tmp_path}/secret").read())
except OSError:
    print("unseen")
open("/tmp/own", "w").write("x")
"""
    ran = run(program)
    assert (ran.code, ran.stdout) == (0, "unseen\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_files_and_output_are_bounded() -> None:
    assert run("open('/tmp/a', 'wb').write(b'0' * (64 << 20))").code not in (0, None)
    flood = run("while True: print('x' * 1000)")
    assert flood.limit == "output"
    assert len(flood.stdout) == LIMITS.output_bytes


def test_there_is_no_network_not_even_the_machine_itself() -> None:
    program = """
import socket
for address in (("127.0.0.1", 22), ("1.1.1.1", 53)):
    try:
        socket.create_connection(address, 2)
        print("reached", address)
    except OSError as error:
        print(error.errno)
"""
    assert run(program).stdout.split() == ["101", "101"]


def test_no_capabilities_no_environment_and_no_way_to_new_namespaces() -> None:
    program = """
import ctypes, os
print("CapEff:\\t0000000000000000" in open("/proc/self/status").read())
print(sorted(os.environ))
print(ctypes.CDLL(None).unshare(0x10000000))
"""
    assert run(program).stdout.splitlines() == ["True", "['HOME', 'LANG', 'PATH', 'PYTHONHASHSEED']", "-1"]


CODE = "def add(a, b):\n    return a + b\n"


@pytest.mark.parametrize(
    ("code", "test", "passed", "reason"),
    [
        (CODE, "assert add(1, 2) == 3", True, "passed"),
        (CODE, "assert add(1, 2) == 4", False, "failed"),
        (CODE, ">>> add(1, 2)\n3\n", True, "passed"),
        (CODE, ">>> add(1, 2)\n4\n", False, "failed"),
        (CODE, "def test_add():\n    assert add(1, 1) == 3", False, "failed"),
        (
            CODE,
            "import unittest\nfrom answer import add\nclass T(unittest.TestCase):\n"
            "    def test_add(self):\n        self.assertEqual(add(1, 2), 3)",
            True,
            "passed",
        ),
        ("import sys; sys.exit(0)", "assert True", False, "left_early"),
        ("import os; os._exit(0)", "assert True", False, "left_early"),
        ("def (", "assert True", False, "failed"),
        (CODE, "print('no test')", None, "no_tests"),
    ],
)
def test_tests_decide_about_code(code: str, test: str, passed: bool | None, reason: str) -> None:
    found = run_tests(code, [test], LIMITS)
    assert (found.passed, found.reason) == (passed, reason), found
    assert isinstance(found, CodeVerdict)
    assert found.isolation == (() if passed is None else BARRIERS)


ANSWER = (
    "Here it is:\n```python\ndef add(a, b):\n    return a + b\n```\n\nTests:\n```python\nassert add(1, 2) == 3\n```\n"
)


def test_tests_come_from_the_answer_or_better_from_the_question() -> None:
    code, tests = code_and_tests(ANSWER)
    assert ("".join(code).strip(), [test.strip() for test in tests]) == (CODE.strip(), ["assert add(1, 2) == 3"])
    own = verify_code("Write add.", ANSWER, CodeConfig())
    assert (own.verified, own.by, own.evidence["tests_from"]) == ("yes", "code", "answer")
    asked = verify_code("Write add so that\n`assert add(1, 2) == 4`\nholds.", ANSWER, CodeConfig())
    assert (asked.verified, asked.evidence["tests_from"]) == ("no", "question")
    assert asked.evidence["isolation"] == list(BARRIERS)
    assert verify_code("Write add.", "return a + b", CodeConfig()).verified == "unchecked"


def test_asserts_behind_a_sentence_and_at_the_end_of_the_answers_own_block_are_run() -> None:
    answer = "```python\ndef f(x):\n    return x * x\n```"
    right, wrong = (verify_code(f"Write f. assert f(2)=={value}", answer, CodeConfig()) for value in (4, 5))
    assert (right.verified, right.evidence["tests"], right.evidence["tests_from"]) == ("yes", 1, "question")
    assert wrong.verified == "no"
    block = "stack = [1, 3]\ndef f():\n    return stack.pop()\nassert f() == 3\nassert f() == {0}\nprint('passed')\n"
    for value, verdict in ((1, "yes"), (2, "no")):
        own = verify_code("Write f.", f"```python\n{block.format(value)}```", CodeConfig())
        assert (own.verified, own.evidence["tests"], own.evidence["tests_from"]) == (verdict, 2, "answer")


WITHOUT_NAMESPACES = """
from factory.answers.verify.code import run_tests
from factory.answers.verify.limits import Limits
from factory.answers.verify.sandbox import run_program
for anyway in (False, True):
    ran = run_program("print('ran')", Limits(), without_network_barrier=anyway)
    print(ran.started, ran.isolation, ran.stdout.strip(), bool(ran.problem))
print(run_tests("x = 1", ["assert x == 1"], Limits()).reason)
"""


def test_where_namespaces_are_forbidden_nothing_runs_unless_told_to() -> None:
    script = f'echo 0 > /proc/sys/user/max_user_namespaces && exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", script, WITHOUT_NAMESPACES],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=120,
    )
    if not done.stdout:
        pytest.skip(f"namespaces cannot be forbidden here: {done.stderr[-200:]}")
    assert done.stdout.splitlines() == ["False ()  True", "True () ran True", "no_isolation"]


def test_a_program_cannot_write_its_own_report_or_flood_it() -> None:
    """Every descriptor that it is given beyond its three, it could write: a report of its own would say that there was
    no sandbox, and a failed test would count as none."""
    program = """
import json, os
print(sorted(int(name) for name in os.listdir("/proc/self/fd")))
for number in range(3, 256):
    try:
        os.write(number, json.dumps({"started": False, "isolation": [], "problem": "forged"}).encode())
        print("wrote", number)
    except OSError:
        pass
raise SystemExit(3)
"""
    ran = run(program)
    assert (ran.code, ran.isolation) == (3, BARRIERS)
    descriptors, *wrote = ran.stdout.splitlines()
    assert len(json.loads(descriptors)) == 4  # its three, and the one that lists them
    assert wrote == []


def test_where_one_of_two_cannot_be_started_the_other_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen

    def in_the_main_thread_alone(*arguments: Any, **named: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise OSError("no more processes")
        return start(*arguments, **named)

    monkeypatch.setattr(subprocess, "Popen", in_the_main_thread_alone)
    began = time.monotonic()
    with pytest.raises(OSError, match="no more processes"):
        run_linked("import os\nos.read(LINK[0], 1)", "", LIMITS)
    assert time.monotonic() - began < LIMITS.wall_seconds / 2


def test_other_processes_their_memory_and_their_secrets_are_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-to-be-seen-0042")
    program = """
import ctypes, os, signal
def tried(what, action):
    try:
        return print(what, action())
    except OSError as error:
        print(what, "refused")
libc = ctypes.CDLL(None, use_errno=True)
print("processes", sorted(int(name) for name in os.listdir("/proc") if name.isdigit()))
tried("environment of the first", lambda: open("/proc/1/environ").read())
tried("memory of the first", lambda: open("/proc/1/mem", "rb").read(1))
tried("root of the first", lambda: os.listdir("/proc/1/root/home"))
tried("descriptors of the first", lambda: os.listdir("/proc/1/fd"))
print("trace", libc.ptrace(16, 1, 0, 0))
print("mount", libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))
print("chroot", libc.chroot(b"/tmp"))
tried("device", lambda: os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)))
for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
    tried("signal", lambda: os.kill(1, number))
print("alive")
"""
    ran = run(program)
    assert "never-to-be-seen" not in ran.stdout
    lines = ran.stdout.splitlines()
    found = json.loads(lines[0].removeprefix("processes "))
    assert len(found) <= 3  # the first of the namespace, and its own
    for what in ("environment", "memory", "root", "descriptors"):
        assert f"{what} of the first refused" in lines
    assert {"trace -1", "mount -1", "chroot -1", "device refused", "alive"} <= set(lines), lines
    assert (ran.code, ran.limit) == (0, "")
