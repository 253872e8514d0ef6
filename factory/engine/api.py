"""The seam between steps and language models.

Design: a step hands over a `Batch` (one unit's requests under one set of sampling parameters and one
response schema) and gets one `Completion` a request, in order. A request that fails alone (prompt too
long, schema refused) comes back as a completion with `error`; only a dead engine raises. Everything here
is plain data so that it pickles cheaply between Ray processes: about 10 microseconds a request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from factory.identity import fingerprint


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters of a request; part of a step's fingerprint.

    `samples` is n, completions a request (shared prefill). `seed` is the run's seed: engines that can
    take a seed per request derive it from (seed, request id); vLLM on CPU cannot (it dies), so there the
    engine-level seed is all there is, and lineage says which was used.
    """

    temperature: float
    top_p: float
    max_tokens: int
    samples: int = 1
    top_k: int = 0
    repetition_penalty: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0
    ignore_eos: bool = False


@dataclass(frozen=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """One call: its id derives from (step folder, item id, round)."""

    request_id: str
    messages: tuple[Message, ...]

    def prompt_sha256(self) -> str:
        return fingerprint([[message.role, message.content] for message in self.messages])


@dataclass(frozen=True)
class Batch:
    """One unit's requests. `schema` is a JSON schema every completion must satisfy, or None for free text.

    `samples` overrides sampling.samples for this batch (a smaller last round)."""

    requests: tuple[Request, ...]
    sampling: Sampling
    schema: dict[str, Any] | None = None


FINISH_STOP, FINISH_LENGTH, FINISH_ERROR, FINISH_REPETITION = "stop", "length", "error", "repetition"
"""As vLLM and OpenAI say them. "repetition" is vLLM's own word for a text that was ended because it loops; here it also
stands for one that ran into its token budget looping (factory/run/completions.py)."""


@dataclass(frozen=True)
class EngineShare:
    """A request's share of its replica's time (engine/use.py), in seconds, and what the replica held meanwhile."""

    busy_seconds: float
    idle_seconds: float
    gpus: float = 0.0
    gpu_kind: str = ""
    cores: float = 0.0


@dataclass(frozen=True)
class Completion:
    """Result of one request: `samples` texts with their finish reasons and generated token counts.

    `error` is None, or a short reason such as "prompt_too_long"; then texts is empty. Latency in seconds
    from hand-over to last token. `cached_tokens` is the share of prompt_tokens served by a prefix cache, `retries` how
    often a server was asked again.
    """

    request_id: str
    texts: tuple[str, ...]
    finish_reasons: tuple[str, ...]
    prompt_tokens: int
    generated_tokens: tuple[int, ...]
    cached_tokens: int = 0
    latency: float = 0.0
    error: str | None = None
    error_detail: str = ""
    retries: int = 0
    share: EngineShare | None = field(default=None, compare=False)


@dataclass(frozen=True)
class EngineInfo:
    """What lineage records about the engine that answered; versions are not part of any fingerprint."""

    kind: str
    model: str
    revision: str
    versions: dict[str, str] = field(default_factory=dict)
    seed_per_request: bool = False


class Engine(Protocol):
    """One running model. Built and used inside one process (usually a Ray actor)."""

    async def start(self) -> EngineInfo:
        """Loads the model and answers one warm-up request. Raises EngineError with cause and remedy."""
        ...

    async def generate(self, batch: Batch) -> list[Completion]:
        """One completion a request, in the batch's order. Many calls run at once. Raises EngineError only
        when the engine itself is dead."""
        ...

    async def stop(self) -> None: ...
