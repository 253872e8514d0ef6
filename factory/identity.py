"""Hashes and ids: the one place that says how a thing gets its name.

Design: canonical JSON (sorted keys, no spaces, UTF-8, no NaN) is hashed with SHA-256. Ids keep 128 bits,
written as 32 hexadecimal digits: among 10^12 rows the chance of any collision is about 10^-15. Ids derive
from (parent id, step folder, index) and never from generated text, so a row keeps its id when a model
words it differently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
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


def ids_digest(ids: Iterable[str]) -> str:
    """Hash of a multiset of ids, whatever their order: the sum of their SHA-256 values modulo 2^256.

    Unlike a hash over the sorted ids it adds up: units digest their own ids and `add_digests` gives the
    step's, so nothing ever sorts or holds all ids in one place. It finds accidents, not forgers.
    """
    total = 0
    for item in ids:
        total += int.from_bytes(hashlib.sha256(item.encode()).digest())
    return f"{total % _DIGEST_MODULUS:064x}"


def add_digests(digests: Iterable[str]) -> str:
    """The digest of all the ids whose digests are given."""
    return f"{sum(int(digest, 16) for digest in digests) % _DIGEST_MODULUS:064x}"


def subtract_digest(digest: str, other: str) -> str:
    """The digest of the ids of `digest` without those of `other`, which are among them."""
    return f"{(int(digest, 16) - int(other, 16)) % _DIGEST_MODULUS:064x}"


_DIGEST_MODULUS = 1 << 256
