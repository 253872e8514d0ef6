"""Concept sets shaped like a corpus: the paper's subset, larger or smaller, as committed extract files.

Design: SynthLLM's graph of a subset has about 32,000 topics and 200,000 concepts from some 90,000 documents (section
5.1; 5 topics and 40 concepts a document). Names belong to fields of `TOPICS_A_FIELD` topics and `CONCEPTS_A_FIELD`
concepts; a passage belongs to one field, whose sizes fall like Zipf's law, and takes most of its names from it, some
from the fields beside it and some from everywhere, popular ones first. So frequencies are skewed, neighbours share
neighbours, and a part of the pairs is seen once, as in text. Every name occurs at least once. A tenth of the names are
written in another way each time (capitals, plural, article). Equal parameters give equal files.

Cost: 25 s for 90,000 passages on one core.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from factory.identity import make_id
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output, write_outputs
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.tables import CONCEPTS

I64 = npt.NDArray[np.int64]

PASSAGES, TOPICS, CONCEPTS_OF_SUBSET = 90_000, 32_000, 200_000
TOPICS_A_FIELD, CONCEPTS_A_FIELD = 64, 400
TOPICS_A_PASSAGE, CONCEPTS_A_PASSAGE = 5, 40
HOME, BESIDE = 0.8, 0.14
"""Shares of names from a passage's own field and from the two beside it; the rest comes from anywhere."""

SYLLABLES = ["ka", "lo", "mi", "ren", "tu", "vor", "sel", "dan", "pi", "gra", "hel", "bo", "quin", "ta", "nor", "ze"]
KINDS = ["theorem", "equation", "method", "space", "operator", "field", "measure", "algorithm"]


@dataclass(frozen=True)
class Shape:
    """Sizes of a corpus; `scale` 1 is the paper's subset."""

    passages: int
    fields: int
    seed: int = 0

    @property
    def topics(self) -> int:
        return self.fields * TOPICS_A_FIELD

    @property
    def concepts(self) -> int:
        return self.fields * CONCEPTS_A_FIELD


def shape(scale: float, seed: int = 0) -> Shape:
    return Shape(round(PASSAGES * scale), max(1, round(CONCEPTS_OF_SUBSET / CONCEPTS_A_FIELD * scale)), seed)


def write_corpus(store: Store, shape: Shape, rows_a_file: int, run: str = "bench") -> list[FileRef]:
    """Commits the corpus as extract files with the outputs index of `run`; what `extract` would have left."""
    folder = f"extract-{make_id('bench', shape.passages, shape.fields, shape.seed)[:16]}"
    outputs = []
    for number, table in enumerate(tables(shape, rows_a_file)):
        unit, step = Unit(make_id("bench", number)), StepRun(folder, run)
        result = UnitResult(table.num_rows, table.num_rows, (table,), "chunk_id")
        commit = finish(store, step, begin(store, step, unit, {}), result).commit
        if commit is None:
            raise RuntimeError("a file of the bench corpus took longer than the deadline")
        outputs.append(Output(commit.unit, commit.parent, commit.files[0]))
    write_outputs(store, run, "extract", outputs)
    return [output.file for output in outputs]


def tables(shape: Shape, rows_a_file: int) -> Iterator[pa.Table]:
    """CONCEPTS tables of `rows_a_file` rows."""
    drawn = np.random.default_rng(shape.seed)
    home = drawn.permutation(_fields_of_passages(shape, drawn))
    turn = _turns(home, shape.fields)  # how many passages of its field come before a passage
    topic_names, concept_names = names(shape.topics, "topic"), names(shape.concepts, "concept")
    for start in range(0, shape.passages, rows_a_file):
        part = slice(start, min(start + rows_a_file, shape.passages))
        topics = _members(drawn, home[part], turn[part], shape, TOPICS_A_FIELD, TOPICS_A_PASSAGE)
        concepts = _members(drawn, home[part], turn[part], shape, CONCEPTS_A_FIELD, CONCEPTS_A_PASSAGE)
        yield _table(drawn, start, home[part], topic_names, topics, concept_names, concepts)


