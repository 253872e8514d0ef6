"""What the answers to the EU's template say of a dataset, whichever of the two files they were read from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from factory.govern.ai_act.answers import FIELDS
from factory.govern.claims import Claims
from factory.govern.json_document import NOT_STATED

Values = Mapping[tuple[str, str], Sequence[str]]
"""(section, key) -> the lines of the answer."""

_MODEL = re.compile(r"(?P<name>.*), revision (?P<revision>.*) \([a-z, ]+\)(?:, https?://\S+)?")
_ERASED = re.compile(r"(?P<rows>[0-9]{1,18}) rows on \S+ by erasure (?P<erasure>\S+)")
_DRY_RUN = "no: a dry run"


def missing(values: Values) -> list[str]:
    """Fields of the template without an answer; one that says "not stated" is an answer."""
    return [
        f"section {section}: {key} is missing"
        for section, key in FIELDS
        if not any(line.strip() for line in values.get((section, key), ()))
    ]


def claims_of(values: Values) -> Claims:
    """Raises ValueError naming a field that is missing or says nothing that can be read."""
    if lacking := missing(values):
        raise ValueError(lacking[0])
    listed = _lines(values, "2.1", "source_list")
    used = _one(values, "2.5", "used")
    return Claims(
        name=_one(values, "0", "dataset"),
        version=_one(values, "0", "version"),
        created=_one(values, "0", "published"),
        run=_one(values, "0", "run"),
        digest=_one(values, "0", "digest"),
        rows=_number(values, "1.3", "rows"),
        files=dict(line.split(", SHA-256 ", 1) for line in listed if ", SHA-256 " in line),
        licenses=frozenset(_lines(values, "2.5", "license")),
        source_licenses=frozenset(line.rpartition(": ")[0] for line in _lines(values, "2.1", "source_licenses")),
        models=frozenset(
            (found["name"], found["revision"])
            for key in ("gpai_models", "other_models", "engines")
            for line in _lines(values, "2.5", key)
            if (found := _MODEL.fullmatch(line))
        ),
        languages=frozenset(_lines(values, "1.3", "languages")),
        prompts=frozenset(line.rpartition(": ")[2] for line in _lines(values, "2.5", "prompts")),
        gates={
            name: not verdict.startswith("failed")
            for name, _, verdict in (line.partition(": ") for line in _lines(values, "3.3", "gates"))
        },
        synthetic=None if used.startswith(_DRY_RUN) else used.startswith("yes"),
        updated=_one(values, "0", "last_update"),
        erased={
            found["erasure"]: int(found["rows"])
            for line in _lines(values, "0", "erased")
            if (found := _ERASED.fullmatch(line))
        },
    )


def _lines(values: Values, section: str, key: str) -> list[str]:
    return [line for line in values[section, key] if line != NOT_STATED]


def _one(values: Values, section: str, key: str) -> str:
    return " ".join(values[section, key])


def _number(values: Values, section: str, key: str) -> int:
    try:
        return int(_one(values, section, key))
    except ValueError:
        raise ValueError(f"section {section}: {key} is no number") from None
