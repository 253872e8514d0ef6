"""What was turned away, and why: the row that rejects are kept as, beside the accepted ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Side = Literal["input", "output", "quarantine"]


@dataclass(frozen=True)
class Reject:
    """Something turned away: which item, on which side of the step, why, and the measured evidence."""

    item_id: str
    reason: str
    side: Side = "input"
    evidence: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
