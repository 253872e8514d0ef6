"""How alike the candidates are: the exact Jaccard similarity of every pair, from the questions' texts.

Design: third of curation's passes. A unit owns a range of places, that is, of question files, and compares the
pairs that begin there; each pair is met in several ranges of keys and compared once. The texts of the rows concerned,
and of no others, are read again. What is at or above the threshold becomes an edge, written both ways round, so that
whoever judges a question finds all it resembles in one range. Pairs with published questions (places behind those of
the run's files) are no edges: those always stay, so one row a question says which of them it repeats (index/known.py).

Cost, one core: 2.4 to 5 microseconds a question of 100,000, of which a tenth repeats others, commit included.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from factory.curate.bands import place_of, row_of
from factory.curate.candidates import distinct_pairs
from factory.curate.index.known import Texts, best_known
from factory.curate.index.pin import read_view
from factory.curate.keep import ACROSS
from factory.curate.match import CANDIDATE, PAIRS, PARALLEL_READS, Sketched, sketched_files
from factory.curate.shingles import I8, Shingling, Views, joined, shingled_pieces
from factory.curate.similarity import F64, Judged, similarities
from factory.curate.words import I64, U64, Mask
from factory.identity import add_digests, make_id
from factory.run.outputs import Output, part, read_outputs, resolve
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet, read_range, read_rows

STEP_VERSION = 2

Read = TypeVar("Read")

NODE = pa.schema(
    [
        ("ref", pa.uint64()),
        ("id", pa.string()),
        ("level", pa.int8()),
        ("order", pa.uint64()),  # which of two is kept: the lower
        ("kind", pa.int8()),  # of the shingles it is compared by (shingles.py)
    ]
)

FOUND_NODE = pa.schema([field for field in NODE if field.name != "kind"])
"""What readers give of a row; its kind is found with its shingles."""

EDGE = pa.schema(
    [
        ("src", pa.uint64()),
        ("dst", pa.uint64()),
        ("similarity", pa.float64()),
        ("exact", pa.bool_()),
    ]
)

NODES, EDGES, REPEATS = 0, 1, 2
"""Parts of a unit's output, sorted by ref and by (src, dst); the third, index/known.KNOWN rows sorted by ref, is there
where the run is compared with published questions."""

PAIRS_A_UNIT = 200_000
"""Candidate pairs of a unit, about: what bounds the shingles, or vectors, that it holds at once, of two rows a pair."""

CROWDED = 5
"""Times as many pairs where all rows of the run are no more than that: what a moulded crowd gives (some hundred pairs a
question, from a model that knows ten sentences) is many pairs of few rows, and every unit reads the files anew. 60,000
such questions made 60 units, a third of the run's time."""

PAIRS_A_SHARE, FEW = 8_000, 2
"""Below PAIRS_A_UNIT there are so many units at most, of so many pairs at least: the second texts of a unit's pairs lie
anywhere, so each reads nearly every file (1.3 microseconds a row)."""

SHARES = 16
"""Up to so many units there are where none would be full, so that several workers have work."""

ROWS_A_GROUP = 1 << 14


class Comparable(Protocol):
    """N rows that can be compared, named by their places."""

    @property
    def kinds(self) -> I8:
        """int8[N]: what each is compared by; of two the lower counts."""
        ...

    def equal(self, one: I64, other: I64) -> Mask:
        """Of pairs that match.py takes for equal, those that are."""
        ...

    def similarities(self, one: I64, other: I64, threshold: float) -> F64:
        """float64[P]; below the threshold any number below it."""
        ...


class ByShingles(NamedTuple):
    """Texts: their shingles, and the 128 bits that name their normal forms."""

    views: Views
    text_hashes: U64

    @property
    def kinds(self) -> I8:
        return self.views.kinds

    def equal(self, one: I64, other: I64) -> Mask:
        found: Mask = (self.text_hashes[one] == self.text_hashes[other]).all(axis=1)
        return found

    def similarities(self, one: I64, other: I64, threshold: float) -> F64:
        return similarities(self.views, one, other, threshold)


Reader = Callable[[Store, Sequence[Sketched], U64], tuple[pa.Table, Comparable]]
"""FOUND_NODE rows of the rows that refs (sorted) name, in their order, and what they are compared by."""


