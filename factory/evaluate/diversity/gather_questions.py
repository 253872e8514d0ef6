"""From the store to the questions of a run: one pass over their files, in the order in which they were planned.

Design: the pass feeds what needs a question's id (saturation), its first words (starts) and its documents (likeness);
only the documents that are drawn keep texts. Which questions curation dropped comes from its decisions. Requests of a
unit are in its commit. Bounds: ids take 16 bytes a question, `QUESTIONS_AT_MOST` a level; where a level has more, its
curve ends there, and starts and likeness are taken from every k-th file.

Cost: 10 processor seconds for a million questions of 25 words in 780 files on a local disk.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from factory.evaluate.diversity.config import DiversityConfig
from factory.evaluate.diversity.facts import Curve, SharedStarts
from factory.evaluate.diversity.saturation import curve, first_of_groups, positions
from factory.evaluate.diversity.starts import StartCounter
from factory.run.outputs import Output, outputs_key, read_outputs
from factory.run.record import planned_units
from factory.store.base import Store
from factory.store.commits import Commit, read_commits
from factory.store.parquet import read_parquet

U64 = npt.NDArray[np.uint64]

LEVELS = (1, 2, 3)

QUESTIONS_AT_MOST = 2_000_000


@dataclass(frozen=True)
class Decisions:
    """What curation dropped: rows by question file, and which question went for which (ids cut to 64 bits; 0 where
    it went for another reason than a duplicate)."""

    rows: Mapping[str, frozenset[int]]
    dropped: U64
    kept: U64


@dataclass
class DrawnDocuments:
    """The documents with the smallest hashes that a level asked at least two questions about, with those questions;
    mutable because it is a running choice. Candidates are `SLACK` times what is wanted, because a document's second
    question may come late."""

    config: DiversityConfig
    texts: dict[str, dict[int, list[tuple[str, bool]]]] = field(default_factory=dict)
    bound: int = 1 << 64
    seen: int = 0

    def add(self, level: int, document: str, text: str, kept: bool) -> None:
        if self.order(document) >= self.bound:
            return
        if document not in self.texts:
            self.texts[document] = {}
            if len(self.texts) > SLACK * self.config.documents:
                self._shrink()
                if document not in self.texts:
                    return
        questions = self.texts[document].setdefault(level, [])
        if len(questions) < self.config.questions:
            questions.append((text, kept))

    def order(self, document: str) -> int:
        return xxhash.xxh64_intdigest(document.encode(), seed=self.config.seed)

    def _shrink(self) -> None:
        """Half of the candidates, those with the largest hashes, are no longer looked for."""
        ordered = sorted(self.texts, key=self.order)
        half = ordered[: len(ordered) // 2]
        self.bound = self.order(ordered[len(half)])
        self.texts = {document: self.texts[document] for document in half}

    def result(self) -> dict[str, dict[int, list[tuple[str, bool]]]]:
        """Documents with two questions of some level, those with two of every level first."""
        levels = {level for found in self.texts.values() for level in found}

        def full(document: str) -> int:
            return sum(len(self.texts[document].get(level, ())) > 1 for level in levels)

        usable = [document for document in self.texts if full(document)]
        chosen = heapq.nsmallest(self.config.documents, usable, key=lambda name: (-full(name), self.order(name)))
        return {document: self.texts[document] for document in chosen}


SLACK = 4


@dataclass(frozen=True)
class QuestionFacts:
    curves: tuple[Curve, ...]
    starts: tuple[SharedStarts, ...]
    every: int
    drawn: Mapping[str, Mapping[int, Sequence[tuple[str, bool]]]]


def gather_questions(
    store: Store, run: str, folders: Mapping[str, str], config: DiversityConfig | None
) -> QuestionFacts:
    """Of all levels a run has; `config` None draws no documents. Raises KeyError, StoreError, OSError or ValueError
    where a file is gone or damaged."""
    decisions = read_decisions(store, run)
    drawn = DrawnDocuments(config) if config is not None else None
    curves: list[Curve] = []
    starts: list[SharedStarts] = []
    every = 1
    for level in LEVELS:
        step = f"question_{level}"
        outputs = _outputs(store, run, step)
        if not outputs:
            continue
        rows = sum(output.file.rows for output in outputs)
        stride = -(-rows // QUESTIONS_AT_MOST)
        every = max(every, stride)
        counter = StartCounter()
        ids: list[U64] = []
        read = 0
        for number, output in enumerate(outputs):
            wanted = number % stride == 0
            if not wanted and read >= QUESTIONS_AT_MOST:
                continue
            columns = ["question_id", "text", "doc_ids"] if wanted else ["question_id"]
            table = read_parquet(store, output.file.key, columns)
            if read < QUESTIONS_AT_MOST:
                ids.append(short_ids(table.column("question_id")))
                read += table.num_rows
            if wanted:
                _look(table, level, decisions.rows.get(output.file.name, frozenset()), counter, drawn)
        starts += counter.result(level)
        if folders.get(step):
            curves.append(_curve(store, run, level, folders, outputs, ids, decisions, rows))
    chosen = drawn.result() if drawn is not None else {}
    return QuestionFacts(tuple(curves), tuple(starts), every, chosen)


def _outputs(store: Store, run: str, step: str) -> list[Output]:
    try:
        return read_outputs(store, outputs_key(run, step))
    except KeyError:
        return []


def _look(
    table: pa.Table, level: int, dropped: frozenset[int], counter: StartCounter, drawn: DrawnDocuments | None
) -> None:
    texts: list[str] = table.column("text").to_pylist()
    counter.add([text for row, text in enumerate(texts) if row not in dropped])
    if drawn is not None:
        for row, documents in enumerate(table.column("doc_ids").to_pylist()):
            for document in dict.fromkeys(documents or ()):
                drawn.add(level, document, texts[row], row not in dropped)


def _curve(
    store: Store,
    run: str,
    level: int,
    folders: Mapping[str, str],
    outputs: Sequence[Output],
    ids: Sequence[U64],
    decisions: Decisions,
    rows: int,
) -> Curve:
    step = f"question_{level}"
    counted = {output.unit: len(part) for output, part in zip(outputs, ids, strict=False)}
    last = outputs[len(ids) - 1].unit
    units = planned_units(store, run, step)
    units = units[: units.index(last) + 1] if len(ids) < len(outputs) else units
    commits = list(read_commits(store, folders[step], units))
    requests = [int(commit.ledger.get("requests", 0)) for commit in commits]
    at = positions([counted.get(unit, 0) for unit in units], requests)
    new_at = first_of_groups(np.concatenate(ids), at, decisions.dropped, decisions.kept)
    ends = round_ends(store, run, folders, commits, requests) if level == 3 else ()
    return curve(level, at, new_at, sum(requests), ends, rows)


def round_ends(
    store: Store, run: str, folders: Mapping[str, str], commits: Sequence[Commit], requests: Sequence[int]
) -> tuple[float, ...]:
    """Requests after which each of the run's rounds ended; nothing for a run with less than two."""
    from factory.run.record import read_record

    record = read_record(store, run) or {}
    rounds = [int(item["walks"]) for item in record.get("rounds") or ()]
    if len(rounds) < 2 or not folders.get("walk") or not folders.get("pair"):
        return ()
    stops = {
        commit.unit: int(commit.facts["stop"])
        for commit in read_commits(store, folders["walk"], planned_units(store, run, "walk"))
    }
    # A file of questions came from a file of pairs, that from one of walks: names are folder/unit/part.
    walk_of = {output.file.name: output.parent.split("/")[1] for output in _outputs(store, run, "pair")}
    ends = np.cumsum(requests)
    found = []
    for limit in rounds:
        stop_of = [stops.get(walk_of.get(commit.parent, ""), limit + 1) for commit in commits]
        within = [place for place, stop in enumerate(stop_of) if stop <= limit]
        found.append(float(ends[max(within)]) if within else 0.0)
    return tuple(found)


def read_decisions(store: Store, run: str) -> Decisions:
    """Empty where the run did not come to curation."""
    rows: dict[str, set[int]] = {}
    dropped, kept = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for table in _decision_tables(store, run):
        files = table.column("file").to_pylist()
        for file, row in zip(files, table.column("row").to_pylist(), strict=True):
            rows.setdefault(file, set()).add(row)
        dropped.append(short_ids(table.column("question_id")))
        kept.append(short_ids(table.column("kept_id")))
    return Decisions(
        {file: frozenset(found) for file, found in rows.items()}, np.concatenate(dropped), np.concatenate(kept)
    )


def _decision_tables(store: Store, run: str) -> Iterator[pa.Table]:
    for output in _outputs(store, run, "decide"):
        yield read_parquet(store, output.file.key, ["file", "row", "question_id", "kept_id"])


def short_ids(column: pa.ChunkedArray) -> U64:
    """The first 64 bits of hexadecimal ids; 0 for null."""
    return np.fromiter((int(name[:16], 16) if name else 0 for name in column.to_pylist()), np.uint64, len(column))
