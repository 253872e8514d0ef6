"""Units: the atoms of scheduling, commit, retry and resume.

Design: a unit is named by the hash of its own input (the parent file's content hash, and which of its rows), so
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
from factory.store.parquet import Layout


@dataclass(frozen=True)
class FileRef:
    """A committed Parquet file.

    `name` is where its rows are said to come from, "<step folder>/<unit>/<part>": it is the same in every
    attempt, so lineage survives a crash unchanged; `key` is where this attempt's bytes lie. `sha256` is of
    the bytes, `content_sha256` of the rows alone (the bytes also name run and unit), `ids_digest` of the
    set of row ids.
    """

    name: str
    key: str
    sha256: str
    content_sha256: str
    rows: int
    ids_digest: str = ""


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


def unit_over(file: FileRef, picks: tuple[int, ...] | None = None, **parameters: Any) -> Unit:
    """The unit that covers `picks` of a committed file; None, or every row, means the whole file.

    The first half of its id names the file's content, so a listing of commits shows which of them cover
    (other) rows of the same file.
    """
    if picks is not None and picks == tuple(range(file.rows)):
        picks = None
    chosen = fingerprint(None if picks is None else list(picks))
    return Unit(file.content_sha256[:HALF] + chosen[:HALF], file, picks, parameters)


HALF = ID_HEX_DIGITS // 2


@dataclass(frozen=True)
class UnitResult:
    """What working one unit gave, before it is written and committed.

    `tables` become the unit's data files, one each, in order. `inputs` counts rows read; `used` those that
    gave at least one accepted row (or, for steps that merge rows, went into one). `id_column` names the
    column whose values are the accepted rows' ids. Steps whose tables are not
    the accepted rows themselves (picks, decisions) say `accepted` and its digest outright. `ids_digests` are those
    of the tables, one each in order, where the step has them already. `ledger` holds
    numbers to be summed over units; `facts` whatever else the commit should say (JSON, small). `layouts` say
    how the tables lie in their files, one each in order; without them, as `to_parquet` does it.
    """

    inputs: int
    used: int
    tables: tuple[pa.Table, ...]
    id_column: str
    rejects: tuple[Reject, ...] = ()
    input_ids_digest: str = ""
    accepted: int | None = None
    accepted_ids_digest: str = ""
    ledger: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    layouts: tuple[Layout, ...] = ()
    ids_digests: tuple[str, ...] = ()