@dataclass(frozen=True)
class CompareStep:
    """Work step with a unit a range of places; see `compare_units` for its parameters."""

    parameters: Judged
    reader: Reader
    name: str = "compare"
    pairs_a_unit: int = PAIRS_A_UNIT

    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return self.parameters.compared_by()

    def work(self, store: Store, unit: Unit) -> UnitResult:
        given = unit.parameters
        start, stop = given["places"]
        sketched = sketched_files(read_outputs(store, given["sketches"]))
        candidates = part(read_outputs(store, given["candidates"]), PAIRS)
        first, second, exact = read_candidates(store, candidates, (start, stop))
        ours = place_of(second) < len(sketched)
        published = first[~ours], second[~ours], exact[~ours]
        refs = np.unique(np.concatenate((first, second[ours])))
        nodes, rows_compared = self.reader(store, sketched, refs)
        nodes = nodes.append_column(NODE.field("kind"), pa.array(rows_compared.kinds))
        first, second, exact = first[ours], second[ours], exact[ours]
        one, other = np.searchsorted(refs, first), np.searchsorted(refs, second)
        exact &= rows_compared.equal(one, other)
        similarity = np.ones(len(first))
        near = ~exact
        similarity[near] = rows_compared.similarities(one[near], other[near], self.parameters.threshold)
        alike = similarity >= self.parameters.threshold
        edges = edge_table(first[alike], second[alike], similarity[alike], exact[alike])
        tables = [nodes, edges]
        ledger = {"compared_pairs": int(near.sum()), "alike_pairs": int(alike.sum())}
        if "index" in given:
            parts = read_view(store, given["index"]).parts
            assert isinstance(rows_compared, ByShingles)
            new = Texts(refs, *rows_compared)
            tables.append(best_known(store, parts, len(sketched), published, new, self.parameters.threshold))
            ledger["compared_known_pairs"] = int((~published[2]).sum())
        own = [each.sketches for each in sketched[start:stop]]
        rows = sum(file.rows for file in own)
        digest = add_digests(file.ids_digest for file in own)
        return UnitResult(
            inputs=rows,
            used=rows,
            tables=tuple(tables),
            layouts=(Layout(ROWS_A_GROUP),) * len(tables),
            id_column="",
            input_ids_digest=digest,
            accepted=rows,
            accepted_ids_digest=digest,
            ledger=ledger,
        )


def compare_units(
    folder: str,
    sketches: str,
    candidates: str,
    sketched: Sequence[Sketched],
    outputs: Sequence[Output],
    index: str | None = None,
    most: int = PAIRS_A_UNIT,
) -> list[Unit]:
    """One unit a range of the places of `sketched`; `outputs` are those of the match step, whose index is `candidates`.
    `index` is what `match_units` was given, `most` the pairs of a unit, about."""
    pairs = sum(file.rows for file in part(outputs, PAIRS))
    if sum(each.sketches.rows for each in sketched) <= 2 * most:
        most *= CROWDED
    count = max(1, min(len(sketched), shares(pairs, most, PAIRS_A_SHARE, FEW)))
    bounds = pair_bounds(len(sketched), count)
    shared = {"sketches": sketches, "candidates": candidates} | ({"index": index} if index else {})
    return [
        Unit(make_id("compare", folder, start, stop), parameters={**shared, "places": [start, stop]})
        for start, stop in itertools.pairwise(bounds)
    ]


