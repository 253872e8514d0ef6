"""Any OpenAI-compatible server as an engine: vLLM's own, a hosted one, llama.cpp, a gateway.

Design: one HTTP request a chat, through one connection pool. How many are open at once adapts to the server
(concurrency.py). 429, 5xx, time-outs and broken connections are tried again with exponential backoff and
full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), at least as long as
the server's Retry-After asks. What the server refuses for its content (context length, schema) is that
completion's error; what says nothing about the row (wrong key, unknown model, a server that stays away)
raises EngineError, so that an outage never turns rows into rejects. The key is read from the environment,
and blanked out of everything the server says before anyone reads it.

Cost: about 0.5 ms of this process a request.
"""

from __future__ import annotations

import asyncio
import email.utils
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson

from factory.config import EngineConfig
from factory.engine.api import FINISH_STOP, Batch, Completion, EngineInfo, Message, Request, Sampling
from factory.engine.concurrency import AdaptiveLimit
from factory.engine.models import ResolvedModel
from factory.errors import EngineError
from factory.identity import seed_for

BACKOFF_BASE_S = 0.5
BACKOFF_CAP_S = 60.0
RETRY_AFTER_CAP_S = 600.0
"""A server that asks for more than this is down for the run's purposes."""

_OVERLOADED = frozenset({429, 503, 529})
_RETRIED = _OVERLOADED | {408, 409, 425, 500, 502, 504, 520, 522, 524}
_FATAL = {401: "the key is missing or wrong", 403: "the key may not use this model", 404: "no such model or path"}
_DETAIL_CHARACTERS = 500


@dataclass(frozen=True)
class _Answer:
    """One HTTP answer that counts: either choices or a reason why the server will not give any."""

    choices: tuple[tuple[str, str], ...] = ()
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    error: str | None = None
    detail: str = ""


