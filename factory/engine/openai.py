"""Any OpenAI-compatible server as an engine: vLLM's own, a hosted one, llama.cpp, a gateway.

Design: one HTTP request a chat, through one connection pool. How many are open at once adapts to the server
(concurrency.py). 429, 5xx, time-outs and broken connections are tried again with exponential backoff and
full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), at least as long as
the server's Retry-After asks. What the server refuses for its content (context length, schema) is that
completion's error; what says nothing about the row (wrong key, unknown model, a server that stays away)
raises EngineError, so that an outage never turns rows into rejects. The key is read from the environment,
and blanked out of everything the server says before anyone reads it.

An answer has `engine.timeout_s` from the first byte sent to the last one read, however its bytes come: a server that
keeps the connection and sends nothing, or a blank now and then, is left at the same moment. Answers are not streamed,
so tokens cannot be seen while they are made; the deadline has to hold the longest answer (docs/engines.md).

Cost: about 0.5 ms of this process a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from factory.credentials import BLANK, blanked
from factory.engine.api import Batch, Completion, EngineInfo, Message, Request, Sampling
from factory.engine.concurrency import AdaptiveLimit
from factory.engine.config import EngineConfig
from factory.engine.models import ResolvedModel
from factory.engine.openai_wire import (
    RETRY_AFTER_CAP_S,
    Answer,
    answer_in,
    body_of,
    out_of_quota,
    refusal,
    retry_after_s,
    said_in,
    shared_out,
    whole,
)
from factory.errors import EngineError
from factory.identity import seed_for

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 60.0

A_CLIENT = 32
"""Connections one client of httpx has at most: its pool looks at all it has, sockets included, whenever a request
begins or ends. A thousand are spread over 32 clients."""

LONGEST_WAIT_S = max(BACKOFF_CAP_S, RETRY_AFTER_CAP_S)
"""Between two tries of a request."""

_OVERLOADED = frozenset({429, 503, 529})
_RETRIED = _OVERLOADED | {408, 409, 425, 500, 502, 504, 520, 522, 524}
_FATAL = {401: "the key is missing or wrong", 403: "the key may not use this model", 404: "no such model or path"}
_DETAIL_CHARACTERS = 500
_SERVER_CHARACTERS = 100
_LEAST_KEY = 16
"""Characters of a key that is looked for in completions: servers of one's own are given EMPTY or none, and these are
words."""


def _key(variable: str) -> str:
    """The key in an environment variable, "" where there is none. Raises EngineError for one that no header can hold:
    the HTTP client's own error would quote it."""
    key = os.environ.get(variable, "").strip()  # files of secrets end with a line feed
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise EngineError(
            f"the key in the environment variable {variable} cannot be sent",
            cause="it holds a blank, a line feed, a curly quotation mark or another character that no key has",
            remedy=f"set {variable} to the key alone",
        )
    return key


