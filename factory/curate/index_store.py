"""The benchmark index on its way to workers: built once on the driver, kept in the store, loaded once a process.

Design: a step or filter carries only the index's identity (hashes of the benchmark files, normal form, rules) and where
the files lie on the machine that starts the run; the index itself lies in the store under the hash of that identity
without the rules, so every step that wants the same index shares it, across runs and whatever the rules. It holds one
side of the benchmarks. Questions and pages are held against questions: answers do not exist yet when questions are
curated, and a page with an answer has the question, too. Answers are held against answers (publish/leaked_answers.py).

Cost: 19,000 items of seven benchmarks: docs/benchmarks.md, `decon`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from factory.curate.benchmarks import Benchmarks, Item, Side, read_benchmarks
from factory.curate.decon import nearest
from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
from factory.curate.decon.hits import Screen
from factory.curate.decon.index import (
    INDEX_VERSION,
    SHORT_ITEM,
    ItemIndex,
    build_index,
    index_from_bytes,
    index_to_bytes,
)
from factory.curate.decon.rules import RULES_VERSION
from factory.curate.decon.view import identity as view_identity
from factory.curate.decon.view import view
from factory.curate.words import tokenise
from factory.errors import ConfigError
from factory.identity import fingerprint
from factory.select.training.embedding import EmbeddingModel
from factory.store.base import Store
from factory.store.objects import damaged

HELD_INDEXES = 4
"""Indexes (and their vectors) a worker process keeps: questions' and answers'; two runs in one process may have other
benchmarks."""


@dataclass(frozen=True)
class BenchmarkIndex:
    """`files` is what was read (benchmarks.py); `rules` None where only the index is wanted; `sources` is where the
    files lie (not part of the identity); `side` says which texts of the benchmarks are in it; `embedding`
    is the model of the rule of that name, where it is on."""

    files: tuple[dict[str, Any], ...]
    rules: DecontaminationConfig | None = None
    sources: tuple[BenchmarkConfig, ...] = field(default=(), compare=False)
    side: Side = "question"
    embedding: EmbeddingModel | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that a hit depends on, besides the row."""
        if self.rules is None:
            return self._index_identity
        near = {"embedding": nearest.identity(self.rules.embedding, self.embedding)} if self.embedding else {}
        return {**self._index_identity, "rules": {"version": RULES_VERSION, **self.rules.word_rules(), **near}}

    @property
    def _index_identity(self) -> dict[str, Any]:
        side = {"side": self.side} if self.side != "question" else {}
        return {"files": list(self.files), "index": INDEX_VERSION, **view_identity(), **side}

    @property
    def key(self) -> str | None:
        """Where the index lies in the store; None without benchmarks."""
        return f"curate/benchmarks-{fingerprint(self._index_identity)}.npz" if self.files else None

    @property
    def vectors_key(self) -> str | None:
        """Where the items' vectors lie in the store; None without benchmarks, or where the rule is off."""
        if self.embedding is None or not self.files:
            return None
        return f"curate/vectors-{fingerprint([self._index_identity, nearest.vectors_identity(self.embedding)])}.npz"

    def prepare(self, store: Store) -> None:
        """Puts the index into the store, and the vectors of the items; to be called on the driver before units are
        worked.

        Raises ConfigError when the files changed since the identity was taken.
        """
        wanted = [key for key in (self.key, self.vectors_key) if key is not None and store.head(key) is None]
        if not wanted:
            return
        benchmarks = read_benchmarks(self.sources)
        if tuple(benchmarks.identity()) != self.files:
            raise ConfigError(
                "the benchmark files changed while the run was being planned",
                remedy="start the run again; it will be planned with the files as they are now",
            )
        items = items_of(benchmarks, self.side)
        if self.key in wanted:
            index = build_index(items)
            store.put(self.key, index_to_bytes(index))
            _remember(self.key, index)
        if self.vectors_key in wanted and self.embedding is not None:
            vectors = nearest.item_vectors(items, self.embedding)
            store.put(self.vectors_key, nearest.vectors_to_bytes(vectors))
            _remember(self.vectors_key, vectors)

    def load(self, store: Store) -> ItemIndex | None:
        """None without benchmarks. Raises ConfigError when the index is gone from the store."""
        return _loaded(store, self.key, index_from_bytes) if self.key is not None else None

    def screen(self, store: Store) -> Screen | None:
        """The index with its rules, as `load`."""
        index, rules = self.load(store), self.rules or DecontaminationConfig()
        if index is None:
            return None
        if self.vectors_key is None or self.embedding is None:
            return Screen(index, rules)
        vectors = _loaded(store, self.vectors_key, nearest.vectors_from_bytes)
        return Screen(index, rules, nearest.Nearest(vectors, rules.embedding, self.embedding))


def benchmark_index(configs: Sequence[BenchmarkConfig], rules: DecontaminationConfig | None = None) -> BenchmarkIndex:
    """Reads the benchmark files for their hashes. Raises ConfigError where they are missing, unreadable or lack
    a field, or where the embedding model is not on this machine."""
    model = nearest.embedding_of(rules.embedding) if rules and configs else None
    return BenchmarkIndex(tuple(read_benchmarks(configs).identity()), rules, tuple(configs), embedding=model)


def answer_index(configs: Sequence[BenchmarkConfig], rules: DecontaminationConfig) -> BenchmarkIndex | None:
    """The answers and solutions of the benchmarks that have such fields; None where none has. Raises as
    `benchmark_index`."""
    answered = tuple(config for config in configs if config.answer_fields)
    if not answered:
        return None
    return BenchmarkIndex(tuple(read_benchmarks(answered).identity()), rules, answered, "answer")


def items_of(benchmarks: Benchmarks, side: Side) -> list[Item]:
    """Items of one side. Answers below SHORT_ITEM words ("The answer is 18.") are not compared: they say nothing."""
    items = [item for item in benchmarks.items if item.side == side]
    if side == "question":
        return items
    lengths = view(tokenise([item.text for item in items])).counts
    return [item for item, length in zip(items, lengths.tolist(), strict=True) if length >= SHORT_ITEM]


Held = ItemIndex | nearest.ItemVectors
_INDEXES: dict[str, Any] = {}
"""Indexes and vectors by key, of this process; the key names the contents, so an entry never goes stale."""

Kind = TypeVar("Kind", ItemIndex, nearest.ItemVectors)


def _loaded(store: Store, key: str, from_bytes: Callable[[bytes], Kind]) -> Kind:
    if key not in _INDEXES:
        try:
            data = store.get(key)
        except KeyError:
            raise ConfigError(
                f"the benchmark index {key} is not in {store.uri}",
                cause="it was deleted while the run was going on",
                remedy="start the run again; the index is built anew from the benchmark files",
            ) from None
        try:
            _remember(key, from_bytes(data))
        except ValueError as error:
            raise damaged(store.uri, key, str(error)) from None
    held: Kind = _INDEXES[key]
    return held


def _remember(key: str, index: Held) -> None:
    while len(_INDEXES) >= HELD_INDEXES:
        del _INDEXES[next(iter(_INDEXES))]
    _INDEXES[key] = index
