"""Gates on the shape of the set: lengths, a target, drift from an earlier version, balance of groups.

Design: all are judged from one `Shape` (shape.py). Lengths drift between the deciles of the earlier version, groups as
they are called; every bin is in the evidence with its part. A group that the earlier version had and that is gone is
named, because no average shows it.

Cost: that of the shape; judging is a few milliseconds, whatever the rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from factory.publish.gates.apart import both_counts, lengths_apart
from factory.publish.gates.batch import Batch
from factory.publish.gates.config import BalanceConfig, Column, GateConfig
from factory.publish.gates.divergence import Divergence, divergence
from factory.publish.gates.measure import Context, percent
from factory.publish.gates.results import EXAMPLES, GateResult, at_least, at_most
from factory.publish.gates.shape import FIELDS, Earlier, Shape, bin_start, quantile
from factory.publish.gates.summaries import shares


@dataclass
class Shaped:
    """`earlier` is the version that drift is measured from, None where there is none."""

    config: GateConfig
    earlier: Earlier | None = None
    shape: Shape = field(default_factory=Shape)

    def add(self, batch: Batch) -> None:
        self.shape.add(batch)

    def merge(self, other: Shaped) -> None:
        self.shape.merge(other.shape)

    def results(self, context: Context) -> list[GateResult]:
        found = [*self._lengths(), *self._target()]
        if self.earlier is not None:
            found += self._drift(self.earlier)
        for balance in self.config.balance:
            found += self._balance(balance)
        return found

    def _lengths(self) -> Iterator[GateResult]:
        for each in self.config.lengths:
            bins = self.shape.lengths[each.field]
            measured = bin_start(quantile(bins, each.quantile))
            at = (0.05, 0.25, 0.5, 0.75, 0.95)
            told = ", ".join(f"{level:.0%} {bin_start(quantile(bins, level))}" for level in at)
            name, meaning = f"lengths.{each.field}", f"characters of {each.field}s at quantile {each.quantile:g}"
            given = (measured, self.config.severity.lengths, meaning, (f"quantiles: {told}",))
            if each.least is not None:
                yield at_least(f"{name}.{each.quantile:g}.least", each.least, *given)
            if each.most is not None:
                yield at_most(f"{name}.{each.quantile:g}.most", each.most, *given)

    def _target(self) -> Iterator[GateResult]:
        target = self.config.target
        if target.shares:
            wanted = {str(each.group): each.share for each in target.shares}
            found = divergence(wanted, self.shape.counts(target.column), exact=True)
            meaning = f"Jensen-Shannon divergence of `{target.column}` from the target"
            severity = self.config.severity.target
            yield at_most(f"target.{target.column}", target.max_divergence, found.jensen_shannon, severity, meaning,
                          _told(found, "target"))  # fmt: skip

    def _drift(self, earlier: Earlier) -> Iterator[GateResult]:
        drift, severity = self.config.drift, self.config.severity.drift
        compared: list[tuple[str, Divergence]] = []
        for text in FIELDS:
            compared.append((f"{text}_length", lengths_apart(earlier, self.shape, text)))
        for column in drift.columns:
            compared.append((column, divergence(*both_counts(earlier, self.shape, column))))
        for name, found in compared:
            told = _told(found, "earlier version")
            yield at_most(f"drift.{name}.divergence", drift.max_divergence, found.jensen_shannon, severity,
                          f"Jensen-Shannon divergence of `{name}` from the earlier version", told)  # fmt: skip
            yield at_most(f"drift.{name}.stability_index", drift.max_stability_index, found.stability_index, severity,
                          f"population stability index of `{name}` against the earlier version", told)  # fmt: skip
        for column in drift.columns:
            kept, found_now = both_counts(earlier, self.shape, column)
            yield self._vanished(column, shares(kept), found_now)

    def _vanished(self, column: Column, before: Mapping[str, float], now: Mapping[str, int]) -> GateResult:
        gone = [name for name, part in before.items() if name not in now and part >= self.config.drift.vanished_from]
        gone.sort(key=lambda name: (-before[name], name))
        evidence = [f"{name!r} was {percent(before[name])}" for name in gone[:EXAMPLES]]
        meaning = f"groups of `{column}` that the earlier version had and that are gone"
        limit, severity = self.config.drift.max_vanished, self.config.severity.drift
        return at_most(f"drift.{column}.vanished", limit, len(gone), severity, meaning, evidence)

    def _balance(self, balance: BalanceConfig) -> Iterator[GateResult]:
        counts = {**dict.fromkeys(balance.groups, 0), **self.shape.counts(balance.column)}
        found, severity = shares(counts), self.config.severity.balance
        ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
        shown = ordered if len(ordered) <= 2 * EXAMPLES else [*ordered[:EXAMPLES], *ordered[-EXAMPLES:]]
        more = f"; {len(ordered) - len(shown)} groups between them" if len(shown) < len(ordered) else ""
        evidence = (", ".join(f"{name!r} {percent(part)}" for name, part in shown) + more,)
        name, values = f"balance.{balance.column}", [part for _, part in ordered] or [0.0]
        if balance.min_share is not None:
            yield at_least(f"{name}.min_share", balance.min_share, values[-1], severity,
                           f"share of the smallest group of `{balance.column}`", evidence)  # fmt: skip
        if balance.max_share is not None:
            yield at_most(f"{name}.max_share", balance.max_share, values[0], severity,
                          f"share of the largest group of `{balance.column}`", evidence)  # fmt: skip
        if balance.min_entropy is not None:
            yield at_least(f"{name}.min_entropy", balance.min_entropy, evenness(values), severity,
                           f"entropy of `{balance.column}` relative to even groups", evidence)  # fmt: skip


def evenness(values: list[float]) -> float:
    """Entropy of shares over that of as many even ones (Pielou 1966): 1 even, 0 where one group has all."""
    if len(values) < 2:
        return 0.0
    return -sum(part * math.log(part) for part in values if part > 0) / math.log(len(values))


def _told(found: Divergence, before: str) -> tuple[str, ...]:
    """The raw figures, and every bin, the most divergent first."""
    head = f"with what chance gives: divergence {found.raw_jensen_shannon:.4f}, index {found.raw_stability_index:.4f}"
    bins = sorted(found.bins, key=lambda each: (-each.index, each.name))
    return (f"{head}; shares {before} -> now (part of the index)", *(each.in_words() for each in bins))
