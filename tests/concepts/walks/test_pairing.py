"""Matching and pairing against a reference that scores every passage and sorts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.concepts.walks.adjacency import I64
from factory.concepts.walks.draws import F64
from factory.concepts.walks.match import Segment, Sets, best_passages, id_text, id_words, place_of
from factory.concepts.walks.pairing import PairRules, pair_passages
from factory.identity import make_id


@dataclass(frozen=True)
class Passage:
    chunk_id: str
    doc_id: str
    license: str
    nodes: frozenset[int]
    text: int  # equal where the texts are near-duplicates


@dataclass(frozen=True)
class MemoryIndex:
    """The index as pairing sees it, over passages cut into segments of `size`."""

    passages: Sequence[Passage]
    size: int

    def segments(self) -> Iterator[Segment]:
        for number, start in enumerate(range(0, len(self.passages), self.size)):
            yield segment_of(number, self.passages[start : start + self.size])

    def passage(self, place: int) -> Passage:
        number, position = place_of(np.array(place))
        return self.passages[int(number) * self.size + int(position)]

    def similarity(self, first: I64, second: I64) -> F64:
        pairs = zip(first.tolist(), second.tolist(), strict=True)
        return np.array([float(self.passage(one).text == self.passage(other).text) for one, other in pairs])


def segment_of(number: int, passages: Sequence[Passage]) -> Segment:
    nodes = sorted({node for passage in passages for node in passage.nodes})
    postings = [[place for place, passage in enumerate(passages) if node in passage.nodes] for node in nodes]
    return Segment(
        number,
        np.array(nodes, np.uint64),
        np.cumsum([0, *map(len, postings)]).astype(np.int64),
        np.array([place for places in postings for place in places], np.uint32),
        np.array([len(passage.nodes) for passage in passages], np.int32),
        id_words([passage.chunk_id for passage in passages]),
        id_words([passage.doc_id for passage in passages]),
        [passage.license for passage in passages],
    )


def sets_of(walks: Sequence[frozenset[int]]) -> Sets:
    bounds = np.cumsum([0, *map(len, walks)]).astype(np.int64)
    return Sets(np.array([node for walk in walks for node in sorted(walk)], np.uint64), bounds)


def corpus(seed: int, count: int, documents: int, nodes: int = 14) -> list[Passage]:
    """Few nodes and small sets, so that ties, copies and chunks of one document are common."""
    draw = random.Random(seed)
    licences = draw.choices(("MIT", "CC-BY-4.0", "CC-BY-SA-4.0"), k=documents)
    of = draw.choices(range(documents), k=count)
    return [
        Passage(
            make_id("chunk", seed, number),
            make_id("document", document),
            licences[document],
            frozenset(draw.sample(range(nodes), draw.randint(1, 6))),
            draw.randrange(max(1, count // 2)),
        )
        for number, document in enumerate(of)
    ]


def walks_of(seed: int, count: int, nodes: int = 16) -> list[frozenset[int]]:
    draw = random.Random(seed + 1)
    return [frozenset(draw.sample(range(nodes), draw.randint(1, 7))) for _ in range(count)]


def score(walk: frozenset[int], passage: Passage, measure: str) -> Fraction:
    shared = len(walk & passage.nodes)
    return Fraction(shared, len(walk) if measure == "containment" else len(walk | passage.nodes))


def ranked(walk: frozenset[int], passages: Sequence[Passage], measure: str) -> list[Passage]:
    """All passages that share a node, best first, each document once."""
    order = sorted(passages, key=lambda passage: (-score(walk, passage, measure), passage.chunk_id))
    found: dict[str, Passage] = {}
    for passage in order:
        if walk & passage.nodes:
            found.setdefault(passage.doc_id, passage)
    return list(found.values())


def conflict(one: str, other: str) -> bool:
    return {one, other} == {"CC-BY-4.0", "CC-BY-SA-4.0"}


def split_of(doc_id: str) -> str:
    return "test" if int(doc_id, 16) % 5 == 0 else "train"


def reference(walk: frozenset[int], passages: Sequence[Passage], rules: PairRules) -> tuple[list[Passage], str | None]:
    """The pair, or what there is of one and why there is no more, in plain words."""
    best = ranked(walk, passages, rules.measure)
    if not best:
        return [], "no_document"
    first, rest = best[0], best[1:]
    if not rest:
        return [first], "no_second_document"
    refusals = []
    for passage in rest:
        if rules.split_of and rules.split_of(passage.doc_id) != rules.split_of(first.doc_id):
            refusals.append("split_conflict")
        elif rules.conflict and rules.conflict(passage.license, first.license):
            refusals.append("licence_conflict")
        elif passage.text == first.text:
            refusals.append("near_duplicate_pair")
        else:
            return [first, passage], None
    return [first], refusals[0]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 60),
    documents=st.integers(1, 40),
    size=st.sampled_from([1, 3, 7, 64]),
    measure=st.sampled_from(["jaccard", "containment"]),
    k=st.integers(1, 9),
)
def test_the_best_are_those_of_brute_force(
    seed: int, count: int, documents: int, size: int, measure: str, k: int
) -> None:
    passages, walks = corpus(seed, count, documents), walks_of(seed, 20)
    index = MemoryIndex(passages, size)
    best = best_passages(sets_of(walks), index.segments(), k, measure)  # type: ignore[arg-type]
    for row, walk in enumerate(walks):
        wanted = ranked(walk, passages, measure)[:k]
        found = range(int(best.counts[row]))
        assert [index.passage(int(best.places[row, rank])) for rank in found] == wanted
        assert [best.scores[row, rank] for rank in found] == [float(score(walk, item, measure)) for item in wanted]
        assert [best.overlaps[row, rank] for rank in found] == [len(walk & item.nodes) for item in wanted]
        assert [id_text(best.documents[row, rank]) for rank in found] == [item.doc_id for item in wanted]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(0, 60),
    documents=st.integers(1, 60),
    size=st.sampled_from([1, 5, 64]),
    licences=st.booleans(),
    splits=st.booleans(),
    measure=st.sampled_from(["jaccard", "containment"]),
)
def test_pairs_are_those_of_brute_force(
    seed: int, count: int, documents: int, size: int, licences: bool, splits: bool, measure: str
) -> None:
    passages, walks = corpus(seed, count, documents), walks_of(seed, 20)
    index = MemoryIndex(passages, size)
    rules = PairRules(measure, 256, 0.5, conflict if licences else None, split_of if splits else None)  # type: ignore[arg-type]
    pairs = pair_passages(sets_of(walks), index, rules)
    for row, walk in enumerate(walks):
        wanted, reason = reference(walk, passages, rules)
        assert pairs.reasons.get(row) == reason
        for rank, passage in enumerate(wanted):
            assert index.passage(int(pairs.places[row, rank])) == passage
            assert pairs.scores[row, rank] == float(score(walk, passage, measure))
            assert pairs.overlaps[row, rank] == len(walk & passage.nodes)


def passage(number: int, nodes: set[int], document: int | None = None, **changed: object) -> Passage:
    made = Passage(
        make_id("chunk", number), make_id("document", number if document is None else document), "MIT",
        frozenset(nodes), number,
    )  # fmt: skip
    return replace(made, **changed)  # type: ignore[arg-type]


def test_many_refused_licences_do_not_hide_an_admissible_passage() -> None:
    """The admissible one is far behind what the first look keeps."""
    refused = [passage(number, {1, 2, 3}, license="CC-BY-SA-4.0") for number in range(1, 200)]
    first, far = passage(0, {1, 2, 3, 4}, license="CC-BY-4.0"), passage(500, {1, 9, 10, 11, 12})
    index = MemoryIndex([*refused, far, first], 50)
    pairs = pair_passages(sets_of([frozenset({1, 2, 3, 4})]), index, PairRules(candidates=4, conflict=conflict))
    assert [index.passage(place) for place in pairs.places[0].tolist()] == [first, far]
    assert not pairs.reasons
    assert pairs.refused == {0: {"licence_conflict": 3}}


def test_a_corpus_of_copies_is_refused_by_name() -> None:
    copies = [passage(number, {1, 2, 3}, text=0) for number in range(100)]
    pairs = pair_passages(sets_of([frozenset({1, 2})]), MemoryIndex(copies, 30), PairRules(candidates=8))
    assert pairs.reasons == {0: "near_duplicate_pair"}
    assert pairs.refused == {0: {"near_duplicate_pair": 8}}


def test_chunks_of_one_document_are_no_pair() -> None:
    chunks = [passage(number, {1, 2, number + 10}, document=7) for number in range(20)]
    pairs = pair_passages(sets_of([frozenset({1, 2})]), MemoryIndex(chunks, 6), PairRules())
    assert pairs.reasons == {0: "no_second_document"}


def test_an_empty_index_has_no_document() -> None:
    pairs = pair_passages(sets_of([frozenset({1, 2})]), MemoryIndex([], 6), PairRules())
    assert pairs.reasons == {0: "no_document"}


def test_ids_sort_as_their_words() -> None:
    ids = [make_id("x", number) for number in range(200)]
    words = id_words(ids)
    assert [ids[row] for row in np.lexsort((words[:, 1], words[:, 0]))] == sorted(ids)
    assert [id_text(row) for row in words] == ids
    with pytest.raises(ValueError, match="32 hexadecimal digits: 'short'"):
        id_words([*ids, "short"])


def test_a_walk_too_large_for_its_counter_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 255"):
        best_passages(sets_of([frozenset(range(256))]), [], 2, "jaccard")
