"""What corpora write where a licence belongs, and the SPDX id or term of ours that it means: a stated table.

Design: words are folded to a key (lower case, punctuation and fillers such as "the", "licence", "version" gone)
and looked up; two families with too many spellings to list (Creative Commons, GNU) have a small grammar over the
key that must use every word of it, so half-understood text is never taken for a known licence. Terms of ours,
LicenseRefs, stand where SPDX has no id: public domain, a family named without its version, and words that forbid
(restrictions.py). Addresses of licence texts are read like names.
"""

from __future__ import annotations

import re

from packaging.licenses._spdx import LICENSES, VERSION

SPDX_LIST_VERSION = VERSION

UNKNOWN = "LicenseRef-unknown"
PUBLIC_DOMAIN = "LicenseRef-public-domain"
RESERVED = "LicenseRef-all-rights-reserved"
NON_COMMERCIAL, NO_DERIVATIVES, BOTH = "LicenseRef-NC", "LicenseRef-ND", "LicenseRef-NC-ND"
RESTRICTED = "LicenseRef-restricted-use"
COMMONS_CLAUSE = "LicenseRef-Commons-Clause"
"""Takes from a licence the right to sell what it covers: a condition added to another licence, never a choice."""

UNSPECIFIED = "unspecified"
"""Stands for the version of a licence named without one, so that a pattern such as `CC-BY-SA-*` meets it."""

SPDX_IDS = frozenset(entry["id"] for entry in LICENSES.values())
_UNVERSIONED = ("BSD", "Apache", "Artistic", "MPL", "EUPL", "LPPL", "EPL", "OFL", "ODbL", "ODC-By", "OGL")
_FAMILIES_OF_CC = ("BY", "BY-SA", "BY-NC", "BY-ND", "BY-NC-SA", "BY-NC-ND")

OWN_TERMS = frozenset(
    {PUBLIC_DOMAIN, RESERVED, NON_COMMERCIAL, NO_DERIVATIVES, BOTH, RESTRICTED, COMMONS_CLAUSE}
    | {f"LicenseRef-{name}-{UNSPECIFIED}" for name in _UNVERSIONED}
    | {f"LicenseRef-CC-{name}-{UNSPECIFIED}" for name in _FAMILIES_OF_CC}
)

_OPEN = {
    "", "unknown", "none", "null", "nan", "noassertion", "n a", "not stated", "not specified", "unspecified",
    "other", "others", "others per page", "various", "mixed", "multiple", "see source", "see file", "see page", "misc",
    "tbd", "undefined",
}  # fmt: skip
"""Words that say nothing about what may be done: the policy for unknown licences decides."""

