"""What was found, for people: a table by benchmark and rule, and matches side by side with the matched words marked.

Design: pure text, no pager and no cursor movement; colour only where the caller says so, elsewhere marks of plain
characters, so that a log reads like a terminal. Words are found again in the row's own text (its normal form has other
characters), in order, so that a mark sits where the reader sees the words.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence

from factory.curate.characters import fold
from factory.curate.decon.hits import Hit
from factory.curate.decon.view import viewed_words

OPEN, CLOSE = "[[", "]]"
_REVERSE, _PLAIN = "\x1b[7m", "\x1b[27m"

AROUND = 160
"""Characters of the row shown on each side of the match."""

ITEM_CHARACTERS = 1200

BY_JUDGE = ("undecided", "different")
"""Verdicts that only a judge gives."""

Tally = Mapping[tuple[str, str, str], int]
"""(benchmark, rule, verdict) -> texts."""


def table(tally: Tally) -> list[str]:
    """Lines of a table by benchmark and rule; empty where nothing was found."""
    if not tally:
        return []
    said = {verdict for _, _, verdict in tally}
    verdicts = ["contaminated", "similar", *(verdict for verdict in BY_JUDGE if verdict in said)]
    rows = [["benchmark", "rule", *verdicts]]
    for benchmark, rule in sorted({(benchmark, rule) for benchmark, rule, _ in tally}):
        rows.append([benchmark, rule, *(f"{tally.get((benchmark, rule, verdict), 0):,}" for verdict in verdicts)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            f"{cell:<{width}}" if place < 2 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def side_by_side(hit: Hit, where: str, item: str, row: str, width: int, colour: bool) -> list[str]:
    """Lines that show a match: what was found on top, the item on the left, the row with the match marked on the
    right; `width` is that of the terminal."""
    title = f"{where}  {hit.verdict}: {hit.benchmark} {hit.item} by {hit.rule} {hit.score:.2f}"
    if hit.judged is not None:
        title += f", the judge said {_word(hit.judged.first)} and {_word(hit.judged.second)}"
    else:
        title += f", {hit.stop - hit.start} words from word {hit.start}"
    column = max(20, (width - 3) // 2)
    left = _wrapped(item[:ITEM_CHARACTERS], column)
    right = _wrapped(marked(row, hit.start, hit.stop), column)
    lines = [_printable(title), f"{'benchmark item':<{column}} | {'row'}"]
    inside = False
    for place in range(max(len(left), len(right))):
        here = right[place] if place < len(right) else ""
        if colour:
            here, inside = _coloured(here, inside)
        lines.append(f"{left[place] if place < len(left) else '':<{column}} | {here}".rstrip())
    return [*lines, ""]


def _word(same: bool | None) -> str:
    return "nothing usable" if same is None else "same" if same else "different"


def marked(row: str, start: int, stop: int) -> str:
    """The row around its words start to stop (view.py), these between OPEN and CLOSE; other characters as they are."""
    spans = places(row)
    inside = [span for span in spans[start:stop] if span is not None]
    if not inside:
        return textwrap.shorten(row, 2 * AROUND)
    first, last = inside[0][0], inside[-1][1]
    before, after = max(0, first - AROUND), min(len(row), last + AROUND)
    return (
        ("… " if before else "")
        + row[before:first] + OPEN + row[first:last] + CLOSE + row[last:after]
        + (" …" if after < len(row) else "")
    )  # fmt: skip


def places(row: str) -> list[tuple[int, int] | None]:
    """Where the words of a row stand in its own characters; None for a word that is written otherwise there."""
    folded = fold(row)
    if len(folded) != len(row):
        # Some characters fold to several: of these rows the plain lower case is searched.
        folded = row.lower() if len(row.lower()) == len(row) else row
    found: list[tuple[int, int] | None] = []
    at = 0
    for word in viewed_words(row):
        match = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)").search(folded, at)
        start = match.start() if match else folded.find(word, at)
        if start < 0:
            found.append(None)
            continue
        at = start + len(word)
        found.append((start, at))
    return found


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = []
    for line in text.splitlines():
        lines += textwrap.wrap(_printable(line), width) or [""]
    return lines


def _printable(text: str) -> str:
    """Without control characters: a row must not write to the reader's terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _coloured(line: str, inside: bool) -> tuple[str, bool]:
    """Marks as reverse video, closed at the end of each line; whether the match goes on."""
    line = (_REVERSE if inside else "") + line.replace(OPEN, _REVERSE).replace(CLOSE, _PLAIN)
    inside = line.rfind(_REVERSE) > line.rfind(_PLAIN)
    return line + (_PLAIN if inside else ""), inside


def recall_table(kinds: Mapping[str, Sequence[str]], lengths: Sequence[str]) -> list[str]:
    """Lines of a table: one class a line, one length of item a column."""
    wide = max(map(len, kinds))
    lines = [f"{'class':<{wide}}  " + "  ".join(f"{name:>13}" for name in lengths)]
    lines += [f"{kind:<{wide}}  " + "  ".join(f"{cell:>13}" for cell in cells) for kind, cells in kinds.items()]
    return lines
