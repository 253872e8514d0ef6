"""What a PromQL expression asks for: metrics with matchers, and labels it groups or joins by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import promql_parser as promql


@dataclass(frozen=True)
class Asked:
    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    """Label, operator as written, value."""


def parsed(expression: str) -> Any:
    """Raises ValueError for what is no PromQL. Grafana's variables stand for what it puts in their place."""
    filled = expression.replace("$__rate_interval", "1m").replace("$run", ".+")
    return promql.parse(filled)


def asked(node: Any) -> Iterator[Asked]:
    for part in _walk(node):
        if isinstance(part, promql.VectorSelector):
            matchers = tuple((each.name, _OPERATORS[str(each.op)], each.value) for each in part.matchers.matchers)
            yield Asked(part.name, matchers)


def grouped(node: Any) -> Iterator[tuple[Any, set[str]]]:
    """Every aggregation by labels, with those labels."""
    for part in _walk(node):
        if isinstance(part, promql.AggregateExpr) and part.modifier is not None:
            yield part, set(part.modifier.labels)
        if isinstance(part, promql.BinaryExpr) and part.modifier is not None and part.modifier.matching is not None:
            yield part, set(part.modifier.matching.labels)


def holds(operator: str, wanted: str, value: str) -> bool:
    if operator in ("=", "!="):
        return (value == wanted) == (operator == "=")
    return bool(re.fullmatch(wanted, value)) == (operator == "=~")


_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def _walk(node: Any) -> Iterator[Any]:
    yield node
    for name in ("expr", "lhs", "rhs", "param", "vector_selector"):
        inner = getattr(node, name, None)
        if inner is not None:
            yield from _walk(inner)
    for inner in getattr(node, "args", None) or ():
        yield from _walk(inner)
