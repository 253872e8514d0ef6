"""How far columns of two datasets are from each other: what the drift gate measures, and verdicts and agreement."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from factory.govern.difference.found import Apart
from factory.publish.gates.apart import both_counts, lengths_apart
from factory.publish.gates.batch import Batch
from factory.publish.gates.config import COLUMNS
from factory.publish.gates.divergence import divergence
from factory.publish.gates.reference import SHAPE_COLUMNS
from factory.publish.gates.shape import FIELDS, NONE, Earlier, Shape

SEEN_COLUMNS = (*SHAPE_COLUMNS, "verified", "agreement")

TENTHS = 10


@dataclass
class Seen:
    """What has been seen of a dataset's rows so far; of fixed size."""

    shape: Shape = field(default_factory=Shape)
    verified: Counter[str] = field(default_factory=Counter)
    agreement: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        """`table` has SEEN_COLUMNS."""
        self.shape.add(Batch(table))
        self.verified.update(value or NONE for value in table.column("verified").to_pylist())
        self.agreement.update(_tenth(value) for value in table.column("agreement").to_pylist())


def _tenth(share: float | None) -> str:
    if share is None:
        return NONE
    tenth = min(int(share * TENTHS), TENTHS - 1)
    return "1.0" if share >= 1 else f"{tenth / TENTHS:.1f} to {(tenth + 1) / TENTHS:.1f}"


def apart(before: Seen, now: Seen) -> tuple[Apart, ...]:
    """Lengths, then columns, in the order of the gates' settings."""
    earlier = _earlier(before.shape)
    return (
        *(Apart(f"length of the {name}", lengths_apart(earlier, now.shape, name)) for name in FIELDS),
        *(Apart(name, divergence(*both_counts(earlier, now.shape, name))) for name in COLUMNS),
        Apart("verified", divergence(before.verified, now.verified)),
        Apart("agreement", divergence(before.agreement, now.agreement)),
    )


def _earlier(shape: Shape) -> Earlier:
    bounds = {str(name): groups.bound for name, groups in shape.groups.items()}
    lengths = {str(name): bins for name, bins in shape.lengths.items()}
    return Earlier(shape.rows, {name: shape.counts(name) for name in COLUMNS}, bounds, lengths)
