"""Patterns of cards, accounts and national ids: numbers that carry a check digit or need a word of context.

Design: as in pii_patterns.py. A number whose format and check leave hardly any chance match counts wherever it
stands; one with a weaker check, or none, counts after a word that names it. Values printed as examples by laws,
standards and payment services are nobody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from factory.select import pii_checksums as sums
from factory.select.pii_context import CARDS, PART_NUMBERS, PUBLISHED_EXAMPLES, dull, says
from factory.select.pii_patterns import GAP, Check, Pattern, Span, standing_alone


def number(valid: Callable[[str], bool], context: str | None = None) -> Check:
    """A number that passes `valid` without its separators, after one of the words of `context` where given."""
    words = re.compile(context) if context else None

    def check(found: re.Match[str]) -> Span | None:
        value = _SEPARATORS.sub("", found[0]).upper()
        if value in PUBLISHED_EXAMPLES or dull(value) or not valid(value):
            return None
        return found.span() if words is None or says(words, found.string, found.start()) else None

    return check


_SEPARATORS = re.compile(r"[^0-9A-Za-z]+")


def _card(value: str) -> bool:
    return sums.card_issuer(value) and sums.luhn(value)


def _plain_card(found: re.Match[str]) -> Span | None:
    """Without separators one in forty 16-digit numbers looks like a card: a word of context before or after."""
    if number(_card)(found) is None:
        return None
    near = found.string[found.end() : found.end() + 40].lower()
    stated = says(CARDS, found.string, found.start(), 64) or _EXPIRY.search(near)
    return found.span() if stated else None


_EXPIRY = re.compile(r"\b(?:exp\w*|valid|cvv2?|cvc2?|gültig)\b|\b(?:0[1-9]|1[0-2])/(?:20)?[2-4]\d\b")


def _iban(found: re.Match[str]) -> Span | None:
    """As many characters as the country's IBANs have, whatever follows."""
    text, start = found.string, found.start()
    length = sums.IBAN_LENGTHS.get(found[0][:2])
    taken = [place for place, character in enumerate(found[0]) if character.isalnum()][:length]
    if length is None or len(taken) < length:
        return None
    end = start + taken[-1] + 1
    value = "".join(found[0][place] for place in taken)
    if text[end : end + 1].isalnum() or value in PUBLISHED_EXAMPLES or not sums.iban(value):
        return None
    return start, end


def _ssn(found: re.Match[str]) -> Span | None:
    """There is no check digit: dashes where they belong, or the name of the number before it."""
    value = _SEPARATORS.sub("", found[0])
    if value in PUBLISHED_EXAMPLES or dull(value):
        return None
    if says(_SSN_WORDS, found.string, found.start()):
        return found.span()
    return found.span() if found["gap"] == "-" and not says(PART_NUMBERS, found.string, found.start()) else None


_SSN_WORDS = re.compile(r"\bssns?\b|social security|\bss ?(?:#|no)")


def _nie(value: str) -> bool:
    return sums.spanish_letter(f"{'XYZ'.index(value[0])}{value[1:8]}", value[8])


def _personnummer(value: str) -> bool:
    return sums.is_date(value[-10:-4]) and sums.luhn(value[-10:])


def _hetu(found: re.Match[str]) -> Span | None:
    return found.span() if found[0] not in PUBLISHED_EXAMPLES and sums.finnish_code(found[0]) else None


_SSN = standing_alone("[0-8]", r"(?<!000)[0-9]{2}(?<!000)(?<!666)(?P<gap>[ \-]?)(?!00)[0-9]{2}(?P=gap)(?!0000)[0-9]{4}")
_NINO = "(?<!BG)(?<!GB)(?<!NK)(?<!KN)(?<!TN)(?<!NT)(?<!ZZ)"
_OMOCODE = "[0-9LMNPQRSTUVlmnpqrstuv]"
"""Italian codes that would be equal get letters in place of some digits."""

