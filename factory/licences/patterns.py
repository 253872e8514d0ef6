"""Patterns over licences, as the policy of `select` writes them: SPDX ids with `*`, whatever their case.

Design: a pattern must meet at least one licence of the SPDX list (or a term of ours), so that a misspelt one is
found before anything starts instead of passing what it should stop. A licence named without its version or
written as one of our terms is met by the pattern of its family.
"""

from __future__ import annotations

import difflib
import re
from functools import lru_cache

from factory.licences.stated import OWN_TERMS, SPDX_IDS, UNKNOWN, spdx_of

_PREFIX = "LicenseRef-"


def matches(term: str, pattern: str) -> bool:
    """Whether a pattern meets a simple licence of an expression; of `A WITH B` either the whole or A alone."""
    compiled = _compiled(pattern)
    return any(compiled.fullmatch(name) for name in _names(term))


def misspelt(pattern: str) -> str | None:
    """Why a pattern can meet no licence, with the nearest id; None for one that can. LicenseRefs are free."""
    if pattern.lower().startswith(_PREFIX.lower()) or any(matches(name, pattern) for name in _ALL):
        return None
    meant = spdx_of(pattern)
    if meant:
        return f"`{pattern}` meets no SPDX licence id; did you mean `{meant}`?"
    bare = {name.lower(): name for name in _ALL}
    near = difflib.get_close_matches(pattern.lower().rstrip("*").rstrip("-"), bare, n=1, cutoff=0.5)
    hint = f"; did you mean `{bare[near[0]]}`?" if near else ""
    return f"`{pattern}` meets no SPDX licence id{hint}"


_ALL = (*sorted(SPDX_IDS), *sorted(OWN_TERMS), UNKNOWN)


@lru_cache(maxsize=4096)
def _names(term: str) -> tuple[str, ...]:
    base = term.split(" ")[0].removesuffix("+")
    return tuple(dict.fromkeys((term, base, base.removeprefix(_PREFIX))))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)
