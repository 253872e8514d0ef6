"""What work took: requests, tokens, seconds of engines, GPUs and cores. Plain sums, so that parts add up to the whole.

Design: a unit's commit holds what the unit took (run/llm.py, engine/use.py) under the names below; a step's record
holds their sums. Names with a colon end in the kind of hardware. Engine seconds are the unit's share of its replica's
time: `busy` while requests were open, `idle` the time without any that ended with its requests (starting included), so
that the units of a run together come to all the time a replica was held, but for what lost attempts and the end took.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

GPU_SECONDS = "gpu_seconds:"
"""Begin of a ledger's key; the kind of GPU follows."""

BUSY, IDLE, ENGINE_CORES = "engine_busy_seconds", "engine_idle_seconds", "engine_core_seconds"

PARTS = ("requests", "prompt_tokens", "cached_tokens", "generated_tokens", BUSY)
"""What a commit says of single levels and subjects, in this order. Not idle time, which whoever comes first ends."""

Split = dict[str, list[float]]
"""Name of a level or subject -> the sums that PARTS names."""


@dataclass(frozen=True)
class Amounts:
    """Tokens; seconds. `gpu_seconds` by kind: GPUs times the time they were held. `engine_core_seconds`: cores of
    engines without a GPU, times the time they were busy. `core_seconds`: of tasks without a model, one core each."""

    requests: float = 0
    prompt_tokens: float = 0
    cached_tokens: float = 0
    generated_tokens: float = 0
    busy_seconds: float = 0
    idle_seconds: float = 0
    engine_core_seconds: float = 0
    core_seconds: float = 0
    gpu_seconds: Mapping[str, float] = field(default_factory=dict)

    def __add__(self, other: Amounts) -> Amounts:
        kinds = self.gpu_seconds.keys() | other.gpu_seconds.keys()
        gpus = {kind: self.gpu_seconds.get(kind, 0) + other.gpu_seconds.get(kind, 0) for kind in sorted(kinds)}
        return Amounts(**{name: getattr(self, name) + getattr(other, name) for name in PLAIN}, gpu_seconds=gpus)

    def scaled(self, factor: float) -> Amounts:
        gpus = {kind: seconds * factor for kind, seconds in self.gpu_seconds.items()}
        return Amounts(**{name: getattr(self, name) * factor for name in PLAIN}, gpu_seconds=gpus)

    @property
    def tokens(self) -> float:
        return self.prompt_tokens + self.generated_tokens

    @property
    def waiting(self) -> Amounts:
        """The part of it in which engines were held and had no request."""
        share = self.idle_seconds / self.engine_seconds if self.engine_seconds else 0.0
        gpus = {kind: seconds * share for kind, seconds in self.gpu_seconds.items()}
        return Amounts(idle_seconds=self.idle_seconds, gpu_seconds=gpus)

    @property
    def worked(self) -> Amounts:
        """All but `waiting`."""
        waited = self.waiting.gpu_seconds
        gpus = {kind: seconds - waited[kind] for kind, seconds in self.gpu_seconds.items()}
        return replace(self, idle_seconds=0.0, gpu_seconds=gpus)

    @property
    def engine_seconds(self) -> float:
        """Time that replicas were held."""
        return self.busy_seconds + self.idle_seconds


PLAIN = tuple(item.name for item in fields(Amounts) if item.name != "gpu_seconds")


def total(amounts: Iterable[Amounts]) -> Amounts:
    return sum(amounts, Amounts())


def parts_in(split: Any) -> dict[str, Split]:
    """What a commit or a record says of groups, as far as it is what run/charged.py writes."""
    found = split.items() if isinstance(split, Mapping) else ()
    return {
        str(kind): {str(name): part for name, part in groups.items() if _is_part(part)}
        for kind, groups in found
        if isinstance(groups, Mapping)
    }


def _is_part(part: Any) -> bool:
    return isinstance(part, list) and len(part) == len(PARTS) and all(isinstance(item, int | float) for item in part)


def part_of(whole: Amounts, part: Sequence[float]) -> Amounts:
    """A group's part of what a step took: `part` as PARTS names it, and of the step's engine time besides as much as of
    its busy time."""
    requests, prompt, cached, generated, busy = part
    share = busy / whole.busy_seconds if whole.busy_seconds else 0.0
    return Amounts(
        requests=requests,
        prompt_tokens=prompt,
        cached_tokens=cached,
        generated_tokens=generated,
        busy_seconds=busy,
        idle_seconds=whole.idle_seconds * share,
        engine_core_seconds=whole.engine_core_seconds * share,
        gpu_seconds={kind: seconds * share for kind, seconds in whole.gpu_seconds.items()},
    )


def of_ledger(ledger: Mapping[str, float]) -> Amounts:
    """What a ledger (of a unit, a step, or a part of one) says. Records from before engines measured their use have
    `engine_seconds` of the step instead, wall time times replicas, taken as busy."""
    asks = "requests" in ledger  # also of a unit that had nothing to ask
    measured = BUSY in ledger
    return Amounts(
        requests=ledger.get("requests", 0),
        prompt_tokens=ledger.get("prompt_tokens", 0),
        cached_tokens=ledger.get("cached_tokens", 0),
        generated_tokens=ledger.get("generated_tokens", 0),
        busy_seconds=ledger.get(BUSY, 0) if measured else ledger.get("engine_seconds", 0),
        idle_seconds=ledger.get(IDLE, 0),
        engine_core_seconds=ledger.get(ENGINE_CORES, 0),
        core_seconds=0 if asks else ledger.get("seconds", 0),
        gpu_seconds={
            key.removeprefix(GPU_SECONDS): seconds for key, seconds in ledger.items() if key.startswith(GPU_SECONDS)
        },
    )
