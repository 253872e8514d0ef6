"""What the words of a text are: the normal form that equality, shingles and n-grams are defined on.

Design: NFKC, case folded, punctuation and whitespace dropped; what carries meaning in a question stays:
numbers (thousands separators removed, decimals kept), operators (`+ - * / = < > ^ % !` where they stand in
a formula) and, for scripts without spaces, single characters. Superscripts become `^n` before NFKC, which
would turn 10² into 102. Every token is hashed once per process (xxh64) and its kind kept in the two lowest
bits of the hash, so everything after tokenising is numpy over flat arrays.

Cost: 12 microseconds for a question of 50 words, half of it the regular expression.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
import numpy.typing as npt
import xxhash

NORMALISER_VERSION = 1
"""Raised when a text could get other tokens; part of every identity that rests on them."""

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WORD, NUMBER, OPERATOR = 0, 1, 2
"""Kinds of token. Numbers and operators are significant: texts that differ in them are never the same."""
_KIND_BITS = 3

_OPERATORS = (
    r"(?=[-+=<>^*/%!'])(?:"  # one look rules operators out at every space: 10 to 6.6 microseconds a question
    r"[+=<>^]+"  # rarely anything but mathematics
    r"|-(?=\s*(?:\d|[a-z]\b|[(\\{|]))|(?<=[)\]}])-"  # a minus, not the hyphen of well-known
    r"|(?<!\*)\*(?=\s*(?:\d|[a-z]\b|\())|(?<=[\w)])\*\*(?=[\d(a-z])"  # a product or power, not Markdown
    r"|/(?=\s*(?:\d|[a-z]\b|[(\\{]))"  # a quotient, not and/or
    r"|(?<=[\d\\])%|(?<=[\d)])!|(?<=\b[a-z])'+(?![a-z]))"  # percent, factorial, derivative
)
_ASCII_WORD = r"[a-z]++(?:'[a-z]++)?+|\d++(?:\.\d++)*+"
_ASCII_TOKEN = re.compile(rf"{_ASCII_WORD}|{_OPERATORS}")
_ASCII_WORDS = re.compile(_ASCII_WORD)
_THOUSANDS = re.compile(r",(?<=\d,)(?=\d{3}(?!\d))")  # begins with its comma, which is searched for at memchr's speed
_MARKER = re.compile(r"\s*(?:q(?:uestion)?\s*\d*\s*[.:)]|\d{1,3}[.)])\s+(?=\S)")
"""Numbering in front of a question ("3. ", "Q2: "), which says nothing about it."""

_NUMBER_WORD_LIST = """
zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half quarter double
triple twice thrice first second third fourth fifth sixth seventh eighth ninth tenth
"""
_NUMBER_WORDS = frozenset(_NUMBER_WORD_LIST.split())
"""Words that are numbers; "one" is left out because it is mostly a pronoun."""

UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese, written without spaces: a character is a word there."""


def tokens(text: str) -> list[str]:
    """Tokens of a text in order; empty where it has neither words nor numbers nor operators."""
    lowered = _unmarked(fold(text))
    return (_ASCII_TOKEN if lowered.isascii() else _unicode_token()).findall(lowered)


def _unmarked(folded: str) -> str:
    """Without numbering in front and without thousands separators."""
    if marker := _MARKER.match(folded):
        folded = folded[marker.end() :]
    return _THOUSANDS.sub("", folded) if "," in folded else folded


def plain_words(text: str) -> list[str]:
    """Words and numbers of a text in order, without operators: a third of the time that `tokens` takes."""
    lowered = _unmarked(fold(text))
    if not lowered.isascii():
        lowered = _PUNCTUATION.sub(" ", lowered)
    if lowered.isascii():
        return _ASCII_WORDS.findall(lowered)
    return [token for token in _unicode_token().findall(lowered) if token[0].isalnum() or kind_of(token) != OPERATOR]


def normal_text(text: str) -> str:
    """Normal form of a text: its tokens joined by spaces; where it has none, the text itself, case folded."""
    return " ".join(tokens(text)) or " ".join(text.casefold().split())


