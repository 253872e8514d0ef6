"""Hashes and ids: the one place that says how a thing gets its name.

Design: canonical JSON (sorted keys, no spaces, UTF-8, no NaN) is hashed with SHA-256. Ids keep 128 bits,
written as 32 hexadecimal digits: among 10^12 rows the chance of any collision is about 10^-15. Ids derive
from (parent id, step folder, index) and never from generated text, so a row keeps its id when a model
words it differently.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

ID_HEX_DIGITS = 32


def canonical_json(value: Any) -> bytes:
    """Bytes of `value` that are equal for equal values, on every machine and Python version."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256_hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fingerprint(value: Any) -> str:
    """64 hexadecimal digits naming a JSON-serialisable value."""
    return sha256_hex(canonical_json(value))


def make_id(kind: str, *parts: str | int) -> str:
    """A 128-bit id for the thing of `kind` that `parts` determine.

    Parts are length-prefixed, so ("ab", "c") and ("a", "bc") differ.
    """
    hasher = hashlib.sha256(kind.encode())
    for part in parts:
        data = str(part).encode()
        hasher.update(b"\x00%d:" % len(data))
        hasher.update(data)
    return hasher.hexdigest()[:ID_HEX_DIGITS]


def seed_for(*parts: str | int) -> int:
    """A 63-bit seed that depends on nothing but `parts`."""
    return int(make_id("seed", *parts)[:16], 16) >> 1


def ids_digest(ids: list[str]) -> str:
    """Hash of a set of ids, whatever order they come in; equal digests mean equal sets of rows."""
    return sha256_hex("\n".join(sorted(ids)).encode())
