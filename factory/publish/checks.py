"""What a verification says: named checks, each with its outcome and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

FAULTS_SHOWN = 5
"""Faults a check names; the number of all of them is always given."""


@dataclass(frozen=True)
class Check:
    name: str
    ok: bool
    detail: str


@dataclass
class Faults:
    """Collects what is wrong under one check; keeps the first few in words and counts the rest."""

    name: str
    found: int = 0
    shown: list[str] = field(default_factory=list)

    def add(self, fault: str) -> None:
        self.found += 1
        if len(self.shown) < FAULTS_SHOWN:
            self.shown.append(fault)

    def extend(self, faults: Iterable[str]) -> None:
        for fault in faults:
            self.add(fault)

    def expect(self, condition: bool, fault: str) -> None:
        if not condition:
            self.add(fault)

    def check(self, detail: str) -> Check:
        """The outcome; `detail` is what is said when nothing is wrong."""
        if not self.found:
            return Check(self.name, True, detail)
        more = f" (and {self.found - len(self.shown)} more)" if self.found > len(self.shown) else ""
        return Check(self.name, False, "; ".join(self.shown) + more)


def summary(checks: Sequence[Check], **facts: Any) -> dict[str, Any]:
    """The JSON object that closes a verification."""
    return {
        "ok": bool(checks) and all(check.ok for check in checks),
        "checks": [{"name": check.name, "ok": check.ok, "detail": check.detail} for check in checks],
        **facts,
    }
