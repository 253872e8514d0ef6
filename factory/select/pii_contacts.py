"""Telephone numbers and IP addresses: what makes a candidate one, and what only looks like it.

Design: a check gets a regex match and gives the span to mask, or None. Numbers reserved for fiction (NANPA 555-01xx,
Ofcom's and ARCEP's drama ranges) and addresses that are not globally reachable (IANA special-purpose registries) are
nobody's. Formats that occur for other reasons too need a word of context before them.
"""

from __future__ import annotations

import ipaddress
import re
from itertools import pairwise

from factory.select.pii_context import (
    ADDRESSES,
    CALLS,
    PART_NUMBERS,
    PUBLISHED_EXAMPLES,
    VERSIONS,
    before,
    dull,
    says,
)

Span = tuple[int, int]
Match = re.Match[str]


def _digits(text: str) -> str:
    return "".join(filter("0123456789".__contains__, text))


_COUNTRY_CODES = {
    "1": (10, 10), "7": (10, 10), "20": (8, 10), "27": (9, 9), "30": (10, 10), "31": (9, 9), "32": (8, 9),
    "33": (9, 9), "34": (9, 9), "36": (8, 9), "39": (8, 11), "40": (9, 9), "41": (9, 9), "43": (7, 13),
    "44": (9, 10), "45": (8, 8), "46": (7, 10), "47": (8, 8), "48": (9, 9), "49": (7, 12), "51": (8, 9),
    "52": (10, 11), "53": (8, 8), "54": (10, 11), "55": (10, 11), "56": (9, 9), "57": (8, 10), "58": (10, 10),
    "60": (8, 10), "61": (9, 9), "62": (8, 12), "63": (8, 10), "64": (8, 10), "65": (8, 8), "66": (8, 9),
    "81": (9, 10), "82": (8, 10), "84": (9, 10), "86": (10, 11), "90": (10, 10), "91": (10, 10), "92": (9, 10),
    "93": (9, 9), "94": (9, 9), "95": (7, 10), "98": (10, 10), "352": (6, 9), "354": (7, 7), "358": (6, 11),
}  # fmt: skip
_OTHER_CODES = re.compile(
    r"21[12368]|22\d|23\d|24\d|25[0-8]|26\d|29[01789]|35[13567890]|37\d|38\d|42[013]|50\d|59\d|6[7-9]\d|85[0256]|88[06]|96\d|97\d|99[2-8]"
)
"""ITU-T E.164: digits of a national number by country code; the codes of three digits have 7 to 10."""

_FICTION = re.compile(
    r"1?\d{3}55501\d\d|(?:44|0)?(?:1632960|7700900|2079460|1134960|1144960|1154960|1164960|1174960|1184960|1214960"
    r"|1314960|1414960|1514960|1614960|1914980|2896496|2920180)\d{3}|(?:33|0)?(?:19900|26191|35301|46571|53649|63998)\d{4}"
)


def international_phone(found: Match) -> Span | None:
    text = found[0].replace("(0)", "")
    if found.string[found.start() - 1 : found.start()] == "=" and not says(CALLS, found.string, found.start()):
        return None  # x=+4512345678
    digits = _digits(_AFTER_NUMBER.split(text)[0]).removeprefix("00" if text.startswith("00") else "")
    if _FICTION.fullmatch(digits) or dull(digits[2:]):
        return None
    if text.startswith("00") and not says(CALLS, found.string, found.start()):
        return None
    for length in (1, 2, 3):
        code, rest = digits[:length], digits[length:].removeprefix("0")
        bounds = _COUNTRY_CODES.get(code) or ((7, 10) if length == 3 and _OTHER_CODES.fullmatch(code) else None)
        if bounds and bounds[0] <= len(rest) <= bounds[1]:
            opened = found.string[found.start() - 1 : found.start()] == "(" and ")" in found[0].partition("(")[0]
            span = (found.start() - opened, found.end())
            return span if code != "1" or _north_american(rest) else None
    return None


_AFTER_NUMBER = re.compile(r"\s?[x#e]")
"""Where the extension begins."""


def _north_american(digits: str) -> bool:
    """NANP: neither area code nor exchange begins with 0 or 1, nor is an N11 service code."""
    area, exchange = digits[:3], digits[3:6]
    return area[0] > "1" and exchange[0] > "1" and area[1:] != "11" and exchange[1:] != "11"