def text_hash(normal: str) -> bytes:
    """16 bytes (xxh3-128) naming a normal form: among 10^12 texts a collision has a chance of about 10^-15."""
    return xxhash.xxh3_128_digest(normal.encode("utf-8", "surrogatepass"))


_ALIKE = str.maketrans("−‐‑–×÷⁄∗’ʼ", "----*//*''")
"""Signs that mean what an ASCII one means."""
_ALIKE_SIGNS = re.compile(f"[{''.join(map(chr, _ALIKE))}]")

_PUNCTUATION = re.compile("[\u2010-\u2027\u2030-\u205e\u00a1\u00ab\u00b7\u00bb\u00bf]")
"""Quotation marks, dashes, bullets: often all that keeps an English text from being ASCII, and never a word."""


def fold(text: str) -> str:
    """A text in NFKC and lower case (case folded), where 10² does not become 102."""
    if text.isascii():
        return text.lower()
    # Most texts have none of these signs, and a search for them takes a tenth of `str.translate`.
    if _fused().search(text):
        text = text.translate(_before_nfkc())
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded.translate(_ALIKE) if _ALIKE_SIGNS.search(folded) else folded


@lru_cache(maxsize=1)
def _before_nfkc() -> dict[int, str]:
    """Superscripts, subscripts and vulgar fractions, which NFKC would fuse with the digits around them."""
    table: dict[int, str] = {}
    for code in (0xB2, 0xB3, 0xB9, *range(0xBC, 0xBF), *range(0x2070, 0x2090), *range(0x2150, 0x2160)):
        kind, _, plain = unicodedata.decomposition(chr(code)).partition(" ")
        text = "".join(chr(int(part, 16)) for part in plain.split())
        if kind == "<super>":
            table[code] = f"^{text}"
        elif kind in ("<sub>", "<fraction>"):
            table[code] = f" {text} "
    return table


@lru_cache(maxsize=1)
def _fused() -> re.Pattern[str]:
    return re.compile(f"[{''.join(map(chr, _before_nfkc()))}]")


@lru_cache(maxsize=1)
def _unicode_token() -> re.Pattern[str]:
    """As for ASCII, with letters of every script; combining marks belong to the letter before them."""
    marks = _ranges([code for code in range(0x300, 0x20000) if unicodedata.category(chr(code)) in ("Mn", "Mc")])
    letter = rf"(?:[^\W\d_{UNSPACED}]|[{marks}])"
    symbols = "\u00ac\u00b1\u2190-\u23ff\u2a00-\u2aff"
    return re.compile(rf"{letter}++(?:'{letter}++)?+|\d++(?:\.\d++)*+|[{UNSPACED}]|[{symbols}]|{_OPERATORS}")


def _ranges(codes: Sequence[int]) -> str:
    parts: list[str] = []
    start = previous = codes[0]
    for code in [*codes[1:], sys.maxunicode + 2]:
        if code != previous + 1:
            parts.append(chr(start) if start == previous else f"{chr(start)}-{chr(previous)}")
            start = code
        previous = code
    return "".join(parts)


def kind_of(token: str) -> int:
    """WORD, NUMBER or OPERATOR; spelled-out numbers count as numbers."""
    first = token[0]
    if first.isdecimal() or token in _NUMBER_WORDS:
        return NUMBER
    # A lone combining mark is no letter, but no operator either.
    return WORD if first.isalnum() or unicodedata.category(first)[0] == "M" else OPERATOR


class _TokenHashes(dict[str, int]):
    """token -> 64-bit hash with the kind in its lowest bits; filled as tokens are met."""

    LIMIT = 1_000_000  # about 150 MB; a vocabulary beyond it is noise that would only grow

    def __missing__(self, token: str) -> int:
        if len(self) >= self.LIMIT:
            self.clear()
        value = self[token] = (xxhash.xxh64_intdigest(token.encode("utf-8", "surrogatepass")) & ~_KIND_BITS) | kind_of(
            token
        )
        return value


