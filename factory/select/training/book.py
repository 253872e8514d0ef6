"""What a training job knows so far: documents, what was said about each, and the examples that follow.

Design: plain bookkeeping without I/O. A rating outweighs what a document's origin suggests (an unseen negative may
turn out to be of the domain), the user's own positives outweigh everything but ratings. Documents are held out by
their id, so a document is on the same side in every iteration, and no rating of it is ever learnt from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.identity import seed_for
from factory.select.training.config import TrainingConfig
from factory.select.training.examples import HIGHEST, LOWEST, Example, Origin
from factory.select.training.ratings import Rating, decided

COLD_START: Mapping[Origin, float] = {
    "user_positive": HIGHEST,
    "cold_start_positive": HIGHEST,
    "corpus_negative": LOWEST,
}
"""Scores that follow from the origin; of a document with several origins the first one listed counts."""


@dataclass(frozen=True)
class Document:
    """`shard` and `license` are empty for documents that are not of the corpus."""

    doc_id: str
    text: str
    source: str
    license: str
    shard: str


@dataclass
class Book:
    """Mutable: filled while a job goes on. `by_origin` has the ids of cold-start documents."""

    documents: dict[str, Document] = field(default_factory=dict)
    by_origin: dict[Origin, dict[str, None]] = field(default_factory=dict)
    ratings: list[Rating] = field(default_factory=list)

    def add(self, rows: Iterable[Mapping[str, Any]], origin: Origin | None = None, source: str | None = None) -> int:
        """Takes up documents (`doc_id`, `text`, `source`); how many were not known by that origin before."""
        known = self.by_origin.setdefault(origin, {}) if origin is not None else {}
        before = len(known)
        for row in rows:
            doc_id = row["doc_id"]
            document = Document(
                doc_id,
                row["text"],
                source or row["source"],
                row.get("license") or "",
                row.get("shard") or "",
            )
            self.documents.setdefault(doc_id, document)
            known[doc_id] = None
        return len(known) - before


@dataclass(frozen=True)
class Split:
    """Examples to learn from, those held out, and those of sources that nothing is learnt from; each sorted by
    document id."""

    training: tuple[Example, ...]
    held_out: tuple[Example, ...]
    unseen: tuple[Example, ...]


def examples_of(book: Book, config: TrainingConfig, seed: int, refined: bool) -> Split:
    """What follows from a book. `refined`: for an iteration after the cold start, which leaves written documents and
    unseen negatives behind unless `training.carry_cold_start` keeps them."""
    labels = decided(book.ratings, [rater.name for rater in config.raters])
    chosen: dict[str, Example] = {
        doc_id: _example(book.documents[doc_id], label.score, "rated", label.entry)
        for doc_id, label in labels.items()
        if doc_id in book.documents
    }
    for origin, score in COLD_START.items():
        if refined and origin != "user_positive" and not config.carry_cold_start:
            continue
        for doc_id in book.by_origin.get(origin, ()):
            chosen.setdefault(doc_id, _example(book.documents[doc_id], score, origin, ""))
    sides: dict[str, list[Example]] = {"training": [], "held_out": [], "unseen": []}
    for doc_id in sorted(chosen):
        sides[_side(chosen[doc_id], config, seed)].append(chosen[doc_id])
    return Split(tuple(sides["training"]), tuple(sides["held_out"]), tuple(sides["unseen"]))


def _side(example: Example, config: TrainingConfig, seed: int) -> str:
    if example.source in config.unseen_sources:
        return "unseen"
    return "held_out" if is_held_out(example.doc_id, config.held_out, seed) else "training"


def is_held_out(doc_id: str, share: float, seed: int) -> bool:
    return seed_for("held out", seed, doc_id) < share * (1 << 63)


def measured_on(held_out: Sequence[Example]) -> list[Example]:
    """The examples that figures are about: rated ones, or, where nothing is rated, all of them."""
    rated = [example for example in held_out if example.origin == "rated"]
    return rated or list(held_out)


def _example(document: Document, score: float, origin: Origin, rater: str) -> Example:
    return Example(document.text, score, document.doc_id, document.source, origin, rater)
