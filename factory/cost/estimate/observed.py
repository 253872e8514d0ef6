"""What steps took before, below the same root: the figures that an estimate rests on.

Design: a step's folder is named by everything that can change its rows, so whatever lies in it measures the step as it
will be run, whichever run paid. Where it is empty, the latest run that asked the same model in a step of that name
stands in, under other settings. Figures are kept by cluster: by unit where there are LEAST_UNITS (rows of a unit lie
side by side in a source and resemble each other), else by row, from the units' request tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.cost.amounts import BUSY, IDLE, Amounts, of_ledger, total
from factory.store.base import Store
from factory.store.commit_index import each_commit
from factory.store.commits import Commit, committed_units
from factory.store.parquet import read_parquet

INPUTS, REQUESTS, PROMPT, CACHED, GENERATED, ACCEPTED, BUSY_SECONDS = range(7)
"""Columns of `Observed.clusters`."""

LEAST_UNITS = 10
"""Below so many units a bootstrap over them says little; rows stand in, as if they were independent."""

UNITS_AT_MOST = 512
"""Units that are looked at closely, by id: ids are hashes, so the first of them are a fair draw."""

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Done:
    """Rows read and accepted, and requests made, of units that are committed."""

    inputs: float = 0.0
    accepted: float = 0.0
    requests: float = 0.0

    def __add__(self, other: Done) -> Done:
        return Done(self.inputs + other.inputs, self.accepted + other.accepted, self.requests + other.requests)


def done_by(commit: Commit) -> Done:
    return Done(commit.counts.inputs, commit.counts.accepted, commit.ledger.get("requests", 0))


@dataclass(frozen=True)
class Observed:
    """`clusters`: one row a unit (or input row), columns as above. `held`: what engines held over the same units.
    `own`: of all units of the folder those that runs over the same corpus paid for. `waited`: engine seconds without a
    request that ended with requests of the folder, and `rows_a_run`: rows that were read, of a run that paid there."""

    folder: str
    clusters: Matrix
    units: int
    held: Amounts
    own: Done
    waited: float
    rows_a_run: float
    other_settings: bool = False

    @property
    def in_words(self) -> str:
        inputs = int(self.clusters[:, INPUTS].sum())
        how = f"{self.units:,} unit{'' if self.units == 1 else 's'} of {inputs:,} rows in {self.folder}"
        return f"{how}, under other settings" if self.other_settings else how


def observe(store: Store, folder: str, own: Iterable[str], other_settings: bool = False) -> Observed | None:
    """What the committed units of a folder took; None where there are none that asked anything."""
    units = sorted(committed_units(store, folder))
    if not units:
        return None
    owners = set(own)
    paid = Done()
    near: list[Commit] = []
    payers: set[str] = set()
    waited = rows_read = 0.0
    closely = set(units[:UNITS_AT_MOST])
    for commit in each_commit(store, folder, units):
        if commit.run in owners:
            paid += done_by(commit)
        payers.add(commit.run)
        waited += commit.ledger.get(IDLE, 0)
        rows_read += commit.counts.inputs
        if commit.unit in closely and commit.counts.inputs:
            near.append(commit)
    if not any(commit.ledger.get("requests") for commit in near):
        return None
    if len(near) >= LEAST_UNITS:
        rows = [_of_unit(commit) for commit in near]
    else:
        rows = [row for commit in near for row in _rows(store, commit)]
    return Observed(
        folder,
        np.array(rows, dtype=np.float64),
        len(near),
        total(of_ledger(commit.ledger) for commit in near),
        paid,
        waited / len(payers),
        rows_read / len(payers),
        other_settings,
    )


def _of_unit(commit: Commit) -> list[float]:
    ledger = commit.ledger
    names = ("requests", "prompt_tokens", "cached_tokens", "generated_tokens")
    taken = [float(ledger.get(name, 0)) for name in names]
    return [float(commit.counts.inputs), *taken, float(commit.counts.accepted), float(ledger.get(BUSY, 0))]


def _rows(store: Store, commit: Commit) -> list[list[float]]:
    """A line an input row: what its requests took and how many accepted rows came of it. Rows that were never asked
    about have nothing but themselves; engine time goes by tokens."""
    found: dict[str, list[float]] = {}
    item_of: dict[str, str] = {}
    if "requests" in commit.other_files:
        table = read_parquet(store, str(commit.other_files["requests"]["key"]), TAKEN)
        for row in table.to_pylist():
            line = found.setdefault(row["item_id"], [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
            item_of[row["request_id"]] = row["item_id"]
            line[REQUESTS] += 1
            line[PROMPT] += row["prompt_tokens"] or 0
            line[CACHED] += row["cached_tokens"] or 0
            line[GENERATED] += sum(row["generated_tokens"] or ())
    for request in _asked(store, commit):
        if (item := item_of.get(request)) is not None:
            found[item][ACCEPTED] += 1
    tokens = sum(line[PROMPT] + line[GENERATED] for line in found.values())
    busy = float(commit.ledger.get(BUSY, 0))
    for line in found.values():
        line[BUSY_SECONDS] = busy * (line[PROMPT] + line[GENERATED]) / tokens if tokens else 0.0
    silent = max(0, commit.counts.inputs - len(found))
    return [*found.values(), *([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0] for _ in range(silent))]


TAKEN = ["request_id", "item_id", "prompt_tokens", "cached_tokens", "generated_tokens"]

OF_REQUEST = ("answer_request_ids", "judge_request_id", "request_id")
"""Columns by which an accepted row names the request that it came of, the step's own first: an answer names its
question's request as well."""


def _asked(store: Store, commit: Commit) -> Sequence[str]:
    """The (first) request of every accepted row."""
    asked: list[str] = []
    for file in commit.files:
        table = read_parquet(store, file.key)
        column = next((name for name in OF_REQUEST if name in table.column_names), None)
        if column is not None:
            values = table.column(column).to_pylist()
            asked += [str(value[0] if isinstance(value, list) else value) for value in values if value]
    return asked
