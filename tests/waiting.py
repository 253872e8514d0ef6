"""Waiting in tests for what has to happen, however long a busy machine takes over it."""

from __future__ import annotations

import time
from typing import Any

LONGEST_S = 400.0


def until(what: str, found: Any, seconds: float = LONGEST_S) -> Any:
    """What `found` gives once it gives something; fails with `what` where that never comes."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
    return value
