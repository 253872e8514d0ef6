"""The terms of a vocabulary as arrays, and finding them in a passage: the longest name that begins at a word wins.

Design: a name is the polynomial hash of its words in their normal form (curate/words.py: any case, any punctuation), so
finding is a walk over a passage's words with a binary search in sorted keys; only words that begin a name are looked at
further (kernels.py). Plurals cost nothing when looking up, because a name is listed in the singular and the plural of
its last word. "MeSH, inverted" names are listed in their order of reading as well. A name that is an abbreviation
("ALL", "mRNA") is only found as it is written, unless the vocabulary writes everything in capitals. Of a name that
several entries have, the first keeps it. Texts lie in one block of UTF-8, so half a million terms are a dozen arrays.

Cost: docs/vocabulary.md has memory and time, measured.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from factory.answers.evidence import FUNCTION_WORDS, read_tokens
from factory.arrays import arrays_in
from factory.concepts.graph.word_forms import singular
from factory.curate import scan
from factory.curate.words import I64, U64, TokenArray, tokenise
from factory.vocabulary.entries import Entry
from factory.vocabulary.kernels import find_names, name_keys

INDEX_VERSION = 1
"""Raised when a text could get other terms; part of every identity that rests on them."""

LONGEST_NAME = 12
"""Words; a longer one is a sentence, and nobody writes it twice the same way."""

LONGEST_ABBREVIATION = 6

KEPT_WORDS = 100_000
"""Answers to `is_name` and `has_word` that are kept."""

_INVERTED = re.compile(r"^([^,]+), ([^,]+)$")
_LETTERS = re.compile(r"[^\W\d_]{2}")
_LAST_WORD = re.compile(r"[a-zA-Z]{4,}$")


@dataclass(frozen=True)
class Term:
    """`vocabulary` is the name of the file it is from."""

    term: str
    code: str
    definition: str
    kind: str
    vocabulary: str


@dataclass(frozen=True)
class Found:
    """A term in a passage, at characters [start, end); `words` of its name there."""

    place: int
    start: int
    end: int
    words: int


@dataclass(frozen=True, eq=False)
class TermIndex:
    """`keys` uint64[K], sorted, name terms `owners` int32[K]; `firsts` uint64[F], sorted, are the words that begin a
    name, `longest` int64[F] words of the longest. `exact_keys` are names that have to stand as in `surfaces`.
    `texts` uint8[…] holds every text, text i at offsets[i] to offsets[i + 1]: four of each term (term, code,
    definition, kind), then the surfaces. `sources` int16[N] say from which of `files` a term is. `kinds` are the hashes
    of the words in names of a kind."""

    keys: U64
    owners: npt.NDArray[np.int32]
    firsts: U64
    longest: I64
    exact_keys: U64
    texts: npt.NDArray[np.uint8]
    offsets: I64
    sources: npt.NDArray[np.int16]
    files: tuple[str, ...]
    kinds: dict[str, U64]
    _asked: dict[tuple[str, str, bool], bool] = field(default_factory=dict, repr=False)

    @property
    def terms(self) -> int:
        return len(self.sources)

    def term(self, place: int) -> Term:
        term, code, definition, kind = (self._text(4 * place + part) for part in range(4))
        return Term(term, code, definition, kind, self.files[self.sources[place]])

    def found(self, text: str) -> list[Found]:
        """Terms of a text in its order, none within another."""
        tokens = read_tokens(text)
        words = np.flatnonzero((tokens.hashes & np.uint64(scan.KIND_BITS)) != scan.OPERATOR)
        hashes = tokens.hashes[words]
        room = np.empty((len(hashes) * LONGEST_NAME, 3), np.int64)
        count = find_names(hashes, self.firsts, self.longest, self.keys, room)
        found: list[Found] = []
        free = 0
        for start, length, at in room[:count].tolist():  # by start, the longest first
            if start < free:
                continue
            span = (int(tokens.spans[words[start], 0]), int(tokens.spans[words[start + length - 1], 1]))
            if self._stands(at, text[slice(*span)]):
                found.append(Found(int(self.owners[at]), *span, length))
                free = start + length
        return found

    def has_kind(self, kind: str) -> bool:
        return kind in self.kinds

    def is_name(self, word: str, kind: str) -> bool:
        return self._ask(word, kind, whole=True)

    def has_word(self, word: str, kind: str) -> bool:
        return self._ask(word, kind, whole=False)

    def _ask(self, word: str, kind: str, whole: bool) -> bool:
        asked = (word, kind, whole)
        if asked not in self._asked:
            if len(self._asked) >= KEPT_WORDS:
                self._asked.clear()
            self._asked[asked] = self._look(word, kind, whole)
        return self._asked[asked]

    def _look(self, word: str, kind: str, whole: bool) -> bool:
        array = tokenise([word]).words()
        if kind not in self.kinds or not len(array.hashes):
            return False
        if not whole and len(array.hashes) == 1:
            return _among(array.hashes[0], self.kinds[kind]) >= 0
        at = _among(name_keys(array.hashes, array.offsets)[0], self.keys)
        return at >= 0 and self._text(4 * int(self.owners[at]) + 3) == kind

    def _stands(self, at: int, written: str) -> bool:
        if not self._is_exact[at]:
            return True
        return self._text(4 * self.terms + _among(self.keys[at], self.exact_keys)) == written

    @cached_property
    def _is_exact(self) -> npt.NDArray[np.bool_]:
        """bool[K]: keys of names that have to stand as they are written."""
        return np.isin(self.keys, self.exact_keys)

    def _text(self, number: int) -> str:
        return bytes(self.texts[self.offsets[number] : self.offsets[number + 1]]).decode()

    @cached_property
    def bytes_held(self) -> int:
        """Bytes of memory that the arrays take."""
        arrays: list[npt.NDArray[Any]] = [*(getattr(self, name) for name in _ARRAYS), *self.kinds.values()]
        return sum(each.nbytes for each in arrays)


@dataclass(frozen=True)
class Name:
    """A way of writing a term: `text` is looked up, `exact` how it has to stand, None where that does not matter."""

    text: str
    exact: str | None = None


def build_index(files: Iterable[tuple[str, Iterable[Entry]]], definition_characters: int) -> TermIndex:
    """The index of files by name, each with its entries, in order of precedence."""
    names: list[str] = []
    owners: list[int] = []
    exacts: dict[int, str] = {}
    texts: list[str] = []
    sources: list[int] = []
    kind_of: list[str] = []
    file_names: list[str] = []
    for source, (file, entries) in enumerate(files):
        file_names.append(file)
        listed = list(entries)
        capitals = sum(entry.term.isupper() for entry in listed) > len(listed) / 2
        for entry in listed:
            place = len(sources)
            for name in names_of(entry, capitals):
                if name.exact is not None:
                    exacts[len(names)] = name.exact
                names.append(name.text)
                owners.append(place)
            texts += (entry.term, entry.code, cut(entry.definition, definition_characters), entry.kind)
            sources.append(source)
            kind_of.append(entry.kind)
    array = tokenise(names).words()
    every = name_keys(array.hashes, array.offsets)
    owner = np.array(owners, np.int32)
    usable = (array.counts > 0) & (array.counts <= LONGEST_NAME)
    kept = np.flatnonzero(usable)
    is_exact = np.zeros(len(names), np.bool_)
    is_exact[list(exacts)] = True
    # Sorted by key; of equal ones what stands however written comes first, then what was listed first.
    kept = kept[np.lexsort((kept, is_exact[kept], every[kept]))]
    kept = kept[np.concatenate(([True], np.diff(every[kept]) != 0))] if len(kept) else kept
    firsts, longest = _beginnings(array, kept)
    exact = kept[is_exact[kept]]
    data = [text.encode("utf-8", "replace") for text in (*texts, *(exacts[int(number)] for number in exact))]
    return TermIndex(
        keys=every[kept],
        owners=owner[kept],
        firsts=firsts,
        longest=longest,
        exact_keys=every[exact],
        texts=np.frombuffer(b"".join(data), np.uint8),
        offsets=np.cumsum([0, *map(len, data)], dtype=np.int64),
        sources=np.array(sources, np.int16),
        files=tuple(file_names),
        kinds=_words_by_kind(array, owner, kind_of),
    )


def names_of(entry: Entry, capitals: bool = False) -> Iterator[Name]:
    """Every way of writing a term that is looked for. `capitals`: its vocabulary writes everything so."""
    for written in (entry.term, *entry.synonyms):
        if not _LETTERS.search(written):
            continue
        single = " " not in written
        if single and not capitals and _is_abbreviation(written):
            yield Name(written, written)
            continue
        if single and written.casefold() in FUNCTION_WORDS:
            continue
        inverted = _INVERTED.match(written)
        for name in (written, *([f"{inverted[2]} {inverted[1]}"] if inverted else ())):
            yield Name(name)
            if (last := _LAST_WORD.search(name)) is not None:
                for form in _other_numbers(last.group().lower()):
                    yield Name(name[: last.start()] + form)


def _is_abbreviation(word: str) -> bool:
    capitals = sum(character.isupper() for character in word)
    return capitals >= 2 and len(word) <= LONGEST_ABBREVIATION


def _other_numbers(word: str) -> Iterator[str]:
    """The singular of a plural, the plural of a singular."""
    one = singular(word)
    if one != word:
        yield one
    elif not word.endswith("s"):
        if word.endswith("y") and word[-2] not in "aeiou":
            yield f"{word[:-1]}ies"
        else:
            yield f"{word}es" if word.endswith(("x", "z", "ch", "sh")) else f"{word}s"
    elif word.endswith("sis"):
        yield f"{word[:-2]}es"


def cut(text: str, characters: int) -> str:
    """A text of no more than `characters`, cut behind a word."""
    if len(text) <= characters:
        return text
    return text[: characters - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…" if characters else ""


def _beginnings(array: TokenArray, names: npt.NDArray[np.intp]) -> tuple[U64, I64]:
    """The first words of names, sorted, and how many words the longest name with each has."""
    firsts, lengths = array.hashes[array.offsets[names]], array.counts[names]
    order = np.lexsort((-lengths, firsts))
    firsts, lengths = firsts[order], lengths[order]
    new = np.concatenate(([True], np.diff(firsts) != 0)) if len(firsts) else np.zeros(0, np.bool_)
    return firsts[new], lengths[new].astype(np.int64)


def _words_by_kind(array: TokenArray, owners: npt.NDArray[np.int32], kinds: Sequence[str]) -> dict[str, U64]:
    named = [kind for kind in Counter(kinds) if kind]
    number = {kind: place for place, kind in enumerate(named)}
    of_term = np.array([number.get(kind, -1) for kind in kinds], np.int64)
    of_token = np.repeat(of_term[owners] if len(owners) else np.zeros(0, np.int64), array.counts)
    return {kind: np.unique(array.hashes[of_token == place]) for kind, place in number.items()}


def _among(wanted: Any, listed: U64) -> int:
    """The place of a hash in a sorted array, or -1."""
    at = int(np.searchsorted(listed, wanted))
    return at if at < len(listed) and listed[at] == wanted else -1


_ARRAYS = {
    "keys": np.uint64, "owners": np.int32, "firsts": np.uint64, "longest": np.int64, "exact_keys": np.uint64,
    "texts": np.uint8, "offsets": np.int64, "sources": np.int16,
}  # fmt: skip


def index_to_bytes(index: TermIndex) -> bytes:
    """An .npz archive, names of files and kinds as JSON in it."""
    names = np.frombuffer(orjson.dumps({"files": index.files, "kinds": list(index.kinds)}), np.uint8)
    words: dict[str, Any] = {f"kind_{place}": hashes for place, hashes in enumerate(index.kinds.values())}
    sink = io.BytesIO()
    np.savez(sink, names=names, **{name: getattr(index, name) for name in _ARRAYS}, **words)
    return sink.getvalue()


def index_from_bytes(data: bytes) -> TermIndex:
    """What `index_to_bytes` gave. Raises ValueError for bytes that are no such archive."""
    arrays = arrays_in(data)
    try:
        names = orjson.loads(arrays["names"].tobytes())
        kinds = {str(kind): arrays[f"kind_{place}"] for place, kind in enumerate(names["kinds"])}
        files = tuple(str(file) for file in names["files"])
        index = TermIndex(**{name: arrays[name] for name in _ARRAYS}, files=files, kinds=kinds)
    except (KeyError, TypeError) as error:
        raise ValueError(f"an array is missing or too many: {error}") from None
    _check(index)
    return index


def _check(index: TermIndex) -> None:
    """Kernels look at no bounds, so nothing may point beyond its array. Raises ValueError."""
    kinds = {name: np.dtype(kind) for name, kind in _ARRAYS.items()}
    for name, kind in (*kinds.items(), *((f"kinds[{name}]", np.dtype(np.uint64)) for name in index.kinds)):
        array = index.kinds[name[6:-1]] if name.startswith("kinds[") else getattr(index, name)
        if array.dtype != kind or array.ndim != 1:
            raise ValueError(f"{name} is an array of {array.dtype} in {array.ndim} dimensions")
    texts = len(index.offsets) - 1
    inside = (
        len(index.keys) == len(index.owners)
        and len(index.firsts) == len(index.longest)
        and texts == 4 * index.terms + len(index.exact_keys)
        and bool((np.diff(index.offsets) >= 0).all())
        and index.offsets[0] == 0
        and index.offsets[-1] == len(index.texts)
        and _within(index.owners, index.terms)
        and _within(index.sources, len(index.files))
        and _within(index.longest, LONGEST_NAME + 1)
    )
    if not inside:
        raise ValueError("an array points beyond another")


def _within(places: Any, length: int) -> bool:
    return not len(places) or bool(places.min() >= 0 and places.max() < length)
