"""The OpenAI-compatible engine against a real HTTP server on loopback that counts, refuses and delays."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web

from factory.engine.api import Batch, Completion, Message, Request, Sampling
from factory.engine.concurrency import AdaptiveLimit
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.models import resolve
from factory.engine.openai import OpenAiEngine
from factory.errors import EngineError

KEY = "sk-secret-0123456789"
Reply = Callable[["Server", dict[str, Any]], Awaitable[web.Response]]


class Server:
    """Answers chat completions through `reply`; remembers every body, and how many were open at once."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.bodies: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.headers: list[dict[str, str]] = []
        self.open = self.most_open = 0
        self.base_url = ""

    async def __aenter__(self) -> Server:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        self.times.append(time.monotonic())
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            return await self.reply(self, body)
        finally:
            self.open -= 1

    def prompts(self) -> Counter[str]:
        return Counter(text for body in self.bodies if (text := body["messages"][-1]["content"]) != "Hello")


def choices(texts: list[str], tokens: int = 12, finish: str = "stop") -> web.Response:
    return web.json_response(
        {
            "choices": [{"message": {"content": text}, "finish_reason": finish} for text in texts],
            "usage": {"prompt_tokens": 7, "completion_tokens": tokens, "prompt_tokens_details": {"cached_tokens": 3}},
        },
        headers={"Server": "test-server"},
    )


def refused(status: int, message: str = "no", code: str = "", **headers: str) -> web.Response:
    return web.json_response({"error": {"message": message, "code": code}}, status=status, headers=headers)


async def echo(server: Server, body: dict[str, Any]) -> web.Response:
    return choices([f"{body['messages'][-1]['content']} #{i}" for i in range(body.get("n", 1))])


def batch(count: int = 1, schema: dict[str, Any] | None = None, **changes: Any) -> Batch:
    sampling = Sampling(**{"temperature": 0.7, "top_p": 0.9, "max_tokens": 64, "seed": 3, **changes})
    return Batch(tuple(Request(f"r{i}", (Message("user", f"prompt {i}"),)) for i in range(count)), sampling, schema)


def engine_at(url: str, **changes: Any) -> OpenAiEngine:
    config = EngineConfig(**{"kind": "openai", "base_url": url, "timeout_s": 5.0, "api_key_env": "TEST_KEY", **changes})
    model = resolve(ModelConfig(id="served-model", license="x", output_terms="y"), "openai")
    return OpenAiEngine(config, model, backoff_base_s=0.01)


def talk(reply: Reply, *batches: Batch, **changes: Any) -> tuple[Server, list[list[Completion]], OpenAiEngine]:
    async def run() -> tuple[Server, list[list[Completion]], OpenAiEngine]:
        async with Server(reply) as server:
            engine = engine_at(server.base_url, **changes)
            await engine.start()
            try:
                return server, [await engine.generate(one) for one in batches], engine
            finally:
                await engine.stop()

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)


def test_completions_come_in_order_with_texts_tokens_and_key_sent() -> None:
    server, (completions,), _ = talk(echo, batch(20))
    assert [completion.texts for completion in completions] == [(f"prompt {i} #0",) for i in range(20)]
    assert completions[0].request_id == "r0"
    assert (completions[0].prompt_tokens, completions[0].cached_tokens) == (7, 3)
    assert completions[0].generated_tokens == (12,)
    assert completions[0].latency > 0
    assert all(header["Authorization"] == f"Bearer {KEY}" for header in server.headers)
    assert max(server.prompts().values()) == 1


def test_sampling_and_schema_are_sent_and_extensions_only_when_set() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    server, _, _ = talk(echo, batch(1, schema, stop=("END",), samples=2), batch(1, top_k=5, ignore_eos=True))
    _, plain, extended = server.bodies
    assert plain["response_format"]["json_schema"]["schema"] == schema
    assert (plain["n"], plain["stop"], plain["temperature"], plain["max_tokens"]) == (2, ["END"], 0.7, 64)
    assert "top_k" not in plain
    assert (extended["top_k"], extended["ignore_eos"]) == (5, True)
    assert plain["model"] == "served-model"