def names(count: int, what: str) -> pa.Array:
    """Distinct names, one an index, whose normal forms differ."""
    base = len(SYLLABLES)
    digits = (np.arange(count)[:, None] // base ** np.arange(5)) % base
    words = ["".join(SYLLABLES[digit] for digit in row) for row in digits.tolist()]
    middle = "" if what == "topic" else " of first order"
    return pa.array([f"{word.capitalize()} {KINDS[n % len(KINDS)]}{middle}" for n, word in enumerate(words)])


def _fields_of_passages(shape: Shape, drawn: np.random.Generator) -> I64:
    least = min(shape.passages // shape.fields, TOPICS_A_FIELD)
    weights = 1 / (10 + np.arange(shape.fields)) ** 0.7
    rest = shape.passages - least * shape.fields
    more = drawn.choice(shape.fields, rest, p=weights / weights.sum())
    return np.concatenate((np.repeat(np.arange(shape.fields), least), more))


def _turns(home: I64, fields: int) -> I64:
    order = np.argsort(home, kind="stable")
    starts = np.searchsorted(home[order], np.arange(fields))
    turn = np.empty(len(home), np.int64)
    turn[order] = np.arange(len(home)) - starts[home[order]]
    return turn


def _members(drawn: np.random.Generator, home: I64, turn: I64, shape: Shape, a_field: int, count: int) -> I64:
    """int64[P, count] names of each passage, distinct, -1 where too few distinct ones were drawn."""
    draws = 2 * count
    rows = len(home)
    step = drawn.choice([-1, 1], (rows, draws))
    where = drawn.random((rows, draws))
    field = np.where(where < HOME, home[:, None], home[:, None] + step) % shape.fields
    field = np.where(where < HOME + BESIDE, field, _skewed(drawn, (rows, draws), shape.fields, 1.5))
    found = field * a_field + _skewed(drawn, (rows, draws), a_field, 2.0)
    # In turn, the passages of a field take all of its names, so that each occurs.
    each = -(-a_field // TOPICS_A_FIELD)
    found[:, :each] = home[:, None] * a_field + (turn[:, None] * each + np.arange(each)) % a_field
    first = np.zeros(found.shape, np.bool_)
    order = np.argsort(found, axis=1, kind="stable")
    ordered = np.take_along_axis(found, order, 1)
    new = np.concatenate((np.ones((rows, 1), np.bool_), ordered[:, 1:] != ordered[:, :-1]), axis=1)
    np.put_along_axis(first, order, new, 1)
    keep = first & (np.cumsum(first, axis=1) <= count)
    result = np.full((rows, count), -1)
    place = np.cumsum(keep, axis=1) - 1
    result[np.nonzero(keep)[0], place[keep]] = found[keep]
    return result


def _skewed(drawn: np.random.Generator, size: tuple[int, int], count: int, power: float) -> I64:
    """Numbers below `count`, small ones more often: the power of a uniform draw."""
    return (count * drawn.random(size) ** power).astype(np.int64)


def _table(
    drawn: np.random.Generator,
    start: int,
    home: I64,
    topic_names: pa.Array,
    topics: I64,
    concept_names: pa.Array,
    concepts: I64,
) -> pa.Table:
    rows = len(home)
    held = topics >= 0
    offsets = np.concatenate(([0], np.cumsum(held.sum(1)))).astype(np.int32)
    # Concepts are dealt to the topics of their passage in turn.
    owner = np.broadcast_to(np.arange(concepts.shape[1]) % 1_000_000, concepts.shape) % held.sum(1)[:, None]
    owner = owner + offsets[:-1, None]
    present = concepts >= 0
    order = np.argsort(owner[present], kind="stable")
    bounds = np.searchsorted(owner[present][order], np.arange(offsets[-1] + 1)).astype(np.int32)
    listed = pa.ListArray.from_arrays(bounds, _written(drawn, concept_names, concepts[present][order]))
    written = _written(drawn, topic_names, topics[held])
    pairs = pa.StructArray.from_arrays([written, listed], fields=list(CONCEPTS.field("topics").type.value_type))
    ids = [make_id("chunk", start + row) for row in range(rows)]
    columns = {
        "chunk_id": ids,
        "doc_id": [make_id("doc", start + row) for row in range(rows)],
        "edu_level": ["college"] * rows,
        "subject": [f"field {number}" for number in home.tolist()],
        "topics": pa.ListArray.from_arrays(offsets, pairs),
        "request_id": ids,
        "sources": pa.array(
            [[{"chunk_id": each, "license": "CC-BY-4.0"}] for each in ids], CONCEPTS.field("sources").type
        ),
    }
    return pa.table(columns, schema=CONCEPTS)


def _written(drawn: np.random.Generator, names: pa.Array, chosen: I64) -> pa.Array:
    """The names as written: one in ten in another form."""
    texts = names.take(pa.array(chosen)).to_pylist()
    for place in np.flatnonzero(drawn.random(len(texts)) < 0.1).tolist():
        form = place % 3
        text = texts[place]
        texts[place] = text.upper() if form == 0 else f"the {text}" if form == 1 else text.lower()
    return pa.array(texts, pa.string())
