"""Patterns over licences, as the policy of `select` writes them: SPDX ids with `*`, whatever their case.

Design: a pattern must meet at least one licence of the SPDX list (or a term of ours), so that a misspelt one is
found before anything starts instead of passing what it should stop. A licence named without its version or
written as one of our terms is met by the pattern of its family. Words that nobody understood ("MIT, but ask me") are
never met by the pattern of a licence they mention where it would let them pass (`matches`), and always where it stops
them (`may_match`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from functools import lru_cache

from factory.licences.restrictions import forbidden_by_name
from factory.licences.stated import OWN_TERMS, SPDX_IDS, UNKNOWN, is_known, spdx_of

_PREFIX = "LicenseRef-"


def matches(term: str, pattern: str) -> bool:
    """Whether a pattern meets a simple licence of an expression; of `A WITH B` either the whole or A alone."""
    compiled = _compiled(pattern)
    return any(compiled.fullmatch(name) for name in _names(term))


def may_match(term: str, pattern: str) -> bool:
    """`matches`, or a LicenseRef whose words mention what the pattern stands for, or forbid what it forbids."""
    if matches(term, pattern):
        return True
    if not term.startswith(_PREFIX):
        return False
    forbidden = forbidden_by_name(term)
    named = _compiled(pattern).fullmatch(term.removeprefix(_PREFIX))
    return named is not None or (forbidden is not None and matches(forbidden, pattern))


def misspelt(pattern: str) -> str | None:
    """Why a pattern can meet no licence, with the nearest id; None for one that can. LicenseRefs are free."""
    if pattern.lower().startswith(_PREFIX.lower()) or any(matches(name, pattern) for name in _ALL):
        return None
    meant = spdx_of(pattern)
    if meant:
        return f"`{pattern}` meets no SPDX licence id; did you mean `{meant}`?"
    bare = {name.lower(): name for name in _ALL}
    near = difflib.get_close_matches(pattern.lower().rstrip("*").rstrip("-"), bare, n=1, cutoff=NEAR)
    hint = f"; did you mean `{bare[near[0]]}`?" if near else ""
    return f"`{pattern}` meets no SPDX licence id{hint}"


def passes_nothing(allow: Sequence[str] | None, deny: Sequence[str]) -> bool:
    """Whether no licence there is would pass; LicenseRefs of one's own in `allow` pass unless `deny` names them."""
    own = [pattern for pattern in allow or () if pattern.lower().startswith(_PREFIX.lower())]
    met = (name for name in (*own, *_ALL) if allow is None or any(matches(name, pattern) for pattern in allow))
    return all(any(may_match(name, pattern) for pattern in deny) for name in met)


NEAR = 0.7
"""Likeness from which a name is worth suggesting: `mitt` has 0.86 to MIT, `Foo-Bar` 0.6 to OAR, which nobody meant."""

_ALL = (*sorted(SPDX_IDS), *sorted(OWN_TERMS), UNKNOWN)


@lru_cache(maxsize=4096)
def _names(term: str) -> tuple[str, ...]:
    base = term.split(" ")[0].removesuffix("+")
    bare = base.removeprefix(_PREFIX) if is_known(base) or base == UNKNOWN else base
    return tuple(dict.fromkeys((term, base, bare)))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)
