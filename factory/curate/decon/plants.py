"""Plants: benchmark items as they leak, made on purpose, so that what the rules find can be counted.

Design: a class is one way in which an item comes to lie in a dataset; each is a function of the item, a seeded draw and
the user's own text around it. Edited words are replaced by words of the benchmarks themselves, never a number by
something else: a changed number is another problem, and a class of its own. The same seed gives the same plants.

Cost: 8,000 plants of seven benchmarks in 1.3 s.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from factory.curate.decon.view import NUMBERS, view, viewed_words
from factory.curate.words import tokenise

LENGTHS = ((0, 8, "<8"), (8, 16, "8-15"), (16, 41, "16-40"), (41, 1 << 30, ">40"))
"""Classes of item length in words: from, below, name."""

EMBEDDED_WORDS = 60
"""Words of the user's own text on each side of an embedded item, at least."""

SHORTEST_TRUNCATED = 3
"""Items of fewer words leave one word when cut to 60 %."""


@dataclass(frozen=True)
class Source:
    """An item to plant: its place in the caller's list, its text, and the choices it offers, if any."""

    item: int
    text: str
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plant:
    """A planted row. `words` is the length of the item, as decontamination counts."""

    kind: str
    item: int
    words: int
    text: str


@dataclass(frozen=True)
class Material:
    """What plants are made from: words to put in, and rows to hide items among."""

    words: Sequence[str]
    rows: Sequence[str]


def length_class(words: int) -> str:
    return next(name for start, stop, name in LENGTHS if start <= words < stop)


def plants(sources: Sequence[Source], rows: Sequence[str], each: int, seed: int) -> Iterator[Plant]:
    """`each` plants of every class (fewer where not so many items fit it: without numbers, without choices), of items
    drawn without repeating while there are any. `rows` are clean texts of the user's."""
    lengths = view(tokenise([source.text for source in sources])).counts.tolist()
    material = Material(vocabulary(sources), rows)
    for kind, make in KINDS.items():
        draw = random.Random(f"{seed}:{kind}")
        order = draw.sample(range(len(sources)), len(sources))
        made = 0
        # One class after another, and no item twice in one: a second plant of it says nothing new.
        for place in order:
            if made == each:
                break
            text = make(sources[place], draw, material) if lengths[place] else None
            if text is not None:
                made += 1
                yield Plant(kind, sources[place].item, lengths[place], text)


def vocabulary(sources: Sequence[Source]) -> list[str]:
    """Words of the items, in order of the alphabet."""
    return sorted({word for source in sources[:20_000] for word in _WORD.findall(source.text)})


_WORD = re.compile(r"(?<![\w\\])[^\W\d_]{2,}(?![\w_])")
"""A word of prose: no LaTeX command, no name of one letter, no part of an identifier."""

_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBERS.split())})\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![\d.])\d+")


def verbatim(source: Source, draw: random.Random, material: Material) -> str | None:
    return source.text


def one_word_edit(source: Source, draw: random.Random, material: Material) -> str | None:
    return _edited(source.text, 1, draw, material)


def one_word_in_ten(source: Source, draw: random.Random, material: Material) -> str | None:
    words = len(_WORD.findall(source.text))
    return _edited(source.text, max(1, round(words / 10)), draw, material)


