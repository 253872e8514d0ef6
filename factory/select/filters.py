"""What turns a document away: filters look at one normalised text and give a reason, or nothing.

Design: a filter is a frozen value with its settings, asked in order; the first that objects decides. It gives
the figures it decided by, so that a threshold can be judged from the rejects alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Verdict:
    """Why a document is turned away, and the figures that say so (JSON)."""

    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Filter(Protocol):
    def judge(self, text: str) -> Verdict | None:
        """None: the filter has nothing against the document."""
        ...


@dataclass(frozen=True)
class Length:
    """Characters of the normalised text; `maximum` None: however long."""

    minimum: int
    maximum: int | None

    def judge(self, text: str) -> Verdict | None:
        if len(text) < max(1, self.minimum):
            return Verdict("too_short", {"characters": len(text), "minimum": self.minimum})
        if self.maximum is not None and len(text) > self.maximum:
            return Verdict("too_long", {"characters": len(text), "maximum": self.maximum})
        return None


def judge(filters: Sequence[Filter], text: str) -> Verdict | None:
    for each in filters:
        verdict = each.judge(text)
        if verdict is not None:
            return verdict
    return None
