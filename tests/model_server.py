"""An OpenAI-compatible server on the loopback interface, overloaded now and then; the scripted engine is behind it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from typing import Any

from aiohttp import web

from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.scripted import ScriptedEngine

KEY = "sk-never-to-be-seen-0042"


class ModelServer:
    """Chat completions on a loopback port; every ninth request is answered 429 first."""

    def __init__(self, engine: ScriptedEngine | None = None) -> None:
        self.engine = engine or ScriptedEngine("served")
        self.seen: Counter[str] = Counter()
        self.base_url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _answer(self, http: web.Request) -> web.Response:
        if http.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": f"no key {http.headers.get('Authorization')}"}}, status=401)
        self.seen["all"] += 1
        if self.seen["all"] % 9 == 0:
            self.seen["refused"] += 1
            return web.json_response({"error": {"message": f"slower, {KEY}"}}, status=429, headers={"Retry-After": "0"})
        body: dict[str, Any] = await http.json()
        form = body.get("response_format", {}).get("json_schema", {}).get("schema")
        messages = tuple(Message(item["role"], item["content"]) for item in body["messages"])
        sampling = Sampling(
            temperature=body["temperature"], top_p=body["top_p"], max_tokens=body["max_tokens"],
            seed=body["seed"], samples=body.get("n", 1),
        )  # fmt: skip
        request = Request(http.headers.get("X-Request-Id", ""), messages)
        (completion,) = await self.engine.generate(Batch((request,), sampling, form))
        self.seen["answered"] += 1
        texts = list(completion.texts)
        if form is None and self.seen["answered"] % 5 == 0:  # as a gateway in debug mode does
            self.seen["echoed"] += 1
            texts = [f"{text}\n\nAuthorization: Bearer {KEY}" for text in texts]
        choices = [
            {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
            for index, (text, reason) in enumerate(zip(texts, completion.finish_reasons, strict=True))
        ]
        usage = {"prompt_tokens": completion.prompt_tokens, "completion_tokens": sum(completion.generated_tokens)}
        return web.json_response({"choices": choices, "usage": usage}, headers={"Server": f"gateway {KEY}"})
