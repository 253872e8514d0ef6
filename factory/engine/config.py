"""Keys of `engine`, and of every `model` and `sampling`: which model, how it runs, and how it is asked."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from factory.section import Section

VARIABLE = "^[A-Z_][A-Z0-9_]*$"
"""Names of environment variables as POSIX has them. A key given by mistake does not look like one, and is refused."""


RANK = 64
"""Of an adapter, unless another bound is stated: PEFT's examples have 8 to 64."""


class AdapterConfig(Section):
    """A LoRA adapter on a model (docs/adapters.md); none where nothing says which."""

    path: str | None = Field(default=None, description="folder with adapter_config.json and adapter_model.safetensors")
    repo: str | None = Field(default=None, description="the same as a Hugging Face id")
    revision: str | None = Field(default=None, description="commit of `repo`; null: what is cached, else the newest")
    name: str | None = Field(
        default=None,
        pattern=r"^[\w.:/-]{1,128}$",
        description="what rows and, with engine=openai, the server call it; null: the last part of path or repo",
    )
    max_rank: int = Field(default=RANK, ge=1, le=512, description="an adapter of a higher rank is refused")
    base: str | None = Field(
        default=None, description="base_model_name_or_path of the adapter, where that means model.id by another name"
    )

    @model_validator(mode="after")
    def _one_place(self) -> AdapterConfig:
        if self.path is not None and self.repo is not None:
            raise ValueError("model.adapter has path and repo; an adapter lies in one place")
        if not self.named and (self.revision, self.base, self.max_rank) != (None, None, RANK):
            raise ValueError("model.adapter names nothing: give path, repo, or (engine=openai) name")
        return self

    @property
    def named(self) -> bool:
        return (self.path or self.repo or self.name) is not None


class ModelConfig(Section):
    """One language model. Licence and output terms are required: card and manifest state them."""

    id: str = Field(min_length=1, description="Hugging Face id, local folder, or `smollm2` for the prepared default")
    revision: str | None = Field(default=None, description="commit of a Hugging Face model; null: what is cached")
    license: str = Field(min_length=1, description="SPDX id or name of the model's licence")
    output_terms: str = Field(min_length=1, description="what the licence says about using outputs for training")
    max_model_len: int = Field(default=4096, ge=128, description="tokens of prompt and completion together")
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "bfloat16"
    tokenizer: str | None = Field(
        default=None, description="named tokenizer for token counts; null: the model's own; `words`: whitespace"
    )
    trust_remote_code: bool = Field(
        default=False, description="run Python files that come with the model; read them first (docs/security.md)"
    )
    adapter: AdapterConfig = AdapterConfig()

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is not set: runs from before there was such a key keep their ids."""
        values: dict[str, Any] = plain(self)
        if not self.trust_remote_code:
            values.pop("trust_remote_code", None)
        if not self.adapter.named:
            values.pop("adapter", None)
        return values


class EngineConfig(Section):
    """How models are run. Never changes a prompt, an id or a fingerprint, but for what of `extra` can change text
    (factory/engine/extra.py)."""

    kind: Literal["vllm", "openai", "scripted"]
    replicas: int = Field(default=1, ge=1, le=10_000, description="engine actors a model")
    min_replicas: int | None = Field(
        default=None, ge=1, description="a run begins with so many, the others join when there is room; null: all"
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto",
        description="auto: vLLM on GPUs where a node has any; gpu: also where GPU nodes have yet to come",
    )
    gpus_per_node: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="of nodes that have yet to come; null: as those that are there, or 8",
    )
    placement_strategy: Literal["PACK", "STRICT_PACK"] = Field(
        default="PACK",
        description="a replica of more GPUs than a node has: PACK takes as few nodes as it can, STRICT_PACK refuses",
    )
    node_labels: dict[str, str] = Field(
        default_factory=dict, description="labels of nodes that engines go to: {ray.io/accelerator-type: H100}"
    )
    resources: dict[str, float] = Field(
        default_factory=dict, description="custom resources a replica takes as well, as nodes declare them"
    )
    units_in_flight: int = Field(default=8, ge=1, le=1024, description="units open at once at most, per replica")
    adaptive_units: bool = Field(
        default=True,
        description="open fewer units where more give no more tokens/s or memory is short",
    )
    max_num_seqs: int = Field(default=64, ge=1, le=8192, description="vLLM: sequences batched at once")
    tensor_parallel: int = Field(default=1, ge=1, le=64)
    pipeline_parallel: int = Field(default=1, ge=1, le=64)
    gpu_memory_utilization: float = Field(default=0.9, gt=0, le=1)
    kv_cache_gib: int = Field(default=2, ge=1, description="vLLM on CPU: GiB of key-value cache")
    cpu_threads: int = Field(default=0, ge=0, description="vLLM on CPU: threads; 0: every core of the machine")
    enable_prefix_caching: bool = True
    ngram_tokens: int = Field(
        default=0,
        ge=0,
        le=16,
        description="vLLM: tokens guessed at once from what the prompt says; 0: none (docs/engines.md)",
    )
    extra: dict[str, Any] = Field(
        default_factory=dict,
        description="passed to vLLM's AsyncEngineArgs as it is; what is no tuning is part of a step's identity",
    )
    base_url: str | None = Field(default=None, description="openai: for example http://127.0.0.1:8000/v1")
    api_key_env: str = Field(
        default="OPENAI_API_KEY",
        pattern=VARIABLE,
        description="openai: environment variable with the key (never the key itself)",
    )
    max_concurrency: int = Field(default=64, ge=1, le=4096, description="openai: requests open at once at most")
    max_retries: int = Field(default=6, ge=0, le=20, description="openai: tries again on 429, 5xx and time-outs")
    timeout_s: float = Field(
        default=600,
        gt=0,
        description="seconds without a new token until an engine with work counts as hung; openai: for one answer",
    )
    killers_allowed: int = Field(
        default=50,
        ge=0,
        description="prompts that kill or hang engines: more of them stop the run (each costs some ten engine starts)",
    )
    hangs_allowed: int = Field(
        default=20, ge=0, description="engines that may hang through no prompt's fault (each costs timeout_s)"
    )
    losses_allowed: int = Field(
        default=100,
        ge=0,
        description="engines that may die through no prompt's fault (memory, a signal); preempted ones do not count",
    )
    scripted_latency_s: float = Field(default=0, ge=0, description="scripted: seconds before a batch answers")

    @model_validator(mode="after")
    def _one_flag_for_code(self) -> EngineConfig:
        if "trust_remote_code" in self.extra:
            raise ValueError("code that comes with a model runs with model.trust_remote_code=true, not by engine.extra")
        return self

    @model_validator(mode="after")
    def _begins_with_no_more_than_all(self) -> EngineConfig:
        if self.min_replicas is not None and self.min_replicas > self.replicas:
            raise ValueError(f"engine.min_replicas={self.min_replicas} is above engine.replicas={self.replicas}")
        return self

    @model_validator(mode="after")
    def _openai_needs_url(self) -> EngineConfig:
        if self.kind == "openai" and not self.base_url:
            raise ValueError("engine.kind=openai needs engine.base_url, for example http://127.0.0.1:8000/v1")
        if self.kind == "openai" and not re.match("https?://[^/]", self.base_url or "", re.IGNORECASE):
            raise ValueError(f"engine.base_url begins with http:// or https:// and a host, unlike {self.base_url}")
        return self


class SamplingConfig(Section):
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    top_k: int = Field(default=0, ge=0, description="0: off")
    repetition_penalty: float = Field(default=1.0, ge=0.5, le=2)
    max_tokens: int = Field(default=1024, ge=1)