NUMBERS = (
    Pattern(
        "iban",
        re.compile("[A-Z](?<!\\w[A-Z])[A-Z][0-9]{2}(?:[ \u00a0\\-]?[A-Z0-9]){11,30}"),
        _iban,
        digits=True,
    ),
    Pattern(
        "credit_card",
        standing_alone(
            "[2-6]",
            rf"(?<![0-9][ \-\u00a0][2-6])[0-9]{{3}}(?P<gap>{GAP}|-)[0-9]{{4}}(?P=gap)[0-9]{{4}}(?P=gap)[0-9]{{4}}"
            r"(?!(?P=gap)[0-9])"
            rf"|(?<=3)[47][0-9]{{2}}({GAP}|-)[0-9]{{6}}\2[0-9]{{5}}|(?<=3)[0689][0-9]{{2}}({GAP}|-)[0-9]{{6}}\3[0-9]{{4}}",
        ),
        number(_card),
        digits=True,
    ),
    Pattern(
        "credit_card",
        standing_alone("[2-6]", "[0-9]{11,18}"),
        _plain_card,
        words=(
            "card", "karte", "carte", "carta", "tarjeta", "visa", "master", "amex", "american express", "discover",
            "diners", "jcb", "maestro", "credit", "debit", "payment", "cvv", "cvc", "exp", "pan", "/2",
        ),
        digits=True,
    ),
    Pattern("us_ssn", _SSN, _ssn, literals=("-",), digits=True),
    Pattern("us_ssn", _SSN, _ssn, words=("ssn", "social security", "ss#", "ss #", "ss no"), digits=True),
    Pattern(
        "uk_nino",
        standing_alone(
            "[A-CEGHJ-PR-TW-Z]",
            rf"[A-CEGHJ-NPR-TW-Z]{_NINO}(?P<gap>[ \-])[0-9]{{2}}(?P=gap)[0-9]{{2}}(?P=gap)[0-9]{{2}}(?P=gap)?[A-D]",
        ),
        number(lambda value: True),
    ),
    Pattern(
        "uk_nino",
        standing_alone("[A-CEGHJ-PR-TW-Z]", rf"[A-CEGHJ-NPR-TW-Z]{_NINO} ?[0-9]{{6}} ?[A-D]"),
        number(lambda value: True, r"\bni(?:no)?\b|national insurance|\bn\.i\."),
        words=("nino", "national insurance", "ni n", "ni:", "n.i."),
    ),
    Pattern(
        "uk_nhs",
        standing_alone("[0-9]", r"[0-9]{2}(?P<gap>[ \-]?)[0-9]{3}(?P=gap)[0-9]{4}"),
        number(sums.nhs_number, r"\bnhs\b|health service"),
        words=("nhs", "health service"),
        digits=True,
    ),
    Pattern(
        "es_dni",
        standing_alone("[0-9]", "[0-9]{7}[- ]?[A-HJ-NP-TV-Z]"),
        number(lambda value: sums.spanish_letter(value[:8], value[8])),
        digits=True,
    ),
    Pattern("es_nie", standing_alone("[XYZ]", "[- ]?[0-9]{7}[- ]?[A-HJ-NP-TV-Z]"), number(_nie), digits=True),
    Pattern(
        "de_tax_id",
        standing_alone("[1-9]", rf"[0-9](?:{GAP}?[0-9]{{3}}){{3}}"),
        number(sums.german_tax_id, r"steuer|\bidnr|\btin\b|tax id|\bst\.?-?id"),
        words=("steuer", "idnr", "tin", "tax id", "st-id", "stid"),
        digits=True,
    ),
    Pattern(
        "fr_nir",
        standing_alone(
            "[1-4]",
            r"[ .]?[0-9]{2}[ .]?(?:0[1-9]|1[0-2]|[2-9][0-9])[ .]?(?:[0-9]{2}|2[AB])[ .]?[0-9]{3}[ .]?[0-9]{3}"
            r"[ .\-/]{0,2}[0-9]{2}",
        ),
        number(sums.french_nir),
        digits=True,
    ),
    Pattern(
        "it_fiscal_code",
        standing_alone(
            "[A-Za-z]",
            f"[A-Za-z]{{5}}{_OMOCODE}{{2}}[ABCDEHLMPRSTabcdehlmprst]{_OMOCODE}{{2}}[A-Za-z]{_OMOCODE}{{3}}[A-Za-z]",
        ),
        number(sums.italian_fiscal_code),
        words=("fiscal", "c.f.", "codice", "cf:", "cf "),
    ),
    Pattern(
        "it_fiscal_code",
        standing_alone("[A-Z]", "[A-Z]{5}[0-9]{2}[ABCDEHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]"),
        number(sums.italian_fiscal_code),
        digits=True,
    ),
    Pattern(
        "nl_bsn",
        standing_alone("[0-9]", "[0-9]{2,3}[. ]?[0-9]{2}[. ]?[0-9]{3,4}"),
        number(lambda value: len(value) == 9 and sums.dutch_bsn(value), r"\bbsn\b|burgerservice|\bsofi"),
        words=("bsn", "burgerservice", "sofi"),
        digits=True,
    ),
    Pattern(
        "be_nrn",
        standing_alone("[0-9]", r"[0-9]\.[0-9]{2}\.[0-9]{2}-[0-9]{3}[.\-][0-9]{2}"),
        number(sums.belgian_number),
        literals=("-",),
        digits=True,
    ),
    Pattern(
        "pl_pesel",
        standing_alone("[0-9]", "[0-9]{10}"),
        number(sums.polish_pesel, "pesel"),
        words=("pesel",),
        digits=True,
    ),
    Pattern(
        "se_pnr",
        standing_alone("[0-9]", "[0-9]{5}(?:[0-9]{2})?[-+]?[0-9]{4}"),
        number(_personnummer, r"personn|person nr|\bpnr\b"),
        words=("personn", "person nr", "pnr"),
        digits=True,
    ),
    Pattern(
        "fi_hetu",
        standing_alone("[0-3]", "[0-9][01][0-9]{3}[-+ABCDEFYXWVU][0-9]{3}[0-9A-FHJ-NPR-Y]"),
        _hetu,
        digits=True,
    ),
    Pattern(
        "ch_ahv",
        standing_alone("7", r"56[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}"),
        number(sums.swiss_number),
        literals=("756",),
        digits=True,
    ),
    Pattern(
        "br_cpf",
        standing_alone("[0-9]", r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
        number(sums.brazilian_cpf),
        literals=("-",),
        digits=True,
    ),
    Pattern(
        "br_cpf",
        standing_alone("[0-9]", "[0-9]{10}"),
        number(sums.brazilian_cpf, r"\bcpf\b"),
        words=("cpf",),
        digits=True,
    ),
    Pattern(
        "in_aadhaar",
        standing_alone("[2-9]", r"[0-9]{3}(?P<gap>[ \-]?)[0-9]{4}(?P=gap)[0-9]{4}"),
        number(sums.verhoeff, r"aadha?ar|\buid(?:ai)?\b|आधार"),
        words=("aadhaar", "aadhar", "uid", "आधार"),
        digits=True,
    ),
    Pattern(
        "cn_ric",
        standing_alone("[1-8]", "[0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])[0-3][0-9][0-9]{3}[0-9Xx]"),
        number(sums.chinese_id),
        digits=True,
    ),
    Pattern(
        "ca_sin",
        standing_alone("[1-79]", r"[0-9]{2}(?P<gap>[ \-]?)[0-9]{3}(?P=gap)[0-9]{3}"),
        number(sums.luhn, r"\bsin\b|social insurance|\bnas\b"),
        words=("sin", "social insurance", "nas"),
        digits=True,
    ),
    Pattern(
        "au_tfn",
        standing_alone("[0-9]", r"[0-9]{2}(?P<gap>[ \-]?)[0-9]{3}(?P=gap)[0-9]{3}"),
        number(sums.australian_tfn, r"\btfn\b|tax file"),
        words=("tfn", "tax file"),
        digits=True,
    ),
)  # fmt: skip
