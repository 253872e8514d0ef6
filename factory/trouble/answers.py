"""The answers that a proxy gives in a server's place: S3's XML to who speaks S3, OpenAI's JSON to everybody else.

Design: codes, statuses and bodies as the services document them, so that clients take the same branch as in earnest.
Requests signed for AWS (or sent there unsigned with a presigned query) are S3's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from xml.sax.saxutils import escape

import orjson

from factory.trouble.rules import Fault, Rule

REQUEST_ID = "0123456789ABCDEF"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


_S3: Mapping[Fault, tuple[int, str, str]] = {
    Fault.INTERNAL: (500, "InternalError", "We encountered an internal error. Please try again."),
    Fault.UNAVAILABLE: (503, "ServiceUnavailable", "Service is unable to handle request."),
    Fault.SLOW_DOWN: (503, "SlowDown", "Please reduce your request rate."),
    Fault.RATE_LIMIT: (429, "TooManyRequests", "Please reduce your request rate."),
    Fault.EXPIRED: (400, "ExpiredToken", "The provided token has expired."),
    Fault.DENIED: (403, "AccessDenied", "Access Denied"),
}

_OPENAI: Mapping[Fault, tuple[int, str, str | None, str]] = {
    Fault.INTERNAL: (500, "server_error", None, "The server had an error while processing your request."),
    Fault.UNAVAILABLE: (503, "server_error", None, "The engine is currently overloaded, please try again later."),
    Fault.SLOW_DOWN: (503, "server_error", "slow_down", "Slow down."),
    Fault.RATE_LIMIT: (429, "requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    Fault.EXPIRED: (401, "invalid_request_error", "invalid_api_key", "Your authentication token has expired."),
    Fault.DENIED: (403, "invalid_request_error", "model_not_found", "You have no access to this model."),
}


def answer_to(rule: Rule, target: str, headers: Mapping[str, str]) -> Answer:
    """What the struck request is answered; `headers` have lower-case names."""
    kind, body = _s3(rule, target) if speaks_s3(target, headers) else _openai(rule)
    common = [("Date", formatdate(usegmt=True)), ("Content-Length", str(len(body)))]
    if rule.fault is Fault.RATE_LIMIT:
        common.append(("Retry-After", f"{rule.length_s:g}"))
    status = (_S3[rule.fault] if kind == "application/xml" else _OPENAI[rule.fault])[0]
    return Answer(status, (("Content-Type", kind), ("x-amz-request-id", REQUEST_ID), *common), body)


def speaks_s3(target: str, headers: Mapping[str, str]) -> bool:
    return headers.get("authorization", "").startswith("AWS") or "X-Amz-" in target or "x-amz-date" in headers


def _s3(rule: Rule, target: str) -> tuple[str, bytes]:
    _, code, message = _S3[rule.fault]
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message><Resource>{escape(target.partition('?')[0])}</Resource>"
        f"<RequestId>{REQUEST_ID}</RequestId></Error>"
    )
    return "application/xml", text.encode()


def _openai(rule: Rule) -> tuple[str, bytes]:
    _, kind, code, message = _OPENAI[rule.fault]
    return "application/json", orjson.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}})
