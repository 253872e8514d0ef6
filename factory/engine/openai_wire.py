"""What goes to and comes from an OpenAI-compatible server: bodies, and answers read without trusting them.

Design: nothing here raises, whatever a server sends. What is not of the documented form is no answer; counts that are
no numbers are 0.
"""

from __future__ import annotations

import email.utils
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from factory.engine.api import FINISH_STOP, Request, Sampling

RETRY_AFTER_CAP_S = 600.0
"""A server that asks for more than this is down for the run's purposes."""


@dataclass(frozen=True)
class Answer:
    """One HTTP answer that counts: either choices (text, finish reason) or a reason why there are none."""

    choices: tuple[tuple[str, str], ...] = ()
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    error: str | None = None
    detail: str = ""
    retries: int = 0


def body_of(
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


def answer_in(response: httpx.Response) -> Answer | None:
    """The choices of a 200, or None where the body is not what it should be."""
    try:
        body = response.json()
        choices = tuple(_choice(choice) for choice in body["choices"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    if not choices:
        return None
    usage = _mapping(body.get("usage"))
    return Answer(
        choices,
        prompt_tokens=_count(usage.get("prompt_tokens")),
        cached_tokens=_count(_mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
        generated_tokens=_count(usage.get("completion_tokens")),
    )


def _choice(choice: Any) -> tuple[str, str]:
    text, reason = choice["message"].get("content") or "", choice.get("finish_reason") or FINISH_STOP
    if not isinstance(text, str) or not isinstance(reason, str):
        raise TypeError("content and finish_reason are text")
    return whole(text), whole(reason)


def whole(text: str) -> str:
    """The text without halves of characters, which JSON may hold and no table or request can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def said_in(response: httpx.Response) -> str:
    """The body as text; as UTF-8 where the server names a character set that is none."""
    try:
        return response.text
    except (ValueError, TypeError, LookupError, AssertionError):  # "hex" is a codec, and makes bytes of bytes
        return response.content.decode(errors="replace")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0


def shared_out(total: int, texts: Sequence[str]) -> list[int]:
    """Usage counts all choices together: shared out by length of text, summing to the total exactly."""
    characters = sum(len(text) for text in texts)
    shares = [total * len(text) // characters if characters else total // len(texts) for text in texts]
    shares[0] += total - sum(shares)
    return shares


def refusal(status: int, said: str) -> str:
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


def out_of_quota(response: httpx.Response) -> bool:
    """OpenAI answers 429 both for «slower» and for «pay»; waiting helps only with the first."""
    return response.status_code == 429 and "insufficient_quota" in said_in(response)


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds the server asks to wait: Retry-After as a number or a date (RFC 9110, section 10.2.3)."""
    value = headers.get("retry-after", "")
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError, LookupError):
            return 0.0
    return 0.0 if math.isnan(wait) else min(max(wait, 0.0), RETRY_AFTER_CAP_S)
