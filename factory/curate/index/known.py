"""What published question a new one repeats: exact Jaccard similarity with the candidates, and the best of them.

Design: the shingles of the published candidates are read from their segment (segment.py), never their text. Published
questions always stay, so a new one that reaches the threshold with any of them falls, and one row says with which: the
most similar; of several the first by dataset, version and sample id, wherever they lie.

Cost: 0.04 s of a busy core for the candidates that 3,000 new questions have among 300,000 published ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from factory.curate.bands import place_of, row_of
from factory.curate.index.lookup import PARALLEL_READS
from factory.curate.index.segment import ROW, Part
from factory.curate.shingles import I8, Views, joined
from factory.curate.similarity import Judged, similarities
from factory.curate.words import I64, U64, Mask
from factory.store.base import Store
from factory.store.parquet import read_scattered

KNOWN = pa.schema(
    [
        ("ref", pa.uint64()),  # the new question
        ("kept_id", pa.string()),  # sample of the published dataset
        ("kept_level", pa.int8()),
        ("dataset", pa.string()),
        ("version", pa.string()),
        ("similarity", pa.float64()),
        ("exact", pa.bool_()),
        ("kind", pa.int8()),  # of the shingles that both were compared by
    ]
)


class Texts(NamedTuple):
    """N new questions: `refs` (sorted), their shingles, and `exact` uint64[N, 2], the hashes of their normal forms."""

    refs: U64
    views: Views
    exact: U64


def best_known(
    store: Store,
    parts: Sequence[Part],
    first_place: int,
    pairs: tuple[U64, U64, Mask],
    texts: Texts,
    threshold: float,
) -> pa.Table:
    """KNOWN rows, sorted by ref, of the new questions that repeat a published one.

    `pairs` are (new ref, published ref, likely equal texts). The place of parts[0] is `first_place`.
    """
    first, second, likely = pairs
    if not len(first):
        return KNOWN.empty_table()
    refs, other = np.unique(second, return_inverse=True)
    found = known_rows(store, parts, first_place, refs, ROW.names)
    one = np.searchsorted(texts.refs, first)
    # A key has 44 of 64 bits: whether texts are equal is for all 128 bits of their hashes to say.
    theirs = np.frombuffer(b"".join(found.column("exact").to_pylist()), "<u8").reshape(-1, 2)
    exact: Mask = likely & (theirs[other] == texts.exact[one]).all(axis=1)
    similarity = np.ones(len(first))
    near = np.flatnonzero(~exact)
    asked = np.unique(other[near])
    both = joined([texts.views, known_views(store, parts, first_place, refs[asked], found.take(pa.array(asked)))])
    published = len(texts.refs) + np.searchsorted(asked, other[near])
    similarity[near] = similarities(both, one[near], published, threshold)
    alike = np.flatnonzero(similarity >= threshold)
    members = known_members(parts, first_place, refs)
    kinds = np.minimum(texts.views.kinds[one], found.column("kind").to_numpy()[other])
    return _best(found, members, first[alike], other[alike], similarity[alike], exact[alike], kinds[alike])


def _best(
    found: pa.Table, members: Sequence[tuple[str, str]], first: U64, other: I64, similarity: Any, exact: Mask, kinds: I8
) -> pa.Table:
    """KNOWN rows of pairs that are alike; `other` are places in `found` and `members`."""
    # A name and a version have no zero byte, so this is their order.
    names = np.array([f"{dataset}\0{version}" for dataset, version in members], np.str_)
    ids = np.array(found.column("sample_id").to_pylist(), "S")
    by = np.lexsort((ids[other], names[other], ~exact, -similarity, first))
    chosen = by[np.unique(first[by], return_index=True)[1]]
    kept = other[chosen]
    return pa.table(
        {
            "ref": first[chosen],
            "kept_id": found.column("sample_id").take(pa.array(kept)),
            "kept_level": found.column("level").take(pa.array(kept)),
            "dataset": [members[place][0] for place in kept.tolist()],
            "version": [members[place][1] for place in kept.tolist()],
            "similarity": similarity[chosen],
            "exact": exact[chosen],
            "kind": kinds[chosen],
        },
        schema=KNOWN,
    )


def known_views(store: Store, parts: Sequence[Part], first_place: int, refs: U64, rows: pa.Table) -> Views:
    """Distinct shingle hashes of published texts; `refs` are sorted, `rows` are their segment.ROW rows."""
    places = place_of(refs) - first_place
    starts, middles, stops = (rows.column(name).to_numpy().astype(np.int64) for name in ("start", "middle", "stop"))

    def read(group: I64) -> list[bytes]:
        key = parts[int(places[group[0]])].shingles.key
        return read_spans(store, key, list(zip(starts[group].tolist(), stops[group].tolist(), strict=True)))

    groups = [np.flatnonzero(places == place) for place in np.unique(places).tolist()]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        data = b"".join(value for values in pool.map(read, groups) for value in values)
    sizes = np.stack((middles - starts, stops - middles), axis=1).reshape(-1) // 8
    kinds = rows.column("kind").to_numpy()
    return Views(np.frombuffer(data, "<u8"), np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes))), kinds)


def read_spans(store: Store, key: str, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    """Bytes [start, stop) of an object, for each of `spans`, which are in order; near ones are one request."""
    found: list[bytes] = []
    place = 0
    while place < len(spans):
        last = place
        while last + 1 < len(spans) and spans[last + 1][0] - spans[last][1] < HOLE_BYTES:
            last += 1
        begin = spans[place][0]
        data = store.get_range(key, begin, spans[last][1])
        found += [data[start - begin : stop - begin] for start, stop in spans[place : last + 1]]
        place = last + 1
    return found


HOLE_BYTES = 32 << 10
"""Bytes read along rather than asked for with a request of their own."""


def known_rows(store: Store, parts: Sequence[Part], first_place: int, refs: U64, columns: list[str]) -> pa.Table:
    """Columns of segment.ROW of the published questions that `refs` (sorted) name. Reads each part concerned once."""
    places, rows = place_of(refs) - first_place, row_of(refs)
    groups = [np.flatnonzero(places == place) for place in np.unique(places).tolist()]

    def read(group: I64) -> pa.Table:
        return read_scattered(store, parts[int(places[group[0]])].rows.key, rows[group].tolist(), columns)

    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        return pa.concat_tables(pool.map(read, groups))


def known_members(parts: Sequence[Part], first_place: int, refs: U64) -> list[tuple[str, str]]:
    """Dataset and version of each published question."""
    places, rows = place_of(refs) - first_place, row_of(refs)
    found = []
    for place, row in zip(places.tolist(), rows.tolist(), strict=True):
        found.append(next(span.member for span in parts[place].spans if span.start <= row < span.stop))
    return found


def evidence_of(known: Mapping[str, Any], parameters: Judged) -> dict[str, Any]:
    """What a reject says of the published question that it repeats; `known` is a KNOWN row."""
    return {
        "kept": known["kept_id"],
        "kept_level": known["kept_level"],
        "dataset": known["dataset"],
        "version": known["version"],
        "similarity": round(known["similarity"], 6),
        "threshold": parameters.threshold,
        **parameters.evidence_of(known["kind"]),
    }


def reason_of(known: Mapping[str, Any]) -> str:
    return "exact_duplicate" if known["exact"] else "near_duplicate"
