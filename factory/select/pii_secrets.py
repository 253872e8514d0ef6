"""Keys, tokens and passwords: what makes a string a secret, and what only stands in a secret's place.

Design: a token with an issuer's prefix counts when it is as irregular as random ones are; a value that is
assigned to a password or key counts when it could not be a name, a word or a template. Placeholders that
documentation uses ("your-api-key", "xxxx", "changeme", "${TOKEN}") are no secrets.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter

import orjson

Span = tuple[int, int]
Match = re.Match[str]

_STAND_INS = re.compile(
    r"example|placeholder|your[-_]?|changeme|change[-_]me|dummy|redacted|insert|replace|sample|xxxx|\*\*\*|\.\.\.|•••"
    r"|123456|abcdef|qwerty|foobar|p[a@]ssw[o0]rd|passw[dt]|s[e3]cr[e3]t|token|todo|fixme|t[o0]ps[e3]cret|letmein"
    r"|hunter2|my[-_]?(?:key|pass)|t3st|test[-_]?(?:key|pass)?\Z|correct[-_ ]?horse",
    re.IGNORECASE,
)
_TOKEN_STAND_INS = re.compile(
    r"example|placeholder|your[-_]|xxxx|0000|1234567|abcdefg|redacted|\.\.\.|dummy", re.IGNORECASE
)


def token(found: Match) -> Span | None:
    """A prefixed token: the part after the prefix looks drawn at random."""
    body = found["body"] or found[0]
    if _TOKEN_STAND_INS.search(found[0]) or len(set(body)) < min(9, len(body) * 0.4):
        return None
    return found.span()


def mixed_token(found: Match) -> Span | None:
    """A token whose prefix is short enough for a class or a slug: it must mix both cases and digits."""
    body = found["body"]
    mixed = any(c.isdigit() for c in body) and any(c.isupper() for c in body) and any(c.islower() for c in body)
    return token(found) if mixed and len(set(body)) >= 12 else None


def cased_token(found: Match) -> Span | None:
    """A token that random letters of both cases tell from a name."""
    body = found["body"]
    cased = body is None or (any(c.isupper() for c in body) and any(c.islower() for c in body))
    return token(found) if cased else None


def jwt(found: Match) -> Span | None:
    """RFC 7519: the first part is JSON with an `alg`. The introduction's own example is nobody's."""
    header = found["header"]
    try:
        decoded = orjson.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, binascii.Error):
        return None
    known = isinstance(decoded, dict) and "alg" in decoded
    return found.span() if known and _JWT_EXAMPLE not in found[0] else None


_JWT_EXAMPLE = "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6Ikpv"
"""{"sub":"1234567890","name":"Jo… of RFC 7519's tutorials."""


def private_key(found: Match) -> Span | None:
    """With as much of a key in it as the shortest ones have (Ed25519: 64 characters of base64)."""
    body = re.sub(r"\\[nr]|[\s\"'+]", "", found["body"])
    return found.span() if _KEY_BODY.search(body) and not _TOKEN_STAND_INS.search(body[:80]) else None


_KEY_BODY = re.compile(r"[A-Za-z0-9/]{60}")


def url_credentials(found: Match) -> Span | None:
    """`user:password` before the host of an address, unless it is a template, a default or a host of examples."""
    user, _, password = found["credentials"].partition(":")
    if _TEMPLATE.search(found["credentials"]) or _EXAMPLE_HOST.fullmatch(found["host"]):
        return None
    if password.lower() == user.lower() or _DEFAULT_PASSWORDS.fullmatch(password) or _STAND_INS.search(password):
        return None
    return found.span("credentials")


_TEMPLATE = re.compile(r"[{}$%*]|\A[A-Z_]+:[A-Z_]+\Z|\.\.\.")
_DEFAULT_PASSWORDS = re.compile(
    r"(?:pass|pw|pwd|passwd|passphrase|user|username|root|admin|guest|test|foo|bar|baz|x+|y+|a|b|p|secret|key|pat|access_token"
    r"|\d{1,5})\d?",
    re.IGNORECASE,
)
_EXAMPLE_HOST = re.compile(
    r"(?:.*\.)?(?:localhost|example(?:\.\w+)*|test|invalid|local|host|hostname|server|domain\.com|yourdomain\.com)|127\.[\d.]+"
    r"|host\.docker\.internal|\[::1\]",
    re.IGNORECASE,
)


def password(found: Match) -> Span | None:
    """A stated password or key whose value is as irregular as a chosen secret."""
    quoted = found["quoted"] is not None
    value = found["quoted"] if quoted else found["bare"].partition("&")[0].rstrip(".!?:")
    if len(value) < 8 or _STAND_INS.search(value) or (_NOT_A_STRING if quoted else _NOT_A_VALUE).search(value):
        return None
    if entropy(value) * len(value) < LEAST_BITS:
        return None
    start = found.start("quoted" if quoted else "bare")
    return (start, start + len(value)) if _irregular(value, quoted) else None


LEAST_BITS = 20.0
"""Shannon entropy of the characters times their number: eight different characters have 24."""

_NOT_A_STRING = re.compile(
    r"\A(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*\Z|\A[A-Za-z]+(?:[-_ ][A-Za-z]+)*\d?\Z|://|\A%[sd(]|%\(\w+\)|\$\{|\{\{|\A\$\w+\Z"
    r"|\A[{<\[(].*[)\]>}]\Z|\A\d+(?:[.,:-]\d+)*\Z|\A0x|\AeyJ"
)
"""Between quotes anything may be a password but a template, a name, an address or a number."""

_NOT_A_VALUE = re.compile(
    r"\A(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*\Z|\A[A-Za-z]+(?:[-_][A-Za-z]+)*\d?\Z|://|\A[/~]|\A%[sd(]|%\(|%[sd]\Z|\A[@%&*#=]|\A\d+(?:[.,:-]\d+)*\Z"
    r"|[(\[{<>|]|\A0x|\AeyJ"
)
"""Attribute paths, words joined by dashes, addresses, paths, formats, references, numbers, code, JSON web tokens."""


def entropy(value: str) -> float:
    """Shannon entropy in bits a character, of the value's own character frequencies."""
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())


def _irregular(value: str, quoted: bool) -> bool:
    classes = sum(
        (
            any(character.islower() for character in value),
            any(character.isupper() for character in value),
            any(character.isdigit() for character in value),
            any(not character.isalnum() for character in value),
        )
    )
    switches = len(re.findall(r"(?<=[A-Za-z])\d|(?<=\d)[A-Za-z]", value))
    if quoted:
        # Three classes, or a long one with digits strewn in (hexadecimal keys).
        return (classes >= 3 and (switches >= 2 or _SYMBOL.search(value) is not None)) or switches >= 6
    # Without quotes it may as well be an expression: `token = tokens2[i]`, `key: utf-8`.
    symbols = _SYMBOL.search(value) is not None
    return (classes >= 3 and (symbols or switches >= 4)) or switches >= 8


_SYMBOL = re.compile(r"[#!@%^&*?+~=$§€]")
