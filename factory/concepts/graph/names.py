"""Canonical names: which written names are one node of the graph.

Design: what SynthLLM leaves open ("distinct" strings, section 4.2) is what weakens a graph: "Pythagorean theorem",
"Pythagoras' Theorem" and "the pythagorean theorem" are one node here. A name goes through stated rules, in this order:
LaTeX and Greek letters read out, NFKC, case folded, accents of Latin letters dropped, abbreviation in brackets set
apart, possessives, hyphens and punctuation, articles, one spelling, eponym's adjective to person, plural of the last
word and of a word before "of". The result is only a key: people are shown the commonest form that was written. Nothing
here knows other names; what takes a corpus (an abbreviation on its own, near-identical names) is done by merges.py.

Cost: 6 microseconds for a name of plain words met first, 34 for one with signs, 0.3 when met again (on a busy core).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from factory.concepts.graph.abbreviations import split_abbreviation
from factory.concepts.graph.latex import with_signs_read, without_latex
from factory.concepts.graph.word_forms import EPONYMS, HYPHENATED_PREFIXES, PREFIXES, singular, spelling
from factory.concepts.wording import clean_name, seen

NORMALISER_VERSION = 2
"""Raised when a name could get another normal form; part of every identity that rests on them."""

MAX_CHARACTERS = 200
"""A longer name is a sentence or a loop. `extract` bounds names to 80; tables made elsewhere are not bounded."""

TOO_LONG, EMPTY, PUNCTUATION_ONLY = "name_too_long", "name_empty", "name_of_punctuation"

CACHED_NAMES = 1 << 15
"""Least recently used ones go first; the graph, which meets all names of a corpus, keeps its own (passages.py)."""


class Name(NamedTuple):
    """`normal` is the key; `form` what was written, cleaned, without its abbreviation. Where `problem` is not empty
    the name cannot be used, and `normal` is empty."""

    normal: str
    form: str
    abbreviation: str | None = None
    problem: str = ""


@lru_cache(CACHED_NAMES)
def canonical(text: str) -> Name:
    """The canonical name of a topic or concept as written. Never raises."""
    if len(text) > 20 * MAX_CHARACTERS:
        return Name("", text[:MAX_CHARACTERS], None, TOO_LONG)
    cleaned = _unmarked(clean_name(text))
    if not cleaned:
        return Name("", "", None, PUNCTUATION_ONLY if text.strip() else EMPTY)
    if len(cleaned) > MAX_CHARACTERS:
        return Name("", cleaned[:MAX_CHARACTERS], None, TOO_LONG)
    form, abbreviation = split_abbreviation(cleaned)
    normal = normal_form(form)
    if not normal:
        return Name("", cleaned, None, PUNCTUATION_ONLY)
    return Name(normal, form, abbreviation)


def normal_form(text: str) -> str:
    """The key of a name; empty where nothing but punctuation is left. Idempotent, and blind to case."""
    before, text = None, text.casefold()
    # Dropping one thing may uncover another ("the “the matrices”"); every pass but the first only shortens.
    while text != before:
        before, text = text, _pass(text)
    return text


_EMPHASIS = re.compile(r"(?<![\w*_`])(\*{1,3}|_{1,3}|`{1,3})(?=[^\s*_`])([^*_`]*[^\s*_`])\1(?![\w*_`])")
_QUOTED = re.compile("^[\"'“”„«»‘’](.+)[\"'“”„«»‘’]$", re.DOTALL)


def _unmarked(text: str) -> str:
    """Without Markdown's emphasis, and without quotation marks around the whole name."""
    if "*" in text or "_" in text or "`" in text:
        text = _EMPHASIS.sub(r"\2", text)
    found = _QUOTED.match(text)
    return found[1].strip() if found else text


_SUPERSCRIPT = re.compile("(?<=[0-9])([⁰¹²³⁴⁵⁶⁷⁸⁹ⁿ])")
_LATIN_ACCENTS = re.compile("(?<=[a-z])[\u0300-\u036f]+")
_APOSTROPHES = str.maketrans("’‘ʼ`´′", "''''''")
_DASHES = str.maketrans("‐‑‒–—―−", "-------")
_LATIN_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"})

