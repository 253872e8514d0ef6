"""What failures of vLLM mean, in the user's terms: one request's, those of a start, and an engine's death."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from factory.engine.api import Batch
from factory.engine.crashlog import EngineLog
from factory.engine.models import ResolvedModel
from factory.errors import ConfigError, EngineError

DIE_ON = "die_on"
"""Key of engine.extra, for tests on a CPU: a request that mentions its value kills the engine core (VllmEngine)."""


def request_error(batch: Batch, error: Exception) -> str:
    """Why vLLM would not take a request that fits: almost always its schema."""
    from vllm.v1.engine.exceptions import EngineGenerateError

    if isinstance(error, EngineGenerateError):
        return "engine_failed_request"
    words = str(error).lower()
    about_schema = any(word in words for word in ("grammar", "schema", "json", "structured"))
    return "schema_refused" if batch.schema is not None and about_schema else "bad_request"


def check_extra(extra: dict[str, Any], arguments: Any, on_cpu: bool) -> None:
    """Raises ConfigError on a key that is no field of the dataclass `arguments`."""
    import difflib

    if DIE_ON in extra and not on_cpu:
        raise ConfigError(
            f"engine.extra.{DIE_ON} works on a CPU only, where a seed of its own kills vLLM's engine",
            remedy="leave it out: it is there to test what becomes of a run whose engine dies",
        )
    known = {item.name for item in fields(arguments)}
    for key in sorted(set(extra) - known - {DIE_ON}):
        near = difflib.get_close_matches(key, known, n=1)
        raise ConfigError(
            f"engine.extra.{key}: vLLM has no such engine argument",
            remedy=f"did you mean `{near[0]}`?" if near else "see vLLM's page on engine arguments",
        )


def start_error(model: ResolvedModel, log: EngineLog, error: Exception) -> EngineError:
    """What kept the engine from starting, in the user's terms where the message is known."""
    said = log.last_error() or f"{type(error).__name__}: {error}"
    words = f"{said} {error}".lower()
    remedy = f"read the engine's own log: {log.path}"
    cause = said[:600]
    if any(part in words for part in ("out of memory", "no available memory", "memoryerror", "cannot allocate")):
        remedy = (
            "lower model.max_model_len or engine.max_num_seqs; on a GPU lower engine.gpu_memory_utilization when "
            "something else uses it, or raise engine.tensor_parallel; on a CPU lower engine.kv_cache_gib"
        )
    elif "trust_remote_code" in words:
        cause = "the model brings Python files of its own, and running them was not asked for"
        remedy = f"read the .py files in {model.path}; if you trust them, model.trust_remote_code=true runs them"
    elif "max_model_len" in words or "max model len" in words or "kv cache" in words:
        remedy = "lower model.max_model_len to what the model and the memory allow (on a CPU: engine.kv_cache_gib)"
    return EngineError(f"vLLM could not start {model.id} from {model.path}", cause=cause, remedy=remedy)


def death(log: EngineLog) -> EngineError:
    return EngineError(
        "the vLLM engine died",
        cause=log.last_error()[:600] or "its process was killed, by the system for memory or by somebody",
        remedy=f"committed work is kept, run again; the engine's own log: {log.path}",
    )
