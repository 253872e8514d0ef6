"""Which questions of a run are dropped, and why: what resembles a kept one, and what overlaps a benchmark.

Design: fourth of curation's passes. A unit owns a range of places and decides about their questions. It reads the
edges (compare.py) that begin there, and, for as long as they lead to questions elsewhere, the edges of those: then it
holds every cluster of its questions whole and can judge it (clusters.py). A cluster that lies in several ranges is
judged in each, with the same outcome, since that depends on the cluster alone. Memory is that of the range and its
clusters. The output is one row a dropped question, split by hash of the question file's name into parts of about
`PART_ROWS`, so that the last pass (step.py) reads the part that concerns its file and no more.

A question that repeats a published one (index/known.py) falls, and with it whatever has the same text; neither takes
another question with it.

Cost, one core: 1.2 to 2 microseconds a question of 100,000, of which a tenth repeats others, commit included.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from factory.curate.bands import place_of, row_of
from factory.curate.clusters import Verdicts, judge
from factory.curate.compare import EDGE, EDGES, NODE, NODES, REPEATS, by_place, place_range, read_nodes, shares
from factory.curate.index.known import KNOWN, evidence_of, reason_of
from factory.curate.keep import ACROSS
from factory.curate.match import CAPS, PARALLEL_READS, Sketched, sketched_files
from factory.curate.similarity import Judged
from factory.curate.templates import CAPPED
from factory.curate.words import I64, U64
from factory.identity import add_digests, canonical_json, ids_digest, make_id, subtract_digest
from factory.run.outputs import Output, part, read_outputs
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet, read_range, read_values

STEP_VERSION = 2

DECISION = pa.schema(
    [
        ("file", pa.string()),  # lineage name of the question file
        ("row", pa.int64()),
        ("question_id", pa.string()),
        ("reason", pa.string()),  # exact_duplicate | near_duplicate | contaminated | template_variant
        ("kept_id", pa.string()),  # the question it repeats, or the published sample; null for the last two reasons
        ("similarity", pa.float64()),
        ("evidence", pa.string()),  # canonical JSON
    ]
)

PART_ROWS = 100_000
"""Decisions a part, read once by every worker process that meets one of its files."""

QUESTIONS_A_UNIT = 2_000_000
EDGES_A_UNIT = 4_000_000
"""Rows of the two that a unit reads, about."""

QUESTIONS_A_SHARE = 50_000
"""Fewer of either are not worth a unit of their own."""


@dataclass(frozen=True)
class DecideStep:
    """Work step with a unit a range of places; see `decide_units` for its parameters. `near` is the reason for rows
    that are alike and not equal."""

    parameters: Judged
    name: str = "decide"
    near: str = "near_duplicate"

    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"lsh": self.parameters.identity()}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        given = unit.parameters
        start, stop = given["places"]
        sketched = sketched_files(read_outputs(store, given["sketches"]))
        compared = read_outputs(store, given["edges"])
        clusters = whole_clusters(store, compared, (start, stop))
        repeats = repeated(clusters, place_range(start, stop), sketched, self.parameters, self.near)
        own = sketched[start:stop]
        leaked = leaks(store, own)
        capped = over_cap(store, part(read_outputs(store, given["candidates"]), CAPS), (start, stop), sketched)
        repeated_ids = repeats.decisions.column("question_id")
        capped = capped.filter(
            pc.invert(pc.is_in(capped.column("question_id"), value_set=repeated_ids.combine_chunks()))
        )
        found = pa.concat_tables([leaked, repeats.decisions, capped])
        decisions = found.sort_by([("file", "ascending"), ("row", "ascending")])
        reasons = Counter(decisions.column("reason").to_pylist())
        rows, digest = sum(each.sketches.rows for each in own), add_digests(each.sketches.ids_digest for each in own)
        return UnitResult(
            inputs=rows,
            used=rows,
            tables=split(decisions, given["parts"]),
            id_column="question_id",
            input_ids_digest=digest,
            accepted=rows - decisions.num_rows,
            accepted_ids_digest=subtract_digest(digest, ids_digest(decisions.column("question_id").to_pylist())),
            ledger={"clusters": repeats.clusters},
            facts={**dict(sorted(reasons.items())), "largest_cluster": repeats.largest}
            | ({"repeat_published": repeats.known} if part(compared, REPEATS) else {}),
        )


def decide_units(
    folder: str, sketches: str, candidates: str, edges: str, outputs: Sequence[Output], compared: Sequence[Output]
) -> list[Unit]:
    """One unit a range of places. `outputs` are those of the sketch step, `compared` those of the compare step; their
    indexes lie at `sketches` and `edges`, that of the match step at `candidates`."""
    sketched = sketched_files(outputs)
    questions = sum(each.sketches.rows for each in sketched)
    pairs = sum(file.rows for file in part(compared, EDGES)) + 2 * sum(file.rows for file in part(compared, REPEATS))
    wanted = max(shares(questions, QUESTIONS_A_UNIT, QUESTIONS_A_SHARE), shares(pairs, EDGES_A_UNIT, QUESTIONS_A_SHARE))
    count = max(1, min(len(sketched), wanted))
    bounds = [len(sketched) * number // count for number in range(count + 1)]
    parts = max(1, -(-pairs // (2 * count * PART_ROWS)))
    shared = {"sketches": sketches, "candidates": candidates, "edges": edges}
    return [
        Unit(
            make_id("decide", folder, start, stop, parts),
            parameters={**shared, "places": [start, stop], "parts": parts},
        )
        for start, stop in itertools.pairwise(bounds)
    ]


class Clusters(NamedTuple):
    """NODE, EDGE and KNOWN rows of questions: all of every cluster that is there at all."""

    nodes: pa.Table
    edges: pa.Table
    known: pa.Table


def whole_clusters(store: Store, compared: Sequence[Output], places: tuple[int, int]) -> Clusters:
    """Every cluster that has a question within the range of places."""
    files, bounds = part(compared, EDGES), place_range(*places)
    repeats = part(compared, REPEATS)
    own = _gathered(store, repeats, KNOWN, lambda key: read_range(store, key, "ref", *bounds))
    found = [_gathered(store, files, EDGE, lambda key: read_range(store, key, "src", *bounds))]
    known = np.unique(np.concatenate((_numbers(found[0], "src"), _numbers(found[0], "dst"))))
    missing = known[(known < np.uint64(bounds[0])) | (known > np.uint64(bounds[1]))]
    while len(missing):
        found.append(_having(store, files, EDGE, "src", missing))
        reached = np.unique(_numbers(found[-1], "dst"))
        missing = np.setdiff1d(reached, known, assume_unique=True)
        known = np.union1d(known, missing)
    elsewhere = known[(known < np.uint64(bounds[0])) | (known > np.uint64(bounds[1]))]
    published = pa.concat_tables([own, _having(store, repeats, KNOWN, "ref", elsewhere)])
    known = np.union1d(known, _numbers(own, "ref"))
    nodes = _having(store, part(compared, NODES), NODE, "ref", known)
    first = np.unique(_numbers(nodes, "ref"), return_index=True)[1]
    return Clusters(nodes.take(pa.array(first)), pa.concat_tables(found), published)


def _having(store: Store, files: Sequence[FileRef], schema: pa.Schema, column: str, values: U64) -> pa.Table:
    """The rows whose `column` is one of `values` (sorted)."""
    wanted = pa.array(values)

    def read(key: str) -> pa.Table:
        table = read_values(store, key, column, (1, 0), values)
        return table.filter(pc.is_in(table.column(column), value_set=wanted))

    return _gathered(store, files, schema, read)


def _gathered(store: Store, files: Sequence[FileRef], schema: pa.Schema, read: Any) -> pa.Table:
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = list(pool.map(lambda file: read(file.key), files))
    return pa.concat_tables([schema.empty_table(), *(table.select(schema.names).cast(schema) for table in tables)])


def _numbers(table: pa.Table, column: str) -> U64:
    found: U64 = table.column(column).to_numpy()
    return found


class Repeats(NamedTuple):
    """Decisions about a unit's own questions; `clusters` counts those that begin among them, `largest` is the number
    of questions in the largest one that it met, `known` counts those that repeat a published question."""

    decisions: pa.Table
    clusters: int
    largest: int
    known: int


def repeated(
    clusters: Clusters,
    bounds: tuple[int, int],
    sketched: Sequence[Sketched],
    parameters: Judged,
    near: str = "near_duplicate",
) -> Repeats:
    """DECISION rows of the dropped questions whose refs lie within `bounds`."""
    if not clusters.nodes.num_rows:
        return Repeats(DECISION.empty_table(), 0, 0, 0)
    nodes = clusters.nodes.take(pa.array(keep_order(clusters.nodes)))
    refs = _numbers(nodes, "ref")
    by = np.argsort(refs)
    taken = by[np.searchsorted(refs, _numbers(clusters.known, "ref"), sorter=by)]
    verdicts = judged(refs, clusters.edges, taken)
    published = _published(clusters.known, taken, verdicts.text)
    own = (refs >= np.uint64(bounds[0])) & (refs <= np.uint64(bounds[1]))
    known = own & (published >= 0)
    dropped = np.flatnonzero(own & ~known & (verdicts.kept != np.arange(len(refs))))
    kept = verdicts.kept[dropped]
    ids, levels = nodes.column("id").to_pylist(), nodes.column("level").to_pylist()
    kinds = nodes.column("kind").to_numpy()
    by = np.minimum(kinds[dropped], kinds[kept]).tolist()
    measures = {kind: parameters.evidence_of(kind) for kind in set(by)}
    sizes = np.bincount(verdicts.cluster, minlength=len(refs))
    similarity = verdicts.similarity[dropped].tolist()
    evidence = [
        canonical_json(
            {
                "kept": ids[keeper],
                "kept_level": levels[keeper],
                "similarity": round(value, 6),
                "threshold": parameters.threshold,
                **measures[kind],
                "cluster_size": size,
            }
        ).decode()
        for keeper, value, size, kind in zip(
            kept.tolist(), similarity, sizes[verdicts.cluster[dropped]].tolist(), by, strict=True
        )
    ]
    decisions = pa.table(
        {
            "file": [sketched[place].parent for place in place_of(refs[dropped]).tolist()],
            "row": row_of(refs[dropped]),
            "question_id": [ids[node] for node in dropped.tolist()],
            "reason": np.where(verdicts.exact[dropped], "exact_duplicate", near).tolist(),
            "kept_id": [ids[node] for node in kept.tolist()],
            "similarity": similarity,
            "evidence": evidence,
        },
        schema=DECISION,
    )
    repeats = _known_decisions(clusters.known, np.flatnonzero(known), published, refs, ids, sketched, parameters)
    begins = own & (verdicts.cluster == np.arange(len(refs))) & (sizes > 1)
    return Repeats(pa.concat_tables([decisions, repeats]), int(begins.sum()), int(sizes.max()), repeats.num_rows)


def _published(known: pa.Table, taken: I64, text: I64) -> I64:
    """int64[N]: for each node the row of `known` that it, or a node with the same text, repeats; -1 without one.
    `taken` are the nodes of the rows of `known`."""
    row_of_text = np.full(len(text), -1, np.int64)
    rows = np.lexsort((taken, known.column("similarity").to_numpy()))  # of several the most similar, written last
    row_of_text[text[taken[rows]]] = rows
    found: I64 = row_of_text[text]
    return found


def _known_decisions(
    known: pa.Table,
    fallen: I64,
    published: I64,
    refs: U64,
    ids: Sequence[str],
    sketched: Sequence[Sketched],
    parameters: Judged,
) -> pa.Table:
    """DECISION rows of nodes that repeat published questions: node `fallen[i]` that of row published[fallen[i]]."""
    rows = known.take(pa.array(published[fallen])).to_pylist()
    return pa.table(
        {
            "file": [sketched[place].parent for place in place_of(refs[fallen]).tolist()],
            "row": row_of(refs[fallen]),
            "question_id": [ids[node] for node in fallen.tolist()],
            "reason": [reason_of(row) for row in rows],
            "kept_id": [row["kept_id"] for row in rows],
            "similarity": [row["similarity"] for row in rows],
            "evidence": [canonical_json(evidence_of(row, parameters)).decode() for row in rows],
        },
        schema=DECISION,
    )


def keep_order(nodes: pa.Table) -> npt.NDArray[np.int64]:
    """Places of NODE rows, the ones to be kept first first: questions across documents last, then the declared order
    (keep.py), lower level, smaller id."""
    ids = np.array(nodes.column("id").to_pylist(), "S")
    levels = nodes.column("level").to_numpy()
    by: npt.NDArray[np.int64] = np.lexsort((ids, levels, _numbers(nodes, "order"), levels == ACROSS))
    return by


def judged(refs: U64, edges: pa.Table, taken: I64 | None = None) -> Verdicts:
    """Verdicts of nodes, `refs` in keep order; edges are there both ways round. `taken` nodes repeat published ones."""
    src, dst = _numbers(edges, "src"), _numbers(edges, "dst")
    once = src < dst
    by = np.argsort(refs)
    first, second = (by[np.searchsorted(refs, column[once], sorter=by)] for column in (src, dst))
    similarity = edges.column("similarity").to_numpy()[once]
    exact = edges.column("exact").to_numpy(zero_copy_only=False)[once]
    away = np.zeros(len(refs), np.bool_)
    if taken is not None:
        away[taken] = True
    return judge(len(refs), first, second, similarity, exact, away)


def over_cap(store: Store, files: Sequence[FileRef], places: tuple[int, int], sketched: Sequence[Sketched]) -> pa.Table:
    """DECISION rows of the questions of these places that are more than their template may have."""
    capped = _gathered(store, files, CAPPED, lambda key: read_range(store, key, "ref", *place_range(*places)))
    if not capped.num_rows:
        return DECISION.empty_table()
    capped = capped.sort_by("ref")
    refs = _numbers(capped, "ref")

    def names(place: int, rows: I64) -> list[str]:
        return list(read_nodes(store, sketched[place], rows).column("question_id").to_pylist())

    firsts = np.unique(_numbers(capped, "first"))
    shown = dict(zip(firsts.tolist(), (name for some in by_place(firsts, names) for name in some), strict=True))
    evidence = [
        canonical_json({"like": shown[row["first"]], "variants": row["variants"], "place": row["place"]}).decode()
        for row in capped.to_pylist()
    ]
    nulls = pa.nulls(len(refs))
    return pa.table(
        {
            "file": [sketched[place].parent for place in place_of(refs).tolist()],
            "row": row_of(refs),
            "question_id": [name for some in by_place(refs, names) for name in some],
            "reason": ["template_variant"] * len(refs),
            "kept_id": nulls.cast(pa.string()),
            "similarity": nulls.cast(pa.float64()),
            "evidence": evidence,
        },
        schema=DECISION,
    )


def leaks(store: Store, own: Sequence[Sketched]) -> pa.Table:
    """DECISION rows of the questions that overlap a benchmark."""
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        tables = list(pool.map(lambda each: _leaked(store, each.sketches.key), own))
    found = [DECISION.empty_table()]
    for each, leaked in zip(own, tables, strict=True):
        if leaked is not None:
            nulls = pa.nulls(leaked.num_rows)
            values = {
                "file": pa.array([each.parent] * leaked.num_rows),
                "row": leaked.column("row"),
                "question_id": leaked.column("question_id"),
                "reason": pa.array(["contaminated"] * leaked.num_rows),
                "kept_id": nulls.cast(pa.string()),
                "similarity": nulls.cast(pa.float64()),
                "evidence": leaked.column("overlap"),
            }
            found.append(pa.table(values, schema=DECISION))
    return pa.concat_tables(found)


def _leaked(store: Store, key: str) -> pa.Table | None:
    """The sketches that overlap a benchmark; None, and nothing more read, where none does."""
    by = read_parquet(store, key, ["contaminated_by"])
    if by.column("contaminated_by").null_count == by.num_rows:
        return None
    table = read_parquet(store, key, ["question_id", "row", "contaminated_by", "overlap"])
    return table.filter(pc.is_valid(table.column("contaminated_by")))


def split(decisions: pa.Table, parts: int) -> tuple[pa.Table, ...]:
    """Decisions in parts; `part_of` says which part holds those of a file."""
    if parts == 1:
        return (decisions,)
    names = decisions.column("file").combine_chunks().dictionary_encode()
    numbers = np.array([part_of(name, parts) for name in names.dictionary.to_pylist()], np.int64)
    of_row = numbers[names.indices.to_numpy()] if len(names) else np.zeros(0, np.int64)
    return tuple(decisions.filter(pa.array(of_row == number)) for number in range(parts))


def part_of(file: str, parts: int) -> int:
    """Number of the part that holds decisions about a question file."""
    return xxhash.xxh64_intdigest(file.encode()) % parts
