"""A comparison as a page: one self-contained HTML file, with pictures of yield, cost and quality.

Design: made of the same columns as table, CSV and JSON, in the style sheet and policy of the other pages
(factory/evaluate): no resource from anywhere, charts as inline SVG, everything escaped, a Content-Security-Policy that
forbids scripts and requests. Figures of runs that have not finished are in the table and marked there; pictures of
quality and lines over a setting leave them out, since half a run is no point of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment

from factory import __version__
from factory.compare.columns import Column
from factory.compare.facts import Compared, Comparison
from factory.compare.pictures import pictures_of
from factory.compare.sums import sums_of
from factory.compare.words import is_number, summary, written
from factory.evaluate import text
from factory.evaluate.environment import page_environment

CELL = 60
"""Characters of a value in a table of the page, which can be scrolled."""


@dataclass(frozen=True)
class Cell:
    """`css`: classes of the cell; `title`: all of a value that is cut."""

    shown: str
    css: str = ""
    title: str = ""


def build_page(comparison: Comparison, columns: Sequence[Column], rows: Sequence[Compared]) -> str:
    """The page, as text that encodes to UTF-8 whatever the data held."""
    brief = [column for column in columns if column.brief]
    groups = {
        "Yield": [column for column in columns if column.group == "yield"],
        "Cost": [column for column in columns if column.group == "cost"],
        "Quality": [column for column in columns if column.group == "quality"],
    }
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            data=comparison,
            rows=rows,
            version=__version__,
            sums=sums_of(comparison),
            summary=summary(comparison),
            main=_table(brief, rows),
            tables=[(name, [_figure(column, rows) for column in found]) for name, found in groups.items() if found],
            pictures=pictures_of(comparison, columns, rows),
        )
    )


def _figure(column: Column, rows: Sequence[Compared]) -> dict[str, Any]:
    """A figure of all runs, as a line: names of figures are long, and there are more of them than runs."""
    return {"title": column.title, "meaning": column.meaning, "cells": [_cell(column, row) for row in rows]}


def _table(columns: Sequence[Column], rows: Sequence[Compared]) -> dict[str, Any]:
    return {
        "head": [Cell(column.title, "n" if is_number(column) else "", column.key) for column in columns],
        "body": [[_cell(column, row) for column in columns] for row in rows],
    }


def _cell(column: Column, row: Compared) -> Cell:
    value = column.value(row)
    shown, whole = written(column, value, CELL), written(column, value, 10**6)
    css = "n" if is_number(column) else ""
    if column.key == "state":
        css = "" if row.complete else "open"
    failed = row.metrics[column.key].failed if column.key in row.metrics else column.key == "failed_gates" and value
    if failed:
        css = f"{css} wrong".strip()
    return Cell(shown, css, whole if whole != shown else "")


@cache
def _environment() -> Environment:
    environment = page_environment("factory.compare")
    environment.filters.update(count=text.count, share=text.share)
    environment.globals.update(money=text.money)
    return environment
