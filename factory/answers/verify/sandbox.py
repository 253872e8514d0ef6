"""Runs a program that nobody has read: Python, without a network, without the machine's files, within limits.

Design: sandbox_process.py isolates and limits; this side starts it, keeps the first part of what the program prints,
and kills the whole of it when it prints too much or outlives every deadline. The result names what isolation there
was. Without namespaces nothing is run, unless the caller says that the network may be had.

What it is not: a virtual machine. A hole in the kernel is a hole in it. The program can read the system's libraries and
Python; it sees no other file, process or network.

Two programs can be joined by pipes, each in a sandbox of its own, where neither reaches the other but by what it says.

Cost: 0.15 s a program on an idle core, most of it two starts of Python.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from factory.answers.verify import sandbox_process
from factory.answers.verify.limits import Limits

SPARE_SECONDS = 10.0
"""Wall seconds beyond the program's own until the sandbox itself is given up: its start, on a busy machine."""


@dataclass(frozen=True)
class Ran:
    """`started` is False where no isolation was to be had, `problem` says why. `code` is the exit code, None where
    `limit` ("wall time", "processor time", "memory", "output") ended it, or it was "ended" with another program.
    `isolation` names the barriers there were."""

    started: bool
    code: int | None
    limit: str
    stdout: str
    stderr: str
    isolation: tuple[str, ...]
    problem: str
    seconds: float


LINGERS_SECONDS = 0.5
"""What the second of two programs has to end by itself when the first has."""


def run_program(program: str, limits: Limits, *, without_network_barrier: bool = False) -> Ran:
    """Runs `program` (Python source) to its end or to a limit. Only Python's standard library is there."""
    return _run(program, limits, without_network_barrier)


def run_linked(first: str, second: str, limits: Limits, *, without_network_barrier: bool = False) -> tuple[Ran, Ran]:
    """Runs two programs side by side. Each finds in LINK the descriptors of two pipes, to read what the other writes
    and to write to it. The second is ended with the first."""
    (first_in, second_out), (second_in, first_out), (over, going_on) = os.pipe(), os.pipe(), os.pipe()
    with ThreadPoolExecutor(1) as pool:
        links = (first_in, first_out), (second_in, second_out)
        other = pool.submit(_run, f"LINK = {links[1]}\n{second}", limits, without_network_barrier, links[1], over)
        try:
            ran = _run(f"LINK = {links[0]}\n{first}", limits, without_network_barrier, links[0])
        finally:
            os.close(going_on)
        try:
            return ran, other.result()
        finally:
            os.close(over)


def _run(
    program: str, limits: Limits, without_network_barrier: bool, link: tuple[int, ...] = (), over: int | None = None
) -> Ran:
    """`link`: descriptors that the program gets, closed here. `over` becomes readable when it is to be ended."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="factory-sandbox-") as scratch:
        report_out, report_in = os.pipe()
        python = os.path.realpath(sys.base_prefix)
        executable = f"python{sys.version_info.major}.{sys.version_info.minor}"
        spec = {
            **limits._asdict(),
            "program": program,
            "python": python,
            "executable": executable,
            "scratch": scratch,
            "report_fd": report_in,
            "without_network_barrier": without_network_barrier,
        }
        # Of its own group, so that it can be killed with all that shares it, and never forked from a threaded worker.
        try:
            process = subprocess.Popen(
                [f"{python}/bin/{executable}", "-I", "-S", "-B", str(sandbox_process.__file__)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(report_in, *link),
                start_new_session=True,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            )
        finally:  # also where nothing was started: who is at the other end waits for that
            for descriptor in (report_in, *link):
                os.close(descriptor)
        try:
            output, limit = _collect(process, json.dumps(spec).encode(), limits, over)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        with os.fdopen(report_out, "rb") as file:
            said = file.read(16_384)
    return _result(said, output, limit, time.monotonic() - started)


def _collect(
    process: subprocess.Popen[bytes], spec: bytes, limits: Limits, over: int | None
) -> tuple[dict[str, bytes], str]:
    """What it prints, and the limit that this side found broken ("ended" where it was ended with another)."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + limits.wall_seconds + SPARE_SECONDS
    kept = {"stdout": bytearray(), "stderr": bytearray()}
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(spec)
        process.stdin.close()
    limit, late = "", "wall time"
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "stdout")
        selector.register(process.stderr, selectors.EVENT_READ, "stderr")
        if over is not None:
            selector.register(over, selectors.EVENT_READ, "over")
        while any(key.data != "over" for key in selector.get_map().values()) and not limit:
            left = deadline - time.monotonic()
            if left <= 0:
                limit = late
                break
            for key, _ in selector.select(left):
                if key.data == "over":
                    selector.unregister(key.fileobj)
                    deadline, late = min(deadline, time.monotonic() + LINGERS_SECONDS), "ended"
                    continue
                data = os.read(key.fd, 65_536)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                kept[key.data] += data
                if len(kept[key.data]) > limits.output_bytes:
                    limit = "output"
    return {name: bytes(data[: limits.output_bytes]) for name, data in kept.items()}, limit


def _result(said: bytes, output: dict[str, bytes], limit: str, seconds: float) -> Ran:
    found = _report(said) or {"started": bool(limit)}
    stdout, stderr = (output[name].decode("utf-8", "replace") for name in ("stdout", "stderr"))
    started, problem = bool(found.get("started")), str(found.get("problem") or "")
    if started and found.get("code") == BROKEN and stderr.startswith("sandbox: "):
        started, problem = False, stderr[:500]
    code, isolation = found.get("code"), found.get("isolation")
    return Ran(
        started=started,
        code=code if not limit and type(code) is int else None,
        limit=limit or str(found.get("limit") or ""),
        stdout=stdout,
        stderr=stderr,
        isolation=tuple(map(str, isolation)) if isinstance(isolation, list) else (),
        problem=problem,
        seconds=seconds,
    )


def _report(said: bytes) -> dict[str, Any]:
    """What the sandbox says of itself; nothing where it was killed before it did."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


BROKEN = 125
"""Exit code of a sandbox that could not be set up."""
