"""Answers of servers that are broken, hostile or no such server: OpenAI-compatible ones, S3, and the page's requests.

A real socket on the loopback gives the drawn bytes to the real clients.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import example
from hypothesis import strategies as st

from factory.engine.api import Batch, Completion, Message, Request, Sampling
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.models import resolve
from factory.engine.openai import OpenAiEngine
from factory.engine.openai_wire import retry_after_s
from factory.errors import EngineError, FactoryError, StoreError
from factory.store.base import AbsentObjectError
from factory.store.s3 import S3Store
from tests.answers.test_step import ROW as QUESTION_ROW
from tests.fuzz.breaking import broken_bytes, json_bytes, texts
from tests.fuzz.harness import fuzzed, refused
from tests.fuzz.test_replies import ANSWER, settled


class Canned:
    """Answers every request on 127.0.0.1 with the bytes it was told, and closes."""

    def __init__(self) -> None:
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            try:
                with connection:
                    connection.settimeout(5)
                    self._one(connection)
            except OSError:
                continue

    def _one(self, connection: socket.socket) -> None:
        said = b""
        while b"\r\n\r\n" not in said:
            data = connection.recv(65_536)
            if not data:
                return
            said += data
        head, _, body = said.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if b"100-continue" in head.lower():
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(body) < int(lengths[0] if lengths else 0):
            data = connection.recv(65_536)
            if not data:
                return
            body += data
        connection.sendall(self.answer)
        connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def canned() -> Iterator[Canned]:
    server = Canned()
    yield server
    server.close()


def http(status: int, body: bytes, headers: dict[str, str] | None = None) -> bytes:
    named = {"Content-Length": str(len(body)), "Connection": "close", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode("latin-1", "replace") + body


CHOICES: dict[str, Any] = {
    "choices": [
        {"message": {"content": "12"}, "finish_reason": "stop"},
        {"message": {"content": "13"}, "finish_reason": "length"},
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 3}},
}
REFUSAL: dict[str, Any] = {"error": {"message": "the context length is exceeded", "code": "context_length_exceeded"}}
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
CHARSETS = (
    "utf-8",
    "latin-1",
    "utf-16",
    "hex",
    "base64",
    "rot13",
    "idna",
    "punycode",
    "undefined",
    "zlib",
    "no-such",
    "\xff",
)

bodies = st.one_of(
    json_bytes(CHOICES), json_bytes(CHOICES), json_bytes(REFUSAL), st.just(HTML), st.just(gzip.compress(HTML))
)
heads = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(CHARSETS).map(lambda name: f"application/json; charset={name}"),
        "Content-Encoding": st.sampled_from(("gzip", "deflate", "br", "zstd", "x")),
        "Set-Cookie": st.sampled_from(("a=b", "=", "a=b; expires=Thu, 99 Jan 99999 00:00:00 GMT; max-age=x")),
        "Server": texts("nginx").map(lambda text: "".join(each for each in text if " " <= each < "\x7f")),
        "Location": st.just("http://[::1"),
    },
)


def engine_at(url: str) -> OpenAiEngine:
    config = EngineConfig(kind="openai", base_url=f"{url}/v1", max_retries=0, timeout_s=5)
    model = resolve(ModelConfig(id="m", license="MIT", output_terms="none"), "openai")
    return OpenAiEngine(config, model, backoff_base_s=0.0)


async def asked(url: str) -> list[Completion]:
    import httpx

    engine = engine_at(url)
    engine._clients, engine._room = [httpx.AsyncClient(timeout=5, trust_env=False)], [1]
    request = Request("r1", (Message("user", "What is 40 + 2?"),))
    try:
        return await engine.generate(Batch((request,), Sampling(0.5, 1.0, 16, samples=2)))
    finally:
        await engine.stop()


def raw(status: int, body: bytes, head: dict[str, str]) -> bytes:
    return http(status, body, head)


@fuzzed(
    "factory.engine.openai_wire.answer_in",
    "factory.engine.openai.OpenAiEngine",
    share=2,
    status=st.sampled_from((200, 200, 200, 200, 204, 301, 400, 413, 418, 422, 429, 500, 599)),
    body=bodies,
    head=heads,
)
@example(status=200, body=b'{"choices": [{"message": {"content": "\\ud800"}}]}', head={})
@example(status=200, body=b'{"choices": [{"message": {"content": ["a"]}, "finish_reason": {}}], "usage": []}', head={})
@example(
    status=200,
    body=b'{"choices": [{"message": {"content": "a"}}], "usage": {"completion_tokens": 1e999, "prompt_tokens": "7"}}',
    head={},
)
@example(
    status=200,
    body=b'{"choices": [{"message": {"content": "a"}}], "usage": {"completion_tokens": -5, "prompt_tokens": 9'
    + b"9" * 20
    + b"}}",
    head={},
)
@example(status=200, body=b"[" * 100_000, head={})
@example(status=400, body=b'{"error": {"message": {"a": 1}}}', head={})
@example(status=400, body=b'{"error": [1]}', head={})
@example(status=400, body=HTML, head={"Content-Type": "text/html; charset=hex"})
@example(status=200, body=HTML, head={"Content-Encoding": "gzip"})
def test_an_answer_of_a_model_server_is_a_completion_or_an_engine_error(
    canned: Canned, status: int, body: bytes, head: dict[str, str]
) -> None:
    canned.answer = http(status, body, head)
    with refused(EngineError):
        (completion,) = asyncio.run(asked(canned.url))
        assert (completion.error is None) == (len(completion.texts) == 2)
        assert len(completion.texts) == len(completion.finish_reasons)
        tokens = (completion.prompt_tokens, completion.cached_tokens, *completion.generated_tokens)
        assert all(type(number) is int and 0 <= number < 2**62 for number in tokens)
        (completion.error_detail + (completion.error or "")).encode()
        settled(ANSWER, {**QUESTION_ROW, "sources": []}, {}, [completion])


@fuzzed("factory.engine.openai.OpenAiEngine", data=broken_bytes([http(200, orjson.dumps(CHOICES)), http(503, HTML)]))
def test_broken_http_is_a_completion_or_an_engine_error(canned: Canned, data: bytes) -> None:
    canned.answer = data
    with refused(EngineError):
        asyncio.run(asked(canned.url))


@fuzzed("factory.engine.openai_wire.retry_after_s", share=4, value=texts("3", "1e3", "Wed, 21 Oct 2026 07:28:00 GMT"))
@example(value="nan")
@example(value="inf")
@example(value="-1")
@example(value="Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
@example(value="Mon, 01 Jan 2026 00:00:00 +99999999999999999999")
@example(value="Mon, 01 Jan 2026 99999999999999999999:00:00 GMT")
def test_a_wait_is_a_number_of_seconds(value: str) -> None:
    assert 0 <= retry_after_s({"retry-after": value}) <= 600


LISTING = b"""<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<Prefix>p/</Prefix><IsTruncated>false</IsTruncated><Contents><Key>p/a.json</Key><Size>3</Size><ETag>"e"</ETag>
<LastModified>2024-05-01T10:00:00.000Z</LastModified></Contents></ListBucketResult>"""
S3_ERROR = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message><Key>k</Key></Error>"
S3_BODIES = [
    LISTING,
    S3_ERROR,
    HTML,
    b"",
    b"<Error/>",
    b"<a>" * 3000,
    LISTING.replace(b">3<", b">x<"),
    LISTING.replace(b"2024-05-01T10:00:00.000Z", b"yesterday"),
    LISTING.replace(b"false", b"true"),
    LISTING.replace(b'<ETag>"e"</ETag>', b""),
    S3_ERROR.replace(b"AccessDenied", b"<a/>"),
    b'<!DOCTYPE a [<!ENTITY b "'
    + b"c" * 1000
    + b'"><!ENTITY d "'
    + b"&b;" * 1000
    + b'">]><Error><Code>'
    + b"&d;" * 1000
    + b"</Code></Error>",
]
S3_HEADS = st.fixed_dictionaries(
    {"Date": st.sampled_from(("Wed, 01 May 2024 10:00:00 GMT", "yesterday", ""))},
    optional={
        "ETag": st.sampled_from(('"e"', "", "x" * 999)),
        "Last-Modified": st.sampled_from(("Wed, 01 May 2024 10:00:00 GMT", "x", "Wed, 01 Jan 99999 10:00:00 GMT")),
        "Content-Type": st.sampled_from(("application/xml", "text/html", "x")),
        "x-amz-meta-factory-writer": st.sampled_from(("0", "f" * 32)),
        "Content-Range": st.sampled_from(("bytes 0-1/2", "x")),
    },
)


@fuzzed(
    "factory.store.s3_errors.explain",
    "factory.store.s3_errors.may_pass",
    "factory.store.s3.S3Store",
    status=st.sampled_from((200, 200, 206, 204, 301, 304, 400, 403, 404, 412, 416, 418, 501)),
    body=st.one_of(st.sampled_from(S3_BODIES), broken_bytes(S3_BODIES[:2])),
    head=S3_HEADS,
)
@example(status=200, body=HTML, head={"Date": ""})
@example(status=200, body=LISTING, head={"Last-Modified": "Wed, 01 Jan 99999 10:00:00 GMT"})
@example(status=200, body=LISTING.replace(b"false", b"true"), head={"Date": "x"})
def test_an_answer_of_s3_is_understood_or_refused(
    canned: Canned, s3: S3Store, status: int, body: bytes, head: dict[str, str]
) -> None:
    canned.answer = http(status, body, head)
    # KeyError is how callers are told that an object is absent: nothing else may end as one.
    with refused(StoreError, AbsentObjectError):
        assert isinstance(s3.get("a.json"), bytes)
    with refused(StoreError):
        found = s3.head("a.json")
        assert found is None or found.size >= 0
    with refused(StoreError):
        assert s3.put_if_absent("a.json", b"{}") in (True, False)
    with refused(StoreError):
        assert s3.put_if_match("a.json", b"{}", '"e"') in (True, False)
    with refused(StoreError):
        for info in s3.list("p/"):
            assert isinstance(info.key, str)
    with refused(StoreError):
        assert s3.clock() > 0
    with refused(StoreError):
        assert s3.discard_unfinished("p/", 10.0) >= 0


@pytest.fixture(scope="module")
def s3(canned: Canned) -> Iterator[S3Store]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "k")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "s")
        yield S3Store("bucket", "p", canned.url, patience_s=0.0)


def test_the_canned_server_is_understood_when_it_speaks_well(canned: Canned, s3: S3Store) -> None:
    canned.answer = http(200, LISTING, {"ETag": '"e"', "Date": "Wed, 01 May 2024 10:00:00 GMT"})
    assert [info.size for info in s3.list("")] == [3]
    canned.answer = http(200, orjson.dumps(CHOICES))
    (completion,) = asyncio.run(asked(canned.url))
    assert completion.texts == ("12", "13")
    assert isinstance(FactoryError("x"), Exception)
