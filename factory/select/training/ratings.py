"""Ratings that were given elsewhere: by people, another model, or the origin of documents, in a file.

Design: a row names its document by the factory's id, by its text, or by the SHA-256 of its text (raw or as the
factory keeps it), so that ratings can come from a notebook that never saw the factory. Rows with a text stand on
their own; the others need their document in the corpus. Several ratings of a document by one rater are averaged,
and so are several raters within one file; between entries of `training.raters` the first one wins.
"""

from __future__ import annotations

import difflib
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from factory.corpus.documents import document_id, normalise
from factory.corpus.places import find, open_source
from factory.corpus.ranges import SourceFile
from factory.corpus.small_tables import rows_of, table_format
from factory.errors import ConfigError
from factory.identity import sha256_hex
from factory.select.training.config import RaterConfig
from factory.select.training.examples import HIGHEST, LOWEST


@dataclass(frozen=True)
class Given:
    """A row of a ratings file. `entry` is the name in training.raters, `rater` who rated (the entry, or what the
    rater column says); `name` the document's id or the digest of its text; `text` normalised, None where the row
    has none."""

    entry: str
    rater: str
    name: str
    score: float
    text: str | None


@dataclass(frozen=True)
class RatingsFile:
    """`sha256` of every file that the path led to, by name."""

    entry: str
    path: str
    sha256: Mapping[str, str]
    rows: tuple[Given, ...]


@dataclass(frozen=True)
class Rating:
    """One rater's score of one document (the mean, where they gave several)."""

    doc_id: str
    entry: str
    rater: str
    score: float


def read_ratings(config: RaterConfig) -> RatingsFile:
    """Reads what a rater of kind `file` gave. Raises ConfigError naming file, row and column."""
    assert config.path is not None, "the schema asks for it"
    found = sorted(find(config.path), key=lambda item: item.uri)
    if not found:
        raise ConfigError(
            f"the rater {config.name}: {config.path} leads to no file",
            cause="a misspelt path, or a pattern that matches nothing",
            remedy="correct `path` of this rater in training.raters",
        )
    hashes: dict[str, str] = {}
    rows: list[Given] = []
    for item in found:
        data = open_source(SourceFile(item.uri, item.size, item.etag, "text", item.uri)).read(0, item.size)
        name = PurePath(item.uri).name
        hashes[name] = sha256_hex(data)
        rows += _rows(config, name, data)
    if not rows:
        raise ConfigError(
            f"the rater {config.name}: {config.path} holds no ratings",
            cause="the file has a header only, or was never filled",
            remedy="correct `path` of this rater in training.raters, or leave the rater out",
        )
    return RatingsFile(config.name, config.path, hashes, tuple(rows))


def by_document(given: Iterable[Given], documents: Mapping[str, Sequence[str]]) -> list[Rating]:
    """Ratings of documents that are there: `documents` says by which names each one (by id) was asked for.

    Sorted by document, entry and rater; several by one rater are averaged.
    """
    owner = _owners(documents)
    scores: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in given:
        if (doc_id := owner.get(row.name)) is not None:
            scores[doc_id, row.entry, row.rater].append(row.score)
    return [Rating(*key, statistics.fmean(values)) for key, values in sorted(scores.items())]


@dataclass(frozen=True)
class Met:
    """How many ratings of an entry met a document, and of whom all of them are (name -> number)."""

    ratings: int
    used: int
    left_out: Mapping[str, int]
    by_rater: Mapping[str, int]

    @property
    def unmatched(self) -> int:
        return self.ratings - self.used - sum(self.left_out.values())


def met(given: Sequence[Given], documents: Mapping[str, Sequence[str]], left_out: Mapping[str, str]) -> dict[str, Met]:
    """Entry -> what became of its ratings. `documents` as for `by_document`; `left_out` says of the names of texts
    that were turned away why they were."""
    owner = _owners(documents)
    found: dict[str, Met] = {}
    for entry in dict.fromkeys(row.entry for row in given):
        rows = [row for row in given if row.entry == entry]
        lost = Counter(left_out[row.name] for row in rows if row.name in left_out and row.name not in owner)
        raters = Counter(row.rater for row in rows)
        used = sum(row.name in owner for row in rows)
        found[entry] = Met(len(rows), used, dict(sorted(lost.items())), dict(sorted(raters.items())))
    return found


def unmatched_in_words(found: Mapping[str, Met]) -> list[str]:
    """One line for each entry some of whose ratings are not used."""
    return [f"rater {entry}: {said}" for entry, one in found.items() if (said := lost_in_words(one))]


def lost_in_words(one: Met) -> str:
    """What became of ratings that are not used; empty where all are."""
    said = [f"{one.unmatched} of {one.ratings} met no document that the filters left"] if one.unmatched else []
    said += [f"{count} of {one.ratings} left out, their texts are {why}" for why, count in one.left_out.items()]
    return "; ".join(said)


