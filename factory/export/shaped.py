"""What a form makes of rows: a table of its own, which rows it left out and why, and figures that are summed up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class Shaped:
    """`left_out` counts rows that were read and not used, by reason; `facts` are whole numbers that add up over files
    (tokens, say)."""

    table: pa.Table
    left_out: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Counts:
    """Rows of the dataset that were read are those used and those left out by reason; `written` are the export's own
    rows, as many as were used only where a form makes one of one."""

    read: int
    used: int
    written: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, int] = field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        return self.read == self.used + sum(self.left_out.values())

    def record(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "used": self.used,
            "left_out": dict(sorted(self.left_out.items())),
            "written": self.written,
            "facts": dict(sorted(self.facts.items())),
        }


def counts_in(record: Mapping[str, Any]) -> Counts:
    """Raises KeyError where the record lacks one."""
    return Counts(record["read"], record["used"], record["written"], record["left_out"], record["facts"])


def added(counts: Sequence[Counts]) -> Counts:
    left_out, facts = Counter[str](), Counter[str]()
    for each in counts:
        left_out.update(each.left_out)
        facts.update(each.facts)
    return Counts(
        sum(each.read for each in counts),
        sum(each.used for each in counts),
        sum(each.written for each in counts),
        dict(left_out),
        dict(facts),
    )