_NAMES = {
    PUBLIC_DOMAIN: ("public domain", "pd", "publicdomain", "in public domain", "no known copyright",
                    "us government work", "public domain us", "public domain in usa"),
    RESERVED: ("all rights reserved", "proprietary", "closed", "copyrighted", "no license given", "commercial",
               "unlicensed", "unlicenced", "confidential", "private", "internal", "restricted"),
    COMMONS_CLAUSE: ("commons clause", "commons clause 1.0", "commons clause condition",
                     "commons clause condition 1.0"),
    "BUSL-1.1": ("busl", "bsl 1.1", "business source", "business source 1.1"),
    "Elastic-2.0": ("elastic", "elastic 2", "elv2", "el 2.0"),
    "SSPL-1.0": ("sspl", "server side public", "server side public 1", "server side public 1.0"),
    "CC0-1.0": ("cc0", "cc zero", "cc0 1.0", "cc0 1.0 universal", "creative commons zero", "creative commons 0",
                "creative commons zero 1.0", "creative commons zero 1.0 universal", "cc0 universal",
                "creative commons cc0", "creative commons cc0 1.0 universal", "cc 0", "cc 0 1.0",
                "cc0 1.0 universal public domain dedication", "cc0 public domain dedication"),
    "CC-PDM-1.0": ("public domain mark", "public domain mark 1.0", "cc pdm", "cc public domain mark 1.0",
                   "creative commons public domain mark 1.0"),
    "MIT": ("mit", "expat", "mit expat", "mit x11"),
    "ISC": ("isc",),
    "0BSD": ("zero clause bsd", "bsd zero clause", "bsd 0 clause", "0 clause bsd"),
    "BSD-2-Clause": ("bsd 2 clause", "bsd 2", "2 clause bsd", "simplified bsd", "freebsd", "bsd simplified", "bsd2",
                     "bsd 2 clause simplified", "two clause bsd"),
    "BSD-3-Clause": ("bsd 3 clause", "bsd 3", "3 clause bsd", "new bsd", "modified bsd", "revised bsd", "bsd3",
                     "bsd new", "bsd 3 clause new or revised", "three clause bsd"),
    "BSD-4-Clause": ("bsd 4 clause", "bsd 4", "4 clause bsd", "original bsd", "bsd original"),
    "LicenseRef-BSD-unspecified": ("bsd", "bsd like", "bsd style"),
    "Apache-2.0": ("apache 2.0", "apache 2", "apache software 2.0", "apache2.0", "asl 2.0", "al 2.0", "apache2",
                   "apache software 2"),
    "Apache-1.1": ("apache 1.1", "apache software 1.1"),
    "LicenseRef-Apache-unspecified": ("apache", "apache software"),
    "MPL-2.0": ("mpl 2.0", "mpl 2", "mozilla public 2.0", "mozilla public 2"),
    "MPL-1.1": ("mpl 1.1", "mozilla public 1.1"),
    "LicenseRef-MPL-unspecified": ("mpl", "mozilla public"),
    "EPL-2.0": ("epl 2.0", "eclipse public 2.0"),
    "EPL-1.0": ("epl 1.0", "eclipse public 1.0"),
    "LicenseRef-EPL-unspecified": ("epl", "eclipse public"),
    "EUPL-1.2": ("eupl 1.2", "european union public 1.2"),
    "LicenseRef-EUPL-unspecified": ("eupl", "european union public"),
    "Artistic-2.0": ("artistic 2.0", "perl artistic 2.0"),
    "Artistic-1.0-Perl OR GPL-1.0-or-later": ("perl", "perl 5", "same as perl", "same terms as perl"),
    "LicenseRef-Artistic-unspecified": ("artistic", "perl artistic"),
    "PSF-2.0": ("psf", "python software foundation", "psfl", "python software foundation 2", "psf 2"),
    "Python-2.0": ("python", "python 2.0"),
    "PostgreSQL": ("postgresql", "postgres"),
    "Zlib": ("zlib", "zlib libpng"),
    "BSL-1.0": ("boost", "boost software", "boost software 1.0", "boost 1.0", "bsl 1.0"),
    "Unlicense": ("unlicense", "unlicence"),
    "WTFPL": ("wtfpl", "do what fuck you want to public"),
    "OFL-1.1": ("ofl 1.1", "sil open font 1.1", "sil ofl 1.1"),
    "LicenseRef-OFL-unspecified": ("ofl", "sil open font", "sil ofl"),
    "LPPL-1.3c": ("lppl 1.3c", "latex project public 1.3c"),
    "LicenseRef-LPPL-unspecified": ("lppl", "latex project public"),
    "ODbL-1.0": ("odbl 1.0", "open database 1.0", "odc odbl 1.0", "open data commons open database 1.0"),
    "LicenseRef-ODbL-unspecified": ("odbl", "open database", "odc odbl", "open data commons open database"),
    "ODC-By-1.0": ("odc by 1.0", "open data commons attribution 1.0"),
    "LicenseRef-ODC-By-unspecified": ("odc by", "open data commons attribution"),
    "PDDL-1.0": ("pddl", "pddl 1.0", "odc pddl", "open data commons public domain dedication and"),
    "OGL-UK-3.0": ("ogl 3.0", "open government 3.0", "ogl uk 3.0", "uk open government 3.0"),
    "LicenseRef-OGL-unspecified": ("ogl", "open government"),
    "CDLA-Permissive-2.0": ("cdla permissive 2.0", "community data agreement permissive 2.0"),
    "etalab-2.0": ("etalab", "etalab 2.0", "licence ouverte 2.0", "ouverte 2.0"),
    "LAL-1.3": ("free art", "free art 1.3", "lal 1.3", "art libre"),
    "W3C": ("w3c", "w3c software"),
    "Unicode-3.0": ("unicode 3.0",),
    "curl": ("curl",),
    "Ruby": ("ruby",),
    "PHP-3.01": ("php", "php 3.01"),
    "NCSA": ("ncsa", "university of illinois ncsa open source", "uiuc"),
    "FreeBSD-DOC": ("freebsd documentation",),
    "Linux-man-pages-copyleft": ("man pages copyleft", "linux man pages copyleft", "verbatim man pages"),
}  # fmt: skip
"""SPDX expression or term of ours -> the keys under which corpora write it."""

_FILLERS = {
    "the", "a", "an", "license", "licenses", "licence", "licences", "licensed", "licenced", "under", "version", "ver",
    "v", "terms", "of", "released", "available", "project", "official", "osi", "approved",
}  # fmt: skip


