"""In which keys configurations differ: the columns that tell the points of a sweep, or the runs of a root, apart.

Design: a configuration is its leaves by dotted key; a list is one leaf, since its places have no names. Keys that say
where and how work is done and watched (NOT_TOLD) tell nothing about a result and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.identity import canonical_json, fingerprint

NOT_TOLD = ("store", "cluster", "sweep", "observe")
"""Sections that are the same for all points of a sweep, or say nothing of what came out."""

CANARIES = "gate.canaries"

ABSENT = "(absent)"
"""The value of a key that a configuration does not have: it was recorded by another version of the factory."""


def leaves(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value of everything that is no section. Canaries are named by a hash: comparisons are shown around,
    and a canary that is known is none any more."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if not prefix and name in NOT_TOLD:
            continue
        if isinstance(value, Mapping):
            found |= leaves(value, f"{prefix}{name}.")
        elif f"{prefix}{name}" == CANARIES and isinstance(value, list | tuple):
            found[CANARIES] = f"(hidden {fingerprint(list(value))[:8]})"
        else:
            found[f"{prefix}{name}"] = value
    return found


def differing(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of each configuration, the keys in which not all agree, in the order of the first that has them."""
    flat = [leaves(config) for config in configs]
    keys = list(dict.fromkeys(key for each in flat for key in each))
    wanted = [key for key in keys if len({_same(each, key) for each in flat}) > 1]
    return [{key: each.get(key, ABSENT) for key in wanted} for each in flat]


def _same(flat: Mapping[str, Any], key: str) -> bytes:
    """Equal for values that are equal, as JSON has them: 1 and 1.0 are one number, true is none."""
    value = flat.get(key, ABSENT)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical_json(value)
