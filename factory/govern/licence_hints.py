"""What to say beside the answer to a question about a licence: spellings that nobody knows, licences nearly asked for.

Design: a licence is looked for as it was asked, so `MIT OR BSD-3-Clause` finds rows that leave that choice and not
those under BSD-3-Clause alone. Somebody who means the second would believe an empty answer: licences of the root that
share a part with it, or are spelled like it, are named with their rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from factory.govern.scan import contains
from factory.licences.expression import leaves, parse
from factory.licences.stated import is_known

SHOWN = 6
"""Licences of a root that are named at most."""

ALIKE = 0.6
"""difflib's ratio from which two spellings are near: `Apache2` and `Apache-2.0` have 0.82."""


def licence_hints(expression: str, rows: int, licences: Mapping[str, int]) -> list[str]:
    """`expression` is what was looked for, `rows` how many were found, `licences` the rows under each licence of the
    root."""
    return list(_hints(expression, rows, licences))


def _hints(expression: str, rows: int, licences: Mapping[str, int]) -> Iterator[str]:
    asked = set(leaves(parse(expression)))
    held = {licence: set(leaves(parse(licence))) for licence in licences}
    for name in sorted(each for each in asked if not is_known(each) and not any(each in of for of in held.values())):
        yield f"{name} is no licence that is known here: neither an SPDX id nor a spelling that corpora use"
    sharing = {name: licences[name] for name, of in held.items() if of & asked and not contains(name, expression)}
    if sharing:
        yield f"not counted, with a part of it: {_listed(sharing)}; ask for that part alone, or for the whole of those"
    if rows or sharing:
        return
    spelled = {each.removeprefix("LicenseRef-").lower(): each for of in held.values() for each in of}
    near = {
        spelled[found]
        for name in asked
        for found in get_close_matches(name.removeprefix("LicenseRef-").lower(), spelled, SHOWN, ALIKE)
    }
    alike = {name: licences[name] for name, of in held.items() if of & near}
    if alike:
        yield f"spelled like it: {_listed(alike)}"
    elif licences:
        yield f"the licences below this root: {_listed(licences)}"


def _listed(licences: Mapping[str, int]) -> str:
    most = sorted(licences.items(), key=lambda each: (-each[1], each[0]))
    more = f", and {len(most) - SHOWN} more" if len(most) > SHOWN else ""
    return ", ".join(f"{name} ({rows:,} rows)" for name, rows in most[:SHOWN]) + more
