"""The run's vocabulary as steps carry it: which files, by name and content; the index itself lies in the store.

Design: as with benchmarks (curate/index_store.py), the driver reads the user's files once, builds the index and puts it
into the root under the hash of what it was made of; a worker loads it once a process, and no worker needs the files. A
row can be replayed when they are gone. What is found in a passage depends on the index alone; how much of it a prompt
is given is the configuration's and part of a step's identity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from factory.curate.words import NORMALISER_VERSION
from factory.errors import ConfigError
from factory.identity import fingerprint
from factory.store.base import Store
from factory.store.objects import damaged
from factory.vocabulary.config import VocabularyConfig
from factory.vocabulary.entries import read_entries
from factory.vocabulary.index import INDEX_VERSION, Term, TermIndex, build_index, index_from_bytes, index_to_bytes

HELD = 2
"""Indexes a process keeps; two runs in one process may have other vocabularies."""


@dataclass(frozen=True)
class VocabularyFile:
    """`name` is the file's without folders, `sha256` of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Vocabulary:
    """`paths` are where the files lie on the machine that starts the run; they change nothing."""

    files: tuple[VocabularyFile, ...]
    max_terms: int
    definition_characters: int
    paths: tuple[str, ...] = field(default=(), compare=False)

    def identity(self) -> dict[str, Any]:
        """Everything that a prompt's vocabulary depends on, besides the passages."""
        return {**self.index_identity(), "max_terms": self.max_terms}

    def index_identity(self) -> dict[str, Any]:
        return {
            "files": [[file.name, file.sha256] for file in self.files],
            "definition_characters": self.definition_characters,
            "index": INDEX_VERSION,
            "normaliser": NORMALISER_VERSION,
        }

    @classmethod
    def recorded(cls, identity: Mapping[str, Any]) -> Vocabulary:
        """The vocabulary whose identity a step's record holds."""
        files = tuple(VocabularyFile(str(name), str(sha256)) for name, sha256 in identity["files"])
        return cls(files, int(identity["max_terms"]), int(identity["definition_characters"]))

    @property
    def key(self) -> str:
        return f"vocabulary/index-{fingerprint(self.index_identity())}.npz"

    def prepare(self, store: Store) -> None:
        """Puts the index into the store; to be called on the driver before units are worked. Raises ConfigError where
        a file cannot be read or is no vocabulary, or changed since its hash was taken."""
        if store.head(self.key) is not None:
            return
        entries = [(file.name, read_entries(Path(path))) for file, path in zip(self.files, self.paths, strict=True)]
        index = build_index(entries, self.definition_characters)
        if tuple(_file(path) for path in self.paths) != self.files:
            raise ConfigError(
                "the vocabulary files changed while the run was being planned",
                remedy="start the run again; it will be planned with the files as they are now",
            )
        store.put(self.key, index_to_bytes(index))
        _remember(self.key, index)

    def load(self, store: Store) -> TermIndex:
        """The index, loaded once a process. Raises ConfigError where it is gone from the store."""
        if self.key not in _INDEXES:
            try:
                data = store.get(self.key)
            except KeyError:
                raise ConfigError(
                    f"the vocabulary index {self.key} is not in {store.uri}",
                    cause="it was deleted while the run was going on",
                    remedy="start the run again; the index is built anew from the vocabulary files",
                ) from None
            try:
                _remember(self.key, index_from_bytes(data))
            except ValueError as error:
                raise damaged(store.uri, self.key, str(error)) from None
        return _INDEXES[self.key]

    def words(self, passages: Sequence[str]) -> str:
        """What a prompt about `passages` is given for {{vocabulary}}: a line a term; empty where they hold none. The
        index has to be loaded in this process."""
        return "\n".join(map(line_of, terms_of(_INDEXES[self.key], passages, self.max_terms)))

    def told(self, store: Store) -> list[dict[str, Any]]:
        """The files for a manifest: name, hash, and how many terms each gave."""
        terms = np.bincount(self.load(store).sources, minlength=len(self.files)).tolist()
        return [
            {"name": file.name, "sha256": file.sha256, "terms": count}
            for file, count in zip(self.files, terms, strict=True)
        ]


_INDEXES: dict[str, TermIndex] = {}
"""Indexes by key, of this process; the key names the contents, so an entry never goes stale."""


def _remember(key: str, index: TermIndex) -> None:
    while len(_INDEXES) >= HELD:
        del _INDEXES[next(iter(_INDEXES))]
    _INDEXES[key] = index


def read_vocabulary(config: VocabularyConfig) -> Vocabulary | None:
    """The vocabulary that a configuration names; None where it names none. Raises ConfigError for a file that is not
    there, and for two of one name."""
    if not config.files:
        return None
    files = tuple(_file(path) for path in config.files)
    names = [file.name for file in files]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"domain.vocabulary.files names two files {twice[0]}",
            cause="terms are told apart by the name of their file",
            remedy="rename one of them, or name it once",
        )
    return Vocabulary(files, config.max_terms, config.definition_characters, config.files)


def _file(path: str) -> VocabularyFile:
    try:
        with Path(path).expanduser().open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise ConfigError(
            f"domain.vocabulary.files: {path} cannot be read: {error.strerror or error}",
            cause="a mistyped path, or a file of another machine",
            remedy="name a file that is here; docs/vocabulary.md has the format",
        ) from None
    return VocabularyFile(Path(path).name, digest.hexdigest())


def terms_of(index: TermIndex, passages: Sequence[str], most: int) -> list[Term]:
    """Terms of passages in the order of their first mention, each once. Of more than `most`, those with the longest
    names, which say most, and of these the most frequent."""
    met: dict[int, tuple[int, int]] = {}  # place -> words of its longest name, mentions
    for passage in passages:
        for found in index.found(passage):
            words, mentions = met.get(found.place, (0, 0))
            met[found.place] = (max(words, found.words), mentions + 1)
    order = {place: number for number, place in enumerate(met)}
    best = sorted(met, key=lambda place: (-met[place][0], -met[place][1], order[place]))[:most]
    return [index.term(place) for place in sorted(best, key=order.__getitem__)]


def line_of(term: Term) -> str:
    code = f" ({term.code})" if term.code else ""
    return f"- {term.term}{code}" + (f": {term.definition}" if term.definition else "")


def counted(vocabulary: Vocabulary, passages: Iterable[Sequence[str]]) -> dict[str, int]:
    """For a step's facts: rows that were asked about, those with a term, and the terms that prompts were given."""
    lines = [len(vocabulary.words(each).splitlines()) for each in passages]
    return {ASKED: len(lines), WITH_TERMS: sum(map(bool, lines)), TERMS: sum(lines)}


ASKED, WITH_TERMS, TERMS = "vocabulary_rows", "vocabulary_rows_with_terms", "vocabulary_terms"
"""Facts of a step whose prompts ask for a vocabulary."""
