"""What the words of a text are: the normal form that equality, shingles and n-grams are defined on.

Design: NFKC, case folded (characters.py), punctuation and whitespace dropped; what carries meaning in a question
stays: numbers (thousands separators removed, decimals kept), operators (`+ - * / = < > ^ % !` where they stand in
a formula) and, for scripts without spaces, single characters. Numbering in front ("3. ", "Q2: ") says nothing
about a question and is left out. The rules are regular expressions in tests/curate/reference_words.py, which says
them best; the scanner here does the same as one compiled pass over the code points of a whole batch (scan.py).
A token is its 64-bit hash, with its kind in the two lowest bits, so everything after is arrays.

Cost: 1.5 microseconds for a question of 50 words; 18.6 with the expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from factory.curate import scan
from factory.curate.characters import classes, fold

NORMALISER_VERSION = 3
"""Raised when a text could get other tokens or hashes; part of every identity that rests on them."""

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

WORD, NUMBER, OPERATOR, SIGN = scan.WORD, scan.NUMBER, scan.OPERATOR, scan.SIGN
"""Kinds of token. All but words are significant: texts that differ in them are never the same. A sign is written as a
word: a negation, a Roman numeral, a relation or operation of LaTeX."""


@dataclass(frozen=True)
class TokenArray:
    """Tokens of N texts: `hashes` uint64[L] end to end, `offsets` int64[N + 1]; text i has
    hashes[offsets[i]:offsets[i + 1]]. `text_hashes` uint64[N, 2] name the normal forms: 128 bits, made of
    two hashes of every token."""

    hashes: U64
    offsets: I64
    text_hashes: U64

    @property
    def counts(self) -> I64:
        return np.diff(self.offsets)

    def text_hash_column(self) -> pa.FixedSizeBinaryArray:
        """`text_hashes` as 16 bytes each."""
        data = pa.py_buffer(np.ascontiguousarray(self.text_hashes, "<u8"))
        return pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(self.text_hashes), [None, data])

    def only(self, keep: Mask) -> TokenArray:
        """The same texts without the tokens where `keep` (bool[L]) is false."""
        kept_before = np.concatenate(([0], np.cumsum(keep)))
        return TokenArray(self.hashes[keep], kept_before[self.offsets], self.text_hashes)

    def words(self) -> TokenArray:
        """Words and numbers without operators: what n-gram overlap is counted in."""
        return self.only((self.hashes & np.uint64(scan.KIND_BITS)) != OPERATOR)


def tokenise(texts: Sequence[str]) -> TokenArray:
    """Tokens of many texts as arrays."""
    return gathered([piece.tokens() for piece in scan_pieces(texts)])


class Piece(NamedTuple):
    """Some of the texts, scanned: `codes` [C] are their code points, folded; token i of these texts, with
    hashes[i], is codes[spans[i, 0]:spans[i, 1]] (no spans where none were asked for); text j has the tokens
    offsets[j] to offsets[j + 1]."""

    codes: scan.Codes
    hashes: U64
    spans: I64
    offsets: I64
    text_hashes: U64

    def tokens(self) -> Piece:
        """What is kept of a piece: the rest takes as much memory as the texts, several times."""
        return self._replace(codes=_NO_CODES, spans=_NO_SPANS)


def scan_pieces(texts: Sequence[str], *, spans: bool = False) -> Iterator[Piece]:
    """Texts in pieces of about PIECE characters, each scanned. `spans` of a piece are overwritten by the next."""
    # Written anew for every piece: fresh memory costs more than scanning does.
    hashes, where = np.empty(2 * PIECE, np.uint64), np.empty((2 * PIECE if spans else 0, 2), np.int64)
    for start, stop in _pieces(texts):
        codes, bounds = _code_points(_folded(texts[start:stop]))
        if len(codes) > len(hashes):
            hashes, where = np.empty(len(codes), np.uint64), np.empty((len(codes) if spans else 0, 2), np.int64)
        offsets, text_hashes = np.empty(stop - start + 1, np.int64), np.empty((stop - start, 2), np.uint64)
        count = scan.scan(codes, bounds, classes(), _tables(), hashes, where, offsets, text_hashes)
        for index in np.flatnonzero(np.diff(offsets) == 0).tolist():
            text_hashes[index] = _hash_without_tokens(texts[start + index])
        yield Piece(codes, hashes[:count].copy(), where[:count], offsets, text_hashes)


def gathered(pieces: Sequence[Piece]) -> TokenArray:
    """The tokens of all pieces."""
    counts = [np.zeros(1, np.int64), *(np.diff(piece.offsets) for piece in pieces)]
    return TokenArray(
        np.concatenate([np.zeros(0, np.uint64), *(piece.hashes for piece in pieces)]),
        np.cumsum(np.concatenate(counts)),
        np.concatenate([np.zeros((0, 2), np.uint64), *(piece.text_hashes for piece in pieces)]),
    )


PIECE = 100_000
"""Characters scanned at once, about: what they become stays near a core. With 5 million at once a question took 7.6
microseconds instead of 1.8, all of it fresh memory."""


def _pieces(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Consecutive (start, stop) of `texts` of about PIECE characters, at least one text each."""
    start = characters = 0
    for index, text in enumerate(texts):
        characters += len(text)
        if characters >= PIECE:
            yield start, index + 1
            start, characters = index + 1, 0
    if start < len(texts):
        yield start, len(texts)


