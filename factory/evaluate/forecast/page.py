"""A forecast as people read it: a page of its own, a plot for a terminal, and plain values for the last line of stdout.

Design: the page is one file without any resource from elsewhere, in the report's style sheet and policy; the picture is
inline SVG on logarithmic axes with its words inside, because here the ticks are what is read. All three are written
from the same `Forecast`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from factory import __version__
from factory.evaluate import text
from factory.evaluate.environment import page_environment
from factory.evaluate.forecast.forecast import FURTHEST, Forecast, ratio_of

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 760, 380, 62, 44, 12, 14
TEXT_WIDTH, TEXT_HEIGHT = 64, 16


def build_page(found: Sequence[Forecast], source: str) -> str:
    """The page, as text that encodes to UTF-8 whatever the data held."""
    template = _environment().get_template("forecast/page.html.j2")
    return template.render(
        source=source,
        version=__version__,
        furthest=FURTHEST,
        series=[{"data": each, "picture": picture(each), "name": each.points.series or "all points"} for each in found],
    )


@cache
def _environment() -> Environment:
    environment = page_environment()
    environment.filters.update(figure=figure, share=text.share, tokens=tokens_words)
    return environment


def figure(value: float | None) -> str:
    """Four digits that say something, whatever the size."""
    if value is None or math.isnan(value):
        return "–"
    return "∞" if math.isinf(value) else f"{value:.4g}"


def tokens_words(value: float) -> str:
    """4.5B, 300M, 17."""
    for factor, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= factor:
            return f"{value / factor:.4g}{letter}"
    return f"{value:.4g}"


class _Axes:
    """Places on the picture for tokens and errors, both logarithmic."""

    def __init__(self, found: Forecast) -> None:
        errors = [error for _, error, low, high in found.curve for error in (error, low, high) if error > 0]
        errors = [error for error in errors if math.isfinite(error)] + found.points.error.tolist()
        # A band that explodes would flatten everything else.
        top = min(max(errors), 2 * max(found.points.error))
        bottom = max(min(errors), min(found.points.error) / 3)
        self.x = math.log(found.curve[0][0]), math.log(found.curve[-1][0])
        self.y = math.log(bottom * 0.95), math.log(top * 1.05)

    def across(self, tokens: float) -> float:
        return (math.log(tokens) - self.x[0]) / (self.x[1] - self.x[0])

    def up(self, error: float) -> float:
        place = (math.log(max(error, 1e-300)) - self.y[0]) / (self.y[1] - self.y[0])
        return min(max(place, 0.0), 1.0)

    def pixel(self, tokens: float, error: float) -> tuple[float, float]:
        return (
            LEFT + self.across(tokens) * (WIDTH - LEFT - RIGHT),
            TOP + (1 - self.up(error)) * (HEIGHT - TOP - BOTTOM),
        )


def picture(found: Forecast) -> Markup:
    """Points, law, its 95 % band and forecasts over tokens; what lies beyond the largest measured size is shaded."""
    axes = _Axes(found)
    parts: list[Markup] = []
    edge = axes.pixel(found.points.largest, 1.0)[0]
    foot = HEIGHT - BOTTOM
    if edge < WIDTH - RIGHT - 1:
        parts.append(
            Markup('<rect class="beyond" x="{:.1f}" y="{}" width="{:.1f}" height="{}"/>').format(
                edge, TOP, WIDTH - RIGHT - edge, foot - TOP
            )
        )
    for value in _ticks(*axes.x):
        x = axes.pixel(value, 1.0)[0]
        parts.append(Markup('<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(x, TOP, foot))
        parts.append(
            Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, foot + 17, tokens_words(value))
        )
    for value in _ticks(*axes.y):
        y = axes.pixel(found.points.largest, value)[1]
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(LEFT, WIDTH - RIGHT, y=y)
        )
        parts.append(
            Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(LEFT - 7, y + 4, figure(value))
        )
    band = [(tokens, low, high) for tokens, _, low, high in found.curve if math.isfinite(low) and math.isfinite(high)]
    if band:
        around = [axes.pixel(t, low) for t, low, _ in band] + [axes.pixel(t, high) for t, _, high in reversed(band)]
        parts.append(Markup('<polygon class="band" points="{}"/>').format(_path(around)))
    parts.append(
        Markup('<polyline class="law" points="{}"/>').format(_path([axes.pixel(t, e) for t, e, _, _ in found.curve]))
    )
    for tokens, error in zip(found.points.tokens.tolist(), found.points.error.tolist(), strict=True):
        parts.append(_dot("point", *axes.pixel(tokens, error), f"measured at {tokens_words(tokens)}: {figure(error)}"))
    for each in found.predictions:
        said = f"forecast at {tokens_words(each.tokens)}: {figure(each.error)}"
        parts.append(_dot("guess", *axes.pixel(each.tokens, each.error), said))
    label = f"error over training tokens, {found.points.series or 'all points'}: points, law and its 95 % band"
    return Markup('<svg class="scaling" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, text.printable(label), Markup("").join(parts)
    )


def _dot(css: str, x: float, y: float, said: str) -> Markup:
    return Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4.5"><title>{}</title></circle>').format(
        css, x, y, said
    )


def _path(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two logarithms; powers alone where that would be many."""
    decades = range(math.floor(low / math.log(10)) - 1, math.ceil(high / math.log(10)) + 1)
    steps = (1, 2, 5) if high - low < THREE_DECADES else (1,)
    every = [step * 10.0**decade for decade in decades for step in steps]
    return [value for value in every if low - 1e-9 <= math.log(value) <= high + 1e-9]


