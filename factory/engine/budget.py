"""How many engines a run may lose, by what it lost them to: pure bookkeeping.

Design: three kinds, each with a bound of its own, because each says something else and asks for something else. A
*killer* is a prompt that was proved to kill or hang engines; the engines that its hunt cost are in that one. A *hang*
is an engine that stopped making tokens, a *loss* one that died, and no prompt was to blame: memory, a signal, a broken
card. An engine that went with its preempted node is none of them; nobody tells the budget of it.

Until a hunt is over, nobody knows which of them its deaths were. They are on trial: as many as finding one killer may
take count for nothing yet, more of them count at once, so that an engine that dies whatever it is given cannot go on
for ever. Each killer found takes those before it with it; what is left when the hunt ends is charged.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Death = Literal["hang", "loss"]
"""What an engine's death looked like: no new token for too long, or an end."""


@dataclass(frozen=True)
class Allowance:
    """What a pool may lose: `killers` in prompts, `hangs` and `losses` in engines."""

    killers: int
    hangs: int
    losses: int


@dataclass
class OnTrial:
    """Deaths of one hunt that are charged to nobody yet. `suspects`: requests that were in the engine."""

    suspects: int = 1
    deaths: list[Death] = field(default_factory=list)

    def beyond_a_killer(self) -> list[Death]:
        """Deaths that finding one killer among the suspects does not explain (suspects.py: ceil(log2 n) + 1)."""
        return self.deaths[math.ceil(math.log2(max(2, self.suspects))) + 1 :]


@dataclass
class Budget:
    allowed: Allowance
    killers: int = 0
    charged: Counter[Death] = field(default_factory=Counter)

    def killer_found(self, trial: OnTrial) -> None:
        self.killers += 1
        trial.deaths.clear()

    def hunt_over(self, trial: OnTrial) -> None:
        """No prompt was to blame for what is still on trial."""
        self.charged.update(trial.deaths)
        trial.deaths.clear()

    def overdrawn(self, trials: Iterable[OnTrial]) -> str:
        """Which bound was passed, and what was spent of the others; empty while there is something left of each."""
        spent = self.charged.copy()
        for trial in trials:
            spent.update(trial.beyond_a_killer())
        kinds = (
            (self.killers, self.allowed.killers, "prompts killed or hung engines", "killers_allowed"),
            (spent["hang"], self.allowed.hangs, "engines hung and no prompt was to blame", "hangs_allowed"),
            (spent["loss"], self.allowed.losses, "engines were lost and no prompt was to blame", "losses_allowed"),
        )
        for number, allowed, what, key in kinds:
            if number > allowed:
                others = ", ".join(f"{each[3]} {each[0]} of {each[1]}" for each in kinds if each[3] != key)
                return f"{number} {what}, more than engine.{key}={allowed} (spent of the others: {others})"
        return ""
