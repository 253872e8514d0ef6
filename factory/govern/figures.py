"""Figures of a dataset's evaluations by the names that conditions use, and whether the thresholds hold.

Design: evaluations lie in the dataset's records, `evaluation-*/evaluation.json`, and count when they name the
manifest's digest. A figure's name is its title in small letters with `_` for all else; `section.` before it where two
sections have one of that name, `_low` and `_high` behind it for the ends of its interval. Tables by stratum give
`<table>.<column>.min` and `.max`, so that a condition can be put on the worst stratum. A figure is taken from the
newest evaluation that has it, and what is cited is that file's hash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.conditions import Outcome, outcome, parse_condition
from factory.evaluate.dataset.page import JSON, KIND
from factory.govern.config import ThresholdsConfig
from factory.identity import sha256_hex
from factory.publish.places import records_prefix
from factory.store.base import Store
from factory.store.objects import damaged, mapping_in


@dataclass(frozen=True)
class Measured:
    """A figure of an evaluation; `value` None: it could not be computed, and `why` says why."""

    figure: str
    value: float | None
    why: str
    evaluation: str


@dataclass(frozen=True)
class Evaluated:
    """One evaluation of a dataset: its key below the root, the SHA-256 of its bytes, when it was made."""

    key: str
    sha256: str
    created: str
    figures: Mapping[str, Measured]


def read_evaluations(root: Store, name: str, version: str, digest: str) -> list[Evaluated]:
    """Evaluations of the dataset whose manifest has this digest, newest first. Raises StoreError for a damaged one."""
    prefix = f"{records_prefix(name, version)}/evaluation-"
    keys = sorted(info.key for info in root.list(prefix) if info.key.endswith(f"/{JSON}"))
    found = [each for key in keys if (each := evaluation_in(root.get(key), root.uri, key, digest)) is not None]
    return sorted(found, key=lambda each: each.created, reverse=True)


def evaluation_in(data: bytes, uri: str, key: str, digest: str) -> Evaluated | None:
    """What `data` holds; None where it is of another dataset. Raises StoreError where it is no evaluation."""
    value = mapping_in(data, uri, key, ("kind", "dataset_digest", "created", "sections"))
    if value["kind"] != KIND or not isinstance(value["sections"], list):
        raise damaged(uri, key, "it is no evaluation")
    if value["dataset_digest"] != digest:
        return None
    try:
        named = list(_figures(value["sections"], key))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise damaged(uri, key, f"its sections: {type(error).__name__}: {error}") from None
    figures: dict[str, Measured] = {}
    twice = {short for short, _, _ in named if sum(each[0] == short for each in named) > 1}
    for short, section, measured in named:
        figures[f"{section}.{short}"] = measured
        if short not in twice:
            figures[short] = measured
    return Evaluated(key, sha256_hex(data), str(value["created"]), figures)


def slug(title: str) -> str:
    """`answer: distinct-2 in windows` as conditions write it: `answer_distinct_2_in_windows`."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def _figures(sections: Sequence[Mapping[str, Any]], key: str) -> Iterator[tuple[str, str, Measured]]:
    for section in sections:
        name = slug(str(section["name"]))
        for figure in section.get("figures", ()):
            short = slug(str(figure["name"]))
            yield short, name, Measured(short, _number(figure.get("value")), str(figure.get("why") or ""), key)
            for end in ("low", "high"):
                value = _number(figure.get(end))
                why = str(figure.get("why") or "it has no interval")
                yield f"{short}_{end}", name, Measured(f"{short}_{end}", value, "" if value is not None else why, key)
        for table in section.get("tables", ()):
            for short, value in _extremes(table):
                yield short, name, Measured(short, value, "", key)


def _extremes(table: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    columns, rows = list(table["columns"]), list(table["rows"])
    for place, column in enumerate(columns[1:], 1):
        values = [number for row in rows if (number := _number(row[place])) is not None]
        if values:
            base = f"{slug(str(table['title']))}.{slug(str(column))}"
            yield f"{base}.min", min(values)
            yield f"{base}.max", max(values)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def listed(evaluations: Sequence[Evaluated]) -> dict[str, Measured]:
    """What conditions can name, each by its shortest name and from the newest evaluation that has it, sorted; ends of
    intervals only where there are any."""
    every = {name: each for one in reversed(evaluations) for name, each in one.figures.items()}
    return {
        name: each
        for name, each in sorted(every.items())
        if (name == each.figure or each.figure not in every)
        and (each.value is not None or not each.figure.endswith(("_low", "_high")))
    }


@dataclass(frozen=True)
class Held:
    """A threshold's outcome: `group` is utility, bias or privacy, `evaluation` the key of what was read or ""."""

    group: str
    outcome: Outcome
    evaluation: str = ""


def held(thresholds: ThresholdsConfig, evaluations: Sequence[Evaluated]) -> list[Held]:
    """What every threshold comes to, in its order. Raises ValueError for what is no condition."""
    found = []
    for group in ("utility", "bias", "privacy"):
        for text in getattr(thresholds, group):
            condition = parse_condition(text)
            having = next((each for each in evaluations if condition.figure in each.figures), None)
            if having is None:
                why = "no evaluation has that figure" if evaluations else "there is no evaluation of this dataset"
                found.append(Held(group, outcome(condition, None, why)))
            else:
                measured = having.figures[condition.figure]
                why = measured.why or "the evaluation could not compute it"
                found.append(Held(group, outcome(condition, measured.value, why), having.key))
    return found
