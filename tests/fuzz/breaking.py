"""Strategies that begin from something valid and break it: bytes, JSON trees, texts.

Design: free bytes hardly ever get past the first check of a parser, so most examples are a valid artefact with a few
faults: flipped bits, cuts, splices, doubled or zeroed stretches; in JSON leaves of another type, missing, added and
doubled keys, nesting; in text pieces of it put together anew with what breaks readers. One example in eight is free.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import orjson
from hypothesis import strategies as st

HOSTILE_TEXTS = (
    "",
    " ",
    "\0",
    "\ufeff",
    "\u202e",
    "\u2028",
    "\x85",
    "\r\n",
    "\r",
    "e\u0301",
    "ﬁ",
    "İ",
    "ß",
    "𝔸",
    "🙂",
    "١٢٣",
    "½",
    "²",
    "Ⅷ",
    "〇",
    "<script>alert(1)</script>",
    "{{document}}",
    "${oc.env:HOME}",
    "../../etc/passwd",
    "~nobody",
    "%s",
    "{",
    "}",
    "[",
    "\\",
    "\\frac",
    "\\frac{1}{",
    "$",
    "$$",
    "\\boxed{",
    "```",
    "```python\n",
    "assert ",
    ">>> ",
    "'",
    '"',
    "nan",
    "inf",
    "-inf",
    "1e999",
    "0x10",
    "1_000",
    "1,000",
    "-0",
    "00",
    "9" * 400,
    "null",
    "true",
    "NaN",
    "a" * 5000,
    "\t" * 300,
    "(" * 300,
    "[" * 300,
    "a b " * 400,
    "\n" * 400,
    "\ud800\udc00",
)
"""Pieces that have broken readers of text somewhere; all of them can be written as UTF-8 but the last, a pair of
surrogates, which `pieces` joins."""

HOSTILE_LEAVES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64 - 1,
    -(2**63),
    0.5,
    -0.0,
    1e308,
    5e-324,
    "",
    "0",
    "-1",
    "nan",
    "x",
    "\0",
    "🙂",
    "a" * 3000,
    [],
    {},
    [None],
    [[]],
    [{}],
    {"": None},
    {"a": {"b": [1]}},
    ["a", 1],
)


def texts(*valid: str, surrogates: bool = False) -> st.SearchStrategy[str]:
    """Texts made of pieces of the valid ones and of what breaks readers; with `surrogates` also lone ones."""
    blacklist = () if surrogates else ("Cs",)
    characters = st.characters(exclude_categories=blacklist)
    hostile = [text for text in HOSTILE_TEXTS if surrogates or _encodable(text)]
    piece = st.one_of(
        st.sampled_from(hostile),
        st.text(characters, max_size=12),
        *([st.sampled_from(valid).flatmap(_piece_of)] if valid else []),
    )
    mixed = st.lists(piece, max_size=6).map("".join)
    whole = st.sampled_from(valid) if valid else mixed
    return st.one_of(mixed, whole, whole.flatmap(_damaged_text), st.text(characters, max_size=200))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _piece_of(text: str) -> st.SearchStrategy[str]:
    ends = st.integers(0, len(text))
    return st.tuples(ends, ends).map(lambda pair: text[min(pair) : max(pair)])


def _damaged_text(text: str) -> st.SearchStrategy[str]:
    """A valid text with a piece taken out, doubled, or another put in."""
    ends = st.integers(0, len(text))
    put_in = st.one_of(st.sampled_from([each for each in HOSTILE_TEXTS if _encodable(each)]), st.just(text[:40]))
    return st.tuples(ends, ends, put_in).map(lambda drawn: text[: min(drawn[:2])] + drawn[2] + text[max(drawn[:2]) :])


@st.composite
def broken_bytes(draw: st.DrawFn, valid: Sequence[bytes], most_faults: int = 4) -> bytes:
    """One of the `valid` artefacts with up to `most_faults` faults, or (one in eight) bytes of any kind."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.binary(max_size=300))
    data = bytearray(draw(st.sampled_from(list(valid))))
    for _ in range(draw(st.integers(0, most_faults))):
        _damage(draw, data, valid)
    return bytes(data)