def _owners(documents: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {name: doc_id for doc_id, names in documents.items() for name in names}


def with_raters_masked(rows: Sequence[Given], mask: Callable[[str], str]) -> tuple[Given, ...]:
    """The rows of one entry with what personal data raters' names hold masked; people whose names then look
    alike are numbered, in the order of their first ratings."""
    alike: dict[str, list[str]] = {}
    for name in dict.fromkeys(row.rater for row in rows):
        alike.setdefault(mask(name), []).append(name)
    shown = {
        name: hidden if len(names) == 1 else f"{hidden} {number}"
        for hidden, names in alike.items()
        for number, name in enumerate(names, start=1)
    }
    return tuple(replace(row, rater=shown[row.rater]) for row in rows)


def decided(ratings: Iterable[Rating], entries: Sequence[str]) -> dict[str, Rating]:
    """Document -> the rating that is learnt: of the first entry that has one, averaged over its raters."""
    place = {entry: number for number, entry in enumerate(entries)}
    by_entry: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rating in ratings:
        by_entry[rating.doc_id][rating.entry].append(rating.score)
    chosen = {doc_id: min(found, key=lambda entry: place[entry]) for doc_id, found in by_entry.items()}
    return {
        doc_id: Rating(doc_id, entry, entry, statistics.fmean(by_entry[doc_id][entry]))
        for doc_id, entry in chosen.items()
    }


def require_matches(files: Sequence[RatingsFile], matched: Iterable[Rating]) -> None:
    """Raises ConfigError for a file none of whose documents was found."""
    found = {rating.entry for rating in matched}
    for file in files:
        if file.entry not in found:
            raise ConfigError(
                f"the rater {file.entry}: none of the {len(file.rows)} documents rated in {file.path} is in the corpus "
                "as the filters leave it",
                cause="ids or digests of other texts (another version of the corpus, texts cut or cleaned before "
                "hashing), or a filter of `select` turns these documents away",
                remedy="add a column `text` with the rated texts, which then need not be in the corpus; or hash the "
                "whole text, and check corpus.paths and select.*",
            )


def _rows(config: RaterConfig, name: str, data: bytes) -> list[Given]:
    kind = table_format(name)
    if kind is None:
        raise ConfigError(
            f"the rater {config.name}: cannot tell the format of {name} by its name",
            remedy="name it .jsonl, .csv or .parquet (the first two also with .gz or .zst)",
        )
    try:
        rows = rows_of(name, data, kind)
    except ValueError as error:
        raise ConfigError(
            f"the rater {config.name}: {name} is not readable as {kind}: {error}",
            cause="the file is damaged, or of another format than its name says",
            remedy="write it again",
        ) from None
    return [_given(config, f"{name}, row {number}", row) for number, row in enumerate(rows, start=1)]


def _given(config: RaterConfig, where: str, row: Any) -> Given:
    columns = config.columns
    if not isinstance(row, dict):
        raise ConfigError(f"the rater {config.name}: {where} is a {type(row).__name__}, not a row with columns")
    text = row.get(columns.text)
    text = normalise(text.encode("utf-8", "replace").decode()) if isinstance(text, str) and text.strip() else None
    stated = [row.get(columns.doc_id), row.get(columns.text_sha256)]
    names = [value.strip() for value in stated if isinstance(value, str) and value.strip()]
    if text is not None:
        names = [document_id(text)]
    if not names:
        raise _missing(config, where, row, (columns.doc_id, columns.text, columns.text_sha256))
    if columns.score not in row:
        raise _missing(config, where, row, (columns.score,))
    rater = row.get(columns.rater)
    named = str(rater).strip() if rater not in (None, "") else config.name
    return Given(config.name, named, names[0], _score(config, where, row[columns.score]), text)


def _score(config: RaterConfig, where: str, value: Any) -> float:
    try:
        score = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        score = math.nan
    if not LOWEST <= score <= HIGHEST:
        raise ConfigError(
            f"the rater {config.name}: {where} has the score {'NaN' if value != value else repr(value)}",
            cause=f"scores go from {LOWEST:.0f} (another field) to {HIGHEST:.0f} (exemplary)",
            remedy="bring other scales onto this one: a yes is 10, a no is 1",
        )
    return score


def _missing(config: RaterConfig, where: str, row: Mapping[str, Any], wanted: Sequence[str]) -> ConfigError:
    known = [str(name) for name in row]
    near = [match for name in wanted for match in difflib.get_close_matches(name, known, n=1, cutoff=0.6)]
    return ConfigError(
        f"the rater {config.name}: {where} has no value for {' or '.join(wanted)}",
        cause=f"columns there: {', '.join(known)}" + (f"; {near[0]!r} looks like it" if near else ""),
        remedy="set `columns` of this rater in training.raters, for example columns: {score: stars, doc_id: id}",
    )