class OpenAiEngine:
    """See the module. `backoff_base_s` is the first wait's upper bound in seconds; it doubles each try.

    `retries` counts tries after the first, of all requests.
    """

    def __init__(self, config: EngineConfig, model: ResolvedModel, backoff_base_s: float = BACKOFF_BASE_S) -> None:
        self._config, self._model = config, model
        self._url = (config.base_url or "").rstrip("/") + "/chat/completions"
        self._key = _key(config.api_key_env)
        self._backoff_base_s = backoff_base_s
        self.limit = AdaptiveLimit(config.max_concurrency)
        self.retries = 0
        self._clients: list[httpx.AsyncClient] = []
        self._room: list[int] = []
        self._answered = self._tries = 0
        self._token_key = "max_tokens"
        self._jitter = random.Random()

    async def start(self) -> EngineInfo:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx.Timeout(self._config.timeout_s, connect=min(30.0, self._config.timeout_s))
        verify = ssl.create_default_context()  # 20 ms each, so one for all
        most = self._config.max_concurrency
        self._room = [min(A_CLIENT, most - begun) for begun in range(0, most, A_CLIENT)]
        self._clients = [
            httpx.AsyncClient(
                headers=headers,
                timeout=timeout,
                verify=verify,
                limits=httpx.Limits(max_connections=room, max_keepalive_connections=room),
            )
            for room in self._room
        ]
        try:
            return await self._greeted()
        except BaseException:
            await self.stop()
            raise

    async def _greeted(self) -> EngineInfo:
        """One tiny request proves address, key and model before any work is handed over."""
        hello = Request("warm-up", (Message("user", "Hello"),))
        sampling = Sampling(temperature=0, top_p=1, max_tokens=16)
        answer, server = await self._call(hello, sampling, None, 1, retries=min(2, self._config.max_retries))
        if answer.error is not None:
            raise EngineError(
                f"{self._config.base_url} refused a one-line request to {self._model.served_name}: {answer.detail}",
                cause="the server does not offer chat completions in OpenAI's format for this model",
                remedy="check engine.base_url (it usually ends in /v1) and model.id",
            )
        return EngineInfo(
            kind="openai",
            model=self._model.id,
            revision=self._model.revision,
            versions={"server": server} if server else {},
            seed_per_request=True,
        )

    async def stop(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            await client.aclose()

    def progress(self) -> int:
        """Tries that ended, well or not: each has a deadline, so a client that is alive is never silent for long."""
        return self._tries

    async def generate(self, batch: Batch) -> list[Completion]:
        tasks = [asyncio.create_task(self._complete(request, batch)) for request in batch.requests]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _complete(self, request: Request, batch: Batch) -> Completion:
        """Asks until there are `samples` texts: not every server honours n."""
        started = time.monotonic()
        wanted = batch.sampling.samples
        choices: list[tuple[str, str]] = []
        tokens: list[int] = []
        prompt_tokens = cached_tokens = retries = 0
        while len(choices) < wanted:
            seed = seed_for(batch.sampling.seed, request.request_id, len(choices)) & 0x7FFFFFFF
            sampling = replace(batch.sampling, seed=seed)
            answer, _ = await self._call(request, sampling, batch.schema, wanted - len(choices))
            retries += answer.retries
            prompt_tokens = max(prompt_tokens, answer.prompt_tokens)
            cached_tokens = max(cached_tokens, answer.cached_tokens)
            if answer.error is not None:
                return Completion(
                    request.request_id,
                    (),
                    (),
                    prompt_tokens,
                    (),
                    error=answer.error,
                    error_detail=answer.detail,
                    retries=retries,
                )
            choices += answer.choices[: wanted - len(choices)]
            tokens += shared_out(answer.generated_tokens, [text for text, _ in answer.choices])
        return Completion(
            request_id=request.request_id,
            texts=tuple(text for text, _ in choices),
            finish_reasons=tuple(reason for _, reason in choices),
            prompt_tokens=prompt_tokens,
            generated_tokens=tuple(tokens[:wanted]),
            cached_tokens=cached_tokens,
            latency=time.monotonic() - started,
            retries=retries,
        )

    async def _call(
        self,
        request: Request,
        sampling: Sampling,
        schema: dict[str, Any] | None,
        count: int,
        retries: int | None = None,
    ) -> tuple[Answer, str]:
        """One answer and the server's name, through retries. Raises EngineError when the server is to blame."""
        try:
            body = self._body(request, sampling, schema, count)
        except TypeError as error:  # a lone surrogate is no Unicode text, and has no place in JSON
            return Answer(error="bad_request", detail=f"the prompt is no JSON text: {error}"), ""
        allowed = self._config.max_retries if retries is None else retries
        answered_before = self._answered
        trouble, row_to_blame = "", False
        for attempt in range(allowed + 1):
            wait_s = 0.0
            ticket = await self.limit.acquire()
            overloaded = success = False
            try:
                response = await self._post(body, request, sampling, schema, count)
                overloaded, success = response.status_code in _OVERLOADED, response.status_code == 200
            except (httpx.TimeoutException, TimeoutError):
                trouble, row_to_blame = f"no answer within {self._config.timeout_s:g} s", True
            except httpx.TransportError as error:
                trouble, row_to_blame = f"{type(error).__name__}: {error}", False
            except httpx.HTTPError as error:  # an answer whose bytes are not what its headers say
                trouble, row_to_blame = f"{type(error).__name__}: {error}", True
            else:
                if response.status_code not in _RETRIED:
                    named = self._hidden(response.headers.get("server", ""))[:_SERVER_CHARACTERS]
                    return replace(self._judged(response), retries=attempt), named
                trouble, row_to_blame = f"HTTP {response.status_code}: {self._said(response)}", not overloaded
                if out_of_quota(response):
                    break
                wait_s = retry_after_s(response.headers)
            finally:
                self._tries += 1
                self.limit.release(ticket, overloaded=overloaded, success=success)
            if overloaded and wait_s:
                self.limit.hold(wait_s)  # the server means everyone, not this request alone
            if attempt < allowed:
                self.retries += 1
                await asyncio.sleep(max(wait_s, self._backoff_s(attempt)))
        if row_to_blame and self._answered > answered_before:
            # Others got answers meanwhile: this request is what the server cannot do.
            return Answer(error="server_error", detail=self._hidden(trouble), retries=allowed), ""
        raise EngineError(
            f"{self._config.base_url} did not answer after {allowed + 1} tries; last: {self._hidden(trouble)}",
            cause="the server is down, overloaded, out of quota, or cannot be reached from here",
            remedy="check it and run again: committed work is kept. A slow server needs a lower "
            "engine.max_concurrency, or a higher engine.max_retries or engine.timeout_s",
        )

    def _body(self, request: Request, sampling: Sampling, schema: dict[str, Any] | None, count: int) -> bytes:
        return orjson.dumps(body_of(request, self._model.served_name, sampling, schema, count, self._token_key))

    async def _post(
        self, body: bytes, request: Request, sampling: Sampling, schema: dict[str, Any] | None, count: int
    ) -> httpx.Response:
        if not self._clients:
            raise EngineError("the engine was stopped while requests were open")
        place = max(range(len(self._room)), key=self._room.__getitem__)
        headers = {"Content-Type": "application/json", "X-Request-Id": request.request_id}
        self._room[place] -= 1
        try:
            async with asyncio.timeout(self._config.timeout_s):
                response = await self._clients[place].post(self._url, content=body, headers=headers)
        finally:
            self._room[place] += 1
        asks_anew = response.status_code == 400 and self._token_key == "max_tokens"
        if asks_anew and "max_completion_tokens" in said_in(response):
            # Newer models of OpenAI know only this name; found out once, kept for the run.
            self._token_key = "max_completion_tokens"
            renamed = self._body(request, sampling, schema, count)
            return await self._post(renamed, request, sampling, schema, count)
        return response

    def _judged(self, response: httpx.Response) -> Answer:
        """What a final status means: choices, this request's own error, or (raised) the engine's."""
        status = response.status_code
        if status == 200:
            answer = self._without_key(answer_in(response))
            if answer is None:
                detail = f"HTTP 200 without choices: {self._said(response)}"
                return Answer(error="bad_response", detail=detail)
            self._answered += 1
            return answer
        said = self._said(response)
        if status in _FATAL:
            raise EngineError(
                f"{self._config.base_url} answered HTTP {status} for model {self._model.served_name!r}: {said}",
                cause=_FATAL[status],
                remedy=f"set the environment variable {self._config.api_key_env} (engine.api_key_env) to a valid key "
                "where engines run, and check model.id and engine.base_url",
            )
        self._answered += 1
        return Answer(error=refusal(status, said), detail=f"HTTP {status}: {said}")

    def _said(self, response: httpx.Response) -> str:
        """The server's own message, short and without the key."""
        text = said_in(response)
        with contextlib.suppress(ValueError, LookupError, AttributeError, RecursionError):
            error = response.json().get("error", {})
            text = error.get("message") or text if isinstance(error, Mapping) else error
        return whole(self._hidden(str(text))[:_DETAIL_CHARACTERS])

    def _without_key(self, answer: Answer | None) -> Answer | None:
        """A gateway in debug mode may answer with the headers it got; completions are published."""
        if answer is None or len(self._key) < _LEAST_KEY or not any(self._key in text for text, _ in answer.choices):
            return answer
        hidden = ((text.replace(self._key, BLANK), reason) for text, reason in answer.choices)
        return replace(answer, choices=tuple(hidden))

    def _hidden(self, text: str) -> str:
        """Without the key as it is, and as JSON or an address writes it."""
        for form in {self._key, json.dumps(self._key)[1:-1], quote(self._key, safe="")} if self._key else ():
            text = text.replace(form, BLANK)
        return blanked(text)

    def _backoff_s(self, attempt: int) -> float:
        return self._jitter.uniform(0, min(BACKOFF_CAP_S, self._backoff_base_s * 2**attempt))
