"""The page of an evaluation: one self-contained HTML file, and the JSON that says the same.

Design: both are written from one `Evaluation`, so they cannot disagree: the page shows no number that is not in the
JSON. As factory/evaluate/report.py: no resource from anywhere, charts as inline SVG, styles inline, everything escaped
by the template, and a Content-Security-Policy that forbids scripts and requests even if escaping ever failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from jinja2 import Environment

from factory import __version__
from factory.evaluate import text
from factory.evaluate.dataset.drawing import between, drawn, number
from factory.evaluate.dataset.figures import Figure, Section
from factory.evaluate.environment import page_environment
from factory.identity import canonical_json

JSON, PAGE = "evaluation.json", "evaluation.html"

KIND, VERSION = "factory-evaluation", 1

ARROWS = {"higher": "higher is better", "lower": "lower is better", "neither": ""}


@dataclass(frozen=True)
class Evaluation:
    """All an evaluation says. `digest` names it, `dataset_digest` is the manifest's; `real` maps the files of real data
    to their SHA-256; `recipe` is the configuration that can change a figure."""

    name: str
    version: str
    address: str
    dataset_digest: str
    rows: int
    digest: str
    created: str
    seconds: float
    seed: int
    real_path: str | None
    real_rows: int
    real: Mapping[str, str]
    recipe: Mapping[str, Any]
    sections: tuple[Section, ...]


def to_json(evaluation: Evaluation) -> bytes:
    """Canonical JSON; a number that is none (NaN, infinity) is null."""
    return canonical_json({"kind": KIND, "evaluation_version": VERSION, **_finite(asdict(evaluation))})


def to_html(evaluation: Evaluation) -> str:
    """The page, as text that encodes to UTF-8 whatever the data held."""
    return (
        _environment()
        .get_template("dataset/page.html.j2")
        .render(
            data=evaluation,
            version=__version__,
            sections=[(section, [drawn(chart) for chart in section.charts]) for section in evaluation.sections],
        )
    )


def value_of(figure: Figure) -> str:
    """A figure's value with its unit; shares as percent."""
    if figure.value is None:
        return text.NONE
    if figure.unit == "share":
        return text.share(figure.value)
    return f"{number(figure.value)}{text.NBSP}{figure.unit}" if figure.unit else number(figure.value)


def interval_of(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    if figure.unit == "share":
        return between(figure.low, figure.high, text.share)
    return between(figure.low, figure.high)


def rows_of(figure: Figure) -> str:
    """What a figure was computed from, in words."""
    if figure.value is None:
        return ""
    if figure.sampled:
        return f"sample of {figure.rows:,}"
    return f"all {figure.rows:,}" + ("; the interval: other rows of their kind" if figure.low is not None else "")


def groups(figures: Sequence[Figure]) -> list[tuple[str, list[tuple[str, Figure]]]]:
    """Figures named "group: figure" by group, in order; those without a group come first."""
    found: dict[str, list[tuple[str, Figure]]] = {}
    for figure in figures:
        group, separator, name = figure.name.partition(": ")
        found.setdefault(group if separator else "", []).append((name if separator else figure.name, figure))
    return sorted(found.items(), key=lambda item: item[0] != "")


def cell(value: Any) -> str:
    return value if isinstance(value, str) else number(value)


@cache
def _environment() -> Environment:
    environment = page_environment()
    environment.filters.update(count=text.count, seconds=text.seconds, moment=text.moment, cell=cell)
    environment.globals.update(
        value_of=value_of, interval_of=interval_of, rows_of=rows_of, groups=groups, arrows=ARROWS
    )
    return environment


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
