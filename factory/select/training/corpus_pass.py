"""One pass over the corpus for training: filters, scores, and the documents that a sample may be drawn from.

Design: a unit is a source range, as in `select`, read with the same reader, normaliser and filters, so a selector
learns from the documents it will judge. Nothing of the corpus is copied: a unit keeps ids and scores of the
documents at or above the threshold, a histogram, and the texts of those that may be sampled. Which are those can
be said without knowing the rest of the corpus: the n smallest of a seeded hash over all of it are among the n
smallest of each range, and likewise the n nearest the threshold. Exact, streamed, and the driver holds nothing.

Output: table 0 "candidates" (id, order, score, wanted), table 1 their texts, row by row, table 2 "kept" (id, score).
Cost: reading and filters as in `select`, scoring as docs/selector.md says; about 1 kB a candidate, at most
(2 * boundary + random) candidates a range.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import pyarrow as pa

from factory.corpus.documents import NORMALISER_VERSION, document_id
from factory.corpus.ranges import SourceRange
from factory.corpus.readers import RangeReader, read_range
from factory.corpus.records import SourceRow
from factory.identity import canonical_json, make_id, sha256_hex
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.select.filters import Candidate, Filter, Verdict, judge
from factory.select.findings import findings_of
from factory.select.pii import pii_among
from factory.select.preprocessing import WINDOW_CHARACTERS, WINDOWS, excerpt
from factory.select.reading import batches, normalised
from factory.select.scoring import Scorer
from factory.select.training.models import TrainedModel, scorer_of
from factory.store.base import Store
from factory.store.commits import read_commit
from factory.store.parquet import read_parquet

STEP_VERSION = 2

CANDIDATE = pa.schema(
    [
        ("doc_id", pa.string()),
        ("order", pa.uint64()),  # seeded hash of the id: the n smallest are a random sample
        ("score", pa.float64()),  # null where nothing scores yet
        ("wanted", pa.list_(pa.string())),  # by these names a ratings file rates it
    ]
)
TEXT = pa.schema(
    [
        ("doc_id", pa.string()),
        ("text", pa.string()),  # what a classifier looks at (select/preprocessing.py), and no more
        ("source", pa.string()),
        ("license", pa.string()),
        ("url", pa.string()),
        ("shard", pa.string()),
        ("shard_row", pa.int64()),
    ]
)
KEPT = pa.schema([("doc_id", pa.string()), ("score", pa.float32())])

BIN = "bin"
BINS_A_POINT = 10
"""Of the histogram of scores: threshold curves are as fine as the scores of one model differ."""


@dataclass(frozen=True)
class Draw:
    """How many documents a pass must offer: `random` by hash, `boundary` nearest `threshold`."""

    random: int
    boundary: int
    threshold: float
    seed: int


@dataclass(frozen=True)
class IdList:
    """Document ids in the store, named by content. `keys` may also be SHA-256 digests of texts."""

    key: str
    sha256: str
    count: int


NO_IDS = IdList("", "", 0)


@dataclass(frozen=True)
class CorpusPass:
    """WorkStep over source ranges. `wanted` documents are offered whatever their hash and score; `taken` ones were
    sampled before and are not offered again; `previous` is the folder of the pass to compare the kept set with."""

    name: str
    filters: tuple[Filter, ...]
    draw: Draw
    model: TrainedModel | None = None
    wanted: IdList = NO_IDS
    taken: IdList = NO_IDS
    previous: str = ""

    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {
            "filters": [[each.name, each.identity()] for each in self.filters],
            "normaliser": NORMALISER_VERSION,
            "draw": [self.draw.random, self.draw.boundary, self.draw.threshold, self.draw.seed],
            "model": None if self.model is None else [self.model.sha256, self.model.scoring.to_json()],
            "wanted": self.wanted.sha256,
            "taken": self.taken.sha256,
            "previous": self.previous,
        }

    def work(self, store: Store, unit: Unit) -> UnitResult:
        """Reads the range in `unit.parameters`. Raises CorpusError when a file is gone or has changed."""
        reader = read_range(SourceRange.from_json(unit.parameters["range"]))
        scorer = None if self.model is None else scorer_of(store, self.model)
        judges = [each.open(store) for each in self.filters]
        wanted, taken = ids_in(store, self.wanted), ids_in(store, self.taken)
        before = self._kept_before(store, unit.unit_id)
        found = _Found(self.draw, before)
        for batch in batches(normalised(reader, found.rejects, pii_among(self.filters))):
            documents = [Candidate(text, item.source, item.license, item.url) for text, item in batch]
            passed = []
            for place, verdict in enumerate(judge(judges, documents)):
                if verdict is None:
                    passed.append(place)
                else:
                    found.rejects.append(_turned_away(batch[place][1], verdict))
            scores = _scores(scorer, [documents[place].text for place in passed])
            for place, score in zip(passed, scores, strict=True):
                (text, item), document = batch[place], documents[place]
                doc_id = document_id(document.text)
                names = tuple(sorted(wanted & _names(doc_id, text, item, document.text))) if wanted else ()
                found.add(_Offer(doc_id, score, document, item, names), doc_id in taken)
        return self._result(reader, found)

    def _kept_before(self, store: Store, unit_id: str) -> frozenset[str]:
        if not self.previous:
            return frozenset()
        kept = read_commit(store, self.previous, unit_id).files[2]
        return frozenset(read_parquet(store, kept.key, ["doc_id"]).column("doc_id").to_pylist())

    def _result(self, reader: RangeReader, found: _Found) -> UnitResult:
        offers = found.offers()
        candidates = {
            "doc_id": [offer.doc_id for offer in offers],
            "order": [order_of(self.draw.seed, offer.doc_id) for offer in offers],
            "score": [offer.score for offer in offers],
            "wanted": [list(offer.wanted) for offer in offers],
        }
        return UnitResult(
            inputs=reader.summary.rows + reader.summary.damages,
            used=found.documents,
            tables=(
                pa.table(candidates, schema=CANDIDATE),
                pa.Table.from_pylist([offer.row() for offer in offers], schema=TEXT),
                pa.table({"doc_id": list(found.kept), "score": list(found.kept.values())}, schema=KEPT),
            ),
            id_column="",
            rejects=tuple(found.rejects),
            accepted=found.documents,
            ledger={"source_bytes": reader.summary.bytes},
            facts=found.facts(),
        )


@dataclass(frozen=True)
class _Offer:
    doc_id: str
    score: float | None
    document: Candidate
    item: SourceRow
    wanted: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        return {
            "doc_id": self.doc_id,
            "text": seen_by_classifiers(self.document.text),
            "source": self.item.source,
            "license": self.item.license,
            "url": self.item.url,
            "shard": self.item.shard,
            "shard_row": self.item.shard_row,
        }


class _Found:
    """What a range gave so far. Copies of a document count each time, as they do in `select`."""

    def __init__(self, draw: Draw, kept_before: frozenset[str]) -> None:
        self.documents = 0
        self.kept: dict[str, float] = {}
        self.rejects: list[Reject] = []
        self._histogram: Counter[int] = Counter()
        self._draw, self._before = draw, kept_before
        self._held: dict[str, _Offer] = {}
        self._wanted: dict[str, _Offer] = {}
        self._random = _Smallest(draw.random)
        # Of the nearest, as many more as may turn out to be in the random half already.
        self._boundary = _Smallest(draw.boundary + draw.random if draw.boundary else 0)

    def add(self, offer: _Offer, taken: bool) -> None:
        self.documents += 1
        if offer.wanted:
            self._wanted[offer.doc_id] = offer
        if offer.score is not None:
            self._histogram[bin_of(offer.score)] += 1
            if offer.score >= self._draw.threshold:
                self.kept[offer.doc_id] = offer.score
        if taken or offer.wanted:
            return
        order = order_of(self._draw.seed, offer.doc_id)
        self._offer(self._random, (order,), offer)
        if offer.score is not None:
            self._offer(self._boundary, (abs(offer.score - self._draw.threshold), order), offer)

    def offers(self) -> list[_Offer]:
        """In the order of their ids, each once."""
        chosen = self._held | self._wanted
        return [chosen[doc_id] for doc_id in sorted(chosen)]

    def facts(self) -> dict[str, int]:
        counts = {"documents": self.documents, "kept": len(self.kept)}
        if self._before:
            counts |= {"kept_before": len(self._before), "kept_both": len(self._before & self.kept.keys())}
        return counts | {f"{BIN}={bin_}": count for bin_, count in sorted(self._histogram.items())}

    def _offer(self, smallest: _Smallest, place: tuple[float, ...], offer: _Offer) -> None:
        gone = smallest.add(place, offer.doc_id)
        if offer.doc_id in smallest.ids:
            self._held[offer.doc_id] = offer
        if gone is not None and gone not in self._random.ids and gone not in self._boundary.ids:
            self._held.pop(gone, None)


class _Smallest:
    """The ids of the `most` smallest places seen; each id once."""

    def __init__(self, most: int) -> None:
        self.ids: set[str] = set()
        self._most = most
        self._heap: list[tuple[tuple[float, ...], str]] = []  # of negated places: the largest on top

    def add(self, place: tuple[float, ...], doc_id: str) -> str | None:
        """The id that made room, if one did."""
        if self._most == 0 or doc_id in self.ids:
            return None
        entry = (tuple(-part for part in place), doc_id)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, entry)
            self.ids.add(doc_id)
            return None
        if entry <= self._heap[0]:
            return None
        gone = heapq.heapreplace(self._heap, entry)[1]
        self.ids.remove(gone)
        self.ids.add(doc_id)
        return gone


def order_of(seed: int, doc_id: str) -> int:
    """64 bits that put documents into a random order, the same in every pass and on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{doc_id}".encode()).digest()[:8])


