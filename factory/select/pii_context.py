"""What stands around a candidate, and values that everybody prints: what tells data from look-alikes.

Design: words before a candidate are looked for in a short window, never across it, so cost is bounded whatever
the text; placeholders in the window say nothing, else masking once would change what is found next. Published
examples (card networks' test numbers, documentation ranges, canonical ids of standards) are nobody's data.
"""

from __future__ import annotations

import re

from factory.select.pii_kinds import PLACEHOLDER

WINDOW = 48
"""Characters before a candidate in which a word of context counts: a label and a few words of a sentence."""

_LONGEST_PLACEHOLDER = 32


def before(text: str, start: int, width: int = WINDOW) -> str:
    """The `width` characters before `start`, placeholders blanked, lower case."""
    wide = text[max(0, start - width - _LONGEST_PLACEHOLDER) : start]
    if "<" in wide:
        wide = PLACEHOLDER.sub(lambda found: " " * len(found[0]), wide)
    return wide[-width:].lower()


def says(words: re.Pattern[str], text: str, start: int, width: int = WINDOW) -> bool:
    """Whether a word of context stands before `start`."""
    return words.search(before(text, start, width)) is not None


def dull(digits: str) -> bool:
    """Counting up or down, or hardly any different digits: an example, a ruler, binary; nobody's number."""
    return len(set(digits)) <= 2 or digits in _UP or digits in _DOWN or digits[1:] in _UP


_UP = "0123456789" * 3
_DOWN = _UP[::-1]

PUBLISHED_EXAMPLES = frozenset(
    {
        # Test numbers of card networks and payment services.
        "4111111111111111", "4242424242424242", "4012888888881881", "4000056655665556", "5555555555554444",
        "5105105105105100", "2223003122003222", "5200828282828210", "378282246310005", "371449635398431",
        "378734493671000", "6011111111111117", "6011000990139424", "3530111333300000", "3566002020360505",
        "30569309025904", "38520000023237", "4000000000000002", "4222222222222", "5454545454545454",
        # IBANs of the registry's and encyclopaedias' examples.
        "DE89370400440532013000", "GB82WEST12345698765432", "GB29NWBK60161331926819", "FR1420041010050500013M02606",
        "ES9121000418450200051332", "IT60X0542811101000000123456", "NL91ABNA0417164300", "CH9300762011623852957",
        "AT611904300234573201", "BE68539007547034", "FR7630006000011234567890189", "ES7921000813610123456789",
        # Ids that laws, standards and wallets print as examples.
        "078051120", "219099999", "123456789", "987654320", "457555462", "AB123456C", "QQ123456C", "00000000T",
        "12345678Z", "X1234567L", "RSSMRA85T10A562S", "RSSMRA80A01H501U", "111222333", "123456782", "12345678909",
        "52998224725", "9434765919", "4505577104", "44051401359", "131052-308T", "7569217076985", "86095742719",
        "47036892816", "255081416802538", "11010519491231002X", "046454286", "811228-9874", "8112289874",
        "123412341234", "234123412346",
        # Public resolvers and anycast services, printed in every network tutorial.
        "8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "149.112.112.112", "208.67.222.222", "208.67.220.220",
        "4.2.2.1", "4.2.2.2", "2001:4860:4860::8888", "2001:4860:4860::8844", "2606:4700:4700::1111",
        "2606:4700:4700::1001", "2620:fe::fe",
    }
)  # fmt: skip
"""Without separators, upper case."""

CALLS = re.compile(
    r"\b(?:tel|telefon\w*|telephone|phone\w*|fon|fone|mobiles?|mobil\w*|handy\w*|cell\w*|fax\w*|dial|sms|whatsapp|signal"
    r"|anruf\w*|rufnummer\w*|ruf|t[ée]l[ée]phone|t[ée]l|portable|hotline|durchwahl|appele[rz]|joindre|erreich\w+"
    r"|contact\w*|reach|call (?:me|us|him|her|them|now|at|on)|ring (?:me|us|him|her)|text (?:me|us|him|her))\b"
    r"|[☎✆📞📱☏]"
)
PART_NUMBERS = re.compile(
    r"\b(?:isbn|issn|doi|version|serial|part|order|sku|ticket|invoice|ref|reference|model|item|bug|issue|build|rev"
    r"|revision|patent|catalog|case|product|batch|lot|zip|plz|id)(?: (?:no|nr|number|code|#))?\W{0,3}\Z"
)
CARDS = re.compile(
    r"card|karte|carte\b|carta\b|tarjeta|\b(?:visa|master|amex|american express|discover|diners|jcb|maestro|cc|pan)\b"
    r"|credit|debit|kredit|payment|paid with"
)
ADDRESSES = re.compile(
    r"\b(?:ip|ipv4|ipv6|address|addr|host\w*|server|ping\w*|from|inet6?|dns|nameserver|route|gateway|client|remote|peer"
    r"|connect\w*|visitor|banned?|block\w*|attack\w*|traceroute|x-forwarded-for)\b[^\w\n]{0,3}"
    r"(?:\S{1,20} )?\Z"
)
VERSIONS = re.compile(
    r"(?:\b(?:v|ver|versions?|release|rel|kernel|firmware|build|linux|python|java|php|openssl|driver|package|pkg|oid"
    r"|section|chapter|table|figure|fig|sec|rule|clause|update|patch|sdk|api|software|asa|ios|jdk|jre)\b\.?|§|[=<>~]=|\^)"
    r"\W{0,2}\Z"
)
