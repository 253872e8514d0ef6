"""What a replica is used for: its time and tokens, and each request's share of its time.

Design: time with requests open is shared out evenly among those that are open (a clock that runs at 1 / open requests,
as in fair queueing), by batch, and within a batch by the requests' latencies. Time without any, starting included, is
charged to the batch that ends it. So the shares of all batches add up to the replica's time, but for what came after
the last of them. A replica's totals are noted where they outlive its process (notes.py): of one that is killed at most
NOTE_S are lost.

Cost: some 4 microseconds a request.
"""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from factory.engine.api import Completion, EngineShare
from factory.engine.config import EngineConfig
from factory.engine.notes import forget, leave, notes_below

USE_KEY = "factory:engine-use:"

NOTE_S = 10.0
"""Seconds between notes: what a killed replica forgets."""


@dataclass(frozen=True)
class Hardware:
    """What a replica holds: GPUs and their kind, or the cores its threads take where it runs on CPUs."""

    gpus: float = 0.0
    gpu_kind: str = ""
    cores: float = 0.0


@dataclass(frozen=True)
class ReplicaUse:
    """Totals of one process of a replica: seconds since its actor began (`alive`) and with requests open (`busy`), and
    what it answered."""

    replica: int
    host: str
    pid: int
    gpus: float
    gpu_kind: str
    cores: float
    alive_seconds: float
    busy_seconds: float
    requests: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int


@dataclass(frozen=True)
class Opened:
    """A batch when it came: the shared clock, and the time without requests that it ended."""

    requests: int
    shared: float
    idle: float


class UseMeter:
    """Of one replica, in its process. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._changed = clock()
        self._open = 0
        self._shared = self._busy = self._idle = 0.0
        self._answered = self._prompt = self._cached = self._generated = 0
        self.hardware = Hardware()
        self._process = uuid.uuid4().hex
        self._noted_at = self._began

    def begin(self, requests: int) -> Opened:
        self._advance()
        opened = Opened(requests, self._shared, self._idle)
        self._idle = 0.0
        self._open += requests
        return opened

    def end(self, opened: Opened) -> float:
        """Seconds that the batch is charged of the time in which it was open."""
        self._advance()
        self._open -= opened.requests
        return (self._shared - opened.shared) * opened.requests

    def answered(self, opened: Opened, busy: float, completions: Sequence[Completion]) -> list[Completion]:
        """The completions of a batch, each with its share of the batch's time."""
        held = self.hardware
        latencies = [max(0.0, completion.latency) for completion in completions]
        whole = sum(latencies)
        idle = opened.idle / len(completions) if completions else 0.0
        shared: list[Completion] = []
        for completion, latency in zip(completions, latencies, strict=True):
            part = latency / whole if whole else 1 / len(completions)
            share = EngineShare(busy * part, idle, held.gpus, held.gpu_kind, held.cores)
            shared.append(replace(completion, share=share))
            self._prompt += completion.prompt_tokens
            self._cached += completion.cached_tokens
            self._generated += sum(completion.generated_tokens)
        self._answered += len(shared)
        return shared

    def use(self, replica: int) -> ReplicaUse:
        self._advance()
        held = self.hardware
        return ReplicaUse(
            replica,
            socket.gethostname(),
            os.getpid(),
            held.gpus,
            held.gpu_kind,
            held.cores,
            round(self._changed - self._began, 3),
            round(self._busy, 3),
            self._answered,
            self._prompt,
            self._cached,
            self._generated,
        )

    def note(self, pool: str, replica: int) -> Callable[[], None]:
        """What notes the totals as they are now; to be called in a thread that may wait for Ray's head."""
        self._noted_at = self._clock()
        return partial(leave, f"{USE_KEY}{pool}:{replica}:{self._process}", asdict(self.use(replica)))

    @property
    def note_is_due(self) -> bool:
        return self._clock() - self._noted_at >= NOTE_S

    def _advance(self) -> None:
        now = self._clock()
        passed, self._changed = now - self._changed, now
        if self._open:
            self._busy += passed
            self._shared += passed / self._open
        else:
            self._idle += passed


def hardware_of(config: EngineConfig) -> Hardware:
    """What this process's engine holds, as its actor was placed (engine/placement.py)."""
    import ray

    gpus = len(ray.get_gpu_ids())
    if config.extra.get("distributed_executor_backend") == "ray":
        gpus = config.tensor_parallel * config.pipeline_parallel  # they are held by vLLM's own actors
    return Hardware(float(gpus), _gpu_kind()) if gpus else on_cores(config)


def on_cores(config: EngineConfig) -> Hardware:
    """What an engine without GPUs holds: the cores that vLLM's threads take. Clients of a server mostly wait."""
    return Hardware(cores=float(config.cpu_threads or len(os.sched_getaffinity(0))) if config.kind == "vllm" else 0.0)


def _gpu_kind() -> str:
    """As Ray names the GPUs of this node, for example H100; the most exact of its names."""
    import ray

    try:
        here = ray.get_runtime_context().get_node_id()
        node: dict[str, Any] = next((node for node in ray.nodes() if node["NodeID"] == here), {})
    except Exception:  # an engine does not fail to start for want of a name
        return "GPU"
    names = [name.removeprefix(KIND) for name in node.get("Resources", {}) if name.startswith(KIND)]
    return max(names, key=len, default="GPU")


KIND = "accelerator_type:"
"""Begin of the resource that Ray gives a node for the kind of its GPUs."""


def use_of(pool: str) -> list[ReplicaUse]:
    """Every process of a pool's replicas as it last noted itself, also of those that are gone."""
    found = [ReplicaUse(**note) for note in notes_below(f"{USE_KEY}{pool}:")]
    return sorted(found, key=lambda use: (use.replica, use.host, use.pid))


def forget_use(pool: str) -> None:
    forget(f"{USE_KEY}{pool}:")
