"""Small corpora of concepts, committed as extract would, and the graph counted in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import pyarrow as pa
from hypothesis import strategies as st

from factory.concepts.graph.groups import GROUP_PASSAGES, pairs_units
from factory.concepts.graph.names import canonical
from factory.concepts.graph.tables import CONCEPT, TOPIC, node_id
from factory.identity import make_id
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output, write_outputs
from factory.run.plan import plan_units
from factory.run.step import WorkStep
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.commits import Commit, committed_units, read_commit, read_commits
from factory.tables import CONCEPTS

Topics = list[tuple[str, list[str]]]
"""Topics of a passage, with their key concepts."""

WORDS = [
    "group",
    "Groups",
    "the group",
    "Ring",
    "field",
    "Galois theory",
    "Galois Theory (GT)",
    "$L^p$ spaces",
    "...",
    "",
    "proof",
    "limit",
]
passages = st.lists(
    st.lists(st.tuples(st.sampled_from(WORDS), st.lists(st.sampled_from(WORDS), max_size=5)), max_size=3), max_size=12
)
"""Corpora in which names meet in many forms, and some are of no use. Ids of "proof" and "limit" as concepts lie among
those of the topics: without them an order that forgot the kind looked right."""


def concepts_row(topics: Topics, number: int) -> dict[str, object]:
    return {
        "chunk_id": make_id("chunk", number),
        "doc_id": make_id("doc", number // 2),
        "edu_level": "college",
        "subject": "algebra",
        "topics": [{"topic": topic, "key_concepts": concepts} for topic, concepts in topics],
        "request_id": f"r{number}",
        "sources": [],
    }


def commit(store: Store, folder: str, unit: Unit, result: UnitResult) -> Commit:
    run = StepRun(folder, "run")
    committed = finish(store, run, begin(store, run, unit, {}), result).commit
    assert committed is not None
    return committed


def put_concepts(store: Store, rows: Sequence[dict[str, object]], folder: str = "extract-0") -> FileRef:
    table = pa.Table.from_pylist(list(rows), schema=CONCEPTS)
    unit = Unit(make_id("unit", folder, *(str(row["chunk_id"]) for row in rows)))
    return commit(store, folder, unit, UnitResult(len(rows), len(rows), (table,), "chunk_id")).files[0]


def put_corpus(store: Store, corpus: Sequence[Topics], rows_a_file: int, first: int = 0) -> list[FileRef]:
    """The corpus as extract files; `first` numbers its first passage."""
    rows = [concepts_row(topics, first + number) for number, topics in enumerate(corpus)]
    return [put_concepts(store, rows[start : start + rows_a_file]) for start in range(0, len(rows), rows_a_file)]


def work_all(store: Store, step: WorkStep, units: Sequence[Unit], run: str = "run", folder: str = "") -> list[Commit]:
    """Works and commits units, and writes the run's outputs index of the step."""
    commits = [commit(store, folder or f"{step.name}-0", unit, step.work(store, unit)) for unit in units]
    outputs = [Output(item.unit, item.parent, file) for item in commits for file in item.files]
    write_outputs(store, run, step.name, outputs)
    return commits


def count_pairs(
    store: Store, step: WorkStep, files: Sequence[FileRef], run: str = "run", group_passages: int = GROUP_PASSAGES
) -> list[Commit]:
    """graph_pairs over extract files, as a run plans and works it: what is committed is not worked again."""
    folder = f"{step.name}-0"
    done = committed_units(store, folder)
    units = pairs_units(files, read_commits(store, folder, sorted(done)), passages=group_passages)
    fresh = {
        unit.unit_id: commit(store, folder, unit, step.work(store, unit)) for unit in plan_units(units, done).pending
    }
    commits = [fresh.get(unit.unit_id) or read_commit(store, folder, unit.unit_id) for unit in units]
    outputs = [Output(item.unit, item.parent, file) for item in commits for file in item.files]
    write_outputs(store, run, step.name, outputs)
    return commits


@dataclass
class Reference:
    """The graph of a corpus, counted one passage after another."""

    doc_freq: Counter[int] = field(default_factory=Counter)
    freq: Counter[tuple[int, int]] = field(default_factory=Counter)
    forms: dict[int, Counter[str]] = field(default_factory=dict)
    used: int = 0


def reference(corpus: Sequence[Topics], aliases: dict[int, int] | None = None) -> Reference:
    found = Reference()
    for topics in corpus:
        names = [(TOPIC, topic) for topic, _ in topics]
        names += [(CONCEPT, concept) for _, concepts in topics for concept in concepts]
        forms = set()
        for kind, raw in names:
            name = canonical(raw)
            if not name.problem:
                own = node_id(kind, name.normal)
                own = (aliases or {}).get(own, own)
                forms |= {(own, name.form)} | ({(own, name.abbreviation)} if name.abbreviation else set())
        nodes = {node for node, _ in forms}
        found.used += bool(nodes)
        found.doc_freq.update(nodes)
        found.freq.update(
            (a, b) for a, b in product(nodes, nodes) if a != b and not (a & 1 == CONCEPT and b & 1 == TOPIC)
        )
        for node, form in forms:
            found.forms.setdefault(node, Counter())[form] += 1
    return found