def test_seeds_differ_by_request_and_repeat_between_runs() -> None:
    first, _, _ = talk(echo, batch(3))
    second, _, _ = talk(echo, batch(3))
    seeds = {body["messages"][-1]["content"]: body["seed"] for body in first.bodies}
    assert seeds == {body["messages"][-1]["content"]: body["seed"] for body in second.bodies}
    assert len(set(seeds.values())) == 4


def test_n_samples_share_out_the_usage_exactly() -> None:
    async def three(server: Server, body: dict[str, Any]) -> web.Response:
        return choices(["a" * 10, "b" * 20, "c" * 5][: body.get("n", 1)], tokens=100)

    _, ((completion,),), _ = talk(three, batch(1, samples=3))
    assert len(completion.texts) == 3
    assert sum(completion.generated_tokens) == 100
    assert completion.generated_tokens[1] > completion.generated_tokens[2]


def test_a_server_that_ignores_n_is_asked_again_with_another_seed() -> None:
    async def single(server: Server, body: dict[str, Any]) -> web.Response:
        return choices([str(body["seed"])])

    server, ((completion,),), _ = talk(single, batch(1, samples=3))
    assert len(set(completion.texts)) == 3
    assert server.prompts() == {"prompt 0": 3}


def test_429_waits_as_long_as_the_server_asks_and_then_succeeds() -> None:
    async def once(server: Server, body: dict[str, Any]) -> web.Response:
        return refused(429, **{"Retry-After": "1"}) if len(server.bodies) == 2 else await echo(server, body)

    server, ((completion,),), _ = talk(once, batch(1))
    assert completion.texts == ("prompt 0 #0",)
    assert server.times[2] - server.times[1] >= 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_server_errors_are_tried_again(status: int) -> None:
    async def flaky(server: Server, body: dict[str, Any]) -> web.Response:
        tries = server.prompts()[body["messages"][-1]["content"]]
        return refused(status) if tries in (1, 2) else await echo(server, body)

    server, (completions,), _ = talk(flaky, batch(4))
    assert [completion.error for completion in completions] == [None] * 4
    assert set(server.prompts().values()) == {3}


def test_time_outs_are_tried_again() -> None:
    async def slow_once(server: Server, body: dict[str, Any]) -> web.Response:
        if server.prompts().get("prompt 0") == 1:
            await asyncio.sleep(1)
        return await echo(server, body)

    server, ((completion,),), _ = talk(slow_once, batch(1), timeout_s=0.3)
    assert completion.error is None
    assert server.prompts() == {"prompt 0": 2}


def test_broken_connections_are_tried_again() -> None:
    async def run() -> tuple[list[Completion], int]:
        seen = 0

        async def raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal seen
            while (line := await reader.readline()) != b"":
                length = 0
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                await reader.readexactly(length)
                seen += 1
                if seen == 2:
                    break
                body = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(raw, "127.0.0.1", 0)
        async with server:
            engine = engine_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
            await engine.start()
            completions = await engine.generate(batch(1))
            await engine.stop()
            await asyncio.sleep(0.05)  # the server's side sees the end of the connection
        return completions, seen

    (completion,), seen = asyncio.run(run())
    assert completion.texts == ("hi",)
    assert seen == 3


def test_one_request_the_server_cannot_do_fails_alone_while_others_get_answers() -> None:
    async def poison(server: Server, body: dict[str, Any]) -> web.Response:
        return refused(500, "boom") if body["messages"][-1]["content"] == "prompt 1" else await echo(server, body)

    _, (completions,), _ = talk(poison, batch(6), max_retries=2)
    assert [completion.error for completion in completions] == [None, "server_error", None, None, None, None]
    assert "boom" in completions[1].error_detail


