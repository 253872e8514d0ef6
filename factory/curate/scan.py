"""The scanner of words.py: tokens of many texts in one compiled pass over their code points.

Design: one function a rule, each given the code points, a place, and the bounds of the text it may look at. What the
rules are, and why, stands in words.py and tests/curate/reference_words.py. Hashing happens while scanning: two
multiplicative hashes a token (FNV-1a's form with two odd multipliers, finished by murmur3's mixer), from which the
two halves of the text's hash are made.

Cost: 4.3 nanoseconds a character of ASCII, folding and joining the texts included.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from factory.curate.characters import CODE_POINTS, DIGIT, IN_WORD, LETTER, OPERATES, SPACE, SYMBOL, UNSPACED
from factory.native import compiled

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U8 = npt.NDArray[np.uint8]
Codes = U8 | U32
"""Code points: a byte each where all are ASCII. Kernels are compiled for both."""

WORD, NUMBER, OPERATOR, SIGN = 0, 1, 2, 3
KIND_BITS = 3
_KIND_MASK = np.uint64(KIND_BITS)

_START, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)  # FNV-1a
_SECOND_START, _SECOND = np.uint64(0x9AE16A3B2F90404F), np.uint64(0xC2B2AE3D27D4EB4F)  # xxHash's second prime
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so multiplying by it loses nothing modulo 2^64

_SLOTS = 1024
"""Slots of a table of words: some hundred words, so that a look-up ends at the first slot or the one after."""

_QUOTE, _OPEN, _CLOSE, _STAR, _PLUS, _COMMA, _MINUS, _DOT, _SLASH, _COLON = map(ord, "'()*+,-./:")
_LESS, _EQUAL, _MORE, _BACKSLASH, _SQUARE, _POWER, _BRACE, _BAR, _UNBRACE = map(ord, "<=>\\]^{|}")
_PERCENT, _BANG, _A, _Q, _Z, _AND = map(ord, "%!aqz&")
_UESTION = np.frombuffer("uestion".encode("utf-32-le"), np.uint32).copy()


@compiled
def mix(value: np.uint64) -> np.uint64:
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    value = (value ^ (value >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@compiled
def _class(codes: Codes, place: int, stop: int, classes: U8) -> int:
    """Classes of the character at `place`; none outside the text."""
    if place >= stop or codes[place] >= CODE_POINTS:
        return 0
    return int(classes[codes[place]])


@compiled
def _letter(codes: Codes, place: int, stop: int) -> bool:
    """Whether an ASCII letter stands there."""
    return place < stop and _A <= codes[place] <= _Z


@compiled
def _after_marker(codes: Codes, start: int, stop: int, classes: U8) -> int:
    """Where the text begins behind numbering: \\s*(?:q(?:uestion)?\\s*\\d*\\s*[.:)]|\\d{1,3}[.)])\\s+(?=\\S)."""
    place = start
    while _class(codes, place, stop, classes) & SPACE:
        place += 1
    if place >= stop:
        return start
    if codes[place] == _Q:
        place += 1
        length = len(_UESTION)
        if place + length <= stop:
            same = True
            for index in range(length):
                same = same and codes[place + index] == _UESTION[index]
            if same:
                place += length
        while _class(codes, place, stop, classes) & SPACE:
            place += 1
        while _class(codes, place, stop, classes) & DIGIT:
            place += 1
        while _class(codes, place, stop, classes) & SPACE:
            place += 1
        if place >= stop or not (codes[place] == _DOT or codes[place] == _COLON or codes[place] == _CLOSE):
            return start
    else:
        digits = 0
        while digits < 3 and _class(codes, place, stop, classes) & DIGIT:
            place += 1
            digits += 1
        if digits == 0 or place >= stop or not (codes[place] == _DOT or codes[place] == _CLOSE):
            return start
    place += 1
    behind = place
    while _class(codes, place, stop, classes) & SPACE:
        place += 1
    return place if behind < place < stop else start


@compiled
def _letters(
    codes: Codes, place: int, stop: int, classes: U8, one: np.uint64, other: np.uint64
) -> tuple[int, np.uint64, np.uint64]:
    """End of the letters from `place` on, and the two hashes with them: read once, since where a word ends is what a
    processor cannot guess."""
    while _class(codes, place, stop, classes) & LETTER:
        code = np.uint64(codes[place])
        one = (one ^ code) * _PRIME
        other = (other ^ code) * _SECOND
        place += 1
    return place, one, other


@compiled
def _hashed(codes: Codes, place: int, end: int, one: np.uint64, other: np.uint64) -> tuple[np.uint64, np.uint64]:
    """The two hashes with these characters; a comma in a token separates thousands."""
    for index in range(place, end):
        code = np.uint64(codes[index])
        if code != np.uint64(_COMMA):
            one = (one ^ code) * _PRIME
            other = (other ^ code) * _SECOND
    return one, other


@compiled
def _separates_thousands(codes: Codes, place: int, stop: int, classes: U8) -> bool:
    """Whether the comma at `place`, which follows a digit, is followed by three digits and no more."""
    for ahead in range(1, 4):
        if not _class(codes, place + ahead, stop, classes) & DIGIT:
            return False
    return not _class(codes, place + 4, stop, classes) & DIGIT


@compiled
def _number_end(codes: Codes, place: int, stop: int, classes: U8) -> int:
    """Digits, points between digits, and thousands separators."""
    while place < stop:
        if _class(codes, place, stop, classes) & DIGIT:
            place += 1
        elif (codes[place] == _DOT and _class(codes, place + 1, stop, classes) & DIGIT) or (
            codes[place] == _COMMA and _separates_thousands(codes, place, stop, classes)
        ):
            place += 2
        else:
            break
    return place


@compiled
def _operand(codes: Codes, place: int, stop: int, classes: U8, star: bool, minus: bool) -> bool:
    """Whether, behind spaces, a digit, a lone letter or an opening bracket stands: \\s*(?:\\d|[a-z]\\b|[(\\\\{|]).
    After a `star` only `(` counts as a bracket; `|` only after a `minus`."""
    while _class(codes, place, stop, classes) & SPACE:
        place += 1
    if place >= stop:
        return False
    if _class(codes, place, stop, classes) & DIGIT or codes[place] == _OPEN:
        return True
    if _letter(codes, place, stop):
        return not _class(codes, place + 1, stop, classes) & IN_WORD
    if star:
        return False
    return bool(codes[place] == _BACKSLASH or codes[place] == _BRACE or (minus and codes[place] == _BAR))


@compiled
def _operator_end(codes: Codes, start: int, place: int, stop: int, classes: U8) -> int:
    """End of the operator at `place`, `place` itself where none stands; the text begins at `start`."""
    code = codes[place]
    if code in (_PLUS, _EQUAL, _LESS, _MORE, _POWER):
        while place < stop and (
            codes[place] == _PLUS or codes[place] == _EQUAL or codes[place] == _LESS
            or codes[place] == _MORE or codes[place] == _POWER
        ):  # fmt: skip
            place += 1
        return place
    if code in (_AND, _BAR):
        return place + 2 if place + 1 < stop and codes[place + 1] == code else place
    before = codes[place - 1] if place > start else np.uint32(0)
    before_class = _class(codes, place - 1, stop, classes) if place > start else 0
    if code == _MINUS:
        closes = before in (_CLOSE, _SQUARE, _UNBRACE)
        return place + 1 if closes or _operand(codes, place + 1, stop, classes, False, True) else place
    if code == _STAR:
        if before != _STAR and _operand(codes, place + 1, stop, classes, True, False):
            return place + 1
        if (before_class & IN_WORD or before == _CLOSE) and place + 2 < stop and codes[place + 1] == _STAR:
            behind = codes[place + 2]
            if _class(codes, place + 2, stop, classes) & DIGIT or behind == _OPEN or _letter(codes, place + 2, stop):
                return place + 2
        return place
    if code == _SLASH:
        return place + 1 if _operand(codes, place + 1, stop, classes, False, False) else place
    if code == _PERCENT:
        return place + 1 if before_class & DIGIT or before == _BACKSLASH else place
    if code == _BANG:
        return place + 1 if before_class & DIGIT or before == _CLOSE else place
    if code == _QUOTE:
        # The derivative of a function of one letter; the apostrophe of a word was taken with it.
        if not (place > start and _letter(codes, place - 1, stop)):
            return place
        if place - 2 >= start and _class(codes, place - 2, stop, classes) & IN_WORD:
            return place
        end = place
        while end < stop and codes[end] == _QUOTE:
            end += 1
        return end - 1 if _letter(codes, end, stop) else end
    return place


@compiled
def _word_kind(tables: U64, value: np.uint64, command: bool) -> int:
    """Kind of a word by its hash; `command`: a backslash stands before it."""
    kind = _listed(tables, 0, value)
    return _listed(tables, 1, value) if command and kind == WORD else kind


@compiled
def _listed(tables: U64, table: int, value: np.uint64) -> int:
    """Kind of a word in one of the tables, WORD where it is not in it."""
    # The table by its number: a slice of it would be counted by reference, a third of all scanning.
    slot = value >> np.uint64(54)
    while tables[table, slot] != np.uint64(0):
        if tables[table, slot] & ~_KIND_MASK == value & ~_KIND_MASK:
            return int(tables[table, slot] & _KIND_MASK)
        slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
    return WORD


@compiled
def _token_hash(codes: Codes, place: int, end: int) -> np.uint64:
    value = _START
    for index in range(place, end):
        if codes[index] != _COMMA:
            value = (value ^ np.uint64(codes[index])) * _PRIME
    return mix(value)


@compiled
def word_table(codes: Codes, bounds: I64, kinds: U8) -> U64:
    """uint64[_SLOTS]: an open-addressed table of the hashes of words, each a text of `codes`, with their kinds [N] in
    the lowest bits, as tokens have them."""
    table = np.zeros(_SLOTS, np.uint64)
    for word in range(len(bounds) - 1):
        value = _token_hash(codes, bounds[word], bounds[word + 1])
        slot = value >> np.uint64(54)
        while table[slot] != np.uint64(0):
            slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
        table[slot] = (value & ~_KIND_MASK) | np.uint64(kinds[word])
    return table


@compiled
def scan(
    codes: Codes, bounds: I64, classes: U8, tables: U64, hashes: U64, spans: I64, offsets: I64, text_hashes: U64
) -> int:
    """Fills `hashes` uint64[L], `spans` int64[L, 2] (or none, where it has no rows), `offsets` int64[N + 1] and
    `text_hashes` uint64[N, 2] with the tokens of N texts; text i is codes[bounds[i]:bounds[i + 1]].
    `tables` uint64[2, _SLOTS] (see `word_table`): words that are numbers or signs, and LaTeX commands that are signs.
    Returns L."""
    count = 0
    wants_spans = len(spans) > 0
    offsets[0] = 0
    for text in range(len(bounds) - 1):
        stop = bounds[text + 1]
        start = _after_marker(codes, bounds[text], stop, classes)
        place = start
        first, second = _START, _SECOND_START
        while place < stop:
            kinds = _class(codes, place, stop, classes)
            kind = WORD
            one, other = _START, _SECOND_START
            if kinds & LETTER:
                end, one, other = _letters(codes, place, stop, classes, one, other)
                if end < stop and codes[end] == _QUOTE and _class(codes, end + 1, stop, classes) & LETTER:
                    one, other = _hashed(codes, end, end + 1, one, other)
                    end, one, other = _letters(codes, end + 1, stop, classes, one, other)
            elif kinds & DIGIT:
                end = _number_end(codes, place, stop, classes)
                one, other = _hashed(codes, place, end, one, other)
                kind = NUMBER
            elif kinds & (UNSPACED | SYMBOL):
                end = place + 1
                one, other = _hashed(codes, place, end, one, other)
                if kinds & OPERATES:
                    kind = OPERATOR
            elif kinds & SPACE:
                place += 1
                continue
            else:
                end = _operator_end(codes, start, place, stop, classes)
                kind = OPERATOR
                if end == place:
                    place += 1
                    continue
                one, other = _hashed(codes, place, end, one, other)
            one, other = mix(one), mix(other)
            first = (first ^ one) * _BASE
            second = (second ^ other) * _SECOND
            if kind == WORD:
                kind = _word_kind(tables, one, place > start and codes[place - 1] == _BACKSLASH)
            hashes[count] = (one & ~_KIND_MASK) | np.uint64(kind)
            if wants_spans:
                spans[count, 0], spans[count, 1] = place, end
            count += 1
            place = end
        offsets[text + 1] = count
        text_hashes[text, 0], text_hashes[text, 1] = mix(first), mix(second)
    return count


@compiled
def ngram_hash(tokens: U64, start: int, size: int) -> np.uint64:
    """Hash of the `size` tokens from `start`: a polynomial modulo 2^64, finished by murmur3's mixer."""
    value = np.uint64(0)
    for step in range(size):
        value = value * _BASE + tokens[start + step]
    return mix(value)


@compiled
def ngrams(tokens: U64, offsets: I64, size: int, hashes: U64, owners: I64) -> None:
    """Fills `hashes` and `owners` (both [G]) with the n-grams of `size` tokens that lie within one text."""
    at = 0
    for text in range(len(offsets) - 1):
        for start in range(offsets[text], offsets[text + 1] - size + 1):
            hashes[at], owners[at] = ngram_hash(tokens, start, size), text
            at += 1


@compiled
def templates(tokens: U64, offsets: I64, keys: U64) -> None:
    """Fills `keys` uint64[N] with a hash of each text's tokens, every number taken for the same; 0 without a number."""
    for text in range(len(offsets) - 1):
        value, numbers = _START, 0
        for place in range(offsets[text], offsets[text + 1]):
            if tokens[place] & _KIND_MASK == np.uint64(NUMBER):
                numbers += 1
                value = (value ^ _SECOND) * _BASE
            else:
                value = (value ^ tokens[place]) * _BASE
        keys[text] = mix(value) if numbers else np.uint64(0)


@compiled
def significant(tokens: U64, offsets: I64, keys: U64) -> None:
    """Fills `keys` uint64[N] with a hash of each text's numbers and operators in order."""
    for text in range(len(offsets) - 1):
        value = _START
        for place in range(offsets[text], offsets[text + 1]):
            if tokens[place] & _KIND_MASK != np.uint64(WORD):
                value = mix((value ^ tokens[place]) * _BASE)
        keys[text] = value


@compiled
def first_place(listed: U64, wanted: np.uint64) -> int:
    """Where `wanted` begins in the sorted `listed`; the length where it is not in it."""
    low, high = 0, len(listed)
    while low < high:
        middle = (low + high) // 2
        if listed[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(listed) and listed[low] == wanted else len(listed)
