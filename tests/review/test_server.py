"""What gets through to the page over real HTTP, and what does not."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from factory.errors import ConfigError
from factory.review.decisions import read_decisions
from factory.review.server import MAX_BODY, MAX_CONNECTIONS, ReviewServer
from factory.review.session import Session
from tests.review.conftest import Opens


@pytest.fixture
def session(opens: Opens) -> Session:
    return opens("--size", "3")


@pytest.fixture
def server(session: Session) -> Iterator[ReviewServer]:
    with ReviewServer(session) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


Answer = tuple[int, Any, http.client.HTTPMessage]


def send(server: ReviewServer, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    """`path` is below the token unless it starts with a slash; headers as given, `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path if path.startswith("/") else f"/{server.token}/{path}", body, named)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, data, answer.headers


def a_decision(session: Session, **more: Any) -> bytes:
    item = session.sheet.items[0].item
    return orjson.dumps({"item": item, "verdict": "accept", "nonce": "a-nonce-of-a-test", **more})


def post(server: ReviewServer, path: str, body: bytes, **headers: str) -> Answer:
    return send(server, "POST", path, body, **{"Content_Type": "application/json", **headers})


def test_a_decision_that_was_answered_is_on_the_store(server: ReviewServer, session: Session) -> None:
    status, data, _ = post(server, "decide", a_decision(session))
    assert (status, orjson.loads(data)["decided"]["verdict"]) == (200, "accept")
    assert [each.verdict for each in read_decisions(session.records, session.sheet)] == ["accept"]


def test_without_the_token_there_is_nothing(server: ReviewServer, session: Session) -> None:
    wrong = "x" * len(server.token)
    for path in ("/", "/state", f"/{wrong}/", f"/{wrong}/state", f"/{server.token}", f"/{server.token}x/state"):
        assert send(server, "GET", path)[0] == 404
    assert post(server, f"/{wrong}/decide", a_decision(session))[0] == 404
    assert read_decisions(session.records, session.sheet) == []


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "0.0.0.0", "", "[", "127.0.0.1@evil.example"]
)
def test_another_host_name_gets_nothing_even_with_the_token(server: ReviewServer, session: Session, host: str) -> None:
    """DNS rebinding: a name of somebody else that leads to 127.0.0.1."""
    assert send(server, "GET", "state", Host=host)[0] == 403
    assert post(server, "decide", a_decision(session), Host=host)[0] == 403
    assert read_decisions(session.records, session.sheet) == []


def test_a_tunnel_may_end_at_another_port(server: ReviewServer) -> None:
    assert send(server, "GET", "state", Host="localhost:9999")[0] == 200


def test_another_page_cannot_post_a_decision(server: ReviewServer, session: Session) -> None:
    host = f"127.0.0.1:{server.server_address[1]}"
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"https://{host}"):
        assert post(server, "decide", a_decision(session), Origin=origin)[0] == 403
    # What a form of another page can send without asking first.
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert post(server, "decide", a_decision(session), Content_Type=kind)[0] == 415
    assert read_decisions(session.records, session.sheet) == []
    assert post(server, "decide", a_decision(session), Origin=f"http://{host}")[0] == 200


def test_bodies_that_are_no_decision_are_refused(server: ReviewServer, session: Session) -> None:
    assert post(server, "decide", b"[1]")[0] == 400
    assert post(server, "decide", b"{")[0] == 400
    assert post(server, "decide", b" " * (MAX_BODY + 1))[0] == 413
    status, data, _ = post(server, "decide", a_decision(session, score=9))
    assert (status, "1 to 5" in orjson.loads(data)["error"]) == (400, True)
    assert post(server, "elsewhere", a_decision(session))[0] == 404
    for length in ("-1", "x", "9" * 5000):
        assert post(server, "decide", b"", Content_Length=length)[0] == 413
    assert send(server, "GET", "items/3")[0] == 400
    assert send(server, "GET", "items/../state")[0] == 404
    assert read_decisions(session.records, session.sheet) == []


def test_the_page_allows_its_own_style_and_script_and_nothing_else(server: ReviewServer) -> None:
    status, data, headers = send(server, "GET", "")
    assert status == 200
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    text = data.decode()
    assert not re.search(r"\{\{|https?://(?!\?)[a-z]|\son[a-z]+=|\sstyle=", text)
    assert server.token not in text


def test_a_store_that_fails_is_said_and_the_decision_not_confirmed(
    server: ReviewServer, session: Session, tmp_path: Any
) -> None:
    from factory.store.local import LocalStore

    blocked = tmp_path / "a file"
    blocked.write_text("where a folder would have to be")
    session.records = LocalStore(str(blocked))
    status, data, _ = post(server, "decide", a_decision(session))
    assert status == 503
    assert orjson.loads(data)["error"]
    assert session.decisions == []


def test_it_listens_on_the_loopback_alone(server: ReviewServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
    assert server.address.startswith(f"http://127.0.0.1:{server.server_address[1]}/{server.token}/")
    assert len(server.token) >= 32


def test_a_port_that_is_taken_is_said(session: Session) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match="cannot be used"):
            ReviewServer(session, taken.getsockname()[1])


def test_connections_that_say_nothing_are_bounded_and_give_their_places_back(server: ReviewServer) -> None:
    port = server.server_address[1]
    held = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(MAX_CONNECTIONS)]
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as one_more:
            one_more.settimeout(10)
            assert one_more.recv(1) == b""  # closed at once, before it said anything
    finally:
        for each in held:
            each.close()
    for _ in range(100):  # until the server has seen them leave
        try:
            assert send(server, "GET", "state")[0] == 200
            break
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    else:
        raise AssertionError("places are not given back")