def _damage(draw: st.DrawFn, data: bytearray, valid: Sequence[bytes]) -> None:
    if not data:
        data += draw(st.binary(max_size=16))
        return
    # Ends matter most in formats with headers and footers, so half of the faults lie near one.
    near = min(len(data) - 1, 64)
    at = draw(
        st.one_of(st.integers(0, len(data) - 1), st.integers(0, near), st.integers(len(data) - 1 - near, len(data) - 1))
    )
    kind = draw(st.integers(0, 7))
    length = draw(st.integers(1, 24))
    if kind <= 1:
        data[at] ^= 1 << draw(st.integers(0, 7))
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        del data[at : at + length]
    elif kind == 4:
        data[at:at] = data[at : at + length] * draw(st.integers(1, 4))
    elif kind == 5:
        other = draw(st.sampled_from(list(valid)))
        start = draw(st.integers(0, max(0, len(other) - 1)))
        data[at : at + length] = other[start : start + draw(st.integers(0, 64))]
    elif kind == 6:
        data[at : at + length] = draw(st.sampled_from((b"\0", b"\xff", b"\x80", b"\n", b"9"))) * length
    else:
        data[at : at + length] = draw(st.binary(min_size=1, max_size=length))


@st.composite
def broken_json(draw: st.DrawFn, valid: Any, most_faults: int = 3) -> Any:
    """The JSON value `valid` with leaves of other types, missing, added and renamed keys, doubled items."""
    value = copy.deepcopy(valid)
    for _ in range(draw(st.integers(0, most_faults))):
        places = list(_places(value, ()))
        if not places:
            return draw(st.sampled_from(HOSTILE_LEAVES))
        path = draw(st.sampled_from(places))
        value = _changed(draw, value, path)
    return value


def _places(value: Any, path: tuple[Any, ...]) -> Any:
    """Paths of everything inside a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _changed(draw: st.DrawFn, value: Any, path: tuple[Any, ...]) -> Any:
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    key = path[-1]
    kind = draw(st.integers(0, 6))
    if kind <= 2:
        inner[key] = copy.deepcopy(draw(st.sampled_from(HOSTILE_LEAVES)))
    elif kind == 3:
        inner[key] = draw(leaves())
    elif kind == 4:
        del inner[key]
    elif kind == 5:
        inner[key] = [inner[key]] if draw(st.booleans()) else {str(key): inner[key]}
    elif isinstance(inner, list):
        inner.insert(key, copy.deepcopy(inner[key]))
    else:
        inner[draw(st.sampled_from(("", "extra", "counts", "🙂", "a.b")))] = inner.pop(key)
    return value


def leaves() -> st.SearchStrategy[Any]:
    """Small JSON values of every type."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), inner, max_size=3),
        ),
        max_leaves=6,
    )


def json_bytes(valid: Any, most_faults: int = 3) -> st.SearchStrategy[bytes]:
    """Bytes of a JSON object: mostly well-formed JSON that says something else, one in three broken as bytes."""
    formed = broken_json(valid, most_faults).map(orjson.dumps)
    whole = orjson.dumps(valid)
    odd = st.sampled_from(
        (
            b"",
            b"null",
            b"[]",
            b"{}",
            b"0",
            b'""',
            b"\xef\xbb\xbf" + whole,
            whole[: len(whole) // 2],
            whole + whole,
            b"[" * 2000,
            b'{"a":' * 1000,
            whole.replace(b":", b":1e999,", 1),
            whole.replace(b'"', b"'"),
            b"\0" * 64,
            b"9" * 6000,
            whole.replace(b"{", b'{"a":NaN,', 1),
            whole.replace(b"{", b'{"\\ud800":1,', 1),
            whole.decode().encode("utf-16"),
        )
    )
    return st.one_of(formed, formed, formed, broken_bytes([whole]), odd)