def is_unstated(stated: str) -> bool:
    """Whether the words leave the licence open."""
    # Words of other scripts leave no key; they may well say something.
    return stated.lower() == UNKNOWN.lower() or (stated.isascii() and _key(stated) in _OPEN_KEYS)


def current_id(identifier: str) -> str:
    """An SPDX id, or LicenseRef, as it is written today: `GPL-2.0+` is `GPL-2.0-or-later`."""
    if identifier.lower() in _OWN_SPELLING:
        return _OWN_SPELLING[identifier.lower()]
    found = _GNU_ID.fullmatch(identifier)
    return f"{found[1]}-{'or-later' if found[2] else 'only'}" if found else identifier


_OWN_SPELLING = {term.lower(): term for term in (*OWN_TERMS, UNKNOWN)}
_GNU_ID = re.compile(r"((?:AGPL|GPL|LGPL|GFDL)-\d\.\d)(\+?)")


def spdx_of(stated: str) -> str | None:
    """The SPDX expression, or term of ours, that the words or the address stand for; None: not in the table."""
    words = _words_of_address(stated)
    if words is None:
        return None
    key = _key(words)
    return _BY_KEY.get(key) or _creative_commons(key) or _gnu(key)


def is_known(term: str) -> bool:
    """Whether a simple licence of an expression is an SPDX licence or one of our terms."""
    base = term.split(" ")[0].removesuffix("+")
    return base in SPDX_IDS or base in OWN_TERMS or _PORTED.fullmatch(base) is not None


_PORTED = re.compile(r"LicenseRef-CC-BY(?:-NC)?(?:-SA|-ND)?-[1-4]\.\d-[A-Z]{2,3}")
"""National versions of a Creative Commons licence that the SPDX list lacks."""


def _key(words: str) -> str:
    folded = re.sub(r"[^a-z0-9.+]+", " ", words.lower().replace("(c)", " "))
    folded = re.sub(r"(?<=[a-z])v(?=\d)|\bv\.? ?(?=\d)", " ", folded)
    kept = [word.strip(".") for word in folded.split()]
    return " ".join(word for word in kept if word and word not in _FILLERS)


def _words_of_address(stated: str) -> str | None:
    """The licence an address names, in words; the words themselves where they hold no address; None: some other."""
    if "/" not in stated or not _ADDRESS.search(stated):
        return stated
    for pattern, words in _ADDRESSES:
        found = pattern.fullmatch(stated.strip(" <>()."))
        if found:
            return found.expand(words)
    return None


_ADDRESS = re.compile(
    r"://|\bwww\.|\b(?:creativecommons|gnu|opensource|apache|spdx|opendatacommons)\.(?:org|com)/", re.I
)
_START = r"(?:https?://)?(?:www\.)?"
_END = r"(?:[/.](?:deed|legalcode)[\w.-]*|/|\.[a-z]{2}(?=\.html)|\.html?|\.txt|#\S*)*"
_ADDRESSES = [
    (re.compile(_START + pattern + _END, re.IGNORECASE), words)
    for pattern, words in (
        (r"creativecommons\.org/licenses/([a-z+-]+)/(\d\.\d)", r"cc \1 \2"),
        (r"creativecommons\.org/licenses/([a-z+-]+)/(\d\.\d)/([a-z]{2,3})", r"cc \1 \2 \3"),
        (r"creativecommons\.org/licenses/([a-z+-]+)", r"cc \1"),
        (r"creativecommons\.org/publicdomain/zero(?:/1\.0)?", "cc0"),
        (r"creativecommons\.org/publicdomain/mark(?:/1\.0)?", "public domain mark"),
        (r"gnu\.org/(?:copyleft|licenses)/(?:old-licenses/)?(a?gpl|lgpl|fdl)(?:-(\d\.\d))?", r"\1 \2"),
        (r"opensource\.org/licenses?/([\w.-]+?)(?:-license(?:\.php)?|\.php)?", r"\1"),
        (r"apache\.org/licenses/license-(\d\.\d)", r"apache \1"),
        (r"(?:spdx\.org/licenses|choosealicense\.com/licenses)/([\w.-]+?)", r"\1"),
        (r"opendatacommons\.org/licenses/(odbl|pddl|by)(?:/(?:summary|1-0|1\.0))?", r"odc \1 1.0"),
    )
]

_OPEN_KEYS = {_key(words) for words in _OPEN}
_BY_KEY = {_key(spelling): meaning for meaning, spellings in _NAMES.items() for spelling in spellings}
_BY_KEY |= {_key(identifier): identifier for identifier in SPDX_IDS if _key(identifier) not in _BY_KEY}