class OpenAiEngine:
    """See the module. `backoff_base_s` is the first wait's upper bound in seconds; it doubles each try."""

    def __init__(self, config: EngineConfig, model: ResolvedModel, backoff_base_s: float = BACKOFF_BASE_S) -> None:
        self._config, self._model = config, model
        self._url = (config.base_url or "").rstrip("/") + "/chat/completions"
        self._key = os.environ.get(config.api_key_env, "")
        self._backoff_base_s = backoff_base_s
        self.limit = AdaptiveLimit(config.max_concurrency)
        self._client: httpx.AsyncClient | None = None
        self._answered = 0
        self._token_key = "max_tokens"
        self._jitter = random.Random()

    async def start(self) -> EngineInfo:
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(self._config.timeout_s, connect=min(30.0, self._config.timeout_s)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=self._config.max_concurrency),
        )
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
                f"{self._config.base_url} refused a one-line request to {self._model.id}: {answer.detail}",
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
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def progress(self) -> int:
        return self._answered

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
        prompt_tokens = cached_tokens = 0
        while len(choices) < wanted:
            seed = seed_for(batch.sampling.seed, request.request_id, len(choices)) & 0x7FFFFFFF
            sampling = replace(batch.sampling, seed=seed)
            answer, _ = await self._call(request, sampling, batch.schema, wanted - len(choices))
            prompt_tokens = max(prompt_tokens, answer.prompt_tokens)
            cached_tokens = max(cached_tokens, answer.cached_tokens)
            if answer.error is not None:
                return Completion(
                    request.request_id, (), (), prompt_tokens, (), error=answer.error, error_detail=answer.detail
                )
            choices += answer.choices[: wanted - len(choices)]
            tokens += _shared_out(answer.generated_tokens, [text for text, _ in answer.choices])
        return Completion(
            request_id=request.request_id,
            texts=tuple(text for text, _ in choices),
            finish_reasons=tuple(reason for _, reason in choices),
            prompt_tokens=prompt_tokens,
            generated_tokens=tuple(tokens[:wanted]),
            cached_tokens=cached_tokens,
            latency=time.monotonic() - started,
        )

    async def _call(
        self,
        request: Request,
        sampling: Sampling,
        schema: dict[str, Any] | None,
        count: int,
        retries: int | None = None,
    ) -> tuple[_Answer, str]:
        """One answer and the server's name, through retries. Raises EngineError when the server is to blame."""
        allowed = self._config.max_retries if retries is None else retries
        answered_before = self._answered
        trouble, row_to_blame = "", False
        for attempt in range(allowed + 1):
            wait_s = 0.0
            ticket = await self.limit.acquire()
            overloaded = success = False
            try:
                response = await self._post(request, sampling, schema, count)
                overloaded, success = response.status_code in _OVERLOADED, response.status_code == 200
            except httpx.TimeoutException:
                trouble, row_to_blame = f"no answer within {self._config.timeout_s:g} s", True
            except (httpx.TransportError, httpx.DecodingError) as error:
                trouble, row_to_blame = f"{type(error).__name__}: {error}", False
            else:
                if response.status_code not in _RETRIED:
                    return self._judged(response), response.headers.get("server", "")
                trouble, row_to_blame = f"HTTP {response.status_code}: {self._said(response)}", not overloaded
                if _out_of_quota(response):
                    break
                wait_s = _retry_after_s(response.headers)
            finally:
                self.limit.release(ticket, overloaded=overloaded, success=success)
            if overloaded and wait_s:
                self.limit.hold(wait_s)  # the server means everyone, not this request alone
            if attempt < allowed:
                await asyncio.sleep(max(wait_s, self._backoff_s(attempt)))
        if row_to_blame and self._answered > answered_before:
            # Others got answers meanwhile: this request is what the server cannot do.
            return _Answer(error="server_error", detail=self._hidden(trouble)), ""
        raise EngineError(
            f"{self._config.base_url} did not answer after {allowed + 1} tries; last: {self._hidden(trouble)}",
            cause="the server is down, overloaded, out of quota, or cannot be reached from here",
            remedy="check it and run again: committed work is kept. A slow server needs a lower "
            "engine.max_concurrency, or a higher engine.max_retries or engine.timeout_s",
        )

    async def _post(
        self, request: Request, sampling: Sampling, schema: dict[str, Any] | None, count: int
    ) -> httpx.Response:
        if self._client is None:
            raise EngineError("the engine was stopped while requests were open")
        body = _body(request, self._model.id, sampling, schema, count, self._token_key)
        headers = {"Content-Type": "application/json", "X-Request-Id": request.request_id}
        response = await self._client.post(self._url, content=orjson.dumps(body), headers=headers)
        asks_anew = response.status_code == 400 and self._token_key == "max_tokens"
        if asks_anew and "max_completion_tokens" in _text(response):
            # Newer models of OpenAI know only this name; found out once, kept for the run.
            self._token_key = "max_completion_tokens"
            return await self._post(request, sampling, schema, count)
        return response

    def _judged(self, response: httpx.Response) -> _Answer:
        """What a final status means: choices, this request's own error, or (raised) the engine's."""
        status = response.status_code
        if status == 200:
            answer = _parsed(response)
            if answer is None:
                detail = f"HTTP 200 without choices: {self._said(response)}"
                return _Answer(error="bad_response", detail=detail)
            self._answered += 1
            return answer
        said = self._said(response)
        if status in _FATAL:
            raise EngineError(
                f"{self._config.base_url} answered HTTP {status} for model {self._model.id!r}: {said}",
                cause=_FATAL[status],
                remedy=f"set the environment variable {self._config.api_key_env} (engine.api_key_env) to a valid key "
                "where engines run, and check model.id and engine.base_url",
            )
        self._answered += 1
        return _Answer(error=_reason(status, said), detail=f"HTTP {status}: {said}")

    def _said(self, response: httpx.Response) -> str:
        """The server's own message, short and without the key."""
        error = _json(response).get("error", {})
        said = error.get("message") if isinstance(error, dict) else error
        text = said if isinstance(said, str) and said else _text(response)
        return _whole(self._hidden(text)[:_DETAIL_CHARACTERS])

    def _hidden(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def _backoff_s(self, attempt: int) -> float:
        return self._jitter.uniform(0, min(BACKOFF_CAP_S, self._backoff_base_s * 2**attempt))


def _body(
    request: Request, model: str, sampling: Sampling, schema: dict[str, Any] | None, count: int, token_key: str
) -> dict[str, Any]:
    """The request body. What OpenAI does not know (top_k, …) goes in only when it is set to something."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        token_key: sampling.max_tokens,
        "seed": sampling.seed,
    }
    if count > 1:
        body["n"] = count
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.top_k > 0:
        body["top_k"] = sampling.top_k
    if sampling.repetition_penalty != 1.0:
        body["repetition_penalty"] = sampling.repetition_penalty
    if sampling.ignore_eos:
        body["ignore_eos"] = True
    if schema is not None:
        form = {"name": "answer", "schema": schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body


def _parsed(response: httpx.Response) -> _Answer | None:
    """None for what is no answer in OpenAI's format: the request it was for is to blame, not its batch."""
    body = _json(response)
    given = body.get("choices")
    choices = [_choice(each) for each in given] if isinstance(given, list) else []
    if not choices or None in choices:
        return None
    usage = _object(body.get("usage"))
    return _Answer(
        tuple(choice for choice in choices if choice is not None),
        prompt_tokens=_tokens(usage.get("prompt_tokens")),
        cached_tokens=_tokens(_object(usage.get("prompt_tokens_details")).get("cached_tokens")),
        generated_tokens=_tokens(usage.get("completion_tokens")),
    )


def _json(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        return _object(response.json())
    except (ValueError, TypeError, RecursionError, LookupError):
        return {}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _choice(value: Any) -> tuple[str, str] | None:
    """Text and finish reason. JSON may hold half a character, which no table and no other request can."""
    message = _object(value).get("message")
    if not isinstance(message, dict):
        return None
    content, reason = message.get("content") or "", value.get("finish_reason") or FINISH_STOP
    if not isinstance(content, str) or not isinstance(reason, str):
        return None
    return _whole(content), _whole(reason)


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _tokens(value: Any) -> int:
    """A count as a server states it; 0 for what is none."""
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else 0


MOST_TOKENS = 1 << 32
"""Of one request: what is more is no count, and sums of it would leave 64 bits."""


def _shared_out(total: int, texts: list[str]) -> list[int]:
    """Usage counts all choices together: shared out by length of text, summing to the total exactly."""
    characters = sum(len(text) for text in texts)
    shares = [total * len(text) // characters if characters else total // len(texts) for text in texts]
    shares[0] += total - sum(shares)
    return shares


def _reason(status: int, said: str) -> str:
    """The completion's error for a 4xx, by what the server says; the words differ, these parts do not."""
    text = said.lower()
    if status == 413 or "context length" in text or "context_length" in text or "maximum context" in text:
        return "prompt_too_long"
    if "too long" in text or "max_model_len" in text or "context size" in text or "context window" in text:
        return "prompt_too_long"
    if "response_format" in text or "schema" in text or "grammar" in text or "structured" in text:
        return "schema_refused"
    if "content_filter" in text or "content management policy" in text or "safety" in text:
        return "content_filter"
    return f"http_{status}"


def _out_of_quota(response: httpx.Response) -> bool:
    """OpenAI answers 429 both for «slower» and for «pay»; waiting helps only with the first."""
    return response.status_code == 429 and "insufficient_quota" in _text(response)


def _text(response: httpx.Response) -> str:
    """The body as text; as UTF-8 where the server names a character set that is none."""
    try:
        return response.text
    except (ValueError, TypeError, LookupError, AssertionError):  # "hex" is a codec, and makes bytes of bytes
        return response.content.decode(errors="replace")


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds the server asks to wait: Retry-After as a number or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("retry-after", "")
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError, LookupError):
            return 0.0
    return min(max(wait, 0.0), RETRY_AFTER_CAP_S) if wait == wait else 0.0  # float() reads "nan"
