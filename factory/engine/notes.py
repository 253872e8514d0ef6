"""Notes in Ray's cluster-wide key-value store, which outlives the processes that leave them.

Design: a note is a small JSON object under a key of its own, so nobody writes over another's; whoever reads asks for
all below a prefix at once. Ray's functions for it are private, and its version is pinned.

Cost: one call to Ray's head to leave a note, two to read however many. A head that does not answer is waited for, a
minute at most.
"""

from __future__ import annotations

from typing import Any

import orjson


def leave(key: str, value: dict[str, Any]) -> None:
    from ray.experimental import internal_kv

    internal_kv._internal_kv_put(key, orjson.dumps(value))


def keys_below(prefix: str) -> list[str]:
    from ray.experimental import internal_kv

    return [key.decode() for key in internal_kv._internal_kv_list(prefix)]


def notes_below(prefix: str) -> list[dict[str, Any]]:
    """In no order."""
    from ray.experimental import internal_kv

    keys = [key.encode() for key in keys_below(prefix)]
    if not keys:
        return []
    found: dict[bytes, bytes] = internal_kv.global_gcs_client.internal_kv_multi_get(keys)
    return [orjson.loads(value) for value in found.values()]


def forget(prefix: str) -> None:
    from ray.experimental import internal_kv

    internal_kv._internal_kv_del(prefix, del_by_prefix=True)
