"""Which requests come to grief, and how: rules, and the seeded draw that says which of them strikes.

Design: a rule is a fault, a method and a pattern over path and query as they were sent, and how often: a share of the
matching requests, the first so many after some were let through, or both. Each rule draws from a generator of its own,
so the k-th request that matches it comes to the same end with the same seed, whatever else is asked meanwhile (which
request is the k-th depends, where several are under way, on which arrives first). The first rule that strikes decides.
Rules are written as one line of text, on the command line, over the control address and from Python.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from factory.errors import ConfigError


class Fault(StrEnum):
    """What happens to a request; the first six are answers that the proxy gives itself, the server hears nothing."""

    INTERNAL = "500"
    UNAVAILABLE = "503"
    SLOW_DOWN = "slowdown"
    RATE_LIMIT = "429"
    EXPIRED = "expired"
    DENIED = "denied"
    RESET = "reset"
    RESET_BODY = "reset-body"
    RESET_ANSWER = "reset-answer"
    LOSE_ANSWER = "lose-answer"
    SLOW = "slow"
    STALL = "stall"
    DARK = "dark"


MEANINGS = {
    Fault.INTERNAL: "answers 500 (S3: InternalError)",
    Fault.UNAVAILABLE: "answers 503 (S3: ServiceUnavailable)",
    Fault.SLOW_DOWN: "answers 503 SlowDown, as S3 does when it throttles",
    Fault.RATE_LIMIT: "answers 429 with Retry-After: seconds",
    Fault.EXPIRED: "answers that the temporary credentials have expired (S3: 400 ExpiredToken; else 401)",
    Fault.DENIED: "answers 403 (S3: AccessDenied)",
    Fault.RESET: "resets the connection; the server hears nothing",
    Fault.RESET_BODY: "resets it after the share `at` of the request's body",
    Fault.RESET_ANSWER: "resets it after the share `at` of the answer's body",
    Fault.LOSE_ANSWER: "lets the server do its work to the end, and resets the connection instead of answering",
    Fault.SLOW: "lets bodies pass, both ways, at `rate` bytes a second",
    Fault.STALL: "lets no byte pass for `seconds`, before the answer or at the share `at` of its body; then it goes on",
    Fault.DARK: "is gone for `seconds`: every connection, this one and new ones, is reset",
}

ANSWERED = frozenset(
    {Fault.INTERNAL, Fault.UNAVAILABLE, Fault.SLOW_DOWN, Fault.RATE_LIMIT, Fault.EXPIRED, Fault.DENIED}
)
"""Faults that are an answer of the proxy's own."""


@dataclass(frozen=True)
class Rule:
    """One kind of trouble. `method` may name several ("PUT|POST"); `path` is a shell pattern in which * also matches
    slashes; `share` is of the matching requests, `count` how many are struck at most, `skip` how many are let through
    first; `at` is a share of a body, `seconds` a length, `rate` in bytes a second."""

    fault: Fault
    method: str = "*"
    path: str = "*"
    share: float = 1.0
    count: int | None = None
    skip: int = 0
    at: float | None = None
    seconds: float | None = None
    rate: int = 10_000

    def __post_init__(self) -> None:
        faults = [
            (not 0 < self.share <= 1, f"share={self.share:g} is not above 0 and at most 1"),
            (self.count is not None and self.count < 1, f"count={self.count} is less than 1"),
            (self.skip < 0, f"skip={self.skip} is less than 0"),
            (self.at is not None and not 0 <= self.at <= 1, f"at={self.at} does not lie between 0 and 1"),
            (self.seconds is not None and self.seconds < 0, f"seconds={self.seconds} is less than 0"),
            (self.rate < 1, f"rate={self.rate} is less than one byte a second"),
        ]
        for wrong, why in faults:
            if wrong:
                raise _no_rule(str(self.fault), why)

    @property
    def where(self) -> float:
        """The share of a body that passes before something happens: half of it, or nothing before a stall."""
        if self.at is not None:
            return self.at
        return 0.0 if self.fault is Fault.STALL else 0.5

    @property
    def length_s(self) -> float:
        """Seconds of a stall, of darkness, or that a client is told to wait."""
        if self.seconds is not None:
            return self.seconds
        return 1.0 if self.fault is Fault.RATE_LIMIT else 5.0

    def matches(self, method: str, target: str) -> bool:
        return (self.method == "*" or method in self.method.split("|")) and fnmatchcase(target, self.path)

    def __str__(self) -> str:
        """The line that `parse_rule` reads back."""
        words = [str(self.fault), self.method, self.path]
        words += [f"{name}={getattr(self, name)}" for name in OPTIONS if getattr(self, name) != _DEFAULTS[name]]
        return " ".join(words)


