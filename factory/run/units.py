"""Units: the atoms of scheduling, commit, retry and resume.

Design: a unit is named by the hash of its own input (parent files by SHA-256, and which of their rows), so
that a grown corpus, a larger `limit` or another run over the same shards finds what was paid for. Global
steps take one or more units whose `parameters` name what they cover; their step folder's fingerprint holds
the sorted set of unit ids they read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from factory.identity import ID_HEX_DIGITS, fingerprint
from factory.run.reject import Reject


@dataclass(frozen=True)
class FileRef:
    """A committed Parquet file: key below the root, SHA-256 of its bytes, number of rows, hash of its row ids."""

    key: str
    sha256: str
    rows: int
    ids_sha256: str = ""


@dataclass(frozen=True)
class Unit:
    """One slice of a step's input.

    `file` is the parent (None for source units and global units); `picks` are the rows of it, in order, or
    None for all of them. `parameters` is JSON: what else the step needs to know.
    """

    unit_id: str
    file: FileRef | None = None
    picks: tuple[int, ...] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int | None:
        """Input rows planned; None where only reading can tell."""
        if self.picks is not None:
            return len(self.picks)
        return self.file.rows if self.file is not None else None


def unit_over(file: FileRef, picks: tuple[int, ...] | None = None) -> Unit:
    """The unit that covers `picks` of a committed file."""
    if picks is not None and picks == tuple(range(file.rows)):
        picks = None
    name = fingerprint([file.sha256, None if picks is None else list(picks)])
    return Unit(name[:ID_HEX_DIGITS], file, picks)


@dataclass(frozen=True)
class UnitResult:
    """What working one unit gave, before it is written and committed.

    `tables` become the unit's data files, one each, in order. `inputs` counts rows read; `used` those that
    gave at least one accepted row (or, for steps that merge rows, went into one). `id_column` names the
    column whose values are the accepted rows' ids. `ledger` holds numbers to be summed over units;
    `facts` whatever else the commit should say (JSON, small).
    """

    inputs: int
    used: int
    tables: tuple[pa.Table, ...]
    id_column: str
    rejects: tuple[Reject, ...] = ()
    input_ids_sha256: str = ""
    ledger: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
