"""Which rows hold long passages of their sources, word for word: every row of the dataset, with the worst as evidence.

Design: rows are read in blocks with the passages they name; each row is held against its own passages (spans.py). How
long passages get by chance is read off held-out documents, which no row can have copied. What stays of a row are two
lengths, 16 bytes, and 8 more for every column of strata: 100 million rows want gigabytes.

Cost: see spans.py; reading passages comes to it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from factory.evaluate.dataset.reading import ID
from factory.evaluate.dataset.sections import Data
from factory.evaluate.dataset.strata import labels
from factory.evaluate.privacy.attack import I64
from factory.evaluate.privacy.candidates import row_texts
from factory.evaluate.privacy.spans import excerpt, longest_spans

BLOCK_ROWS = 100_000
"""Rows held at a time with their passages: some 100 MB of text."""


@dataclass(frozen=True)
class Copied:
    """A row, the passage (chunk) it copied from, how long, where in both (characters), and the copy as written."""

    row: str
    passage: str
    words: int
    characters: int
    at: int
    source_at: int
    text: str


@dataclass(frozen=True)
class Copying:
    """`words` and `characters` int64[N] of each row's longest copied passage; rows whose passages are not at hand are
    not among them (`unread` counts those). `strata` has parallel labels for each column."""

    words: I64
    characters: I64
    strata: dict[str, list[str]]
    worst: tuple[Copied, ...]
    unread: int
    note: str = ""


@dataclass
class _Running:
    words: list[I64] = field(default_factory=list)
    characters: list[I64] = field(default_factory=list)
    worst: list[Copied] = field(default_factory=list)
    unread: int = 0
    note: str = ""


def copying(data: Data, worst: int) -> Copying:
    """One pass over all rows. Raises as reading the dataset does."""
    strata = [name for name in data.strata if name in data.dataset.columns]
    labelled: dict[str, list[str]] = {name: [] for name in strata}
    running = _Running()
    shared: dict[str, str] = {}  # a label of its own for every row would take 60 bytes
    for block in _blocks(data, list(dict.fromkeys([ID, *data.columns, *strata, "lineage"]))):
        found = data.dataset.sources(block.column("lineage"))
        running.note = running.note or found.note
        chunks = sorted(found.texts)
        number = {chunk: index for index, chunk in enumerate(chunks)}
        pairs = [tuple(number[chunk] for chunk in each if chunk in number) for each in found.chunks]
        rows = [row for row, each in enumerate(pairs) if each]
        running.unread += len(pairs) - len(rows)
        texts = row_texts({name: block.column(name).to_pylist() for name in data.columns}, data.columns)
        _add(
            running,
            block.column(ID).take(pa.array(rows, pa.int64())).to_pylist(),
            [texts[row] for row in rows],
            chunks,
            [found.texts[chunk] for chunk in chunks],
            [pairs[row] for row in rows],
            worst,
        )
        for name in strata:
            values = labels(block.column(name)).to_pylist()
            labelled[name] += [shared.setdefault(values[row], values[row]) for row in rows]
    return Copying(
        np.concatenate([np.zeros(0, np.int64), *running.words]),
        np.concatenate([np.zeros(0, np.int64), *running.characters]),
        labelled,
        tuple(running.worst),
        running.unread,
        running.note,
    )


def _add(
    running: _Running,
    ids: Sequence[str],
    texts: Sequence[str],
    chunks: Sequence[str],
    sources: Sequence[str],
    pairs: Sequence[Sequence[int]],
    worst: int,
) -> None:
    spans = longest_spans(texts, sources, pairs)
    running.words.append(spans.words)
    running.characters.append(spans.characters)
    for row in np.argsort(-spans.words, kind="stable")[:worst].tolist():
        words, source = int(spans.words[row]), int(spans.source[row])
        if not words:
            continue
        ours = excerpt(texts[row], int(spans.at[row]), words)
        theirs = excerpt(sources[source], int(spans.source_at[row]), words)
        running.worst.append(
            Copied(ids[row], chunks[source], words, int(spans.characters[row]), ours.start, theirs.start, ours.text)
        )
    running.worst = heapq.nlargest(worst, running.worst, key=lambda each: (each.words, each.row))


def _blocks(data: Data, columns: Sequence[str]) -> Iterator[pa.Table]:
    held: list[pa.Table] = []
    for table in data.dataset.tables(columns):
        held.append(table)
        if sum(each.num_rows for each in held) >= BLOCK_ROWS:
            yield pa.concat_tables(held)
            held = []
    if held:
        yield pa.concat_tables(held)


def by_chance(rows: Sequence[str], held_out: Sequence[str]) -> I64:
    """Words of the longest passage that each row shares with any held-out document: int64[rows]."""
    return longest_spans(rows, held_out).words
