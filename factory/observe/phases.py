"""Where the time of a unit goes: a few moments noted by the worker that has it, and sent home in its receipt.

Design: the worker only notes; what becomes of it (seconds by phase, spans of a trace) is made in the driver, which gets
a receipt of every unit anyway. So no worker holds a connection to anything that observes, and none waits for it.
`generate` is as long as the slowest request of a round took by its engine's own account; what asking took beyond that
is `wait`: the way there, and waiting for an engine that starts again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PhaseName = Literal["read", "wait", "generate", "parse", "work", "commit"]

PHASES: tuple[PhaseName, ...] = ("read", "wait", "generate", "parse", "work", "commit")
"""`read`: rows and prompts; `work`: all that a step without a model does; `commit`: files and the commit itself."""


@dataclass(frozen=True)
class Phase:
    """`began` in seconds since the epoch, by the clock of the worker; `seconds` by one that nobody sets."""

    name: PhaseName
    began: float
    seconds: float


@dataclass(frozen=True)
class Timeline:
    """A unit's way through one worker. `store_retries`: calls of the store that had to be made again."""

    host: str
    pid: int
    began: float
    seconds: float
    phases: tuple[Phase, ...] = ()
    store_retries: int = 0

    def by_phase(self) -> dict[str, float]:
        """Seconds by phase; rounds of asking added up."""
        found: dict[str, float] = {}
        for phase in self.phases:
            found[phase.name] = found.get(phase.name, 0.0) + phase.seconds
        return found
