"""Progress for people: bars on a terminal, one plain line every few seconds elsewhere.

Design: the runner reports three events (step begins, unit done, step ends); everything shown (rows, yield,
tokens/s, time left) is computed here from receipts. Writes to stderr, so that stdout ends with the JSON line.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from factory.credentials import said
from factory.observe import logs
from factory.run.attempt import Receipt
from factory.run.words import words_of
from factory.store.commits import Counts

PLAIN_INTERVAL_S = 10.0
"""Seconds between plain lines: a log of an hour's run stays under 400 lines."""

UNITS_FOR_A_RATE = 2
"""Units of this execution before a time is guessed: one alone says nothing of how many go side by side."""

UNITS_AT_LEAST = 64
"""Last units a rate rests on, or a quarter of those done if that is more: several times what is in flight."""

WINDOW_UNITS = 1025
"""Arrivals kept: a rate over 1,024 units is steady, and a step may have a million."""


class Progress(Protocol):
    def begin(self, step: str, units: int, reused: int) -> None: ...

    def unit(self, receipt: Receipt) -> None: ...

    def end(self, done: Mapping[str, Any]) -> None: ...

    def say(self, line: str) -> None: ...

    def close(self) -> None: ...


@dataclass
class Meter:
    """Sums of one step while it runs. `clock` gives seconds."""

    step: str = ""
    units: int = 0
    finished: int = 0
    reused: int = 0
    clock: Callable[[], float] = time.monotonic
    counts: Counts = field(default_factory=Counts)
    tokens: float = 0.0
    _began: float | None = None
    _arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW_UNITS))

    def add(self, receipt: Receipt) -> None:
        if receipt.commit is None:
            return
        now = self.clock()
        if self._began is None:
            # Ray and the engine start before the first unit is begun: 30 s that say nothing about the rest.
            self._began = now - float(receipt.spent.get("seconds", 0))
        self._arrivals.append(now)
        self.finished += 1
        self.counts += receipt.commit.counts
        self.tokens += receipt.commit.ledger.get("generated_tokens", 0)

    @property
    def seconds(self) -> float:
        """Since the first unit of this execution was begun."""
        return 1e-9 if self._began is None else max(self.clock() - self._began, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """By the rate of the last units; None before two of this execution are done."""
        if self.finished < UNITS_FOR_A_RATE or self._began is None:
            return None
        # Units come in bursts of as many as are in flight: the time before a burst belongs to it, so the
        # window begins at an earlier arrival (or where work began), never at its own first one.
        last = max(self.finished // 4, UNITS_AT_LEAST)
        since, done = self._began, self.finished
        if self.finished > last:
            done = min(last, len(self._arrivals) - 1)
            since = self._arrivals[-done - 1]
        return (self.clock() - since) / done * (self.units - self.reused - self.finished)

    def line(self) -> str:
        parts = [
            f"{self.step:<10}",
            f"units {self.reused + self.finished}/{self.units}",
            _flow(self.step, self.counts.to_json()),
        ]
        if self.tokens:
            parts.append(f"{self.tokens / self.seconds:,.0f} generated tokens/s")
        left = self.seconds_left
        if left is not None and self.reused + self.finished < self.units:
            parts.append(f"about {duration(left)} left")
        return "  ".join(parts)


class SilentProgress:
    """Says nothing: for what is gone through without being worked."""

    def begin(self, step: str, units: int, reused: int) -> None: ...

    def unit(self, receipt: Receipt) -> None: ...

    def end(self, done: Mapping[str, Any]) -> None: ...

    def say(self, line: str) -> None: ...

    def close(self) -> None: ...


class PlainProgress:
    """One line when a step begins, every `PLAIN_INTERVAL_S` while it runs, and when it ends."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._meter = Meter()
        self._last = 0.0

    def begin(self, step: str, units: int, reused: int) -> None:
        self._meter = Meter(step, units, reused=reused)
        self._last = time.monotonic()

    def unit(self, receipt: Receipt) -> None:
        self._meter.add(receipt)
        if time.monotonic() - self._last >= PLAIN_INTERVAL_S:
            self._last = time.monotonic()
            self.say(self._meter.line())

    def end(self, done: Mapping[str, Any]) -> None:
        self.say(done_line(done))

    def say(self, line: str) -> None:
        print(said(line), file=self._stream, flush=True)

    def close(self) -> None:
        pass


class BarProgress:
    """A live bar for the running step above the lines of the finished ones."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.fields[line]}"), BarColumn(bar_width=24), TimeElapsedColumn(), console=self._console
        )
        self._bars.start()
        self._task: Any = None
        self._meter = Meter()

    def begin(self, step: str, units: int, reused: int) -> None:
        self._meter = Meter(step, units, reused=reused)
        self._task = self._bars.add_task(step, total=units, completed=reused, line=self._meter.line())

    def unit(self, receipt: Receipt) -> None:
        self._meter.add(receipt)
        self._bars.update(self._task, completed=self._meter.reused + self._meter.finished, line=self._meter.line())

    def end(self, done: Mapping[str, Any]) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self.say(done_line(done))

    def say(self, line: str) -> None:
        self._console.print(said(line), highlight=False, markup=False)

    def close(self) -> None:
        self._bars.stop()


def done_line(done: Mapping[str, Any]) -> str:
    """One line about a finished step."""
    counts, ledger = done["counts"], done["ledger"]
    parts = [f"{done['step']:<10}", f"units {done['units']}"]
    if done["units_reused"]:
        parts.append(f"({done['units_reused']} reused)")
    parts.append(_flow(done["step"], counts))
    if ledger.get("requests"):
        parts.append(f"requests {ledger['requests']:,.0f}")
        if ledger.get("retries"):
            parts.append(f"asked again {ledger['retries']:,.0f}")
        parts.append(f"tokens {ledger['prompt_tokens']:,.0f} in, {ledger['generated_tokens']:,.0f} out")
    parts.append(duration(done["wall_seconds"]))
    return "  ".join(parts)


def _flow(step: str, counts: Mapping[str, int]) -> str:
    words = words_of(step)
    out = counts["rejected"] + counts["quarantined"]
    read = f"{counts['inputs']:,} {words.reads}" + (f" ({out:,} turned away)" if out else "")
    refused = counts["output_rejected"]
    return f"{read} -> {counts['accepted']:,} {words.gives}" + (f" ({refused:,} more refused)" if refused else "")


def progress_for(stream: TextIO) -> Progress:
    """JSON lines where this process logs so, bars where `stream` is a terminal, plain lines otherwise."""
    if logs.is_json():
        from factory.run.progress_json import JsonProgress

        return JsonProgress()
    return BarProgress() if stream.isatty() else PlainProgress(stream)


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
