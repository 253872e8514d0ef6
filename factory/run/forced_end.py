"""A run that was told to end and cannot: what is still done before its process is ended all the same.

Design: after a signal to every process Ray's core may hold the main thread for a minute, and schedulers kill sooner. A
thread then ends the process (command.py, lost_ray.py); what it must not leave behind is a record that says the run is
at work. Whoever has such a record says here how to close it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Note = Callable[[str, str, str], None]
"""Takes the state to note, the error in words, and its type."""

PATIENCE_S = 8.0
"""Seconds an orderly end may take after SIGTERM, or without Ray. It takes 1-3; where a signal to every process ended
Ray as well, Ray's core waits 60 s for what is gone. Kubernetes and Slurm send SIGKILL after 30."""

NOTES_S = 2.0
"""What noting may take: a store that does not answer holds up no end."""

_notes: list[Note] = []


@contextmanager
def at_forced_end(note: Note) -> Iterator[None]:
    """`note` is called where the process has to be ended while the body runs."""
    _notes.append(note)
    try:
        yield
    finally:
        _notes.remove(note)


def note_forced_end(state: str, error: str, error_type: str) -> None:
    """To be called by a thread that is about to end this process."""

    def each() -> None:
        for note in _notes:
            note(state, error, error_type)

    noting = threading.Thread(target=each, name="note-end", daemon=True)
    noting.start()
    noting.join(NOTES_S)
