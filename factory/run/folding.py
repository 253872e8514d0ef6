"""Folding a step's commits into index files while it is worked, so that a run that is killed starts again soon.

Design: a task folds (store/commit_index.py) whenever as many units have been committed as are worth a file, or an
eighth of all there are if that is more: then whoever starts again reads about an eighth of the commits one by one, and
the listings that folding needs stay a share of what the units themselves ask of the store. It reads the commits from
the store, not from the driver's receipts, whose tags nobody knows. One fold at a time; one that fails costs nobody
more than time. Cost: one read a unit, in a worker.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from factory.store.base import Store
from factory.store.commit_index import FOLD_AT, fold

TAIL_SHARE = 8
"""Of the committed units, one in so many may be outside every index before the next fold begins."""


@dataclass
class Folding:
    """Counts what is committed and folds in the background; Ray must be connected. `committed` were there before."""

    store: Store
    folder: str
    committed: int
    at_least: int = FOLD_AT
    _tail: int = 0
    _task: Any = None

    def add(self) -> None:
        """One more unit is committed."""
        self.committed += 1
        self._tail += 1
        if self._tail >= max(self.at_least, self.committed // TAIL_SHARE) and self._is_idle():
            self._start()

    def end(self) -> None:
        """Waits for the fold that is at work, and folds what is left where it is worth a file."""
        self._wait()
        if self._tail >= self.at_least:
            self._start()
            self._wait()

    def _start(self) -> None:
        import ray

        # It takes no core of the step's: most of its time it waits for the store.
        self._task = ray.remote(num_cpus=0)(fold).remote(self.store, self.folder, self.at_least)
        self._tail = 0

    def _is_idle(self) -> bool:
        import ray

        return self._task is None or bool(ray.wait([self._task], timeout=0)[0])

    def _wait(self) -> None:
        import ray

        if self._task is not None:
            with suppress(ray.exceptions.RayError):
                ray.get(self._task)
            self._task = None