def test_a_server_that_stays_away_is_an_engine_error_and_never_a_reject() -> None:
    async def down(server: Server, body: dict[str, Any]) -> web.Response:
        return await echo(server, body) if len(server.bodies) == 1 else refused(503, "overloaded")

    with pytest.raises(EngineError, match="did not answer after 3 tries") as raised:
        talk(down, batch(3), max_retries=2)
    assert "engine.max_concurrency" in raised.value.remedy


def test_nobody_listening_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="did not answer"):
        asyncio.run(engine_at("http://127.0.0.1:9/v1").start())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_wrong_key_or_model_names_the_variable_and_hides_the_key(status: int) -> None:
    async def unauthorised(server: Server, body: dict[str, Any]) -> web.Response:
        return refused(status, f"Incorrect API key provided: {KEY}")

    with pytest.raises(EngineError) as raised:
        talk(unauthorised, batch(1))
    assert "TEST_KEY" in str(raised.value)
    assert KEY not in str(raised.value)
    assert "***" in str(raised.value)


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "This model's maximum context length is 4096 tokens", "prompt_too_long"),
        (400, "Invalid schema for response_format 'answer'", "schema_refused"),
        (400, "blocked by content management policy", "content_filter"),
        (422, "temperature out of range", "http_422"),
        (413, "body", "prompt_too_long"),
    ],
)
def test_a_4xx_is_that_completions_error_alone(status: int, message: str, error: str) -> None:
    async def one_bad(server: Server, body: dict[str, Any]) -> web.Response:
        bad = body["messages"][-1]["content"] == "prompt 0"
        return refused(status, f"{message} {KEY}") if bad else await echo(server, body)

    server, ((bad, good),), _ = talk(one_bad, batch(2))
    assert (bad.error, bad.texts) == (error, ())
    assert good.error is None
    assert KEY not in bad.error_detail
    assert server.prompts() == {"prompt 0": 1, "prompt 1": 1}


def test_out_of_quota_is_not_tried_again() -> None:
    async def broke(server: Server, body: dict[str, Any]) -> web.Response:
        if len(server.bodies) == 1:
            return await echo(server, body)
        return web.json_response({"error": {"message": "pay", "code": "insufficient_quota"}}, status=429)

    async def run() -> Server:
        async with Server(broke) as server:
            engine = engine_at(server.base_url)
            await engine.start()
            with pytest.raises(EngineError, match="pay"):
                await engine.generate(batch(1))
            await engine.stop()
            return server

    assert asyncio.run(run()).prompts() == {"prompt 0": 1}


