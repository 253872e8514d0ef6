"""A comparison in a terminal: a table where it fits the width, else a block a run.

Design: columns are as wide as their widest cell. A terminal of 60 columns has no room for ten figures side by side, and
a table that is broken over lines cannot be read; there each run is a block of lines, its figures under each other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from factory.compare.columns import Column
from factory.compare.facts import RUN_DIGITS, Compared
from factory.compare.words import is_number, written

GAP = 2


def in_terminal(columns: Sequence[Column], rows: Sequence[Compared], width: int) -> str:
    """Lines of at most `width` characters wherever the longest single cell and its title fit."""
    cells = [[_cell(column, row) for column in columns] for row in rows]
    widths = [
        max([*map(len, _pieces(column.title)), *(len(line[place]) for line in cells)])
        for place, column in enumerate(columns)
    ]
    if sum(widths) + GAP * (len(widths) - 1) <= width:
        return "\n".join(_lines(columns, cells, widths))
    return "\n\n".join(_block(columns, line) for line in cells)


def _cell(column: Column, row: Compared) -> str:
    value: Any = column.value(row)
    if column.key == "run" and value is not None:
        value = str(value)[:RUN_DIGITS]
    shown = written(column, value)
    return f"{shown} !" if column.key in row.metrics and row.metrics[column.key].failed else shown


def _lines(columns: Sequence[Column], cells: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Titles are broken at spaces and dots, so that `question.sampling.temperature` is no wider than its parts."""
    titles = [_broken(column.title, width) for column, width in zip(columns, widths, strict=True)]
    high = max(map(len, titles), default=0)
    padded = [[""] * (high - len(title)) + title for title in titles]
    lines = [*map(list, zip(*padded, strict=True)), *cells]
    return [
        (" " * GAP)
        .join(
            cell.rjust(width) if is_number(column) else cell.ljust(width)
            for column, cell, width in zip(columns, line, widths, strict=True)
        )
        .rstrip()
        for line in lines
    ]


def _pieces(title: str) -> list[str]:
    return re.split(r"(?<=\.)| ", title)


def _broken(title: str, width: int) -> list[str]:
    """A title on as few lines of `width` characters as its pieces take."""
    lines: list[str] = []
    for piece in _pieces(title):
        joined = f"{lines[-1]}{'' if lines[-1].endswith('.') else ' '}{piece}" if lines else piece
        if lines and len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(piece)
    return lines


def _block(columns: Sequence[Column], cells: Sequence[str]) -> str:
    """The first columns, up to the state, at the head; the others below it."""
    head = next((place for place, column in enumerate(columns) if column.key == "state"), 0) + 1
    titles = [column.title for column in columns[head:]]
    wide = max(map(len, titles), default=0)
    lines = ["  ".join(f"{column.title} {cell}" for column, cell in zip(columns[:head], cells[:head], strict=True))]
    lines += [f"  {title.ljust(wide)}  {cell}" for title, cell in zip(titles, cells[head:], strict=True)]
    return "\n".join(lines)
