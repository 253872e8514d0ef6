"""Synthetic personal data of every kind, drawn at random: nobody's, but formed like somebody's.

Numbers with a check digit are drawn until the check accepts them; the checks themselves are held against published
examples in test_pii_checksums.py. A value says whether it needs its name in front, as weak formats do.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from typing import NamedTuple

from factory.select import pii_checksums as sums


class Value(NamedTuple):
    text: str
    needs_label: bool = False


Draw = Callable[[random.Random], Value]

FIRST = [
    "anna",
    "bjorn",
    "carla",
    "dmitri",
    "elena",
    "farid",
    "grace",
    "henrik",
    "ines",
    "jamal",
    "katarzyna",
    "liam",
    "mei",
    "noah",
    "olga",
    "pedro",
    "ravi",
    "sofia",
]
LAST = [
    "okafor",
    "lindqvist",
    "moreau",
    "schneider",
    "rossi",
    "novak",
    "tanaka",
    "garcia",
    "murphy",
    "ivanova",
    "haddad",
    "silva",
    "jansen",
    "kowalski",
]
WORDS = [
    "northwind",
    "bluefin",
    "harbour",
    "maple",
    "quartz",
    "lantern",
    "velvet",
    "copper",
    "juniper",
    "falcon",
    "meridian",
    "cobalt",
    "thistle",
    "ember",
]
MAIL_DOMAINS = ("com", "org", "net", "de", "fr", "co.uk", "io", "edu", "info", "es", "it", "se", "com.br", "tech")
UPPER_AND_DIGITS = string.ascii_uppercase + "234567"
WORD_CHARACTERS = string.ascii_letters + string.digits


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def accepted(rng: random.Random, draw: Callable[[], str], valid: Callable[[str], bool]) -> str:
    while not valid(value := draw()):
        pass
    return value


def grouped(text: str, sizes: tuple[int, ...], gap: str) -> str:
    parts, place = [], 0
    for size in sizes:
        parts.append(text[place : place + size])
        place += size
    return gap.join(parts)


def some(rng: random.Random, alphabet: str, low: int, high: int | None = None) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(low, high or low)))


def email(rng: random.Random) -> Value:
    first, last, place = rng.choice(FIRST), rng.choice(LAST), rng.choice(WORDS)
    local = rng.choice(
        [
            f"{first}.{last}",
            f"{first[0]}{last}",
            f"{first}_{last}",
            f"{first}{rng.randint(2, 99)}",
            f"{last}+list",
            f"{first.title()}.{last.title()}",
            f"{first}-{last}",
        ]
    )
    domain = f"{place}{rng.choice(['', '-group', 'lab', '.mail'])}.{rng.choice(MAIL_DOMAINS)}"
    if rng.random() < 0.1:
        dotted = domain.replace(".", rng.choice([".", " [dot] ", " (dot) "]))
        return Value(f"{local} {rng.choice(['(at)', '[at]', '[AT]'])} {dotted}")
    return Value(f"{local}@{domain}")


def phone(rng: random.Random) -> Value:
    area, exchange = (
        f"{rng.choice('23456789')}{rng.choice('023456789')}{rng.choice('2345678')}",
        f"{rng.randint(212, 310)}",
    )
    line = digits(rng, 4)
    n = lambda count: digits(rng, count)  # noqa: E731
    lead = str(rng.randint(2, 9))
    return rng.choice(
        [
            Value(f"+1 ({area}) {exchange}-{line}"),
            Value(f"+1-{area}-{exchange}-{line}"),
            Value(f"+1{area}{exchange}{line}"),
            Value(f"({area}) {exchange}-{line}"),
            Value(f"{area}-{exchange}-{line}"),
            Value(f"1-{area}-{exchange}-{line}"),
            Value(f"{area}.{exchange}.{line}", True),
            Value(f"{area} {exchange} {line}", True),
            Value(f"+44 20 7{n(3)} {n(4)}"),
            Value(f"+44 (0)20 8{n(3)} {n(4)}"),
            Value(f"+4478{n(8)}"),
            Value(f"078{n(2)} {n(6)}"),
            Value(f"020 8{n(3)} {n(4)}"),
            Value(f"0161 {lead}{n(2)} {n(4)}"),
            Value(f"078{n(8)}", True),
            Value(f"+49 30 {lead}{n(6)}"),
            Value(f"+49 (0) 151 {lead}{n(7)}"),
            Value(f"+49-89-{lead}{n(5)}"),
            Value(f"030 {lead}{n(6)}", True),
            Value(f"0151/{lead}{n(7)}", True),
            Value(f"(089) {lead}{n(6)}", True),
            Value(f"0221-{lead}{n(6)}", True),
            Value(f"+33 6 {n(2)} {n(2)} {n(2)} {n(2)}"),
            Value(f"06 {lead}{n(1)} {n(2)} {n(2)} {n(2)}"),
            Value(f"01.4{n(1)}.{n(2)}.{n(2)}.{n(2)}"),
            Value(f"+336{n(8)}"),
            Value(f"+34 6{n(2)} {n(3)} {n(3)}"),
            Value(f"+31 6 {lead}{n(7)}"),
            Value(f"+91 98{n(3)} {n(5)}"),
            Value(f"+39 06 {lead}{n(3)} {n(4)}"),
            Value(f"+46 70 {n(3)} {n(2)} {n(2)}"),
            Value(f"+41 44 {n(3)} {n(2)} {n(2)}"),
            Value(f"+81 3 {lead}{n(3)} {n(4)}"),
            Value(f"+55 11 9{n(4)}-{n(4)}"),
            Value(f"0049 30 {lead}{n(6)}", True),
        ]
    )


def credit_card(rng: random.Random) -> Value:
    prefix, length = rng.choice(
        [
            ("4", 16),
            ("4", 16),
            ("5" + rng.choice("12345"), 16),
            ("2" + str(rng.randint(300, 699)), 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("65", 16),
            ("3530", 16),
            ("36", 14),
        ]
    )
    number = accepted(rng, lambda: prefix + digits(rng, length - len(prefix)), sums.luhn)
    if rng.random() < 0.35:
        return Value(number, True)
    sizes = {16: (4, 4, 4, 4), 15: (4, 6, 5), 14: (4, 6, 4)}[length]
    return Value(grouped(number, sizes, rng.choice(" -")))


def iban(rng: random.Random) -> Value:
    country, form = rng.choice(
        [
            ("DE", "n" * 18),
            ("GB", "aaaa" + "n" * 14),
            ("FR", "n" * 23),
            ("ES", "n" * 20),
            ("IT", "a" + "n" * 22),
            ("NL", "aaaa" + "n" * 10),
            ("CH", "n" * 17),
            ("AT", "n" * 16),
            ("BE", "n" * 12),
            ("PL", "n" * 24),
            ("SE", "n" * 20),
            ("MT", "aaaa" + "n" * 23),
        ]
    )
    account = "".join(rng.choice(string.digits if one == "n" else string.ascii_uppercase) for one in form)
    check = 98 - int("".join(str(int(c, 36)) for c in f"{account}{country}00")) % 97
    text = f"{country}{check:02d}{account}"
    return Value(" ".join(text[i : i + 4] for i in range(0, len(text), 4)) if rng.random() < 0.6 else text)


def us_ssn(rng: random.Random) -> Value:
    area = rng.choice([rng.randint(100, 665), rng.randint(667, 899)])
    parts = (f"{area}", f"{rng.randint(1, 99):02d}", f"{rng.randint(1, 9999):04d}")
    return rng.choice(
        [Value("-".join(parts)), Value("-".join(parts)), Value(" ".join(parts), True), Value("".join(parts), True)]
    )


def uk_nino(rng: random.Random) -> Value:
    letters = accepted(
        rng,
        lambda: rng.choice("ABCEGHJKLMNOPRSTWXYZ") + rng.choice("ABCEGHJKLMNPRSTWXYZ"),
        lambda pair: pair not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"),
    )
    number, end = digits(rng, 6), rng.choice("ABCD")
    spaced = grouped(number, (2, 2, 2), " ")
    return rng.choice([Value(f"{letters} {spaced} {end}"), Value(f"{letters}{number}{end}", True)])


def es_dni(rng: random.Random) -> Value:
    number = f"{rng.randint(10**7, 99_999_999)}"
    return Value(number + rng.choice(["", "-", " "]) + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23])


def es_nie(rng: random.Random) -> Value:
    first, number = rng.choice("XYZ"), digits(rng, 7)
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int(f"{'XYZ'.index(first)}{number}") % 23]
    return Value(rng.choice([f"{first}{number}{letter}", f"{first}-{number}-{letter}"]))


def de_tax_id(rng: random.Random) -> Value:
    def draw() -> str:
        ten = rng.sample(string.digits, 9)
        ten.insert(rng.randint(1, 9), rng.choice(ten))
        return "".join(ten) + digits(rng, 1)

    number = accepted(rng, draw, sums.german_tax_id)
    return Value(rng.choice([number, grouped(number, (2, 3, 3, 3), " ")]), True)


def fr_nir(rng: random.Random) -> Value:
    department = rng.choice([f"{rng.randint(1, 95):02d}", "2A", "2B"])
    born = f"{rng.choice('12')}{rng.randint(0, 99):02d}{rng.randint(1, 12):02d}"
    body = f"{born}{department}{rng.randint(1, 990):03d}{rng.randint(1, 999):03d}"
    key = f"{97 - int(body.replace('2A', '19').replace('2B', '18')) % 97:02d}"
    spaced = grouped(body + key, (1, 2, 2, 2, 3, 3, 2), " ")
    return Value(rng.choice([body + key, spaced]))


def it_fiscal_code(rng: random.Random) -> Value:
    letters = "BCDFGLMNPRSTVZ"
    born = f"{rng.randint(30, 99)}{rng.choice('ABCDEHLMPRST')}{rng.randint(1, 31):02d}"
    body = f"{some(rng, letters, 6)}{born}{rng.choice('ABCDEFGHL')}{digits(rng, 3)}"
    return Value(next(body + end for end in string.ascii_uppercase if sums.italian_fiscal_code(body + end)))


def by_check(
    length: int, valid: Callable[[str], bool], *forms: Callable[[str], str], first: str = string.digits
) -> Draw:
    """A number that counts only after its name."""

    def draw(rng: random.Random) -> Value:
        number = accepted(rng, lambda: rng.choice(first) + digits(rng, length - 1), valid)
        return Value(rng.choice([str, *forms])(number), True)

    return draw


def be_nrn(rng: random.Random) -> Value:
    year, month, day = rng.randint(40, 99), rng.randint(1, 12), rng.randint(1, 28)
    born = f"{year:02d}{month:02d}{day:02d}{rng.randint(1, 997):03d}"
    key = f"{97 - int(born) % 97:02d}"
    return Value(f"{born[:2]}.{born[2:4]}.{born[4:6]}-{born[6:9]}.{key}")


def se_pnr(rng: random.Random) -> Value:
    born = f"{rng.randint(0, 99):02d}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    number = accepted(rng, lambda: born + digits(rng, 4), sums.luhn)
    return Value(rng.choice([f"{number[:6]}-{number[6:]}", f"19{number[:6]}-{number[6:]}", number]), True)


def pl_pesel(rng: random.Random) -> Value:
    born = f"{rng.randint(0, 99):02d}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    return Value(accepted(rng, lambda: born + digits(rng, 5), sums.polish_pesel), True)


def fi_hetu(rng: random.Random) -> Value:
    born = f"{rng.randint(1, 28):02d}{rng.randint(1, 12):02d}{rng.randint(0, 99):02d}"
    number = f"{rng.randint(2, 899):03d}"
    return Value(f"{born}{rng.choice('-A')}{number}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(born + number) % 31]}")


def ch_ahv(rng: random.Random) -> Value:
    number = accepted(rng, lambda: "756" + digits(rng, 10), sums.swiss_number)
    return Value(rng.choice([number, grouped(number, (3, 4, 4, 2), ".")]))


def br_cpf(rng: random.Random) -> Value:
    number = accepted(rng, lambda: digits(rng, 11), sums.brazilian_cpf)
    return rng.choice([Value(f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}"), Value(number, True)])


def cn_ric(rng: random.Random) -> Value:
    born = f"{rng.randint(1950, 2009)}{rng.randint(1, 12):02d}{rng.randint(1, 28):02d}"
    body = f"{rng.choice(['110101', '310104', '440305', '510107'])}{born}{digits(rng, 3)}"
    return Value(next(body + end for end in "0123456789X" if sums.chinese_id(body + end)))


def ip_address(rng: random.Random) -> Value:
    if rng.random() < 0.3:
        groups = [f"{rng.randint(1, 65535):x}" for _ in range(7)]
        rest = rng.choice(
            [":".join(groups), f"{groups[0]}::{groups[1]}", f"{groups[0]}:{groups[1]}::{groups[2]}:{groups[3]}"]
        )
        return Value(f"2a0{rng.randint(1, 9)}:{rest}")
    return Value(
        f"{rng.choice([31, 46, 62, 78, 84, 93, 109, 151, 178, 185, 194, 212])}.{rng.randint(65, 254)}"
        f".{rng.randint(1, 254)}.{rng.randint(1, 254)}"
    )
