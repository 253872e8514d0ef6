"""Runs a program that nobody has read: Python, without a network, without the machine's files, within limits.

Design: sandbox_process.py isolates and limits; this side starts it, keeps the first part of what the program prints,
and kills the whole of it when it prints too much or outlives every deadline. The result names what isolation there
was. Without namespaces nothing is run, unless the caller says that the network may be had.

What it is not: a virtual machine. A hole in the kernel is a hole in it. The program can read the system's libraries and
Python; it sees no other file, process or network.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.answers.verify.limits import Limits

SPARE_SECONDS = 10.0
"""Wall seconds beyond the program's own until the sandbox itself is given up: its start, on a busy machine."""


@dataclass(frozen=True)
class Ran:
    """`started` is False where no isolation was to be had, `problem` says why. `code` is the exit code, None where
    `limit` ("wall time", "processor time", "memory", "output") ended it. `isolation` names the barriers there were."""

    started: bool
    code: int | None
    limit: str
    stdout: str
    stderr: str
    isolation: tuple[str, ...]
    problem: str
    seconds: float


def run_program(program: str, limits: Limits, *, without_network_barrier: bool = False) -> Ran:
    """Runs `program` (Python source) to its end or to a limit. Only Python's standard library is there."""
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
        process = subprocess.Popen(
            [f"{python}/bin/{executable}", "-I", "-S", "-B", str(Path(__file__).with_name("sandbox_process.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(report_in,),
            start_new_session=True,
            env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )
        os.close(report_in)
        try:
            output, limit = _collect(process, json.dumps(spec).encode(), limits)
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


def _collect(process: subprocess.Popen[bytes], spec: bytes, limits: Limits) -> tuple[dict[str, bytes], str]:
    """What it prints, and the limit that this side found broken."""
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + limits.wall_seconds + SPARE_SECONDS
    kept = {"stdout": bytearray(), "stderr": bytearray()}
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(spec)
        process.stdin.close()
    limit = ""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, "stdout")
        selector.register(process.stderr, selectors.EVENT_READ, "stderr")
        while selector.get_map() and not limit:
            left = deadline - time.monotonic()
            if left <= 0:
                limit = "wall time"
                break
            for key, _ in selector.select(left):
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
