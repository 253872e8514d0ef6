"""Example samples with the passages they rest on, by point reads.

Design: a dozen rows over all levels; each source passage is read from its committed copy and cut to the
window that shares most words with the sample, so that a reader sees the grounding and not a page's opening.
A passage that cannot be read is said so, and never stops the report. Cost: a dozen rows and their passages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from factory.errors import FactoryError
from factory.evaluate.distributions import Place
from factory.evaluate.facts import Example, SourceFacts
from factory.store.base import Store
from factory.store.parquet import read_rows

EXAMPLES = 12

EXCERPT_CHARACTERS = 600
"""About a paragraph: enough to see whether the answer stands on it."""

TEXT_CHARACTERS = 4000
"""Longer questions and answers are cut: a page of twelve runaway completions would be megabytes."""

WINDOW_STEP = 100


def gather_examples(store: Store, places: Sequence[Place]) -> tuple[Example, ...]:
    """The samples at `places` with their passages, in that order."""
    rows: dict[Place, dict[str, Any]] = {}
    for key in dict.fromkeys(place.key for place in places):
        wanted = sorted(place.row for place in places if place.key == key)
        table = read_rows(store, key, wanted)
        rows |= {Place(key, number): row for number, row in zip(wanted, table.to_pylist(), strict=True)}
    return tuple(_example(store, place, rows[place]) for place in places)


def _example(store: Store, place: Place, row: Mapping[str, Any]) -> Example:
    lineage = row.get("lineage") or {}
    about = f"{row.get('question') or ''} {row.get('answer') or ''}"
    sources = tuple(_source(store, source, about) for source in lineage.get("sources") or ())
    shown = {name: shorten(value) if isinstance(value, str) else value for name, value in row.items()}
    shown.pop("messages", None)  # question and answer once more
    shown["lineage"] = {name: value for name, value in lineage.items() if name != "sources"}
    split = row.get("split") or place.key.rsplit("/", 1)[-1].split("-")[0]
    return Example(shown, str(split), sources)


def shorten(text: str, limit: int = TEXT_CHARACTERS) -> str:
    return text if len(text) <= limit else f"{text[:limit]} … [{len(text) - limit:,} more characters]"


def _source(store: Store, source: Mapping[str, Any], about: str) -> SourceFacts:
    text, problem = _passage(store, source)
    start, stop = (0, 0) if text is None else best_window(text, about)
    return SourceFacts(
        doc_id=source.get("doc_id") or "",
        source=source.get("source") or "",
        url=source.get("url") or "",
        license=source.get("license") or "",
        span_start=source.get("span_start"),
        span_end=source.get("span_end"),
        shard=source.get("shard") or "",
        shard_row=source.get("shard_row"),
        excerpt=None if text is None else text[start:stop],
        problem=problem,
        cut_before=start > 0,
        cut_after=text is not None and stop < len(text),
    )


def _passage(store: Store, source: Mapping[str, Any]) -> tuple[str | None, str]:
    from factory.run.outputs import fetch_texts

    try:
        return fetch_texts(store, [source])[source["chunk_id"]], ""
    except (KeyError, ValueError, IndexError, OSError, FactoryError) as error:
        # The dataset may have been copied away from its root, or the root cleaned up.
        why = "it is gone" if isinstance(error, KeyError) else type(error).__name__
        return None, f"the passage could not be read ({why}); its root may have been moved or emptied"


_WORD = re.compile(r"\w{3,}")


def best_window(text: str, about: str, size: int = EXCERPT_CHARACTERS) -> tuple[int, int]:
    """Start and end of the stretch of `text`, at most `size` characters, with most distinct words of `about`."""
    if len(text) <= size:
        return 0, len(text)
    words = set(_WORD.findall(about.lower()))
    hits = [(match.start(), match.group()) for match in _WORD.finditer(text.lower()) if match.group() in words]
    best_start, best_score = 0, -1
    for start in range(0, len(text) - size + WINDOW_STEP, WINDOW_STEP):
        score = len({word for at, word in hits if start <= at < start + size})
        if score > best_score:
            best_start, best_score = start, score
    start = _word_start(text, best_start)
    stop = min(len(text), start + size)
    if stop < len(text):
        stop = max(text.rfind(" ", start + size // 2, stop), text.rfind("\n", start + size // 2, stop), 0) or stop
    return start, stop


def _word_start(text: str, at: int) -> int:
    """The next beginning of a word, so that an excerpt does not open in the middle of one."""
    if at == 0:
        return 0
    found = re.compile(r"(?<=\s)\S").search(text, at, min(len(text), at + WINDOW_STEP))
    return found.start() if found else at
