"""Measured points of a scaling curve: (training tokens, error), by series, from a file that people write by hand.

Design: columns are found by name; numbers may be written as 4500000000, 4,500,000,000, 4.5e9 or 4.5B. A comma is read
in token counts alone, before exactly three digits: "0,62" and "1,5B" are someone's decimal commas, and reading them as
62 and 15B would fit another curve without a word. A point that cannot be used is
an error that names its row: a forecast from the rest would be one of other points than the user believes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.corpus.small_tables import rows_of, table_format
from factory.errors import ConfigError

F64 = npt.NDArray[np.float64]

TOKENS = ("tokens", "training_tokens", "train_tokens", "D")
ERRORS = ("error", "error_rate", "loss")
SERIES = ("series", "model")
WEIGHTS = ("weight",)

_NUMBER = re.compile(
    r"\s*((?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9])|[0-9][0-9_]*)\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+)\s*([KMGBT]?)\s*",
    re.IGNORECASE,
)
_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12}


@dataclass(frozen=True)
class Points:
    """One series, sorted by tokens: `tokens` and `error` (any unit above 0: a share, percent, a loss), and `weight`,
    1 for an ordinary point, all float64[N]. A token count may occur several times (seeds)."""

    series: str
    tokens: F64
    error: F64
    weight: F64

    @property
    def sizes(self) -> int:
        """Different token counts: what a law is determined by."""
        return len(np.unique(self.tokens))

    @property
    def largest(self) -> float:
        return float(self.tokens[-1])

    @property
    def without_largest(self) -> Points:
        keep = self.tokens < self.tokens[-1]
        return Points(self.series, self.tokens[keep], self.error[keep], self.weight[keep])


def points_of(series: str, tokens: Any, error: Any, weight: Any = None) -> Points:
    """A series from parallel sequences. Raises ValueError for a number that is not finite and above 0."""
    held = [
        np.asarray(values, np.float64) for values in (tokens, error, np.ones(len(tokens)) if weight is None else weight)
    ]
    for name, values in zip(("tokens", "error", "weight"), held, strict=True):
        if not (np.isfinite(values) & (values > 0)).all():
            raise ValueError(f"{name} has to be finite and above 0 everywhere")
    by = np.lexsort((held[1], held[0]))
    return Points(series, held[0][by], held[1][by], held[2][by])


def read_points(path: str) -> list[Points]:
    """The series of a CSV, JSONL, JSON or Parquet file, sorted by name; one called "" where it names none.

    Raises ConfigError where the file is missing, unreadable, or holds a row that is no point.
    """
    file = Path(path).expanduser()
    kind = table_format(file.name)
    if kind is None:
        raise ConfigError(
            f"{path}: the name does not say what format it is", remedy="name a .csv, .jsonl, .json or .parquet file"
        )
    try:
        rows = rows_of(file.name, file.read_bytes(), kind)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", remedy="name a file of points that is there") from None
    found: dict[str, list[tuple[float, float, float]]] = {}
    # Editors count lines from 1, and the names of a CSV's columns are its first.
    words, first = ("line", 2) if kind == "csv" else ("row", 1)
    for place, row in enumerate(rows, start=first):
        number = f"{words} {place}"
        if not isinstance(row, Mapping):
            raise ConfigError(f"{path}: {number} is no object with columns", remedy=_COLUMNS)
        series = _held(row, SERIES)
        point = (
            _number(path, number, row, TOKENS), _number(path, number, row, ERRORS),
            1.0 if _held(row, WEIGHTS) is None else _number(path, number, row, WEIGHTS),
        )  # fmt: skip
        found.setdefault("" if series is None else str(series), []).append(point)
    if not found:
        raise ConfigError(f"{path} holds no points", remedy=_COLUMNS)
    return [points_of(name, *zip(*points, strict=True)) for name, points in sorted(found.items())]


_COLUMNS = "one row a point, columns `tokens` and `error`; optional: `series` (or `model`) and `weight`"


def _held(row: Mapping[Any, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _number(path: str, number: str, row: Mapping[Any, Any], names: tuple[str, ...]) -> float:
    value = _held(row, names)
    if value is None:
        raise ConfigError(f"{path}: {number} has no {names[0]}; it has {', '.join(map(str, row))}", remedy=_COLUMNS)
    if isinstance(value, str) and "," in value and (names is not TOKENS or not _NUMBER.fullmatch(value)):
        raise ConfigError(
            f"{path}: {number}: {names[0]} is {value!r}, with a comma that may be a decimal one",
            cause="commas are read in token counts alone, where they set off thousands: 4,500,000",
            remedy="write decimals with a point, for example 0.62 and 1.5B",
        )
    try:
        percent = names is ERRORS and isinstance(value, str) and value.rstrip().endswith("%")
        read = float(value.rstrip()[:-1]) / 100 if percent else _plain(value)
    except (TypeError, ValueError):
        read = math.nan
    if not math.isfinite(read) or read <= 0:
        raise ConfigError(
            f"{path}: {number}: {names[0]} is {value!r}, which is no number above 0",
            cause="the fit is in logarithms, which nothing at or below 0 has",
            remedy="correct the row or take it out",
        )
    return read


def _plain(value: Any) -> float:
    return tokens_in(value) if isinstance(value, str) else float(value)


def tokens_in(text: str) -> float:
    """A number as people write it: 4500000000, 4.5e9, 4.5B, 300 b. Raises ValueError."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        hint = "; commas set off thousands, decimals have a point (1.5B)" if "," in text else ""
        raise ValueError(f"{text!r} is no number of tokens{hint}")
    return float(found[1].replace(",", "").replace("_", "")) * _FACTORS[found[2].lower()]