OPTIONS = ("share", "count", "skip", "at", "seconds", "rate")
_DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(Rule)}
_WHOLE = ("count", "skip", "rate")
_METHOD = re.compile(r"\*|[A-Z]+(\|[A-Z]+)*")


def parse_rule(line: str) -> Rule:
    """A rule from "FAULT [METHOD] [PATTERN] [key=value …]". Raises ConfigError that says what is wrong with it."""
    words = line.split()
    if not words:
        raise _no_rule(line, "it is empty")
    try:
        fault = Fault(words[0].lower())
    except ValueError:
        raise _no_rule(line, f"there is no fault {words[0]!r}") from None
    given: dict[str, Any] = {}
    places: list[str] = []
    for word in words[1:]:
        key, separator, value = word.partition("=")
        # A pattern may hold "=" as well, as in *uploadId=*.
        if separator and key in OPTIONS:
            try:
                given[key] = int(value) if key in _WHOLE else float(value)
            except ValueError:
                raise _no_rule(line, f"{key}={value} is no {'whole ' if key in _WHOLE else ''}number") from None
        else:
            places.append(word)
    method = places.pop(0) if places and _METHOD.fullmatch(places[0]) else "*"
    path = places.pop(0) if places else "*"
    if places:
        raise _no_rule(line, f"{places[0]!r} is neither a method, a pattern nor one of {', '.join(OPTIONS)}")
    return Rule(fault, method, path, **given)


def _no_rule(line: str, why: str) -> ConfigError:
    return ConfigError(
        f"{line!r} is no rule: {why}",
        cause="a misspelt rule",
        remedy="write FAULT [METHOD] [PATTERN] [share=0.1] [count=5] …, for example '503 PUT */commits/* share=0.1'; "
        f"faults are {', '.join(Fault)}",
    )


@dataclass
class _Watched:
    """A rule at work: how many requests matched it, and how many it struck."""

    rule: Rule
    draw: random.Random
    matched: int = 0
    struck: int = 0


@dataclass(frozen=True)
class Struck:
    """How often a rule matched and struck."""

    rule: Rule
    matched: int
    struck: int


@dataclass
class Rules:
    """The rules in force. May be changed from any thread while requests are drawn for; a rule that is set again starts
    counting, and drawing, from the beginning."""

    seed: int = 0
    _watched: list[_Watched] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def replace(self, rules: Iterable[Rule]) -> None:
        fresh = [
            _Watched(rule, random.Random(f"{self.seed}/{number}/{rule}")) for number, rule in enumerate(tuple(rules))
        ]
        with self._lock:
            self._watched = fresh

    def draw(self, method: str, target: str) -> Rule | None:
        """The first rule that strikes this request."""
        with self._lock:
            for each in self._watched:
                if not each.rule.matches(method, target):
                    continue
                each.matched += 1
                if each.matched <= each.rule.skip or each.struck == each.rule.count:
                    continue
                # Drawn for every request that may be struck: the k-th of them has the same end with the same seed.
                if each.draw.random() < each.rule.share:
                    each.struck += 1
                    return each.rule
        return None

    def counts(self) -> Sequence[Struck]:
        with self._lock:
            return [Struck(each.rule, each.matched, each.struck) for each in self._watched]