def tokens(text: str) -> list[str]:
    """Tokens of a text in order; empty where it has neither words nor numbers nor operators."""
    return [token for token, _ in _strings(text)]


def plain_words(text: str) -> list[str]:
    """Words and numbers of a text in order, without operators."""
    return [token for token, kind in _strings(text) if kind != OPERATOR]


def normal_text(text: str) -> str:
    """Normal form of a text: its tokens joined by spaces; where it has none, the text itself, case folded."""
    return " ".join(tokens(text)) or " ".join(text.casefold().split())


def kind_of(token: str) -> int:
    """WORD, NUMBER, OPERATOR or SIGN; spelled-out numbers count as numbers. For a token that `tokens` gave: of a LaTeX
    command it has no backslash, so it is a word here."""
    hashes = tokenise([token]).hashes
    return int(hashes[0] & np.uint64(scan.KIND_BITS)) if len(hashes) else OPERATOR


def text_hash(text: str) -> bytes:
    """16 bytes (xxh3-128) naming a text: among 10^12 texts a collision has a chance of about 10^-15."""
    return xxhash.xxh3_128_digest(text.encode("utf-8", "surrogatepass"))


def _strings(text: str) -> list[tuple[str, int]]:
    """Tokens of a text and their kinds."""
    folded = fold(text)
    codes, bounds = _code_points(_Joined(folded, _lengths([folded])))
    hashes, spans = np.empty(len(codes), np.uint64), np.empty((len(codes), 2), np.int64)
    offsets, text_hashes = np.empty(2, np.int64), np.empty((1, 2), np.uint64)
    count = scan.scan(codes, bounds, classes(), _tables(), hashes, spans, offsets, text_hashes)
    kinds = (hashes[:count] & np.uint64(scan.KIND_BITS)).tolist()
    # A comma inside a token is a thousands separator: nothing else lets one in.
    return [
        (folded[start:stop].replace(",", ""), kind)
        for (start, stop), kind in zip(spans[:count].tolist(), kinds, strict=True)
    ]


class _Joined(NamedTuple):
    """Texts end to end, and their lengths."""

    text: str
    lengths: I64


def _folded(texts: Sequence[str]) -> _Joined:
    joined = "".join(texts)
    if joined.isascii():  # as `fold` does it, all texts at once
        return _Joined(joined.lower(), _lengths(texts))
    folded = [fold(text) for text in texts]
    return _Joined("".join(folded), _lengths(folded))


def _lengths(texts: Sequence[str]) -> I64:
    return np.fromiter(map(len, texts), np.int64, len(texts))


