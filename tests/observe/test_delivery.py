"""Lineage events get through to a server that errs, and nobody waits for one that does not answer."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from itertools import groupby
from pathlib import Path

import pytest

from factory.errors import ConfigError
from factory.observe.delivery import Delivery, File, RefusedError, Server, UnsentError, target_of
from tests.observe.marquez import marquez

SOON_S = 20.0


def _event(number: int) -> bytes:
    return b'{"job":{"name":"j"},"eventType":"%d"}\n' % number


def test_events_come_in_order_through_errors_stalls_and_hang_ups() -> None:
    with marquez() as server:
        server.moods = [503, "hang up", 201, 429, "stall"]
        delivery = Delivery(target_of(server.address, timeout_s=0.3))
        for number in range(4):
            delivery.put(_event(number))
        outcome = delivery.close(SOON_S)
    assert (outcome.put, outcome.sent) == (4, 4)
    # On a busy machine an answer may take longer than the limit here, and its event is sent once more.
    assert [state for state, _ in groupby(server.states("j"))] == ["0", "1", "2", "3"]
    assert server.paths == {"/api/v1/lineage"}


def test_an_event_that_is_refused_holds_up_no_other() -> None:
    with marquez() as server:
        server.moods = [201, 400, 201]
        delivery = Delivery(target_of(f"{server.address}/events", timeout_s=5))
        for number in range(3):
            delivery.put(_event(number))
        outcome = delivery.close(SOON_S)
    assert (outcome.put, outcome.sent) == (3, 2)
    assert server.states("j") == ["0", "2"]
    assert server.paths == {"/events"}


def test_whoever_puts_never_waits_and_what_is_too_much_is_counted() -> None:
    asked, go = threading.Event(), threading.Event()

    class Stalled:
        where = "nowhere"

        def send(self, data: bytes) -> None:
            asked.set()
            go.wait(SOON_S)

    delivery = Delivery(Stalled(), queued=3)
    delivery.put(_event(0))
    assert asked.wait(SOON_S)
    for number in range(1, 6):
        delivery.put(_event(number))  # would not return if it waited for the other side: that waits for `go`
    go.set()
    outcome = delivery.close(SOON_S)
    assert (outcome.put, outcome.sent) == (6, 3)


def test_a_server_that_never_answers_is_given_up_at_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        delivery = Delivery(target_of(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=60))
        delivery.put(_event(0))
        outcome = delivery.close(0.3)
    assert (outcome.put, outcome.sent) == (1, 0)


def test_the_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "geheim-4711")
    with marquez() as server:
        Server(server.address, 5).send(_event(0))
    assert server.tokens == {"Bearer geheim-4711"}


def test_answers_are_told_apart(tmp_path: Path) -> None:
    with marquez() as server:
        server.moods = [401, 302, 500]
        target = Server(server.address, 5)
        for expected in (RefusedError, RefusedError, UnsentError):
            with pytest.raises(expected):
                target.send(_event(0))
    with pytest.raises(UnsentError):
        File(str(tmp_path / "gone" / "events")).send(_event(0))
    with pytest.raises(RefusedError):
        File(str(tmp_path)).send(_event(0))


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(_event(0))
    delivery = Delivery(target_of(str(path), timeout_s=5))
    delivery.put(_event(1))
    assert delivery.close(SOON_S).sent == 1
    assert path.read_bytes() == _event(0) + _event(1)


def test_an_event_that_a_full_disk_takes_half_of_is_not_sent_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(_event(0))
    full = len(_event(0)) + 5
    program = (
        "import resource, sys\n"
        "from factory.observe.delivery import File, UnsentError\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({full}, resource.RLIM_INFINITY))\n"
        "try:\n"
        f"    File({str(path)!r}).send({_event(1)!r})\n"
        "except UnsentError:\n"
        "    sys.exit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 3
    File(str(path)).send(_event(1))
    assert path.read_bytes() == _event(0) + _event(1)


@pytest.mark.parametrize(
    "address",
    ["ftp://host/x", "http://", "http://user:secret@host", "http://host:99999", "http://[::1", "/no/such/folder/file"],
)
def test_an_address_that_is_none_is_refused_without_its_password(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        target_of(address, timeout_s=5)
    assert "secret" not in str(caught.value)


def test_a_delivery_without_events_starts_no_thread() -> None:
    before = threading.active_count()
    delivery = Delivery(target_of("http://127.0.0.1:9", timeout_s=5))
    began = time.monotonic()
    assert delivery.close(SOON_S).put == 0
    assert threading.active_count() == before
    assert time.monotonic() - began < SOON_S