def test_a_model_that_wants_max_completion_tokens_gets_it() -> None:
    async def newer(server: Server, body: dict[str, Any]) -> web.Response:
        if "max_tokens" in body:
            return refused(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return await echo(server, body)

    server, ((completion,),), _ = talk(newer, batch(1))
    assert completion.error is None
    assert [("max_completion_tokens" in body) for body in server.bodies] == [False, True, True]


def test_concurrency_falls_when_the_server_refuses_and_rises_again_to_the_maximum() -> None:
    crowded = True

    async def limited(server: Server, body: dict[str, Any]) -> web.Response:
        if crowded and server.open > 4:
            return refused(429)
        await asyncio.sleep(0.1)
        return await echo(server, body)

    async def run() -> tuple[int, int, int]:
        nonlocal crowded
        async with Server(limited) as server:
            engine = engine_at(server.base_url, max_concurrency=24, max_retries=20)
            await engine.start()
            completions = await engine.generate(batch(100))
            assert all(completion.error is None for completion in completions)
            lowest = int(engine.limit.lowest)
            crowded, server.most_open = False, 0
            await engine.generate(batch(400))
            await engine.stop()
            return lowest, engine.limit.limit, server.most_open

    lowest, limit, most_open = asyncio.run(run())
    assert lowest <= 6
    assert limit >= 12
    assert 12 <= most_open <= 24


def test_never_more_open_than_the_maximum() -> None:
    async def slow(server: Server, body: dict[str, Any]) -> web.Response:
        await asyncio.sleep(0.1)
        return await echo(server, body)

    server, _, _ = talk(slow, batch(30), max_concurrency=5)
    assert server.most_open == 5


def test_refusals_of_one_crowd_halve_the_limit_once() -> None:
    async def run() -> tuple[int, int]:
        limit = AdaptiveLimit(64, start=32)
        tickets = [await limit.acquire() for _ in range(32)]
        for ticket in tickets:
            limit.release(ticket, overloaded=True)
        after_crowd = limit.limit
        limit.release(await limit.acquire(), overloaded=True)
        return after_crowd, limit.limit

    assert asyncio.run(run()) == (16, 8)


def test_a_cancelled_waiter_gives_its_place_on() -> None:
    async def run() -> None:
        limit = AdaptiveLimit(1)
        ticket = await limit.acquire()
        first, second = asyncio.create_task(limit.acquire()), asyncio.create_task(limit.acquire())
        await asyncio.sleep(0)
        limit.release(ticket, overloaded=False, success=True)
        first.cancel()
        await asyncio.wait_for(second, 1)

    asyncio.run(run())


def test_works_without_a_key_where_the_server_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_KEY")
    server, ((completion,),), _ = talk(echo, batch(1))
    assert completion.error is None
    assert "Authorization" not in server.headers[0]


async def trickling(content: bytes) -> tuple[asyncio.Server, list[int]]:
    """A server that answers the second request with a blank every 50 ms and never more; the others properly."""
    seen: list[int] = []

    async def raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while (line := await reader.readline()) != b"":
                length = 0
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                await reader.readexactly(length)
                seen.append(len(seen))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(content))
                while len(seen) == 2:
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(0.05)
                writer.write(content)
                await writer.drain()
        writer.close()

    return await asyncio.start_server(raw, "127.0.0.1", 0), seen


def test_an_answer_that_comes_a_blank_at_a_time_is_left_at_its_deadline_and_asked_for_again() -> None:
    content = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}' + b" " * 2000

    async def run() -> tuple[list[Completion], int, float]:
        server, seen = await trickling(content)
        async with server:
            engine = engine_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", timeout_s=0.5)
            await engine.start()
            started = time.monotonic()
            completions = await engine.generate(batch(1))
            took = time.monotonic() - started
            await engine.stop()
        return completions, len(seen), took

    (completion,), seen, took = asyncio.run(run())
    assert completion.texts == ("hi",)
    assert completion.retries == 1
    assert seen == 3
    assert took < 20


def test_tries_after_the_first_are_counted_for_each_request() -> None:
    async def flaky(server: Server, body: dict[str, Any]) -> web.Response:
        text = body["messages"][-1]["content"]
        return refused(500) if text == "prompt 1" and server.prompts()[text] < 3 else await echo(server, body)

    _, (completions,), engine = talk(flaky, batch(3))
    assert [completion.retries for completion in completions] == [0, 2, 0]
    assert engine.retries == 2


def test_a_prompt_that_is_no_unicode_text_fails_alone() -> None:
    good = batch(3)
    half = Request("r1", (Message("user", "half an emoji: \ud83d"),))
    mixed = Batch((good.requests[0], half, good.requests[2]), good.sampling)
    server, (completions,), _ = talk(echo, mixed)
    assert [completion.error for completion in completions] == [None, "bad_request", None]
    assert set(server.prompts()) == {"prompt 0", "prompt 2"}


@pytest.mark.parametrize(
    "body", [{"choices": [{"message": {"content": 5}}]}, {"choices": 5}, [], {"choices": []}, {"usage": "much"}]
)
def test_an_answer_of_another_form_is_that_completions_error(body: Any) -> None:
    async def odd(server: Server, asked: dict[str, Any]) -> web.Response:
        return web.json_response(body) if asked["messages"][-1]["content"] == "prompt 0" else await echo(server, asked)

    _, ((bad, good),), _ = talk(odd, batch(2))
    assert (bad.error, good.error) == ("bad_response", None)
