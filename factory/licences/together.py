"""Whether one text may rest on two licences at once: what each share-alike licence lets derived works be under.

Design: a share-alike licence names the licences under which something derived from it may be passed on: itself, its
later versions where it says so, and the few it is declared compatible with. A text that rests on two of them needs
one licence that both name; where there is none, they conflict. Licences without share-alike name all. Of
alternatives joined by OR either may be chosen, parts joined by AND bind together. Unknown licences name all here:
whether to use them at all is for `select.licence.unknown`. A reading aid like duties.py, and no legal advice.

Sources: Creative Commons, "ShareAlike compatibility" (BY-SA 4.0 to GPL-3.0, one way; later versions of BY-SA since
2.0); GNU "GPL compatibility matrix"; MPL 2.0 section 3.3. Cost: cached by string.
"""

from __future__ import annotations

from functools import lru_cache

from factory.licences.duties import duties_of
from factory.licences.expression import Node, parse
from factory.licences.patterns import matches

_GPL3 = frozenset({"GPL-3.0", "AGPL-3.0"})
_GPL2 = frozenset({"GPL-2.0"})
_LGPL21, _LGPL3 = frozenset({"LGPL-2.1"}), frozenset({"LGPL-3.0"})

PASSED_ON_UNDER: tuple[tuple[str, frozenset[str]], ...] = (
    ("CC-BY-SA-4.0", frozenset({"CC-BY-SA-4.0", "GPL-3.0"})),
    ("CC-BY-SA-3.0", frozenset({"CC-BY-SA-3.0", "CC-BY-SA-4.0"})),
    ("CC-BY-SA-2.5", frozenset({"CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0"})),
    ("CC-BY-SA-2.0", frozenset({"CC-BY-SA-2.0", "CC-BY-SA-2.5", "CC-BY-SA-3.0", "CC-BY-SA-4.0"})),
    ("AGPL-3.0-*", frozenset({"AGPL-3.0"})),
    ("LGPL-2.0-or-later", _LGPL21 | _LGPL3 | _GPL2 | _GPL3),
    ("LGPL-2.1-or-later", _LGPL21 | _LGPL3 | _GPL2 | _GPL3),
    ("LGPL-2.1-only", _LGPL21 | _GPL2 | _GPL3),
    ("LGPL-3.0-*", _LGPL3 | _GPL3),
    ("GPL-1.0-or-later", _GPL2 | _GPL3),
    ("GPL-2.0-or-later", _GPL2 | _GPL3),
    ("GPL-2.0-only", _GPL2),
    ("GPL-3.0-*", _GPL3),
    ("GFDL-1.1-or-later", frozenset({"GFDL-1.1", "GFDL-1.2", "GFDL-1.3"})),
    ("GFDL-1.2-or-later", frozenset({"GFDL-1.2", "GFDL-1.3"})),
    ("GFDL-1.1-only", frozenset({"GFDL-1.1"})),
    ("GFDL-1.2-only", frozenset({"GFDL-1.2"})),
    ("GFDL-1.3-*", frozenset({"GFDL-1.3"})),
    ("MPL-2.0", frozenset({"MPL-2.0"}) | _LGPL21 | _LGPL3 | _GPL2 | _GPL3),
)
"""Pattern of share-alike SPDX ids -> licences that what is derived may be passed on under. One that is not listed
names itself alone."""


def conflict(one: str | None, other: str | None) -> bool:
    """Whether no licence can hold for a text that is derived from both. Never raises."""
    first, second = passed_on_under(one or ""), passed_on_under(other or "")
    if first is None or second is None:
        return frozenset() in (first, second)
    return not first & second


@lru_cache(maxsize=65536)
def passed_on_under(licence: str) -> frozenset[str] | None:
    """Licences that a text derived from one under `licence` may be under; None for any; empty where nothing derived
    may be passed on."""
    return _named(parse(licence))


def _named(node: Node) -> frozenset[str] | None:
    parts = [_named(part) for part in node.parts]
    bound = [part for part in parts if part is not None]
    if node.operator == "OR":
        return frozenset().union(*bound) if len(bound) == len(parts) else None
    if node.operator == "AND":
        return frozenset.intersection(*bound) if bound else None
    duties = duties_of(node.text)
    if "no-derivatives" in duties:
        return frozenset()
    if "share-alike" not in duties:
        return None
    return next((named for pattern, named in PASSED_ON_UNDER if matches(node.text, pattern)), frozenset({node.text}))
