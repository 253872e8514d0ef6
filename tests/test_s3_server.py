"""The server the other tests rely on: it ends, whatever happens to its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import S3
from tests.s3_server import _runs, running

REPOSITORY = Path(__file__).resolve().parents[1]


def ended(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _runs(pid)


def test_a_server_ends_and_its_folder_goes_when_the_test_fails() -> None:
    seen: list[tuple[int, Path]] = []

    def failing_test() -> None:
        with running() as server:
            pid = server.pid()
            assert pid is not None
            assert _runs(pid)
            seen.append((pid, Path(server.folder)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing_test()
    ((pid, folder),) = seen
    assert ended(pid)
    assert not folder.exists()


def test_a_server_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    code = """
import sys, time
from tests.s3_server import S3Server, free_port
server = S3Server(sys.argv[1], free_port())
server.start()
print(server.pid(), flush=True)
time.sleep(600)
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert _runs(pid)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    assert ended(pid)


def test_it_listens_on_the_loopback_interface_only(s3: S3) -> None:
    pid = s3.server.pid()
    sockets = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                listening.append(fields[1].split(":")[0])
    assert len(listening) >= 4
    assert set(listening) == {"0100007F"}
