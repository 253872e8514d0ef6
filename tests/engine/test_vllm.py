"""The vLLM engine with the real small model. Everything that needs it running shares one start."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import psutil
import pytest

from factory.engine.api import Batch, EngineInfo, Message, Request, Sampling
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.crashlog import EngineLog, redirected_output
from factory.engine.models import resolve
from factory.engine.vllm import VllmEngine, cpu_environment
from factory.errors import ConfigError, EngineError

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "suitable": {"type": "boolean"},
        "subject": {"type": "string", "maxLength": 30},
        "topics": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "string", "maxLength": 20}},
    },
    "required": ["suitable", "subject", "topics"],
    "additionalProperties": False,
}


def build(max_model_len: int = 512, **changes: Any) -> VllmEngine:
    model = resolve(ModelConfig(id="smollm2", license="Apache-2.0", output_terms="none"))
    config = EngineConfig(**{"kind": "vllm", "kv_cache_gib": 1, "max_num_seqs": 16, **changes})
    return VllmEngine(config, model, max_model_len=max_model_len, dtype="bfloat16", seed=11)


class Running:
    """The engine and the event loop it lives in."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.engine = build()
        self.info: EngineInfo = self.run(self.engine.start())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def ask(self, *texts: str, schema: dict[str, Any] | None = None, **changes: Any) -> Any:
        sampling = Sampling(**{"temperature": 0.7, "top_p": 0.95, "max_tokens": 24, "seed": 5, **changes})
        requests = tuple(Request(f"r{i}", (Message("user", text),)) for i, text in enumerate(texts))
        return self.run(self.engine.generate(Batch(requests, sampling, schema)))


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    running = Running()
    yield running
    running.run(running.engine.stop())
    running.runner.close()


@pytest.mark.engine
def test_completions_in_order_with_counts_although_seeds_are_set(running: Running) -> None:
    completions = running.ask("Name a colour.", "Count to three.", "Say hello.")
    assert [completion.request_id for completion in completions] == ["r0", "r1", "r2"]
    for completion in completions:
        assert completion.error is None
        assert completion.texts[0].strip()
        assert completion.prompt_tokens > 5
        assert 1 <= completion.generated_tokens[0] <= 24
        assert completion.finish_reasons[0] in ("stop", "length")
        assert 0 < completion.latency < 120
    assert running.info.seed_per_request == (running.info.versions["device"] != "cpu")
    assert running.engine.progress() >= sum(completion.generated_tokens[0] for completion in completions)


@pytest.mark.engine
def test_one_long_prompt_fails_alone(running: Running) -> None:
    good, long, other = running.ask("Name a colour.", "word " * 2000, "Name a fruit.")
    assert (long.error, long.texts) == ("prompt_too_long", ())
    assert "max_model_len=512" in long.error_detail
    assert good.error is None
    assert other.error is None


@pytest.mark.engine
def test_a_schema_is_obeyed_and_free_whitespace_is_not_generated(running: Running) -> None:
    completions = running.ask("Describe physics.", "Describe cooking.", schema=SCHEMA, max_tokens=160)
    for completion in completions:
        assert completion.finish_reasons == ("stop",)
        answer = orjson.loads(completion.texts[0])
        jsonschema.validate(answer, SCHEMA)
        assert "\n" not in completion.texts[0]
        assert "  " not in completion.texts[0].replace(orjson.dumps(answer["subject"]).decode(), "")


@pytest.mark.engine
def test_a_schema_vllm_cannot_take_is_that_requests_error(running: Running) -> None:
    refused = {"type": "object", "properties": {"a": {"type": "string", "pattern": "a+", "maxLength": 3}}}
    (completion,) = running.ask("Hello", schema=refused)
    assert completion.error == "schema_refused"


@pytest.mark.engine
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}},
        {"type": "no such type"},
        {"type": "string", "pattern": "(unclosed"},
        {"type": "array", "items": False, "minItems": 1},
    ],
)
def test_a_schema_nothing_can_fit_leaves_other_batches_alone(schema: dict[str, Any], running: Running) -> None:
    (impossible,) = running.ask("Hello", schema=schema)
    assert impossible.error is not None or impossible.texts, "an answer or a reason, and no dead engine"
    assert running.ask("Name a colour.")[0].error is None


@pytest.mark.engine
def test_a_prompt_that_cannot_be_tokenised_fails_alone_and_nul_is_a_character_like_others(running: Running) -> None:
    good, half, nul = running.ask("Name a colour.", "half an emoji: \ud83d", "NUL: \0 \ufffe \U0010ffff")
    assert (good.error, nul.error) == (None, None)
    assert half.error == "template_refused"