def truncated_60(source: Source, draw: random.Random, material: Material) -> str | None:
    words = list(re.finditer(r"\S+", source.text))
    if len(words) < SHORTEST_TRUNCATED:
        return None
    return source.text[: words[-(-len(words) * 6 // 10) - 1].end()]


def number_swapped(source: Source, draw: random.Random, material: Material) -> str | None:
    """Every number another one of as many digits, every spelled-out number another one."""
    spelled = NUMBERS.split()

    def other_word(found: re.Match[str]) -> str:
        return draw.choice([word for word in spelled if word != found.group().lower()])

    def other_number(found: re.Match[str]) -> str:
        digits = found.group()
        first, last = 10 ** (len(digits) - 1), 10 ** len(digits) - 1
        number = draw.randint(first if len(digits) > 1 else 2, last)
        return str(number if str(number) != digits else (number + 1 if number < last else first + 1))

    swapped = _NUMBER.sub(other_number, _NUMBER_WORD.sub(other_word, source.text))
    return swapped if swapped != source.text else None


def embedded(source: Source, draw: random.Random, material: Material) -> str | None:
    """The item in the middle of the user's own rows."""
    sides = []
    for _ in range(2):
        parts: list[str] = []
        words = 0
        # Bounded: the user's rows may be of one word, or of none.
        while words < EMBEDDED_WORDS and len(parts) < EMBEDDED_WORDS:
            parts.append(draw.choice(material.rows))
            words += len(parts[-1].split())
        sides.append(" ".join(parts))
    return f"{sides[0]} {source.text} {sides[1]}"


def options_shuffled(source: Source, draw: random.Random, material: Material) -> str | None:
    """The question with its choices in another order, as multiple choice is printed."""
    if len(source.options) < 2:
        return None
    options = draw.sample(source.options, len(source.options))
    return "\n".join([source.text, *(f"{chr(ord('A') + place)}) {text}" for place, text in enumerate(options))])


def case_unicode_latex(source: Source, draw: random.Random, material: Material) -> str | None:
    """The same text written otherwise: capitals, composed characters, spaces, quotation marks, LaTeX's dialects."""
    text = (
        draw.choice((str.upper, str.lower, str.title, str, str))(source.text)
        if "\\" not in source.text
        else source.text
    )
    for change in draw.sample(_SPELLINGS, 3):
        text = change(text)
    return text


def _edited(text: str, count: int, draw: random.Random, material: Material) -> str | None:
    """`count` words of prose replaced by other ones."""
    words = [found for found in _WORD.finditer(text) if not _NUMBER_WORD.fullmatch(found.group())]
    if len(words) < count:
        return None
    for found in sorted(draw.sample(words, count), key=lambda found: -found.start()):
        other = next(
            (
                word
                for word in draw.sample(material.words, min(len(material.words), 20))
                if _differs(word, found.group())
            ),
            None,
        )
        if other is None:
            return None
        text = text[: found.start()] + other + text[found.end() :]
    return text


def _differs(word: str, other: str) -> bool:
    return viewed_words(word) != viewed_words(other) and _NUMBER_WORD.fullmatch(word) is None


def _full_width(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if sign.isascii() and sign.isalnum() else sign for sign in text)


def _latex_dialect(text: str) -> str:
    for plain, other in _LATEX:
        text = text.replace(plain, other)
    return re.sub(r"\$([^$]+)\$", r"\\(\1\\)", text)


_LATEX = (
    ("\\frac", "\\dfrac"), ("\\left(", "("), ("\\right)", ")"), ("\\cdot", "\\times"), ("\\le ", "\\leq "),
    ("\\ge ", "\\geq "), ("\\pi", "π"), ("\\theta", "θ"), ("\\alpha", "α"), (",\\ ", ", "), ("\\,", " "), ("\\!", ""),
)  # fmt: skip

_SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda text: unicodedata.normalize("NFKD", text),
    lambda text: text.replace("'", "’").replace('"', "”"),
    lambda text: re.sub(r" +", "\u00a0", text, count=5),
    lambda text: re.sub(r"\s+", "  \n", text),
    lambda text: text if "\\" in text else _full_width(text),
    lambda text: text.replace(" - ", " – "),
    lambda text: re.sub(r"([a-z]) *([.,;:?!])(\s|$)", r"\1 \2\3", text),
    lambda text: f"**{text.strip()}**",
    _latex_dialect,
)

KINDS: dict[str, Callable[[Source, random.Random, Material], str | None]] = {
    "verbatim": verbatim,
    "case_unicode_latex": case_unicode_latex,
    "one_word_edit": one_word_edit,
    "one_word_in_ten": one_word_in_ten,
    "truncated_60": truncated_60,
    "embedded": embedded,
    "options_shuffled": options_shuffled,
    "number_swapped": number_swapped,
}