def bin_of(score: float) -> int:
    """The histogram's bin, named by its lower edge times BINS_A_POINT."""
    return int(score * BINS_A_POINT)


def histogram_of(facts: Mapping[str, int]) -> dict[float, int]:
    """Lower edge of a bin -> documents, from the summed facts of a pass."""
    bins = {int(value): count for value, count in findings_of(facts, BIN).items()}
    return {bin_ / BINS_A_POINT: bins[bin_] for bin_ in sorted(bins)}


def seen_by_classifiers(text: str) -> str:
    """What a classifier looks at, so that a text of megabytes travels as 16,000 characters. Idempotent."""
    return excerpt(text)[: WINDOWS * WINDOW_CHARACTERS]


def put_ids(store: Store, ids: Sequence[str]) -> IdList:
    """Keeps a set of ids; NO_IDS for none."""
    if not ids:
        return NO_IDS
    data = canonical_json(sorted(set(ids)))
    digest = sha256_hex(data)
    listed = IdList(f"training/ids/{digest}.json", digest, len(set(ids)))
    store.put(listed.key, data)
    return listed


@lru_cache(maxsize=4)
def ids_in(store: Store, listed: IdList) -> frozenset[str]:
    return frozenset(orjson.loads(store.get(listed.key))) if listed.key else frozenset()


def _names(doc_id: str, text: str, item: SourceRow, filtered: str) -> set[str]:
    """Everything a ratings file may call a document: its id, or a digest of its text, raw or as the factory keeps
    it, before or after masking."""
    texts = {item.text, text, filtered}
    return {doc_id, document_id(text), *(sha256_hex(one.encode("utf-8", "replace")) for one in texts)}


def _scores(scorer: Scorer | None, texts: Sequence[str]) -> list[float | None]:
    return [None] * len(texts) if scorer is None or not texts else list(scorer.score(texts))


def _turned_away(item: SourceRow, verdict: Verdict) -> Reject:
    """Without text and figures: `select` keeps those, and a pass comes several times."""
    evidence = {"shard": item.shard, "row": item.shard_row}
    return Reject(make_id("source-row", item.shard, item.shard_row), verdict.reason, verdict.side, evidence)