@pytest.mark.engine
def test_samples_share_a_prefill_and_greedy_samples_cost_one(running: Running) -> None:
    (sampled,) = running.ask("Tell me something.", samples=3, temperature=1.0)
    assert len(sampled.texts) == len(sampled.generated_tokens) == 3
    assert len(set(sampled.texts)) > 1
    (greedy,) = running.ask("Tell me something.", samples=3, temperature=0)
    assert len(set(greedy.texts)) == 1
    assert greedy.generated_tokens[1:] == (0, 0)


@pytest.mark.engine
def test_a_repeated_prefix_is_served_from_the_cache_and_fixed_lengths_are_kept(running: Running) -> None:
    text = "A long shared introduction about rivers and mountains. " * 25
    running.ask(text, max_tokens=1)
    (again,) = running.ask(text, max_tokens=7, ignore_eos=True)
    assert 0 < again.cached_tokens <= again.prompt_tokens
    assert again.generated_tokens == (7,)
    assert again.finish_reasons == ("length",)


@pytest.mark.engine
def test_zz_a_killed_worker_is_an_engine_error_for_everything_in_flight_and_after(running: Running) -> None:
    """Last in this file: it ends the shared engine."""
    workers = [child for child in psutil.Process().children(recursive=True) if "VLLM" in " ".join(child.cmdline())]
    assert workers

    async def kill_in_flight() -> list[Any]:
        sampling = Sampling(temperature=0.7, top_p=0.9, max_tokens=400, ignore_eos=True)
        batches = [Batch((Request(f"k{i}", (Message("user", "Go on."),)),), sampling) for i in range(3)]
        work = [asyncio.ensure_future(running.engine.generate(batch)) for batch in batches]
        await asyncio.sleep(1.5)
        os.kill(workers[-1].pid, signal.SIGKILL)
        return await asyncio.gather(*work, return_exceptions=True)

    outcomes = running.run(asyncio.wait_for(kill_in_flight(), 90))
    assert [type(outcome) for outcome in outcomes] == [EngineError] * 3
    with pytest.raises(EngineError, match="died"):
        running.ask("Hello")


@pytest.mark.engine
def test_an_unknown_engine_argument_is_a_config_error_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"engine\.extra\.max_num_batched_token:") as raised:
        asyncio.run(build(extra={"max_num_batched_token": 1024}).start())
    assert "max_num_batched_tokens" in raised.value.remedy


@pytest.mark.engine
def test_a_context_beyond_the_models_own_is_an_engine_error_naming_the_key() -> None:
    with pytest.raises(EngineError, match="could not start") as raised:
        asyncio.run(build(max_model_len=1_000_000).start())
    assert "model.max_model_len" in raised.value.remedy


def test_cpu_threads_are_all_cores_divided_among_workers_unless_given() -> None:
    assert cpu_environment(EngineConfig(kind="vllm"), 8)["OMP_NUM_THREADS"] == "8"
    assert cpu_environment(EngineConfig(kind="vllm", tensor_parallel=2), 8)["OMP_NUM_THREADS"] == "4"
    assert cpu_environment(EngineConfig(kind="vllm", cpu_threads=3, kv_cache_gib=5), 8)["VLLM_CPU_KVCACHE_SPACE"] == "5"


def test_the_log_keeps_what_children_print_and_names_the_last_real_error() -> None:
    log = EngineLog()
    with redirected_output(log):
        os.system(
            "echo '(EngineCore pid=7) ERROR 11-21 04:00:00 [core.py:12] ValueError: No available memory for the cache'"
        )
        os.system("echo 'RuntimeError: Engine core initialization failed. See root cause above.' >&2")
    assert log.last_error() == "ValueError: No available memory for the cache"
    path: Path = log.path
    log.remove()
    assert not path.exists()


def test_guessing_from_the_prompt_is_off_unless_asked_for_and_extra_has_the_last_word() -> None:
    assert "speculative_config" not in build()._arguments(Path("/m"))
    assert build(ngram_tokens=3)._arguments(Path("/m"))["speculative_config"] == {
        "method": "ngram",
        "num_speculative_tokens": 3,
        "prompt_lookup_min": 2,
        "prompt_lookup_max": 5,
    }
    own = {"method": "suffix"}
    assert build(ngram_tokens=3, extra={"speculative_config": own})._arguments(Path("/m"))["speculative_config"] == own
