"""Processes that this one starts as parts of itself do not hear of Ctrl-C and SIGTERM: it says when they end.

Design: signals may reach every process of a terminal, a group or a machine, also one that is a second into its imports
and has said nothing about them yet. So they are held back while such a process is started, which it inherits, and the
process ignores them before it lets them through. Cost: three system calls.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

SIGNALS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def held_back() -> Iterator[None]:
    """What this thread starts in the body is not reached by them until it calls `ignored`."""
    resource_tracker.ensure_running()  # started within, it would let them through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignored() -> None:
    """First thing in a process that was started so; in its main thread."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