def shares(rows: int, most: int, least: int, several: int = SHARES) -> int:
    """Units for so many rows: enough that none has more than `most`, and up to `several` of at least `least`."""
    return max(1, -(-rows // most), min(several, rows // least))


def pair_bounds(files: int, count: int) -> list[int]:
    """Places between which about as many pairs begin, at most `count` ranges. A pair begins at the earlier of its two
    files: of two halves the first has three quarters of all pairs."""
    return sorted({round(files * (1 - math.sqrt(1 - number / count))) for number in range(count + 1)})


def place_range(start: int, stop: int) -> tuple[int, int]:
    """First and last ref of the places from `start` up to `stop`."""
    return start << 32, max(start << 32, (stop << 32) - 1)


def read_candidates(store: Store, files: Sequence[FileRef], places: tuple[int, int]) -> tuple[U64, U64, Mask]:
    """The pairs that begin within a range of places, each once, sorted."""
    bounds = place_range(*places)
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = list(pool.map(lambda file: read_range(store, file.key, "first", *bounds), files))
    whole = pa.concat_tables([CANDIDATE.empty_table(), *tables])
    exact: Mask = whole.column("exact").to_numpy(zero_copy_only=False)
    return distinct_pairs(whole.column("first").to_numpy(), whole.column("second").to_numpy(), exact)


@dataclass(frozen=True)
class Questions:
    """Reads questions."""

    shingling: Shingling

    def __call__(self, store: Store, sketched: Sequence[Sketched], refs: U64) -> tuple[pa.Table, ByShingles]:
        nodes: list[pa.Table] = []
        compared: list[ByShingles] = []
        for found, texts in read_questions(store, sketched, refs):
            nodes.append(found)
            compared += by_shingles(texts, self.shingling)
        return nodes_of(refs, nodes), all_shingles(compared)


def by_shingles(texts: Sequence[str], shingling: Shingling) -> list[ByShingles]:
    """Of some texts at a time; their tokens are let go."""
    return [ByShingles(views, piece.text_hashes) for piece, views in shingled_pieces(texts, shingling)]


def all_shingles(parts: Sequence[ByShingles]) -> ByShingles:
    hashes = [np.zeros((0, 2), np.uint64), *(each.text_hashes for each in parts)]
    return ByShingles(joined([each.views for each in parts]), np.concatenate(hashes))


def read_questions(store: Store, sketched: Sequence[Sketched], refs: U64) -> Iterator[tuple[pa.Table, list[str]]]:
    """What `read_nodes` gives of the questions that `refs` (sorted) name, and their texts, file by file. Reads every
    file concerned once: of the question files the texts alone, what else is asked for is in their sketches."""

    def read(place: int, rows: I64) -> tuple[pa.Table, list[str]]:
        texts = read_rows(store, resolve(store, sketched[place].parent).key, rows.tolist(), ["text"])
        return read_nodes(store, sketched[place], rows), texts.column("text").to_pylist()

    return by_place(refs, read)


def read_nodes(store: Store, sketched: Sketched, rows: I64) -> pa.Table:
    """Columns id, level and order of these rows of a question file."""
    table = read_parquet(store, sketched.sketches.key, ["row", "question_id", "level", "order"])
    places = np.searchsorted(table.column("row").to_numpy(), rows)
    return table.select(["question_id", "level", "order"]).take(pa.array(places))


def nodes_of(refs: U64, tables: Sequence[pa.Table]) -> pa.Table:
    """FOUND_NODE rows of what `read_nodes` gave for `refs`, file by file."""
    if not tables:
        return FOUND_NODE.empty_table()
    found = pa.concat_tables(tables)
    levels, order = found.column("level").to_numpy(), found.column("order").to_numpy().copy()
    order[levels == ACROSS] = refs[levels == ACROSS]
    columns = [pa.array(refs), found.column("question_id"), pa.array(levels), pa.array(order)]
    return pa.table(columns, schema=FOUND_NODE)


def by_place(refs: U64, read: Callable[[int, I64], Read]) -> Iterator[Read]:
    """What `read` gives of each file that `refs` (sorted) name, in order: it is given a place and rows there. No more
    than PARALLEL_READS files are held at once."""
    places, rows = place_of(refs), row_of(refs)
    cuts = np.flatnonzero(np.diff(places)) + 1
    groups = [group for group in np.split(np.arange(len(refs)), cuts) if len(group)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        for start in range(0, len(groups), PARALLEL_READS):
            some = groups[start : start + PARALLEL_READS]
            yield from pool.map(lambda group: read(int(places[group[0]]), rows[group]), some)


def edge_table(first: U64, second: U64, similarity: Any, exact: Mask) -> pa.Table:
    """EDGE rows of pairs, each both ways round."""
    src, dst = np.concatenate((first, second)), np.concatenate((second, first))
    by = np.lexsort((dst, src))
    columns = [src[by], dst[by], np.tile(similarity, 2)[by], np.tile(exact, 2)[by]]
    return pa.table([pa.array(column) for column in columns], schema=EDGE)
