"""What passes through the proxy, and what the client and the server see of each kind of trouble."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from factory.errors import ConfigError
from factory.trouble.proxy import TroubleProxy
from tests.trouble.servers import Upstream

BODY = bytes(random.Random(1).randbytes(300_000))
S3_HEADERS = {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "x-amz-date": "20260101T000000Z"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture
def proxy(upstream: Upstream) -> Iterator[TroubleProxy]:
    with TroubleProxy(upstream.url) as running:
        yield running


@pytest.fixture
def client(proxy: TroubleProxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, trust_env=False, timeout=30) as opened:
        yield opened


def test_a_request_arrives_as_it_was_sent_and_its_answer_comes_back_as_it_was_given(
    upstream: Upstream, client: httpx.Client
) -> None:
    target = "/bucket/a%2Fb%20c?list-type=2&prefix=x%3Dy"
    headers = {"X-Amz-Meta-Some": "Value", "Authorization": "AWS4 secret", "Host": "signed.example:81"}
    answer = client.put(target, content=BODY, headers=headers)
    assert answer.status_code == 200
    assert answer.content == BODY
    assert answer.headers["x-digest"] == hashlib.sha256(BODY).hexdigest()
    (seen,) = upstream.seen
    assert (seen.method, seen.target, seen.body) == ("PUT", target, BODY)
    assert dict(seen.headers) | headers == dict(seen.headers)


@pytest.mark.parametrize("target", ["/chunked/5000", "/0", "/12345"])
def test_bodies_of_every_framing_and_many_requests_over_one_connection(target: str, client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:
        for start in range(0, len(BODY), 7001):
            yield BODY[start : start + 7001]

    assert client.get(target).content == b"x" * int(target.rpartition("/")[2])
    assert client.head("/12345").headers["content-length"] == "12345"
    assert client.post("/chunked", content=pieces()).content == BODY
    assert client.get(target).content == b"x" * int(target.rpartition("/")[2])


def test_many_at_once_get_what_is_theirs(proxy: TroubleProxy, client: httpx.Client) -> None:
    def ask(number: int) -> bool:
        body = random.Random(number).randbytes(number * 3000)
        return client.put(f"/{number}", content=body).content == (body or b"")

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(ask, range(1, 100)))
    assert proxy.requests == 99
    assert not proxy.faults


@pytest.mark.parametrize(
    ("rule", "status", "code"),
    [
        ("500", 500, "InternalError"),
        ("503", 503, "ServiceUnavailable"),
        ("slowdown", 503, "SlowDown"),
        ("expired", 400, "ExpiredToken"),
        ("denied", 403, "AccessDenied"),
    ],
)
def test_s3_errors_are_answered_in_s3s_xml_and_the_server_hears_nothing(
    rule: str, status: int, code: str, upstream: Upstream, proxy: TroubleProxy, client: httpx.Client
) -> None:
    proxy.set(f"{rule} count=1")
    answer = client.put("/bucket/key<&", content=BODY, headers=S3_HEADERS)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/xml"
    assert f"<Code>{code}</Code>" in answer.text
    assert upstream.seen == []
    assert client.put("/bucket/key", content=b"again").content == b"again", "the connection goes on"
    assert proxy.faults == {rule: 1}


def test_model_errors_are_answered_in_openais_json(proxy: TroubleProxy, client: httpx.Client) -> None:
    proxy.set("429 POST */chat/completions seconds=7 count=1", "500 POST count=1")
    answer = client.post("/v1/chat/completions", json={"model": "m"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    answer = client.post("/v1/chat/completions", json={"model": "m"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")


def test_an_error_to_head_has_no_body(proxy: TroubleProxy, client: httpx.Client) -> None:
    proxy.set("denied count=1")
    answer = client.head("/bucket/key", headers=S3_HEADERS)
    assert (answer.status_code, answer.content) == (403, b"")
    assert client.head("/5").headers["content-length"] == "5"


def test_who_waits_to_be_asked_for_the_body_is_refused_without_it(proxy: TroubleProxy, upstream: Upstream) -> None:
    """boto3 sends no body before it is told to; told 503 instead, it never does."""
    proxy.set("503")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as raw:
        raw.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n")
        said = b""
        while piece := raw.recv(65536):
            said += piece
    assert said.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert upstream.seen == []


def test_who_waits_to_be_asked_for_the_body_is_asked_by_the_server(proxy: TroubleProxy, upstream: Upstream) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=30) as raw:
        raw.sendall(b"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        answers = raw.makefile("rb")
        assert answers.readline().startswith(b"HTTP/1.1 100 ")
        assert answers.readline() == b"\r\n"
        raw.sendall(b"hello")
        assert answers.readline().startswith(b"HTTP/1.1 200 ")
    assert upstream.seen[0].body == b"hello"


def test_a_reset_reaches_nobody(proxy: TroubleProxy, client: httpx.Client, upstream: Upstream) -> None:
    proxy.set("reset")
    with pytest.raises(httpx.TransportError):
        client.put("/bucket/key", content=BODY)
    assert upstream.seen == []


def test_a_reset_in_the_middle_of_the_body_leaves_a_part_of_it_at_the_server(
    proxy: TroubleProxy, client: httpx.Client, upstream: Upstream
) -> None:
    proxy.set("reset-body PUT at=0.5 count=1")
    with pytest.raises(httpx.TransportError):
        client.put("/bucket/key", content=BODY)
    assert client.put("/bucket/key", content=BODY).content == BODY
    until = time.monotonic() + 30
    while len(upstream.seen) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert sorted(seen.whole for seen in upstream.seen) == [False, True]
    cut = next(seen for seen in upstream.seen if not seen.whole)
    assert len(cut.body) <= len(BODY) // 2


def test_a_reset_in_the_middle_of_the_answer_leaves_a_part_of_it_at_the_client(
    proxy: TroubleProxy, client: httpx.Client, upstream: Upstream
) -> None:
    proxy.set("reset-answer GET at=0.25 count=1")
    got: list[bytes] = []
    with pytest.raises(httpx.TransportError):
        _collect(client, "/400000", got)
    assert len(b"".join(got)) <= 100_000
    assert upstream.seen[0].whole
    assert len(client.get("/400000").content) == 400_000


def _collect(client: httpx.Client, target: str, got: list[bytes]) -> None:
    with client.stream("GET", target) as answer:
        got.extend(answer.iter_raw())


@pytest.mark.parametrize("rule", ["lose-answer", "reset-answer"])
def test_an_answer_that_is_lost_was_given(
    rule: str, proxy: TroubleProxy, client: httpx.Client, upstream: Upstream
) -> None:
    """An answer without a body, as S3's to a put, has no middle: it is lost whole."""
    proxy.set(f"{rule} count=1")
    with pytest.raises(httpx.TransportError):
        client.head("/bucket/key")
    assert upstream.seen[0].whole


