"""Statements of dosage in a text, and whether the passages say the same: amount, unit, rate, frequency, and of what.

Design: a statement is an amount with a unit of dosage (mg, ml, IU, tablets; per kilogram, per day) in a sentence that
is about giving or taking, or that names a medicine, or a frequency beside a verb of giving. Amounts in a laboratory
("25 ml of broth") are none. It is supported where a sentence of a passage states the same amount in the same unit (0.5
g is 500 mg) and rate, at the same frequency where one is stated, of the same medicine where one is named. What is
worked out from the passages is not in them, so it is not supported: a dose that nobody wrote down, nobody has checked.

Cost: docs/biomedical.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from factory.domains.biomedical.drug_names import Known, medicines_in
from factory.domains.biomedical.writing import SCALES, plain, sentences

UNITS: dict[str, tuple[str, Fraction]] = {}
"""Way of writing a unit -> what it measures, and how many of the smallest it is."""

_WRITTEN = {
    ("mass", Fraction(1, 1000)): "ng nanogram nanograms",
    ("mass", Fraction(1)): "μg ug mcg microgram micrograms microgramme microgrammes",
    ("mass", Fraction(10**3)): "mg mgs milligram milligrams milligramme milligrammes",
    ("mass", Fraction(10**6)): "g gm gms gram grams gramme grammes",
    ("volume", Fraction(1, 1000)): "μl ul microliter microliters microlitre microlitres",
    ("volume", Fraction(1)): "ml mls cc milliliter milliliters millilitre millilitres",
    ("volume", Fraction(10)): "cl centiliter centiliters centilitre centilitres",
    ("volume", Fraction(10**3)): "l liter liters litre litres",
    ("activity", Fraction(1)): "iu i.u. u unit units",
    ("activity", Fraction(10**6)): "miu mega-units megaunits",
    ("amount", Fraction(1, 1000)): "μmol umol micromole micromoles",
    ("amount", Fraction(1)): "mmol millimole millimoles",
    ("charge", Fraction(1)): "meq milliequivalent milliequivalents",
    ("tablets", Fraction(1)): "tablet tablets tab tabs pill pills caplet caplets",
    ("capsules", Fraction(1)): "capsule capsules",
    ("puffs", Fraction(1)): "puff puffs inhalation inhalations actuation actuations",
    ("drops", Fraction(1)): "drop drops",
    ("sprays", Fraction(1)): "spray sprays",
    ("teaspoons", Fraction(1)): "teaspoon teaspoons teaspoonful teaspoonfuls tsp",
    ("tablespoons", Fraction(1)): "tablespoon tablespoons tablespoonful tablespoonfuls tbsp",
    ("pieces", Fraction(1)): "ampoule ampoules ampule ampules vial vials sachet sachets lozenge lozenges patch patches "
    "suppository suppositories injection injections dose doses",
}
for (_kind, _size), _words in _WRITTEN.items():
    UNITS |= dict.fromkeys(_words.split(), (_kind, _size))

ALWAYS = frozenset({"tablets", "capsules", "puffs", "sprays", "teaspoons", "tablespoons"})
"""Units that nobody counts anything but medicine in."""

_PER = {
    "kg": "kg", "kilogram": "kg", "kilograms": "kg", "kilo": "kg", "m2": "m2", "m^2": "m2", "day": "day", "d": "day",
    "24h": "day", "hour": "hour", "h": "hour", "hr": "hour", "minute": "minute", "min": "minute", "week": "week",
    "dose": "", "l": "l", "liter": "l", "litre": "l", "dl": "dl", "deciliter": "dl", "decilitre": "dl", "ml": "ml",
    "milliliter": "ml", "millilitre": "ml",
}  # fmt: skip

_NUMBER = (
    r"(?:\d{1,6}/\d{1,6}|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:[.,]\d+)?)"
    r"(?: ?x ?10 ?\^? ?\d{1,4})?(?: (?:million|thousand|hundred))?"
)
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_RATE = "|".join(sorted(map(re.escape, _PER), key=len, reverse=True))
_AMOUNT = re.compile(
    rf"(?<![\w.,/^])(?P<numbers>{_NUMBER}(?: ?(?:-|to|or|and|up to|,) ?{_NUMBER}){{0,3}})[ -]?"
    rf"(?P<unit>{_UNIT})(?![\w^])"
    rf"(?P<rates>(?: ?(?:/|per\b|a\b|each\b|every\b|\.) ?(?:body ?weight )?(?:{_RATE})(?![\w^])){{0,3}})"
)
_FIND_NUMBER = re.compile(_NUMBER)
_FIND_RATE = re.compile(rf"(?:{_RATE})(?![\w^])")
_LETTER_FOR_DIGIT = re.compile(rf"\b(?=[oil]*\d)[\doil]+(?=[ -]?(?:{_UNIT})\b)")

_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_COUNT = r"(?:\d{1,6}|once|twice|thrice)"
_OFTEN = re.compile(
    rf"(?P<number>{_COUNT})(?: ?(?:x|times))? ?(?:-|to|or) ?(?P<upto>\d{{1,6}}) times "
    r"(?:a|per|each|every|/) ?(?P<of1>day|week|month)"
    rf"|(?P<times>{_COUNT})(?: ?x| times)?[ -](?:a|per|each|every)[ -](?P<of2>day|week|month)"
    rf"|(?P<ly>{_COUNT})(?: times)?[ -](?P<of3>daily|weekly|monthly)"
    r"|(?:every|each|q\.?) ?(?P<gap>\d{1,6})(?: ?(?:-|to) ?\d{1,6})? ?"
    r"(?P<gapof>hours?|hourly|h|hrs?|days?|weeks?|months?)\b"
    r"|\b(?P<gap2>\d{1,6})[ -]hourly\b"
    r"|\b(?P<latin>b\.?i\.?d|t\.?i\.?d|q\.?i\.?d|t\.?d\.?s|q\.?d\.?s|o\.?d|b\.?d)\b(?=[^a-z]|$)"
    r"|\b(?P<plain>daily|nightly|weekly|monthly|hourly|per day|a day|every day|each day|per week|a week|every week|"
    r"per hour|every hour|every morning|every night|every evening|at bedtime|every other day|on alternate days)\b"
)
_LATIN = {"bid": 2, "bd": 2, "tid": 3, "tds": 3, "qid": 4, "qds": 4, "od": 1}
_A_DAY = {"day": Fraction(1), "week": Fraction(1, 7), "month": Fraction(1, 30), "hour": Fraction(24)}
_PLAIN = {
    "weekly": "week", "per week": "week", "a week": "week", "every week": "week", "monthly": "month",
    "hourly": "hour", "per hour": "hour", "every hour": "hour",
}  # fmt: skip

_GIVING = re.compile(
    r"\b(?:dos(?:e|es|age|ages|ed|ing)|administ\w+|prescri\w+|inject\w*|infus\w+|inhal\w+|swallow\w*|ingest\w*|orally|oral|"
    r"intraven\w+|intramusc\w+|subcutan\w+|i\.?v\.?|i\.?m\.?|tak(?:e|es|en|ing)|giv(?:e|es|en|ing)|receiv\w+|medic\w+|drug|"
    r"drugs|patients?|adults?|child|children|infants?|therapy|treat\w*|daily|bolus|titrat\w+|you|your|vaccin\w+|insulin|"
    r"supplement\w*|overdos\w*)\b"
)
_TAKING = re.compile(
    r"\b(?:tak(?:e|es|en|ing)|giv(?:e|en|es|ing)|administ\w+|dos(?:e|es|ed|ing|age)|inject\w*|prescri\w+|"
    r"inhal\w+|swallow\w*|apply|applied|infus\w+)\b"
)


@dataclass(frozen=True)
class Statement:
    """`amount` is in the smallest unit of `kind` (`mass`: micrograms), None where only a frequency is stated; `rate` is
    what it is per ("kg", "day"), `often` the times a day of its sentence; `medicine` is what it is of."""

    sentence: str
    amount: Fraction | None
    kind: str
    rate: tuple[str, ...]
    often: frozenset[Fraction]
    medicine: str | None


def statements(text: str, known: Known, context: str = "") -> list[Statement]:
    """Statements of dosage in `text`. `context` is what came before it and says what it is about: the question."""
    about = bool(_GIVING.search(plain(context)))
    before = sorted(medicines_in(plain(context), known))
    last = before[0][1] if len({name for _, name in before}) == 1 else None
    found: list[Statement] = []
    for sentence in sentences(text):
        read = readable(sentence)
        named = medicines_in(read, known)
        often = frozenset(_frequencies(read))
        giving = about or bool(named) or bool(_GIVING.search(read)) or bool(often)
        amounts = [each for each in _AMOUNT.finditer(read) if giving or UNITS[each["unit"]][0] in ALWAYS]
        for each in amounts:
            medicine = _medicine_of(each, read, named) or last
            found += _stated(each, sentence, often, medicine)
        if not amounts and often and _TAKING.search(read):
            medicine = named[0][1] if named else last
            found.append(Statement(sentence, None, "", (), often, medicine))
        last = named[-1][1] if named else last
    return found


def unsupported(answer: Sequence[Statement], passages: Sequence[str], known: Known) -> list[Statement]:
    """The statements that no passage makes."""
    held = [each for passage in passages for each in said_in(passage, known)]
    return [each for each in answer if not any(_says(passage, each) for passage in held)]


@dataclass(frozen=True)
class Said:
    """A sentence of a passage: the amounts in it with the medicine each is of, its frequencies, and the words of it and
    of the sentence before."""

    amounts: frozenset[tuple[Fraction, str, tuple[str, ...], str | None]]
    often: frozenset[Fraction]
    words: frozenset[str]


def said_in(passage: str, known: Known) -> tuple[Said, ...]:
    return _said_in(passage, known)


@lru_cache(maxsize=512)
def _said_in(passage: str, known: Known) -> tuple[Said, ...]:
    found: list[Said] = []
    last, before = None, frozenset[str]()
    for sentence in sentences(passage):
        read = readable(sentence)
        named = medicines_in(read, known)
        words = frozenset(re.findall(r"[^\W\d_]+", read))
        amounts = set()
        for each in _AMOUNT.finditer(read):
            medicine = _medicine_of(each, read, named) or last
            amounts |= {(one.amount or Fraction(0), one.kind, one.rate, one.medicine)
                        for one in _stated(each, "", frozenset(), medicine)}  # fmt: skip
        found.append(Said(frozenset(amounts), frozenset(_frequencies(read)), words | before))
        last, before = (named[-1][1] if named else last), words
    return tuple(found)


def _says(passage: Said, wanted: Statement) -> bool:
    if not wanted.often <= passage.often:
        return False
    if wanted.amount is None:
        return wanted.medicine is None or wanted.medicine in passage.words
    same = [each[3] for each in passage.amounts if each[:3] == (wanted.amount, wanted.kind, wanted.rate)]
    if not same:
        return False
    if wanted.medicine is None or wanted.medicine in same:
        return True
    # A passage that names no medicine the pack knows beside the amount may still name this one.
    return None in same and wanted.medicine in passage.words


def readable(sentence: str) -> str:
    """`plain`, with the letter O for a zero and l or i for a one put right before a unit."""
    read = plain(sentence)
    return _LETTER_FOR_DIGIT.sub(lambda found: found.group().translate(_DIGITS), read)


_DIGITS = str.maketrans("oil", "011")


def without_amounts(text: str) -> str:
    """A text in lower case without amounts and frequencies, which can be written in many ways."""
    return _OFTEN.sub(" ", _AMOUNT.sub(" ", readable(text)))


def _stated(
    found: re.Match[str], sentence: str, often: frozenset[Fraction], medicine: str | None
) -> Iterator[Statement]:
    kind, size = UNITS[found["unit"]]
    rates = [_PER[each] for each in _FIND_RATE.findall(found["rates"] or "")]
    rate = tuple(sorted({each for each in rates if each not in ("", "day")}))  # "per day" is read as a frequency
    for number in _FIND_NUMBER.findall(found["numbers"]):
        yield Statement(sentence, _value(number) * size, kind, rate, often, medicine)


def _value(number: str) -> Fraction:
    """A number as written; a comma before three digits separates thousands, any other is a decimal one."""
    number, _, scale = (
        number.partition(" ") if number.endswith(("million", "thousand", "hundred")) else (number, "", "")
    )
    head, _, power = re.sub(r" ?x ?10 ?\^? ?", "e", number).partition("e")
    if "/" in head:
        above, below = head.split("/")
        value = Fraction(int(above), int(below) or 1)
    else:
        thousands = re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", head)
        value = Fraction(Decimal(head.replace(",", "" if thousands else ".", -1 if thousands else 1).replace(",", "")))
    scaled: Fraction = value * Fraction(10) ** min(int(power or 0), 30) * SCALES.get(scale, 1)
    return scaled


_NO_NAME_WORDS = """
dose doses dosage take taking about give given giving daily receive received total maximum minimum initial single with
than least most every oral orally then from over under until each only usual usually recommended typical starting
maintenance adult adults child children patient patients exceed exceeding approximately roughly around after before
their this that these those contains contain containing into between adding equals were being another further water
saline solution blood body weight urine plasma serum milk juice fluid liquid tablet tablets capsule medicine drug drugs
medication injected intravenously intramuscularly subcutaneously increased reduced which
"""
_NO_NAME = frozenset(_NO_NAME_WORDS.split())
"""Words beside an amount that are not what it is of."""

_OF = re.compile(
    r"^(?:[/ ]*(?:\w+ )?(?:tablets?|capsules?|dose|doses)?) ?of (?:the |oral |intravenous |liquid )*([^\W\d_]{4,})"
)
_WORD_BEFORE = re.compile(r"([^\W\d_]{4,})[ :(=,-]*(?:at |is |of |to )?$")


def _medicine_of(amount: re.Match[str], read: str, named: Sequence[tuple[int, str]]) -> str | None:
    """The medicine an amount is of: one that follows by "of", else the nearest before it, else the word beside it,
    else the first behind it."""
    follows = _OF.match(read[amount.end() : amount.end() + 60])
    if follows and (any(name == follows[1] for _, name in named) or follows[1] not in _NO_NAME):
        return follows[1]
    before = [name for place, name in named if place < amount.start()]
    if before:
        return before[-1]
    beside = _WORD_BEFORE.search(read[max(0, amount.start() - 40) : amount.start()])
    if not named and beside and beside[1] not in _NO_NAME and not _GIVING.fullmatch(beside[1]):
        return beside[1]
    return named[0][1] if named else None


def _frequencies(read: str) -> Iterator[Fraction]:
    for found in _OFTEN.finditer(read):
        if found["of1"]:
            for each in (found["number"], found["upto"]):
                yield Fraction(_TIMES.get(each) or Fraction(each)) * _A_DAY[found["of1"]]
        elif found["of2"]:
            yield Fraction(_TIMES.get(found["times"]) or int(found["times"])) * _A_DAY[found["of2"]]
        elif found["ly"]:
            of = {"daily": "day", "weekly": "week", "monthly": "month"}[found["of3"]]
            yield Fraction(_TIMES.get(found["ly"]) or int(found["ly"])) * _A_DAY[of]
        elif found["gap"] or found["gap2"]:
            unit = (found["gapof"] or "hours")[0]
            of = {"h": "hour", "d": "day", "w": "week", "m": "month"}[unit]
            yield _A_DAY[of] / (int(found["gap"] or found["gap2"]) or 1)
        elif found["latin"]:
            yield Fraction(_LATIN[found["latin"].replace(".", "")])
        elif found["plain"] in ("every other day", "on alternate days"):
            yield Fraction(1, 2)
        else:
            yield _A_DAY[_PLAIN.get(found["plain"], "day")]