THREE_DECADES = 3 * math.log(10)


def text_plot(found: Forecast) -> str:
    """The same for a terminal: `o` measured, `.` law, `?` asked for, `|` the largest measured size."""
    axes = _Axes(found)
    canvas = [[" "] * TEXT_WIDTH for _ in range(TEXT_HEIGHT)]

    def put(tokens: float, error: float, sign: str) -> None:
        column = round(axes.across(tokens) * (TEXT_WIDTH - 1))
        canvas[round((1 - axes.up(error)) * (TEXT_HEIGHT - 1))][column] = sign

    edge = round(axes.across(found.points.largest) * (TEXT_WIDTH - 1))
    for line in canvas:
        line[edge] = "|"
    for tokens, error, _, _ in found.curve:
        put(tokens, error, ".")
    for each in found.predictions:
        put(each.tokens, each.error, "?")
    for tokens, error in zip(found.points.tokens.tolist(), found.points.error.tolist(), strict=True):
        put(tokens, error, "o")
    labels = {0: figure(math.exp(axes.y[1])), TEXT_HEIGHT - 1: figure(math.exp(axes.y[0]))}
    lines = [f"{labels.get(number, ''):>9} {''.join(line).rstrip()}" for number, line in enumerate(canvas)]
    first, last = tokens_words(found.curve[0][0]), tokens_words(found.curve[-1][0])
    return "\n".join([*lines, f"{'':>9} {first}{last:>{TEXT_WIDTH - len(first)}}"])


def plain(found: Forecast) -> dict[str, Any]:
    """One series as plain values."""
    points, fitted = found.points, found.fitted
    held = found.held_out
    return {
        "series": points.series,
        "points": len(points.tokens),
        "sizes": points.sizes,
        "measured": [float(points.tokens[0]), points.largest],
        "parameters": {
            each.name: {"value": each.value, "low": each.low, "high": each.high, "determined": each.determined}
            for each in found.parameters
        },
        "undetermined": [each.name for each in found.parameters if not each.determined],
        "error_before_training": fitted.law.before,
        "scatter": fitted.noise,
        "held_out": {
            "tokens": points.largest,
            "observed": held.observed,
            "predicted": held.prediction.error if held.prediction else None,
            "low": held.prediction.low if held.prediction else None,
            "high": held.prediction.high if held.prediction else None,
            "measured_low": held.prediction.measured_low if held.prediction else None,
            "measured_high": held.prediction.measured_high if held.prediction else None,
            "ratio": held.prediction.ratio if held.prediction else None,
            "relative_error": held.off,
            "inside_interval": held.inside,
            "power_law_relative_error": held.power_law_off,
            "why": held.why,
        },
        "predictions": [
            {
                "tokens": each.tokens, "ratio": ratio_of(points, each.tokens), "error": each.error, "low": each.low,
                "high": each.high, "measured_low": each.measured_low, "measured_high": each.measured_high,
                "power_law": each.power_law,
            }
            for each in found.predictions
        ],
        "notes": list(found.notes),
    }  # fmt: skip