def test_slow_bodies_take_their_time_in_both_directions(proxy: TroubleProxy, client: httpx.Client) -> None:
    proxy.set("slow rate=20000")
    started = time.monotonic()
    assert client.put("/k", content=BODY[:6000]).content == BODY[:6000]
    assert time.monotonic() - started > 0.55, "6,000 bytes up and 6,000 down at 20,000 a second"


def test_a_stall_is_silence_and_then_it_goes_on(proxy: TroubleProxy, client: httpx.Client) -> None:
    proxy.set("stall seconds=0.4 count=1", "stall seconds=0.4 at=0.5 count=1")
    for _ in range(2):
        started = time.monotonic()
        assert len(client.get("/100000").content) == 100_000
        assert time.monotonic() - started >= 0.4
    proxy.set("stall seconds=60")
    with pytest.raises(httpx.ReadTimeout):
        client.get("/5", timeout=0.2)


def test_in_the_dark_nobody_is_answered_and_afterwards_everybody(proxy: TroubleProxy, client: httpx.Client) -> None:
    assert client.get("/5").status_code == 200
    proxy.dark(60)
    assert proxy.dark_for > 50
    for _ in range(3):
        with pytest.raises(httpx.TransportError):
            client.get("/5")
    proxy.dark(0)
    assert client.get("/5").status_code == 200
    proxy.set("dark seconds=60 skip=1")
    assert client.get("/5").status_code == 200
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            client.get("/5")
    assert proxy.faults == {"dark": 2}


def test_a_server_that_is_gone_is_a_reset_and_found_again(upstream: Upstream) -> None:
    with TroubleProxy(upstream.url) as proxy, httpx.Client(base_url=proxy.url, trust_env=False) as client:
        assert client.get("/5").status_code == 200
        upstream.__exit__()
        with httpx.Client(base_url=proxy.url, trust_env=False) as stranger, pytest.raises(httpx.TransportError):
            stranger.get("/5")
        upstream.__enter__()
        with httpx.Client(base_url=proxy.url, trust_env=False) as stranger:
            assert stranger.get("/5").status_code == 200


def test_a_client_that_hangs_up_takes_its_request_back() -> None:
    """An engine stops generating for a client that went away: the proxy must not hide that it did."""
    gone = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def wait_for_the_end() -> None:
            connection, _ = listening.accept()
            with connection:
                while True:
                    try:
                        if not connection.recv(65536):
                            break
                    except OSError:
                        break
            gone.set()

        threading.Thread(target=wait_for_the_end, daemon=True).start()
        with TroubleProxy(f"http://127.0.0.1:{listening.getsockname()[1]}") as proxy:
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{proxy.url}/v1/x", content=b"ask", timeout=0.3, trust_env=False)
            assert gone.wait(30)


def test_the_servers_own_name_goes_into_host_where_that_is_asked_for(upstream: Upstream) -> None:
    with TroubleProxy(upstream.url, rewrite_host=True) as proxy:
        httpx.get(f"{proxy.url}/5", trust_env=False)
    assert dict(upstream.seen[0].headers)["Host"] == f"127.0.0.1:{upstream.port}"


def test_what_it_did_is_counted(proxy: TroubleProxy, client: httpx.Client) -> None:
    proxy.set("503 PUT count=2", "reset */never")
    for _ in range(4):
        client.put("/key?x=1", content=b"12345")
    summary = proxy.summary()
    assert (summary["requests"], summary["faults"]) == (4, {"503": 2})
    assert (summary["bytes_up"], summary["bytes_down"]) == (10, 10)
    first, second = summary["rules"]
    assert first == {"rule": "503 PUT * count=2", "matched": 4, "struck": 2}
    assert second["matched"] == 0
    assert [(strike.method, strike.target) for strike in proxy.strikes] == [("PUT", "/key?x=1")] * 2


def test_nothing_of_it_is_left_when_it_is_closed(upstream: Upstream) -> None:
    with TroubleProxy(upstream.url, ["stall seconds=600"]) as proxy:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(proxy.url, timeout=0.2, trust_env=False)
        port = proxy.port
    assert not [thread for thread in threading.enumerate() if thread.name == "trouble"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_port_that_is_taken_and_an_address_that_is_none_are_explained(upstream: Upstream) -> None:
    with pytest.raises(ConfigError, match="cannot listen on"):
        TroubleProxy(upstream.url, port=upstream.port).start()
    for address in ("127.0.0.1:80", "ftp://x", "http://user:pass@host", "http://host/v1", "http://host:port"):
        with pytest.raises(ConfigError, match="no address to pass requests on to"):
            TroubleProxy(address)