_BRACES = re.compile(r"[{}]")
_OPTIONAL_PLURAL = re.compile(r"(?<=[a-z])\((?:e?s)\)")
_POSSESSIVE = re.compile(r"(?<=\w)'s?(?![\w'])")
_RAISED = re.compile(r"\s*([\^_])\s*(?=\S)")
_EXPONENT = re.compile(r"(?<=[a-z)])\^(?=[a-z0-9])(?!infinity)")
_INDEX = re.compile(r"(?<![a-z0-9])([a-z])_(?=[0-9])")
_TIMES = re.compile(r"(?<=\d) *x *(?=\d)")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_JOINED = re.compile(rf"\b(?:(?:{HYPHENATED_PREFIXES})-|(?:{PREFIXES}) +)(?=[a-z]{{2}})")
# What separates words; points stay within numbers, and signs of mathematics and programming (C++, C#, A*) at words.
_BETWEEN = re.compile(
    r"(?<!\d)[.]|[.](?!\d)|(?<!\d)/|/(?!\d)|[\s\"`,;:!?()\[\]|_~@\\\-…‘-‟«»¿¡•·‖]|[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]"
)
_SPACED_OPERATOR = re.compile(r" +(<=|>=|!=|[+=<>^%*/])(?= ) +")
_LEADING_SIGNS = re.compile(r"(?:^|(?<= ))[+*^%#&/=]+(?= |$)|^[*^%&/=]+")
_PLAIN = re.compile("[a-z]+(?:[ -][a-z]+)*")
_THE = re.compile(r"(?:^|(?<= ))the (?=\S)")
_LEADING_ARTICLE = re.compile(r"^an? (?!priori|posteriori|fortiori|level|star)(?=\w{2})")
_INNER_ARTICLE = re.compile(r"(?<= of | in | on | to )an? (?=\w{3})|(?<= for )an? (?=\w{3})|(?<= with )an? (?=\w{3})")


def _pass(text: str) -> str:
    if "*" in text or "_" in text or "`" in text:
        text = _EMPHASIS.sub(r"\2", text)
    text = text.casefold()
    # Most names are words and nothing else, which none of the rules for signs can touch.
    text = _JOINED.sub(_without_gap, text).replace("-", " ") if _PLAIN.fullmatch(text) else _without_signs(text)
    if "the " in text:
        text = _THE.sub("", text)
    if text.startswith("a"):
        text = _LEADING_ARTICLE.sub("", text)
    if " a" in text:
        text = _INNER_ARTICLE.sub("", text)
    if not any(map(str.isalnum, text)):
        return ""
    return " ".join(_words(text.split(" ")))


def _without_signs(text: str) -> str:
    """Words between single spaces, and the signs that count as words or within them."""
    text = _BRACES.sub("", _read_out(text))
    if "'" in text:
        text = _POSSESSIVE.sub("", text).replace("'", "")
    if "(" in text:
        text = _OPTIONAL_PLURAL.sub("", text)
    if "^" in text or "_" in text:
        text = _EXPONENT.sub("", _RAISED.sub(r"\1", text)).replace("^infinity", " infinity")
        text = _INDEX.sub(r"\1", text)
    text = _JOINED.sub(_without_gap, _THOUSANDS.sub("", text).replace("&", " and "))
    text = " ".join(_BETWEEN.sub(" ", text).split())
    text = _TIMES.sub("x", _SPACED_OPERATOR.sub(r"\1", text))
    return " ".join(_LEADING_SIGNS.sub("", text).split())


def _read_out(text: str) -> str:
    """In NFKC, with LaTeX, Greek letters and mathematical signs read out; `text` is case folded."""
    if "\\" in text or "$" in text:
        text = without_latex(text)
    if text.isascii():
        return text
    text = _SUPERSCRIPT.sub(r"^\1", seen(text).translate(_APOSTROPHES))
    text = unicodedata.normalize("NFKC", text).casefold().translate(_APOSTROPHES).translate(_DASHES)
    text = with_signs_read(text)
    if text.isascii():
        return text
    text = _LATIN_ACCENTS.sub("", unicodedata.normalize("NFD", text.translate(_LATIN_LETTERS)))
    return unicodedata.normalize("NFKC", text).casefold()


def _without_gap(match: re.Match[str]) -> str:
    return match[0].rstrip(" -")


def _words(words: list[str]) -> list[str]:
    last = len(words) - 1
    result = []
    for place, word in enumerate(words):
        if place == last or words[place + 1] == "of":
            word = singular(word)
        else:
            word = EPONYMS.get(word, word)
        result.append(spelling(word))
    return result
