"""Small inline SVG charts: shapes only, with words and numbers left to HTML around them.

Design: every chart is one `<svg>` that stretches to its box (preserveAspectRatio none), so text never scales
with it and a phone shows the same type as a desk. Colours are CSS classes, which gives dark mode and print
for free; fills, unlike backgrounds, are printed. Titles are tooltips and what a screen reader says.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from factory.evaluate.facts import Bin, Numbers
from factory.evaluate.text import printable

WIDTH = 1000
HEIGHT = 100
BAR_HEIGHT = 10

VISIBLE = 3
"""Least width of a segment that is not zero, in thousandths: one quarantined row of a million is still seen."""


def stacked_bar(segments: Sequence[tuple[str, float]], scale: float, label: str) -> Markup:
    """One horizontal bar; segments are (CSS class, value), `scale` the value that fills the width."""
    parts: list[Markup] = []
    at = 0.0
    for css, value in segments:
        if value <= 0 or scale <= 0:
            continue
        width = min(max(VISIBLE, WIDTH * value / scale), WIDTH - at)
        if width > 0:
            parts.append(Markup('<rect class="{}" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>').format(
                css, at, width, BAR_HEIGHT))  # fmt: skip
        at += width
    return _svg("bar", WIDTH, BAR_HEIGHT, parts, label)


def share_bar(share: float, css: str, label: str) -> Markup:
    """A bar of `share` (0 to 1) of its box."""
    return stacked_bar([(css, share)], 1.0, label)


def histogram(numbers: Numbers, unit: str, label: str, *, as_share: bool = False) -> Markup:
    """Columns, one a bin, with a line at the median. The last column is set apart when it has no upper end."""
    most = max((item.rows for item in numbers.bins), default=0)
    open_end = bool(numbers.bins) and numbers.bins[-1].high is None
    count = len(numbers.bins) + (0.6 if open_end else 0)
    step = WIDTH / max(1, count)
    parts: list[Markup] = []
    for number, item in enumerate(numbers.bins):
        last = open_end and number == len(numbers.bins) - 1
        left = (number + (0.6 if last else 0)) * step
        height = HEIGHT * item.rows / most if most else 0
        height = max(height, 1.0) if item.rows else 0
        title = f"{_range(item, as_share)} {unit}".strip() + f": {item.rows:,} rows"
        parts.append(
            Markup(
                '<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"><title>{}</title></rect>'
            ).format("rest" if last else "column", left + 0.06 * step, HEIGHT - height, 0.88 * step, height, title)
        )
    median = _place(numbers, step)
    if median is not None:
        parts.append(
            Markup('<line class="median" x1="{:.2f}" x2="{:.2f}" y1="0" y2="{}" vector-effect="non-scaling-stroke"/>')
            .format(median, median, HEIGHT)
        )  # fmt: skip
    return _svg("histogram", WIDTH, HEIGHT, parts, label)


def _place(numbers: Numbers, step: float) -> float | None:
    """Where the median lies on the axis, or None when it lies beyond the closed bins."""
    closed = [item for item in numbers.bins if item.high is not None]
    end = closed[-1].high if closed else None
    if end is None or not closed[0].low <= numbers.median <= end:
        return None
    return (numbers.median - closed[0].low) / (end - closed[0].low) * step * len(closed)


def _range(item: Bin, as_share: bool) -> str:
    def text(value: float) -> str:
        return f"{value:.0%}" if as_share else f"{value:,.0f}"

    if item.high is None:
        return f"{text(item.low)} and more"
    if not as_share and item.high - item.low == 1:
        return text(item.low)
    return f"{text(item.low)} to {text(item.high if as_share else item.high - 1)}"


def axis_labels(numbers: Numbers, *, as_share: bool = False) -> tuple[str, ...]:
    """Words under a histogram: its start, its middle, its end."""
    closed = [item for item in numbers.bins if item.high is not None]
    if not closed:
        return ()
    end = closed[-1].high or 0.0
    middle = (closed[0].low + end) / 2
    if as_share:
        return (f"{closed[0].low:.0%}", f"{middle:.0%}", f"{end:.0%}")
    open_end = numbers.bins[-1].high is None
    return (f"{closed[0].low:,.0f}", f"{middle:,.0f}", f"{end:,.0f}" + ("+" if open_end else ""))


def columns(values: Sequence[tuple[str, int]], label: str, *, at: float | None = None) -> Markup:
    """Columns of (what a tooltip says, height), evenly over the width; `at` (0 to 1) draws a vertical line there."""
    most = max((count for _, count in values), default=0)
    step = WIDTH / max(1, len(values))
    parts: list[Markup] = []
    for number, (title, count) in enumerate(values):
        height = max(HEIGHT * count / most, 1.0) if count else 0.0
        parts.append(
            Markup(
                '<rect class="column" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"><title>{}</title></rect>'
            ).format((number + 0.06) * step, HEIGHT - height, 0.88 * step, height, title)
        )
    return _svg("histogram", WIDTH, HEIGHT, [*parts, *_verticals([] if at is None else [at])], label)


def plot(
    lines: Sequence[tuple[str, Sequence[tuple[float, float]]]],
    label: str,
    *,
    at: float | None = None,
    verticals: Sequence[float] = (),
) -> Markup:
    """Lines over a square of 0 to 1 both ways, y upwards; each is (CSS class, points). Points that are not between
    0 and 1 are put on the edge. `at` and `verticals` draw vertical lines there."""
    parts = _verticals([*([] if at is None else [at]), *verticals])
    for css, points in lines:
        if points:
            path = " ".join(f"{_x(x):.1f},{_y(y):.2f}" for x, y in points)
            parts.append(Markup('<polyline class="line {}" points="{}" {}/>').format(css, path, _THIN))
    return _svg("plot", WIDTH, HEIGHT, parts, label)


def _verticals(places: Sequence[float]) -> list[Markup]:
    line = Markup('<line class="median" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}" {2}/>')
    return [line.format(_x(place), HEIGHT, _THIN) for place in places]


_THIN = Markup('vector-effect="non-scaling-stroke"')


def _x(value: float) -> float:
    return WIDTH * min(max(value, 0.0), 1.0)


def _y(value: float) -> float:
    return HEIGHT * (1 - min(max(value, 0.0), 1.0))


def _svg(css: str, width: float, height: float, parts: Sequence[Markup], label: str) -> Markup:
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
    ).format(css, width, height, printable(label), Markup("").join(parts))