def american_phone(found: Match) -> Span | None:
    text, start = found.string, found.start()
    digits = _digits(_AFTER_NUMBER.split(found[0])[0])[-10:]
    if not _north_american(digits) or _FICTION.fullmatch(digits) or dull(digits):
        return None
    if says(CALLS, text, start):
        return found.span()
    strong = "(" in found[0] or "-" in found[0]
    return found.span() if strong and not says(PART_NUMBERS, text, start) else None


_BRITISH_FORMAT = re.compile(
    r"07\d{3} (?:\d{6}|\d{3} \d{3})|\(?02\d\)?[ -]\d{4}[ -]\d{4}|\(?01(?:1\d|\d1)\)?[ -]\d{3}[ -]\d{4}"
    r"|\(?01\d{3}\)?[ -](?:\d{5,6}|\d{3}[ -]\d{3})"
)


def british_phone(found: Match) -> Span | None:
    digits = _digits(found[0])
    if len(digits) not in (10, 11) or _FICTION.fullmatch(digits) or dull(digits) or set(digits) <= {"0", "1", "2"}:
        return None
    span = _without_parenthesis(found)
    usual = _BRITISH_FORMAT.fullmatch(found.string, *span) and not says(PART_NUMBERS, found.string, span[0])
    return span if usual or says(CALLS, found.string, span[0]) else None


def _without_parenthesis(found: Match) -> Span:
    """The match; without an opening parenthesis that is of the sentence, not of the area code."""
    alone = found[0].startswith("(") and ")" not in found[0]
    return found.start() + alone, found.end()


def french_phone(found: Match) -> Span | None:
    digits = _digits(found[0])
    pairs = [int(digits[place : place + 2]) for place in range(0, 10, 2)]
    steps = {later - earlier for earlier, later in pairwise(pairs)}
    # 01 02 03 04 05 counts; 00 and ff next to it make it a hex dump.
    if len(steps) == 1 or _FICTION.fullmatch(digits) or dull(digits):
        return None
    return None if _HEX_PAIR.search(before(found.string, found.start(), 3)) else found.span()


_HEX_PAIR = re.compile(r"(?:^|[\W])[0-9a-f]{2}[ .-]?\Z")


def phone_in_context(found: Match) -> Span | None:
    digits = _digits(found[0])
    if not 7 <= len(digits) <= 13 or dull(digits) or _FICTION.fullmatch(digits):
        return None
    return _without_parenthesis(found) if says(CALLS, found.string, found.start(), 32) else None


def labelled_phone(found: Match) -> Span | None:
    """Right after its name any telephone number counts, however the country writes it."""
    digits = _digits(found["number"])
    return None if dull(digits) or _FICTION.fullmatch(digits) else found.span("number")


def ipv4(found: Match) -> Span | None:
    text, start, value = found.string, found.start(), found[0]
    octets = value.split(".")
    if any((len(octet) > 1 and octet[0] == "0") or int(octet) > 255 for octet in octets):
        return None
    steps = {int(later) - int(earlier) for earlier, later in pairwise(octets)}
    if (
        len(steps) == 1
        or value in PUBLISHED_EXAMPLES
        or octets[3] in ("0", "255")
        or _is_network(text, found.end(), 32)
    ):
        return None
    address = ipaddress.IPv4Address(value)
    if not address.is_global or value.startswith("192.0.0.") or address.is_multicast or says(VERSIONS, text, start, 24):
        return None
    if text[start - 1 : start] == "/" and text[start - 2 : start] != "//":
        return None  # Chrome/91.0.44.12
    looks_like_version = all(int(octet) < 64 for octet in octets) or _HEADING.match(text, found.end())
    return None if looks_like_version and not says(ADDRESSES, text, start) else found.span()


_HEADING = re.compile(r"\.?[ \t]+[A-Z]")
"""What follows the number of a section."""


def ipv6(found: Match) -> Span | None:
    value = found[0]
    try:
        address = ipaddress.IPv6Address(value)
    except ValueError:
        return None
    documentation = value.lower().startswith(("2001:db8:", "3fff:"))  # RFC 3849, RFC 9637
    if documentation or not address.is_global or value.lower() in PUBLISHED_EXAMPLES or value.endswith("::"):
        return None
    return None if _is_network(found.string, found.end(), 128) else found.span()


def _is_network(text: str, end: int, bits: int) -> bool:
    """Whether a prefix length follows that names more than one address."""
    length = _PREFIX_LENGTH.match(text, end)
    return length is not None and int(length[1]) < bits


_PREFIX_LENGTH = re.compile(r"/(\d{1,3})(?!\w|\.\d)")
