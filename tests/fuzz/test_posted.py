"""What anybody on this machine may send to the review page: answered, refused, never a stack."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example
from hypothesis import strategies as st

from factory.review.decisions import read_decisions
from factory.review.rows import Shown
from factory.review.server import ReviewServer
from factory.review.session import BadRequestError, Session
from factory.review.sheet import Item, Sheet
from factory.store.local import LocalStore
from tests.fuzz.breaking import broken_bytes, broken_json, texts
from tests.fuzz.harness import fuzzed, refused

SHEET = Sheet(
    "r1",
    "judge",
    "d",
    "v",
    "8" * 64,
    "random",
    None,
    1,
    1,
    9,
    (),
    ("wrong", "unclear"),
    None,
    (Item("i1", "s1", "data/a", 0),),
    "2024-05-01",
)
SAID: dict[str, Any] = {
    "item": "i1",
    "verdict": "reject",
    "score": 3,
    "reasons": ["wrong"],
    "comment": "no",
    "seconds": 1.5,
    "nonce": "nonce-0001",
}


class Watched(ReviewServer):
    """Remembers what a handler raised instead of printing it."""

    raised: BaseException | None = None

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            self.raised = sys.exc_info()[1]


def session_in(folder: Path) -> Session:
    return Session(
        LocalStore(str(folder)),
        SHEET,
        "ada",
        {"i1": Shown("q", "a")},
        lambda shown: [],
        lambda: "2024-05-01T10:00:00+00:00",
    )


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Watched]:
    with Watched(session_in(place / "served"), token="t" * 32) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


@fuzzed("factory.review.session.Session", share=2, said=broken_json(SAID, 3), undo=st.booleans())
@example(said={**SAID, "verdict": {}}, undo=False)
@example(said={**SAID, "reasons": [[]]}, undo=False)
@example(said={**SAID, "seconds": True}, undo=False)
@example(said={**SAID, "score": 3.0}, undo=False)
@example(said={**SAID, "comment": "\ud800", "nonce": "\ud800" * 9}, undo=False)
def test_a_decision_is_written_as_it_was_meant_or_refused(place: Path, said: Any, undo: bool) -> None:
    if not isinstance(said, dict):
        return
    session = session_in(place / "decided")
    session.load()
    with refused(BadRequestError):
        answer = session.undo(said) if undo else session.decide(said)
        orjson.dumps(answer)
    assert read_decisions(session.records, SHEET, "ada") == session.decisions
    orjson.dumps(session.state())


REQUESTS = [
    f"POST /{'t' * 32}/decide HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(orjson.dumps(SAID))}\r\n\r\n".encode()
    + orjson.dumps(SAID),
    f"GET /{'t' * 32}/items/0/source HTTP/1.1\r\nHost: localhost:80\r\n\r\n".encode(),
    f"GET /{'t' * 32}/state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(),
    f"GET /{'t' * 32}/ HTTP/1.0\r\n\r\n".encode(),
]


@fuzzed("factory.review.server.ReviewServer", data=broken_bytes(REQUESTS))
@example(data=REQUESTS[0].replace(b"application/json", b"application/json; charset=\xff\xfe"))
@example(data=REQUESTS[0].replace(b"POST /", b"POST /\xff"))
@example(data=REQUESTS[1].replace(b"items/0", "items/٣".encode()))
@example(data=REQUESTS[1].replace(b"items/0", b"items/999999"))
def test_any_bytes_sent_are_answered_or_refused(server: Watched, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        said = b""
        while part := connection.recv(65_536):
            said += part
    assert server.raised is None
    if said.startswith(b"HTTP/1."):
        assert int(said.split()[1]) < 500 or said.split()[1] in (b"501", b"505")


@fuzzed("factory.review.session.Session", path=texts("items/0", "items/0/source", "state", ""))
def test_any_path_is_answered_or_refused(server: Watched, path: str) -> None:
    line = "".join(each for each in path if each > " ").encode()
    with socket.create_connection(("127.0.0.1", server.server_address[1]), timeout=10) as connection:
        connection.sendall(
            b"GET /" + b"t" * 32 + b"/" + line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        )
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass
    assert server.raised is None