def _code_points(texts: _Joined) -> tuple[scan.Codes, I64]:
    """Code points of all texts, and where each text begins: int64[N + 1]."""
    bounds = np.zeros(len(texts.lengths) + 1, np.int64)
    np.cumsum(texts.lengths, out=bounds[1:])
    if texts.text.isascii():
        return np.frombuffer(texts.text.encode(), np.uint8), bounds
    return np.frombuffer(texts.text.encode("utf-32-le", "surrogatepass"), np.uint32), bounds


def _hash_without_tokens(text: str) -> list[int]:
    number = xxhash.xxh3_128_intdigest(" ".join(text.casefold().split()).encode("utf-8", "surrogatepass"))
    return [number & (2**64 - 1), number >> 64]


_NO_SPANS = np.empty((0, 2), np.int64)
_NO_CODES = np.empty(0, np.uint32)

_NUMBER_WORDS = """
zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion half quarter double
triple twice thrice first second third fourth fifth sixth seventh eighth ninth tenth
"""
"""Words that are numbers; "one" is left out because it is mostly a pronoun."""

_SIGN_WORDS = """
not no never none neither nor cannot without except isn't aren't wasn't weren't don't doesn't didn't can't won't
couldn't wouldn't shouldn't hasn't haven't hadn't
ii iii iv vi vii viii ix xi xii xiii xiv xv xvi xvii xviii xix xx
"""
"""Negations, and Roman numerals that are no letters: "Henry II" and "Henry III" are two kings."""

_SIGN_COMMANDS = """
leq geq le ge lt gt neq ne ll gg approx equiv sim simeq cong propto prec succ preceq succeq nleq ngeq
leqslant geqslant lneq gneq asymp doteq mid nmid parallel nparallel perp
in notin ni cup cap bigcup bigcap sqcup sqcap setminus subset supset subseteq supseteq subsetneq supsetneq nsubseteq
emptyset varnothing forall exists nexists neg lnot land lor wedge vee oplus otimes ominus iff implies impliedby models
vdash to gets mapsto rightarrow leftarrow leftrightarrow longrightarrow longleftarrow uparrow downarrow
times div cdot pm mp ast star circ bullet sum prod coprod int oint min max inf sup
"""
"""LaTeX commands that are relations or operations: `\\leq` and `\\geq` ask for different things, as ≤ and ≥ do."""


def _tables() -> U64:
    """Hashes of the words that are no mere words, in the tables that `scan` looks them up in."""
    global _TABLES
    if _TABLES is None:
        words = dict.fromkeys(_SIGN_WORDS.split(), SIGN) | dict.fromkeys(_NUMBER_WORDS.split(), NUMBER)
        rows = []
        for listed in (words, dict.fromkeys(_SIGN_COMMANDS.split(), SIGN)):
            codes, bounds = _code_points(_Joined("".join(listed), _lengths([*listed])))
            rows.append(scan.word_table(codes, bounds, np.array([*listed.values()], np.uint8)))
        _TABLES = np.stack(rows)
    return _TABLES


_TABLES: U64 | None = None


def ngram_hashes(array: TokenArray, size: int) -> tuple[U64, I64]:
    """Hashes of all n-grams of `size` tokens and the text each lies in (both [G], in order of texts).

    A polynomial over token hashes modulo 2^64, finished by the murmur3 mixer. Texts shorter than `size`
    have none.
    """
    total = int(np.maximum(array.counts - size + 1, 0).sum())
    hashes, owners = np.empty(total, np.uint64), np.empty(total, np.int64)
    scan.ngrams(array.hashes, array.offsets, size, hashes, owners)
    return hashes, owners


def significant_keys(array: TokenArray) -> U64:
    """uint64[N]: hash of each text's numbers and operators in order. Texts with different keys ask for
    different things, however alike their words are."""
    keys = np.empty(len(array.counts), np.uint64)
    scan.significant(array.hashes, array.offsets, keys)
    return keys


def template_keys(array: TokenArray) -> U64:
    """uint64[N]: hash of each text with its numbers left open; 0 for texts without a number."""
    keys = np.empty(len(array.counts), np.uint64)
    scan.templates(array.hashes, array.offsets, keys)
    return keys


def mix64(value: U64) -> U64:
    """Finaliser of MurmurHash3 (Appleby 2011): every input bit reaches every output bit."""
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))
