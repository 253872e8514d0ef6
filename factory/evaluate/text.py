"""How a report writes numbers, times and other people's text."""

from __future__ import annotations

import datetime
import re
from typing import Any

from markupsafe import Markup

from factory.cost.words import money_text
from factory.printable import printable as shown_text

NONE = "–"
NBSP = "\u00a0"  # between a number and its unit, which should not part at the end of a line


def printable(value: Any) -> Any:
    """`value` with every character that has no place on a page shown as U+FFFD; markup and numbers untouched."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return shown_text(value)
    return value


def count(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def share(part: float | None, whole: float | None = 1.0) -> str:
    """Percent with as many digits as say something: 0.04 %, 4.2 %, 42 %."""
    if part is None or not whole:
        return NONE
    percent = 100 * part / whole
    if percent in (0, 100):
        return f"{percent:.0f}{NBSP}%"
    digits = 0 if 10 <= percent < 99.5 else 1 if percent >= 1 else 2
    if percent >= 99.5:
        return f"{min(percent, 99.9):.1f}{NBSP}%"
    return f"{percent:.{digits}f}{NBSP}%" if percent >= 0.005 else f"<{NBSP}0.01{NBSP}%"


def decimal(value: float | None) -> str:
    """Four significant digits without trailing noise: what gates measure."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def seconds(value: float | None) -> str:
    if value is None:
        return NONE
    if value < 10:
        return f"{value:.1f}{NBSP}s"
    if value < 120:
        return f"{value:.0f}{NBSP}s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 120:
        return f"{minutes}{NBSP}min{NBSP}{rest:02d}{NBSP}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}{NBSP}h{NBSP}{minutes:02d}{NBSP}min"


def money(value: float, currency: str) -> str:
    """As terminals say it, with the currency kept beside the number."""
    return money_text(value, currency).replace(" ", NBSP)


def moment(iso: str) -> str:
    """ "2026-11-21 04:12 UTC"; text that is no ISO time comes back as it is."""
    when = parse_time(iso)
    return iso or NONE if when is None else when.strftime("%Y-%m-%d %H:%M UTC")


def between(start: str, end: str) -> float | None:
    """Seconds between two ISO times."""
    first, last = parse_time(start), parse_time(end)
    return None if first is None or last is None else max(0.0, (last - first).total_seconds())


def parse_time(iso: str) -> datetime.datetime | None:
    try:
        when = datetime.datetime.fromisoformat(iso)
    except ValueError:
        return None
    return when.astimezone(datetime.UTC) if when.tzinfo else when.replace(tzinfo=datetime.UTC)


def link(url: str | None) -> str:
    """`url` where a page may link to it, else "": a document's url may be `javascript:` or worse."""
    found = (url or "").strip()
    return found if re.match(r"https?://[^\s]+$", found) else ""