_HASHES = _TokenHashes()


@dataclass(frozen=True)
class TokenArray:
    """Tokens of N texts: `hashes` uint64[L] end to end, `offsets` int64[N + 1]; text i has
    hashes[offsets[i]:offsets[i + 1]]. `text_hashes` N x 16 bytes are xxh3-128 of the normal forms."""

    hashes: U64
    offsets: I64
    text_hashes: list[bytes]

    @property
    def counts(self) -> I64:
        return np.diff(self.offsets)

    def only(self, keep: Mask) -> TokenArray:
        """The same texts without the tokens where `keep` (bool[L]) is false."""
        kept_before = np.concatenate(([0], np.cumsum(keep)))
        return TokenArray(self.hashes[keep], kept_before[self.offsets], self.text_hashes)

    def words(self) -> TokenArray:
        """Words and numbers without operators: what n-gram overlap is counted in."""
        return self.only((self.hashes & np.uint64(_KIND_BITS)) != OPERATOR)


def tokenise(texts: Sequence[str]) -> TokenArray:
    """Tokens of many texts as arrays."""
    flat: list[int] = []
    counts = np.empty(len(texts), np.int64)
    text_hashes: list[bytes] = []
    look_up = _HASHES.__getitem__
    for index, text in enumerate(texts):
        found = tokens(text)
        counts[index] = len(found)
        flat.extend(map(look_up, found))
        text_hashes.append(text_hash(" ".join(found) or " ".join(text.casefold().split())))
    offsets = np.concatenate(([0], np.cumsum(counts)))
    return TokenArray(np.array(flat, np.uint64), offsets, text_hashes)


def tokenise_words(texts: Sequence[str]) -> TokenArray:
    """`tokenise(texts).words()` without the work that operators and text hashes take."""
    found = [plain_words(text) for text in texts]
    flat = list(map(_HASHES.__getitem__, chain.from_iterable(found)))
    offsets = np.concatenate(([0], np.cumsum([len(words) for words in found], dtype=np.int64)))
    return TokenArray(np.array(flat, np.uint64), offsets, [])


_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so multiplying by it loses nothing modulo 2^64


def ngram_hashes(array: TokenArray, size: int) -> tuple[U64, I64]:
    """Hashes of all n-grams of `size` tokens and the text each lies in (both [G], in order of texts).

    A polynomial over token hashes modulo 2^64, finished by the murmur3 mixer. Texts shorter than `size`
    have none.
    """
    starts = ngram_starts(array, size)
    value = np.zeros(len(starts), np.uint64)
    for step in range(size):
        value = value * _BASE + array.hashes[starts + step]
    return mix64(value), np.searchsorted(array.offsets, starts, side="right") - 1


def ngram_starts(array: TokenArray, size: int) -> I64:
    """Positions in `array.hashes` at which an n-gram of `size` tokens begins, without crossing texts."""
    positions = np.arange(len(array.hashes), dtype=np.int64)
    ends = np.repeat(array.offsets[1:], array.counts)
    return positions[positions + size <= ends]


def significant_keys(array: TokenArray) -> U64:
    """uint64[N]: hash of each text's numbers and operators in order. Texts with different keys ask for
    different things, however alike their words are."""
    chosen = array.only((array.hashes & np.uint64(_KIND_BITS)) != WORD)
    counts = chosen.counts
    places = np.arange(len(chosen.hashes)) - np.repeat(chosen.offsets[:-1], counts)
    powers = np.multiply.accumulate(np.full(int(counts.max(initial=0)) + 1, _BASE))
    running = np.concatenate((np.zeros(1, np.uint64), np.cumsum(mix64(chosen.hashes) * powers[places])))
    return mix64(running[chosen.offsets[1:]] - running[chosen.offsets[:-1]] + counts.astype(np.uint64))


def mix64(value: U64) -> U64:
    """Finaliser of MurmurHash3 (Appleby 2011): every input bit reaches every output bit."""
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))
