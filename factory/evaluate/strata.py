"""Figures of a run's samples by the columns that its domain pack breaks them down by (`strata` of pack.yaml).

Design: one pass over the small columns of the shards; of a column only the largest groups are shown, and of one with
very many names the rest is counted together, so that a page and its memory do not grow with the rows.

Cost: 6 microseconds a row for a column and a tag, on one core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.evaluate.distributions import open_shard
from factory.evaluate.facts import Group, Stratum
from factory.store.base import Store

SHOWN = 20
"""Groups of a column on the page."""

KEPT = 10_000
"""Groups counted by name; rows of further ones are counted together."""

BATCH_ROWS = 16_384
_MEASURED = ("verified", "agreement", "answer_tokens")


def strata_of(store: Store, keys: Iterable[str], columns: Sequence[str]) -> tuple[Stratum, ...]:
    """Figures by each of `columns`, which are columns of the rows or names of tags; those that no row has are left out.

    Raises KeyError when a file is absent, OSError or ValueError (pyarrow's) when it is no Parquet.
    """
    counted = {column: _Counted() for column in columns}
    for key in keys if columns else ():
        file = open_shard(store, key)
        there = file.schema_arrow.names
        read = [name for name in dict.fromkeys((*columns, "tags", *_MEASURED)) if name in there]
        for batch in file.iter_batches(BATCH_ROWS, columns=read, use_threads=False):
            rows = batch.to_pylist()
            for column, found in counted.items():
                for row, name in zip(rows, _names(rows, column, column in there), strict=True):
                    if name is not None:
                        found.add(name, row)
    return tuple(found.result(column) for column, found in counted.items() if found.rows)


def _names(rows: Sequence[dict[str, Any]], column: str, is_column: bool) -> Iterator[str | None]:
    for row in rows:
        if is_column:
            yield "" if row[column] is None else str(row[column])
        else:
            tags = row.get("tags") or ()
            yield next((str(tag["value"]) for tag in tags if tag["name"] == column), None)


@dataclass
class _Counted:
    rows: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    sums: Counter[tuple[str, str]] = field(default_factory=Counter)
    values: Counter[tuple[str, str]] = field(default_factory=Counter)
    beyond: int = 0

    def add(self, name: str, row: dict[str, Any]) -> None:
        if name not in self.rows and len(self.rows) >= KEPT:
            self.beyond += 1
            return
        self.rows[name] += 1
        self.verdicts[name, str(row.get("verified"))] += 1
        for measured in ("agreement", "answer_tokens"):
            if (value := row.get(measured)) is not None:
                self.sums[name, measured] += value
                self.values[name, measured] += 1

    def result(self, column: str) -> Stratum:
        ordered = sorted(self.rows, key=lambda name: (-self.rows[name], name))
        other = self.beyond + sum(self.rows[name] for name in ordered[SHOWN:])
        return Stratum(column, tuple(self._group(name) for name in ordered[:SHOWN]), other)

    def _group(self, name: str) -> Group:
        yes, no, unchecked = (self.verdicts[name, verdict] for verdict in ("yes", "no", "unchecked"))
        agreement, tokens = self._mean(name, "agreement"), self._mean(name, "answer_tokens")
        return Group(name, self.rows[name], yes, no, unchecked, agreement, tokens)

    def _mean(self, name: str, measured: str) -> float | None:
        count = self.values[name, measured]
        return self.sums[name, measured] / count if count else None
