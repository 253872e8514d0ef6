"""Synthetic keys, tokens and passwords: drawn at random, formed like those of the services."""

from __future__ import annotations

import base64
import json
import random
import string

from tests.select.planted_values import FIRST, WORD_CHARACTERS, Draw, Value, some


def jwt(rng: random.Random) -> Value:
    def part(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    header = part({"alg": rng.choice(["HS256", "RS256"]), "typ": "JWT"})
    payload = part({"sub": some(rng, WORD_CHARACTERS, 12), "iat": rng.randint(1_600_000_000, 1_800_000_000)})
    return Value(f"{header}.{payload}.{some(rng, WORD_CHARACTERS + '-_', 43)}")


def private_key(rng: random.Random) -> Value:
    kind = rng.choice(["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"])
    lines = [some(rng, WORD_CHARACTERS + "+/", 64) for _ in range(rng.choice([2, 12, 25]))]
    return Value(
        "\n".join([f"-----BEGIN {kind}-----", *lines, some(rng, WORD_CHARACTERS, 20) + "==", f"-----END {kind}-----"])
    )


def secret_word(rng: random.Random) -> str:
    classes = [string.ascii_lowercase, string.ascii_uppercase, string.digits, "#!@%^*+~"]
    inner = [rng.choice(one) for one in classes] + rng.choices(WORD_CHARACTERS, k=rng.randint(6, 14))
    rng.shuffle(inner)
    # Beginning with a letter, as most do; a sign in front could be a reference or an option.
    return rng.choice(string.ascii_letters) + "".join(inner) + rng.choice(string.ascii_letters)


def url_credentials(rng: random.Random) -> Value:
    return Value(f"{rng.choice(FIRST)}:{some(rng, WORD_CHARACTERS, 9, 20)}")


def token(prefixes: tuple[str, ...], alphabet: str, low: int, high: int | None = None) -> Draw:
    return lambda rng: Value(rng.choice(prefixes) + some(rng, alphabet, low, high))