_CC_ELEMENTS = {
    "by": "BY", "attribution": "BY", "nc": "NC", "noncommercial": "NC", "noncomm": "NC",
    "noncom": "NC", "n.c": "NC", "n.d": "ND", "sa": "SA", "sharealike": "SA", "nd": "ND",
    "noderivatives": "ND", "noderivs": "ND", "noderiv": "ND",
}  # fmt: skip
_CC_PHRASES = (
    ("non commercial", "nc"), ("non comm", "nc"), ("non com", "nc"), ("share alike", "sa"),
    ("no derivatives", "nd"), ("no derivs", "nd"),
    ("no derivative works", "nd"), ("creative commons", "cc"), ("united states", "us"), ("united kingdom", "uk"),
)  # fmt: skip
_CC_SUFFIXES = {"international", "unported", "generic", "intl", "int", "public", "legalcode", "deed"}
_CC_COUNTRIES = {
    "germany": "DE", "austria": "AT", "australia": "AU", "netherlands": "NL", "france": "FR", "japan": "JP",
    "poland": "PL", "spain": "ES", "italy": "IT", "canada": "CA", "england": "UK", "igo": "IGO",
}  # fmt: skip


def _creative_commons(key: str) -> str | None:
    """CC licences in any spelling; every word of the key must have a meaning."""
    for phrase, short in _CC_PHRASES:
        key = re.sub(rf"\b{phrase}\b", short, key)
    elements: set[str] = set()
    version = country = ""
    named = False
    for word in key.split():
        if word in {"cc", "commons"}:
            named = True
        elif word in _CC_ELEMENTS:
            elements.add(_CC_ELEMENTS[word])
        elif re.fullmatch(r"[1-4](?:\.\d)?", word) and not version:
            version = word if "." in word else f"{word}.0"
        elif version and (word in _CC_COUNTRIES or re.fullmatch("[a-z]{2}", word)):
            country = _CC_COUNTRIES.get(word, word.upper())
        elif word not in _CC_SUFFIXES and word != "and":
            return None
    named = named or ("BY" in elements and (len(elements) > 1 or version != ""))
    if not named or not elements or {"SA", "ND"} <= elements:
        return None
    elements.add("BY")  # since version 2.0 of 2004 every licence asks for it, and "CC NC-SA" means one of those
    name = "CC-" + "-".join(part for part in ("BY", "NC", "SA", "ND") if part in elements)
    if not version:
        return f"LicenseRef-{name}-{UNSPECIFIED}"
    if country and f"{name}-{version}-{country}" in SPDX_IDS:
        return f"{name}-{version}-{country}"
    if f"{name}-{version}" not in SPDX_IDS:
        return None
    return f"LicenseRef-{name}-{version}-{country}" if country else f"{name}-{version}"


_GNU_PHRASES = (
    ("gnu affero general public", "agpl"), ("affero general public", "agpl"), ("gnu affero gpl", "agpl"),
    ("gnu lesser general public", "lgpl"), ("gnu library general public", "lgpl"), ("lesser general public", "lgpl"),
    ("gnu general public", "gpl"), ("general public", "gpl"), ("gnu free documentation", "gfdl"),
    ("free documentation", "gfdl"), ("gnu fdl", "gfdl"), ("fdl", "gfdl"), ("gnu", ""),
    ("or at your option any later", "+"), ("or any later", "+"), ("or later", "+"), ("or newer", "+"),
    ("or above", "+"), ("and later", "+"), ("later", "+"),
)  # fmt: skip
_FIRST_VERSION = {"gpl": "1.0", "lgpl": "2.0", "agpl": "3.0", "gfdl": "1.1"}


def _gnu(key: str) -> str | None:
    """GNU licences in any spelling. Without a version, any one published may be chosen (GPL-3.0, section 14)."""
    for phrase, short in _GNU_PHRASES:
        key = re.sub(rf"\b{phrase}\b", short, key)
    found = _GNU_KEY.fullmatch(" ".join(key.split()))
    if not found:
        return None
    name, version, later = found["name"], found["version"], found["later"] == "+"
    if not version:
        version, later = _FIRST_VERSION[name], True
    version = version if "." in version else f"{version}.0"
    identifier = f"{name.upper()}-{version}-{'or-later' if later else 'only'}"
    return identifier if identifier in SPDX_IDS else None


_GNU_KEY = re.compile(r"(?P<name>a?gpl|lgpl|gfdl) ?-?(?P<version>\d(?:\.\d)?)?(?:\.0)? ?(?P<later>\+|only)?(?: \1)?")
