"""An OpenAI-compatible server for the load benchmark: answers after a while, fails and stalls in seeded shares.

Design: a process of its own, so that what the client costs can be told from what the server costs. Whether a try fails
is drawn from the request's id and the number of the try: HTTP 500, 502 or a connection that is reset, in turn; or a
stall: the connection stays open and nothing comes. Counts are told at /counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from collections import Counter
from typing import Any

from aiohttp import web


class Server:
    """`errors` and `stalls` are shares of tries; `latency_s` what an answer takes."""

    def __init__(self, errors: float, stalls: float, latency_s: float) -> None:
        self._errors, self._stalls, self._latency_s = errors, stalls, latency_s
        self.counts: Counter[str] = Counter()
        self._tries: Counter[str] = Counter()
        self._open = 0

    async def answer(self, http: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await http.json()
        name = http.headers.get("X-Request-Id", "")
        self._tries[name] += 1
        self._open += 1
        self.counts["tries"] += 1
        self.counts["most_open"] = max(self.counts["most_open"], self._open)
        try:
            return await self._outcome(http, name, body["messages"][-1]["content"])
        finally:
            self._open -= 1

    async def _outcome(self, http: web.Request, name: str, asked: str) -> web.StreamResponse:
        draw = hashlib.sha256(f"{name}/{self._tries[name]}".encode()).digest()
        chance = int.from_bytes(draw[:8]) / 2**64 if name != "warm-up" else 1.0
        if chance < self._stalls:
            self.counts["stalls"] += 1
            await asyncio.sleep(3600)
        await asyncio.sleep(self._latency_s)
        if chance < self._stalls + self._errors:
            self.counts["errors"] += 1
            kind = draw[8] % 3
            if kind == 2 and http.transport is not None:
                http.transport.abort()
            return web.json_response({"error": {"message": "boom"}}, status=(500, 502, 500)[kind])
        self.counts["answered"] += 1
        choice = {"message": {"role": "assistant", "content": f"answer to {asked}"}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 5}})

    async def told(self, http: web.Request) -> web.Response:
        return web.json_response(self.counts)


async def serve(errors: float, stalls: float, latency_s: float) -> None:
    """Serves on a free port of the loopback interface, which it prints, until its standard input ends."""
    server = Server(errors, stalls, latency_s)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.answer)
    app.router.add_get("/counts", server.told)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(runner.cleanup(), 5)


if __name__ == "__main__":
    asyncio.run(serve(*map(float, sys.argv[1:4])))
