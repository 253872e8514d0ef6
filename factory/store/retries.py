"""How often this process has asked a store again, for whoever wants to know: metrics of a run."""

from __future__ import annotations

import threading

_lock = threading.Lock()
_made = 0


def note() -> None:
    """A call failed in a way that may pass, and is made again."""
    global _made
    with _lock:
        _made += 1


def so_far() -> int:
    """Calls of this process that were made again."""
    return _made
