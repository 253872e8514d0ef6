"""Which rows two datasets share: the same, changed, only in one, by id and by question.

Cost: bounded memory whatever the rows (spill.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from factory.govern.difference.found import Example, Shared
from factory.govern.difference.spill import GROUPS, Records, Spill

EXAMPLES = 5
"""Rows shown of each kind: those whose keys have the least hashes, so another run shows the same."""

KINDS = ("changed", "only_before", "only_now")

Lookup = Callable[[Sequence[int]], tuple[Example, ...]]
"""Places of rows -> what they are."""


@dataclass
class _Tally:
    counts: Counter[str] = field(default_factory=Counter)
    changed_in: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def add(self, kind: str, records: Records) -> None:
        self.counts[kind] += len(records)
        if kind in self.places:
            room = EXAMPLES - len(self.places[kind])
            self.places[kind] += [int(place) for place in records["place"][:room]]


def shared_rows(key: str, before: Spill, now: Spill, lookup_before: Lookup, lookup_now: Lookup) -> Shared:
    """`key` says what the records' keys are; both spills have as many parts."""
    tally = _Tally()
    for number in range(before.parts):
        _count(before.part(number), now.part(number), tally)
    lookups = {"changed": lookup_now, "only_before": lookup_before, "only_now": lookup_now}
    return Shared(
        key=key,
        same=tally.counts["same"],
        changed=tally.counts["changed"],
        only_before=tally.counts["only_before"],
        only_now=tally.counts["only_now"],
        changed_in={name: tally.changed_in[name] for name in GROUPS},
        examples={kind: lookups[kind](places) for kind, places in tally.places.items()},
    )


def _count(before: Records, now: Records, tally: _Tally) -> None:
    _, mine, theirs = np.intersect1d(before["key"], now["key"], assume_unique=True, return_indices=True)
    both = len(mine)
    changed = np.zeros(both, bool)
    for name in GROUPS:
        differs = before[name][mine] != now[name][theirs]
        tally.changed_in[name] += int(differs.sum())
        changed |= differs
    tally.counts["same"] += both - int(changed.sum())
    tally.add("changed", now[theirs[changed]])
    tally.add("only_before", np.delete(before, mine))
    tally.add("only_now", np.delete(now, theirs))
