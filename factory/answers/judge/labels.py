"""Labels that people gave answers or pairs of answers: from the columns of their file to numbers on one scale.

Design: a file in any of the formats of corpus/small_tables.py. An answer is named by `sample_id`, or by its question
and answer as they stand; a pair by `question`, `first` and `second`. Words for good and bad are 1 and 0; numbers are
places on their scale, which is what the labels span unless it is given: people who gave only 4 and 5 of five would be
read as having given the worst and the best, so the scale that was assumed is always said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.answers.judge.pairs import Better, Pair
from factory.corpus.small_tables import rows_of, table_format
from factory.errors import ConfigError

LABEL_COLUMNS = ("label", "score", "human", "rating", "decision", "verdict")
GOOD_WORDS = frozenset({"yes", "true", "good", "accept", "accepted", "pass", "correct", "right"})
BAD_WORDS = frozenset({"no", "false", "bad", "reject", "rejected", "fail", "wrong", "incorrect"})


LARGEST_LABEL = 1e100
"""Beyond it, and for infinity, the places of others on the scale are no numbers any more."""


@dataclass(frozen=True)
class Labelled:
    """An answer with its label in [0, 1]; `sample_id` or question and answer are there, or both."""

    label: float
    sample_id: str | None = None
    question: str | None = None
    answer: str | None = None
    document: str = ""


@dataclass(frozen=True)
class Scale:
    """Ends of the labels' scale. `assumed`: nobody stated it, and it is what the labels span; `words`: labels are words
    for good and bad, which need none."""

    low: float
    high: float
    assumed: bool = False
    words: bool = False


@dataclass(frozen=True)
class LabelledPair:
    """Two answers and which of them people prefer, None where they were not asked."""

    pair: Pair
    preferred: Better | None


def read_rows(path: str) -> list[Mapping[str, Any]]:
    """Rows of the file. Raises ConfigError when it cannot be read or has none."""
    kind = table_format(path)
    try:
        if kind is None:
            raise ValueError("its name ends in none of .jsonl, .json, .csv, .parquet")
        rows = rows_of(path, Path(path).expanduser().read_bytes(), kind)
        if not rows or not all(isinstance(row, Mapping) for row in rows):
            raise ValueError("it has no rows with columns")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the labels in {path} cannot be read: {error}",
            remedy="give a .jsonl, .csv or .parquet file with a row for every label; docs/judge.md shows one",
        ) from None
    return rows


def are_pairs(rows: Sequence[Mapping[str, Any]]) -> bool:
    return {"first", "second"} <= rows[0].keys()


def scale_of(rows: Sequence[Mapping[str, Any]], scale: tuple[float, float] | None, path: str) -> Scale:
    """The scale that the labels of these rows are read on, the one stated or the one they span. Raises ConfigError
    where words stand among numbers, or where nothing says how good the one number that all have is."""
    column = _label_column(rows, path)
    held = [row.get(column) for row in rows]
    values = [number for value in held if (number := _number(value)) is not None]
    worded = sum(_is_word(value) for value in held)
    if worded and worded < len(values):
        raise _unusable(
            path, f"{worded} labels are words and {len(values) - worded} are numbers: one scale cannot hold both"
        )
    if worded:
        return Scale(0.0, 1.0, words=True)
    low, high = scale or (min(values), max(values))
    if low > high:
        raise ConfigError(
            f"--scale {low:g} {high:g} is reversed: its first end is the lower one",
            remedy=f"give --scale {high:g} {low:g}; the higher label is the better one",
        )
    if low == high:
        raise ConfigError(
            f"{path}: every label is {low:g}" if scale is None else f"--scale {low:g} {high:g} has no length",
            cause="a label says how good an answer is only on a scale that has a better and a worse end",
            remedy="state the scale that people were given, for example --scale 1 5",
        )
    if min(values) < low or max(values) > high:
        raise _unusable(
            path, f"labels go from {min(values):g} to {max(values):g}, outside the scale {low:g} to {high:g}"
        )
    return Scale(low, high, assumed=scale is None)


def _label_column(rows: Sequence[Mapping[str, Any]], path: str) -> str:
    column = next((name for name in LABEL_COLUMNS if name in rows[0]), None)
    if column is None:
        raise _unusable(path, f"no column is called {', '.join(LABEL_COLUMNS)}")
    return column


def _is_word(value: Any) -> bool:
    return isinstance(value, bool) or str(value or "").strip().casefold() in GOOD_WORDS | BAD_WORDS


def labelled(rows: Sequence[Mapping[str, Any]], scale: tuple[float, float] | None, path: str) -> list[Labelled]:
    """Rows with a label; those without one are left out. Raises ConfigError naming a row that cannot be used, and as
    `scale_of` does."""
    column = _label_column(rows, path)
    numbers = [_number(row.get(column)) for row in rows]
    for row, value in zip(rows, numbers, strict=True):
        if value is None and row.get(column) not in (None, ""):
            raise _unusable(
                path, f"the label {row[column]!r} is neither a number nor one of the words for good and bad"
            )
    given = [value for value in numbers if value is not None]
    if not given:
        raise _unusable(path, f"the column {column} is empty")
    ends = scale_of(rows, scale, path)
    found = []
    for number, (row, value) in enumerate(zip(rows, numbers, strict=True), start=1):
        if value is None:
            continue
        sample_id, question, answer, document = (
            _text(path, number, row, name) for name in ("sample_id", "question", "answer", "document")
        )
        if sample_id is None and (question is None or answer is None):
            raise _unusable(path, f"row {number} has neither sample_id nor question and answer")
        share = (value - ends.low) / (ends.high - ends.low)
        found.append(Labelled(share, sample_id, question, answer, document or ""))
    return found


def labelled_pairs(rows: Sequence[Mapping[str, Any]], path: str) -> list[LabelledPair]:
    """Raises ConfigError naming a row that cannot be used."""
    found = []
    for number, row in enumerate(rows, start=1):
        question, first, second, document = (
            _text(path, number, row, name) for name in ("question", "first", "second", "document")
        )
        if not (question and first and second):
            raise _unusable(path, f"row {number} lacks question, first or second")
        value = next((row[name] for name in (*LABEL_COLUMNS, "better", "preferred") if row.get(name)), None)
        if value not in (None, "first", "second", "tie"):
            raise _unusable(path, f"row {number} prefers {value!r}, which is not first, second or tie")
        found.append(LabelledPair(Pair(question, first, second, document or ""), value))
    return found


def _text(path: str, number: int, row: Mapping[str, Any], name: str) -> str | None:
    """A column's text, a number as it is written; None where there is nothing."""
    value = row.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str | int | float):
        raise _unusable(path, f"row {number}: {name} holds a {type(value).__name__}, not a text")
    return str(value)


def _number(value: Any) -> float | None:
    """A label as a number; None where there is none or it is neither number nor known word."""
    word = value.strip().casefold() if isinstance(value, str) else value
    if isinstance(word, str) and word in GOOD_WORDS | BAD_WORDS:
        return float(word in GOOD_WORDS)
    if not isinstance(word, str | int | float):
        return None
    try:
        number = float(word)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) <= LARGEST_LABEL else None


def _unusable(path: str, what: str) -> ConfigError:
    return ConfigError(
        f"{path}: {what}",
        cause="another layout than the one expected",
        remedy="docs/judge.md shows the columns of a file of labels",
    )
