"""How a difference is told: values, changes and the lines of the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from factory.compare.words import cut
from factory.govern.difference.found import Apart, Change, Difference, Section, Shared, TextChange
from factory.publish.gates.divergence import Bin

LONGEST = 72
"""Characters of a value in a terminal; --json and --html have all of it."""

WIDEST = 44
LINES_OF_A_CHANGE, LINES_OF_ONE = 40, 4

NOTHING = "(not there)"

BINS_TOLD = 3

KIND_WORDS = {"changed": "changed", "only_before": "only in A", "only_now": "only in B"}


def written(value: Any) -> str:
    """A value on one line, as people read it."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {written(inner)}" for key, inner in value.items())
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def of_lists(change: Change) -> tuple[list[Any], list[Any]] | None:
    """What one list has and the other has not, and the other way round; None where they are no lists."""
    if not isinstance(change.before, list) or not isinstance(change.now, list):
        return None
    gone = [value for value in change.before if value not in change.now]
    return gone, [value for value in change.now if value not in change.before]


def told(change: Change, longest: int) -> str:
    """Both values on one line; of lists what was added and taken out."""
    lists = of_lists(change)
    if lists is not None and any(lists):
        signed = [(sign, value) for sign, values in zip("-+", lists, strict=True) for value in values]
        parts = [f"{sign}{cut(written(value), longest)}" for sign, value in signed]
        return cut(" ".join(parts), 2 * longest)
    by = moved(change)
    values = f"{cut(written(change.before), longest)} -> {cut(written(change.now), longest)}"
    return f"{values} ({by})" if by else values


def moved(change: Change) -> str:
    """By how much a number changed; of anything else nothing."""
    numbers = [change.before, change.now]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        return ""
    by = change.now - change.before
    share = f", {by / change.before:+.1%}" if change.before else ""
    return f"{by:+,}{share}" if isinstance(by, int) else f"{by:+.4g}{share}"


def heading(section: Section) -> str:
    every = len(section.changes) + section.same
    return f"{section.title}: {len(section.changes):,} of {every:,} differ"


def in_terminal(difference: Difference) -> Iterator[str]:
    """Lines; of the sections without a change one for all."""
    yield f"A  {difference.before}"
    yield f"B  {difference.now}"
    if difference.same:
        yield "the same rows, made in the same way"
    for section in difference.sections:
        if section.changes:
            yield ""
            yield heading(section)
            yield from _changes(section)
    equal = [section.title for section in difference.sections if not section.changes]
    if equal:
        yield ""
        yield f"The same in both: {'; '.join(equal)}"
    yield ""
    yield f"Prompts and other texts: {len(difference.texts)} of {len(difference.texts) + difference.same_texts} differ"
    for text in difference.texts:
        yield from _text(text)
    yield ""
    yield "Distributions: Jensen-Shannon divergence and population stability index, without what chance gives"
    wide = max(len(each.column) for each in difference.distributions)
    for each in difference.distributions:
        yield f"  {each.column.ljust(wide)}  {_apart(each)}"
    for shared in difference.rows:
        yield ""
        yield from _shared(shared)


def _changes(section: Section) -> Iterator[str]:
    wide = min(max(len(change.what) for change in section.changes), WIDEST)
    for change in section.changes:
        yield f"  {cut(change.what, 2 * WIDEST).ljust(wide)}  {told(change, LONGEST)}"


def _text(text: TextChange) -> Iterator[str]:
    yield f"  {text.name}: {text_change(text)}"
    lines = text.lines[2:]  # without the names of the sides, which are always the same
    most = LINES_OF_A_CHANGE if text.both else LINES_OF_ONE
    yield from (f"    {cut(line, 2 * LONGEST) if line.strip() else line}" for line in lines[:most])
    if len(lines) > most:
        yield f"    … {len(lines) - most} more lines: --html and --json have all of them"


def text_change(text: TextChange) -> str:
    """Which side has it, and by which id."""
    if text.before_id is None and text.now_id is None:
        return "changed"
    if text.before_id is None:
        return f"only in B ({str(text.now_id)[:12]})"
    return (
        f"only in A ({text.before_id[:12]})" if text.now_id is None else f"{text.before_id[:12]} -> {text.now_id[:12]}"
    )


def _apart(each: Apart) -> str:
    found = each.divergence
    told = "; ".join(one.in_words() for one in most_moved(each)[:BINS_TOLD])
    return f"{found.jensen_shannon:.4f}  {found.stability_index:.4f}  {told}".rstrip()


def most_moved(each: Apart) -> list[Bin]:
    """Bins whose share changed, the one that moved the index most first."""
    moved_bins = [one for one in each.divergence.bins if one.before != one.now]
    return sorted(moved_bins, key=lambda one: (-one.index, one.name))


def _shared(shared: Shared) -> Iterator[str]:
    yield f"Rows by {shared.key}: {counts(shared)}"
    if shared.changed:
        yield f"  changed in: {', '.join(f'{name} {rows:,}' for name, rows in shared.changed_in.items() if rows)}"
    for kind, examples in shared.examples.items():
        for example in examples:
            yield f"  {KIND_WORDS[kind]}: {example.sample_id}  {cut(example.question, LONGEST)}"


def counts(shared: Shared) -> str:
    return (
        f"{shared.same:,} the same, {shared.changed:,} changed, {shared.only_before:,} only in A, "
        f"{shared.only_now:,} only in B"
    )
