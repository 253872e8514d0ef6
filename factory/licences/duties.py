"""What the licences of a row's sources ask of whoever passes the row on: a stated table of licence families.

Design: the table maps families of SPDX ids to a few named duties, first match wins; a licence that no family
covers is "unknown", because nobody read it for us. Of alternatives joined by OR the one that asks least counts,
since whoever publishes may choose; of parts joined by AND all count. It is a reading aid that keeps share-alike
and attribution in sight, not legal advice: the licence texts decide. Cost: cached by string, like parsing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from factory.licences.expression import Node, parse
from factory.licences.patterns import matches
from factory.licences.restrictions import forbidden_by_name

MEANINGS = {
    "attribution": "name the authors and the source, and link it",
    "notice": "pass on the copyright notice and the text of the licence",
    "changes": "say that the work was changed",
    "source": "offer the source form",
    "share-alike": "pass on what is derived under the same licence",
    "no-derivatives": "pass on nothing that is derived",
    "non-commercial": "no commercial use",
    "restricted-use": "some uses are forbidden: read which",
    "unknown": "not known: read the licence",
}
"""Every duty there is, from light to heavy, and what it asks."""

FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("CC0-*", ()),
    ("CC-PD*", ()),
    ("PDDL-*", ()),
    ("public-domain", ()),
    ("*-PD", ()),
    ("*-PD-*", ()),
    ("Unlicense", ()),
    ("Unlicense-*", ()),
    ("0BSD", ()),
    ("MIT-0", ()),
    ("WTFPL", ()),
    ("blessing", ()),
    ("DL-DE-ZERO-*", ()),
    ("all-rights-reserved", ("no-derivatives", "non-commercial")),
    ("restricted-use", ("restricted-use", "unknown")),
    ("Commons-Clause", ("restricted-use",)),
    ("PolyForm-Noncommercial-*", ("non-commercial", "notice")),
    ("PolyForm-*", ("notice", "restricted-use")),
    ("NCGL-*", ("attribution", "non-commercial")),
    ("Aladdin", ("non-commercial", "notice", "unknown")),
    ("BUSL-*", ("notice", "restricted-use")),
    ("Elastic-*", ("changes", "notice", "restricted-use")),
    ("FSL-*", ("notice", "restricted-use")),
    ("SUL-*", ("changes", "notice", "restricted-use")),
    ("Hippocratic-*", ("notice", "restricted-use")),
    ("JSON", ("notice", "restricted-use")),
    ("BSD-3-Clause-No-Military-License", ("notice", "restricted-use")),
    ("BSD-3-Clause-No-Nuclear-License*", ("notice", "restricted-use")),
    ("C-UDA-*", ("notice", "restricted-use", "unknown")),
    ("CPOL-*", ("notice", "restricted-use", "unknown")),
    ("MS-LPL", ("notice", "restricted-use")),
    ("PPL", ("attribution", "changes", "restricted-use", "share-alike")),
    ("ASWF-Digital-Assets-*", ("notice", "restricted-use")),
    ("NC", ("non-commercial", "unknown")),
    ("ND", ("no-derivatives", "unknown")),
    ("NC-ND", ("no-derivatives", "non-commercial", "unknown")),
    ("CC-BY-NC-ND-*", ("attribution", "no-derivatives", "non-commercial")),
    ("CC-BY-NC-SA-*", ("attribution", "changes", "non-commercial", "share-alike")),
    ("CC-BY-NC-*", ("attribution", "changes", "non-commercial")),
    ("CC-BY-ND-*", ("attribution", "no-derivatives")),
    ("CC-BY-SA-*", ("attribution", "changes", "share-alike")),
    ("CC-SA-*", ("changes", "share-alike")),
    ("CC-BY-*", ("attribution", "changes")),
    ("GFDL-*", ("attribution", "changes", "notice", "share-alike")),
    ("GPL-*", ("changes", "notice", "share-alike", "source")),
    ("AGPL-*", ("changes", "notice", "share-alike", "source")),
    ("SSPL-*", ("changes", "notice", "share-alike", "source")),
    ("LGPL-*", ("changes", "notice", "share-alike", "source")),
    ("MPL-*", ("notice", "share-alike", "source")),
    ("EPL-*", ("notice", "share-alike", "source")),
    ("EUPL-*", ("changes", "notice", "share-alike", "source")),
    ("CDDL-*", ("changes", "notice", "share-alike", "source")),
    ("OSL-*", ("attribution", "changes", "notice", "share-alike", "source")),
    ("ODbL-*", ("attribution", "notice", "share-alike")),
    ("CDLA-Sharing-*", ("changes", "notice", "share-alike")),
    ("LAL-*", ("attribution", "changes", "share-alike")),
    ("OFL-*", ("notice", "share-alike")),
    ("Linux-man-pages-copyleft*", ("notice", "share-alike")),
    ("ODC-By-*", ("attribution", "notice")),
    ("OGL-*", ("attribution",)),
    ("OGDL-*", ("attribution",)),
    ("NLOD-*", ("attribution",)),
    ("etalab-*", ("attribution",)),
    ("DL-DE-BY-*", ("attribution", "changes")),
    ("Apache-*", ("changes", "notice")),
    ("PSF-*", ("changes", "notice")),
    ("Python-*", ("changes", "notice")),
    ("CNRI-*", ("changes", "notice")),
    ("Artistic-*", ("changes", "notice")),
    ("LPPL-*", ("changes", "notice")),
    ("Zlib*", ("changes", "notice")),
    ("Ruby", ("changes", "notice")),
    ("PHP-*", ("attribution", "notice")),
    ("OPUBL-*", ("attribution", "changes", "notice")),
    ("W3C*", ("changes", "notice")),
    ("BSD-4-Clause*", ("attribution", "notice")),
    ("BSD-*", ("notice",)),
    ("MIT", ("notice",)),
    ("MIT-*", ("notice",)),
    ("X11*", ("notice",)),
    ("ISC*", ("notice",)),
    ("PostgreSQL", ("notice",)),
    ("NCSA", ("notice",)),
    ("HPND*", ("notice",)),
    ("Unicode-*", ("notice",)),
    ("ICU", ("notice",)),
    ("curl", ("notice",)),
    ("BSL-1.0", ("notice",)),
    ("FreeBSD-DOC", ("notice",)),
    ("FSFAP*", ("notice",)),
    ("CDLA-Permissive-*", ("notice",)),
    ("UPL-*", ("notice",)),
    ("Linux-man-pages-*", ("notice",)),
    ("TCL", ("notice",)),
    ("Vim", ("changes", "notice", "source")),
)
"""Pattern of SPDX ids (or of our terms without their "LicenseRef-") -> duties."""


@lru_cache(maxsize=65536)
def duties_of(licence: str) -> tuple[str, ...]:
    """Sorted duties of one licence as stated; ("unknown",) where it is not known. Never raises."""
    return tuple(sorted(_duties(parse(licence))))


def combined_duties(licences: Iterable[str | None]) -> list[str]:
    """Sorted duties of a row that rests on all of these licences."""
    return sorted({duty for licence in licences for duty in duties_of(licence or "")})


def _duties(node: Node) -> frozenset[str]:
    if node.operator == "AND":
        return frozenset().union(*map(_duties, node.parts))
    if node.operator == "OR":
        return min(map(_duties, node.parts), key=_burden)
    forbidden = forbidden_by_name(node.text)
    if forbidden is not None:
        return _UNREAD | _duties(Node("", (), forbidden))
    return next((frozenset(duties) for pattern, duties in FAMILIES if matches(node.text, pattern)), _UNREAD)


_UNREAD = frozenset({"unknown"})
_WEIGHT = {duty: weight for weight, duty in enumerate(MEANINGS)}


def _burden(duties: frozenset[str]) -> list[int]:
    """Orders sets of duties by their heaviest, then the next one."""
    return sorted((_WEIGHT[duty] for duty in duties), reverse=True)
