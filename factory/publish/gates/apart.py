"""How far the shape of a set lies from that of another: by deciles of lengths, by groups of a column.

Design: lengths are compared between the deciles of the earlier set, groups as they are called, so every bin has a name
that people read. What drift is judged from, and what `factory diff` shows.
"""

from __future__ import annotations

from collections.abc import Mapping

from factory.publish.gates import summaries
from factory.publish.gates.config import Column
from factory.publish.gates.divergence import Divergence, divergence
from factory.publish.gates.shape import Earlier, Field, Shape, bin_start, quantile

DECILES = 10


def lengths_apart(earlier: Earlier, now: Shape, field: Field) -> Divergence:
    """Of the lengths of questions or answers."""
    edges = _edges(earlier.lengths[field])
    return divergence(_by_edges(earlier.lengths[field], edges), _by_edges(now.lengths[field], edges))


def both_counts(earlier: Earlier, now: Shape, column: Column) -> tuple[dict[str, int], dict[str, int]]:
    """Rows by group before and now, of the groups that both shapes would have kept: what one of them left out for
    being too many is neither gone nor new."""
    bound = min(earlier.bounds[column], now.groups[column].bound)
    counts = (earlier.groups[column], now.counts(column))
    before, after = ({name: rows for name, rows in found.items() if summaries.place(name) < bound} for found in counts)
    return before, after


def _edges(bins: Mapping[int, int]) -> list[int]:
    """Bins at which the deciles of lengths begin, fewer where lengths are alike, and where there were none any more:
    lengths that the earlier version did not have are drift, however narrow it was."""
    if not bins:
        return []
    return sorted({min(bins), max(bins) + 1, *(quantile(bins, number / DECILES) for number in range(1, DECILES))})


def _by_edges(bins: Mapping[int, int], edges: list[int]) -> dict[str, float]:
    """Rows between the edges, by a name that says which lengths they have."""
    names = [_between(None, edges[0])] if edges else ["all"]
    names += [_between(edge, edges[place + 1] if place + 1 < len(edges) else None) for place, edge in enumerate(edges)]
    found = dict.fromkeys(names, 0.0)
    for place, count in bins.items():
        found[names[sum(place >= edge for edge in edges)]] += count
    return found


def _between(low: int | None, high: int | None) -> str:
    if low is None:
        return f"below {bin_start(high or 0)}"
    return f"{bin_start(low)} and more" if high is None else f"{bin_start(low)} to {bin_start(high) - 1}"
