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
from tests.s3_server import _runs, free_port, running

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


def test_the_laptop_server_keeps_data_and_credentials_from_one_start_to_the_next(tmp_path: Path) -> None:
    def serve(port: int) -> tuple[subprocess.Popen[str], dict[str, str]]:
        command = [sys.executable, "infra/object-store/serve.py", "--dir", str(tmp_path), "--port", str(port)]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        assert started.stdout is not None
        lines = [started.stdout.readline() for _ in range(6)]
        return started, dict(line.removeprefix("export ").strip().split("=", 1) for line in lines[:4])

    def end(started: subprocess.Popen[str]) -> None:
        started.send_signal(signal.SIGINT)
        assert started.wait(timeout=30) == 0
        assert started.stdout is not None
        started.stdout.close()

    def call(environment: dict[str, str], code: str) -> str:
        code = "from factory.store.open import open_root; store = open_root('s3://factory/demo'); " + code
        hidden = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **hidden, **environment},
            capture_output=True,
            text=True,
            check=True,
            cwd=REPOSITORY,
        )
        return done.stdout

    port = free_port()
    first, environment = serve(port)
    call(environment, "store.put('a', b'kept')")
    end(first)
    assert (tmp_path / "credentials.json").stat().st_mode & 0o077 == 0
    second, again = serve(port)
    assert again == environment
    assert call(again, "print(store.get('a'))") == "b'kept'\n"
    end(second)
