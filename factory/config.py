"""The typed configuration: every key, its bounds, its unit, and the reason for its default.

Design: Hydra composes YAML from `conf/`, this schema checks it before anything starts. Frozen models,
unknown keys refused with the nearest known name. Three groups of keys never change a row and are left out
of fingerprints and of the run id: `cluster`, `store` and `engine` (with `prices`, `diversity`, `observe`, `sweep`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from factory.answers.grounding_config import GroundingConfig
from factory.answers.verify.config import VerifyConfig
from factory.cluster.config import JobConfig
from factory.concepts.graph.config import GraphConfig
from factory.concepts.walks.config import PairConfig, WalkConfig
from factory.cost.config import PricesConfig
from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig, EmbeddingConfig
from factory.curate.semantic.config import SemanticConfig
from factory.evaluate.diversity.config import DiversityConfig
from factory.identity import sha256_hex
from factory.observe.config import ObserveConfig
from factory.publish.gates.config import GateConfig
from factory.section import Section, Share, checked
from factory.select.config import SelectConfig
from factory.sweep.config import SweepConfig

VARIABLE = "^[A-Z_][A-Z0-9_]*$"
"""Names of environment variables as POSIX has them. A key given by mistake does not look like one, and is refused."""


class Columns(Section):
    """Which column of the corpus holds what; null where the corpus has none."""

    text: str = "text"
    source: str | None = "source"
    license: str | None = "license"
    url: str | None = "url"


class CorpusConfig(Section):
    kind: Literal["files", "docstrings"] = Field(description="`files`: the paths below; `docstrings`: built in")
    paths: tuple[str, ...] = Field(default=(), description="files, folders, globs, s3:// addresses")
    format: Literal["auto", "parquet", "jsonl", "text"] = Field(
        default="auto", description="auto goes by the file name: .parquet, .jsonl[.gz|.zst], .txt, .md"
    )
    columns: Columns = Columns()
    default_source: str = Field(default="", description="source for rows without one; empty: the file's name")
    default_license: str = Field(default="unknown", description="SPDX expression for rows without one")
    range_mib: int = Field(
        default=64, ge=1, le=1024, description="MiB of source one task reads; plain JSONL and row groups split here"
    )

    @model_validator(mode="after")
    def _paths_where_needed(self) -> CorpusConfig:
        if self.kind == "files" and not self.paths:
            raise ValueError("corpus.kind=files needs corpus.paths, for example corpus.paths=[/data/shards]")
        return self


class DomainConfig(Section):
    name: str = "general"
    path: str | None = Field(default=None, description="folder of your own pack; null: factory/domains/<name>")


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

    @model_serializer(mode="wrap")
    def _as_before(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without a flag that is not set: runs from before there was one keep their ids."""
        values: dict[str, Any] = plain(self)
        if not self.trust_remote_code:
            values.pop("trust_remote_code", None)
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


class StoreConfig(Section):
    root: str = Field(min_length=1, description="folder or s3://bucket/prefix; everything a run keeps lies below")
    endpoint_url: str | None = Field(default=None, description="S3 endpoint; null: AWS, or AWS_ENDPOINT_URL")
    region: str = "us-east-1"


class ClusterConfig(Section):
    executor: Literal["ray", "processes"] = Field(
        default="ray",
        description="processes: worker processes of this machine instead of Ray; pods of an Indexed Job share a run so",
    )
    index: int | None = Field(
        default=None, ge=0, description="processes: which of the pods this is; null: JOB_COMPLETION_INDEX, else 0"
    )
    completions: int | None = Field(
        default=None, ge=1, le=10_000, description="processes: pods that share a run; null: JOB_COMPLETIONS, else 1"
    )
    address: str | None = Field(
        default=None,
        description="null: Ray starts on this machine; auto: the cluster this is a node of; jobs.submit: http://HEAD:8265",
    )
    cpus: int | None = Field(default=None, ge=1, description="cores Ray may use here; null: all")
    object_store_mib: int = Field(default=512, ge=80, description="Ray's shared memory on this machine")
    attempt_deadline_s: int = Field(default=3600, ge=10, description="an attempt may not commit after this")
    grace_seconds: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="what the platform gives between SIGTERM and SIGKILL (Kubernetes 30, spot machines 120): all but "
        "the last 10 of it units under way may use to commit; up to 10: the run leaves at once",
    )
    nodes_wait_s: int = Field(
        default=20,
        ge=0,
        le=86_400,
        description="seconds to wait for nodes that engines need and that are not there: 20 for a cluster that stays "
        "as it is, 900 and more where an autoscaler or spot capacity brings them",
    )
    job: JobConfig = JobConfig()

    @model_validator(mode="after")
    def _one_executor(self) -> ClusterConfig:
        if self.executor == "processes" and self.address is not None:
            raise ValueError("cluster.executor=processes works without Ray: leave cluster.address out, or executor=ray")
        if self.executor == "ray" and (self.index is not None or self.completions is not None):
            raise ValueError("cluster.index and cluster.completions are for cluster=indexed (executor=processes)")
        return self


class SamplingConfig(Section):
    temperature: float = Field(default=0.7, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    top_k: int = Field(default=0, ge=0, description="0: off")
    repetition_penalty: float = Field(default=1.0, ge=0.5, le=2)
    max_tokens: int = Field(default=1024, ge=1)


class ExtractConfig(Section):
    max_topics: int = Field(default=5, ge=1, le=10, description="paper: 1-5 topics")
    min_concepts: int = Field(default=5, ge=1, le=50, description="key concepts a topic; paper: 5-20")
    max_concepts: int = Field(default=20, ge=1, le=50)
    sampling: SamplingConfig = SamplingConfig()

    @model_validator(mode="after")
    def _ordered(self) -> ExtractConfig:
        if self.min_concepts > self.max_concepts:
            raise ValueError("extract.min_concepts is above extract.max_concepts")
        return self


class QuestionConfig(Section):
    levels: tuple[Literal[1, 2, 3], ...] = Field(
        default=(1, 2), min_length=1, description="3 asks across documents, along walks over the concept graph"
    )
    level_1_questions: int = Field(default=5, ge=1, le=20, description="questions a document at most; paper: 5")
    level_2_questions: int = Field(default=5, ge=1, le=20, description="questions a document at most; paper: 5")
    level_3_questions: int = Field(default=3, ge=1, le=20, description="questions a walk at most; paper: 3")
    concepts_per_question: int = Field(default=3, ge=1, le=10, description="paper: 2-3, drawn in code")
    min_characters: int = Field(default=15, ge=1, description="a shorter question is a reject")
    max_characters: int = Field(default=2000, ge=20, description="a longer question is a reject")
    sampling: SamplingConfig = SamplingConfig()

    @model_validator(mode="after")
    def _each_level_once(self) -> QuestionConfig:
        if len(set(self.levels)) < len(self.levels):
            raise ValueError(f"question.levels={list(self.levels)} names a level twice; each is worked once")
        return self


with warnings.catch_warnings():
    # pydantic warns of the name `register`, which every class has from its metaclass; instances do not.
    warnings.filterwarnings("ignore", message='Field name "register"')

    class IndexConfig(Section):
        """The index of published questions below the root (docs/index.md). Off by default: experiments in one root
        would eat each other."""

        use: Literal["all"] | tuple[str, ...] | None = Field(
            default=None,
            description="published datasets whose questions are left out: `all`, or a list of names; null: none",
        )
        register: bool = Field(default=False, description="what this run publishes goes into the index, for later runs")


class CurateConfig(Section):
    shingles: Literal["by_length", "words"] = Field(
        default="by_length", description="by_length: questions below 21 words are compared by characters; words: never"
    )
    shingle_words: int = Field(default=3, ge=1, le=10, description="word n-gram size, of the longer questions")
    keep: tuple[Literal["sample", "level", "score"], ...] = Field(
        default=("sample", "level"),
        min_length=1,
        description="of repeats, which stays: place in the sample, lower level, higher domain score; weightiest first",
    )
    permutations: int = Field(default=128, ge=16, le=1024, description="MinHash functions")
    threshold: float = Field(default=0.7, gt=0, le=1, description="exact Jaccard at which two questions are one")
    template_variants: int | None = Field(
        default=None, ge=1, description="questions kept that differ in their numbers alone; null: all, only counted"
    )
    benchmarks: tuple[BenchmarkConfig, ...] = ()
    decontamination: DecontaminationConfig = DecontaminationConfig()
    semantic: SemanticConfig = SemanticConfig()
    index: IndexConfig = IndexConfig()
    unit_rows: int = Field(default=256, ge=1, le=10_000, description="questions a unit of the answer step")

    @model_validator(mode="after")
    def _each_criterion_once(self) -> CurateConfig:
        if len(set(self.keep)) < len(self.keep):
            raise ValueError(f"curate.keep={list(self.keep)} names a criterion twice")
        return self


class AnswerConfig(Section):
    model: ModelConfig | None = Field(default=None, description="another model for answers; null: the run's model")
    samples: int = Field(default=1, ge=1, le=64, description="k: completions a question at most")
    samples_per_round: int = Field(default=4, ge=1, le=64, description="n: completions one request asks for")
    sampling: SamplingConfig = SamplingConfig()
    verify: VerifyConfig = VerifyConfig()
    grounding: GroundingConfig = GroundingConfig()
    require: Literal["any", "not_wrong", "checked", "verified"] = Field(
        default="any",
        description="rows that are published; any: all, labelled; not_wrong: not those found wrong; checked: those "
        "with a verdict; verified: those found right",
    )


class JudgeConfig(Section):
    """A language model that grades answers (docs/judge.md). Off by default: it asks once more for every answer."""

    rubric: str | None = Field(
        default=None, description="a rubric of the domain pack (`answer`), or a YAML file; null: no judge"
    )
    model: ModelConfig | None = Field(default=None, description="another model for judging; null: the run's model")
    sampling: SamplingConfig = SamplingConfig(temperature=0, top_p=1, max_tokens=768)


class PublishConfig(Section):
    name: str = Field(default="dataset", pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    version: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    license: str | None = Field(default=None, description="licence you give the dataset; null: the combined one")
    shard_mib: int = Field(default=128, ge=1, le=4096, description="target size of a shard")
    validation: Share = Field(default=0.02, description="share of documents whose rows go to validation")
    test: Share = Field(default=0.02, description="share of documents whose rows go to test")

    @model_validator(mode="after")
    def _version_is_free(self) -> PublishConfig:
        if self.version == "records":
            raise ValueError("publish.version=records is taken: datasets/<name>/records holds what comes after")
        return self

    @model_validator(mode="after")
    def _room_for_train(self) -> PublishConfig:
        if self.validation + self.test >= 1:
            raise ValueError("publish.validation and publish.test together leave nothing for train")
        return self


JUDGE_REPLY_TOKENS = 256
"""The shortest limit on a judge's reply that is named as a way out: three criteria with a sentence of reason each."""


class FactoryConfig(Section):
    corpus: CorpusConfig
    select: SelectConfig = SelectConfig()
    domain: DomainConfig = DomainConfig()
    model: ModelConfig
    engine: EngineConfig
    store: StoreConfig
    cluster: ClusterConfig = ClusterConfig()
    extract: ExtractConfig = ExtractConfig()
    graph: GraphConfig = GraphConfig()
    walk: WalkConfig = WalkConfig()
    pair: PairConfig = PairConfig()
    question: QuestionConfig = QuestionConfig()
    curate: CurateConfig = CurateConfig()
    answer: AnswerConfig = AnswerConfig()
    judge: JudgeConfig = JudgeConfig()
    gate: GateConfig = GateConfig()
    publish: PublishConfig = PublishConfig()
    prices: PricesConfig = PricesConfig()
    sweep: SweepConfig = SweepConfig()
    diversity: DiversityConfig = DiversityConfig()
    observe: ObserveConfig = ObserveConfig()
    seed: int = Field(default=17, ge=0, lt=2**31)
    limit: int | None = Field(default=None, ge=1, description="documents to sample, end to end; null: all")
    target_samples: int | None = Field(
        default=None,
        ge=1,
        description="level 3: walks are drawn in rounds until so many samples, of all levels, are accepted; null: all",
    )

    @model_validator(mode="after")
    def _prompts_fit(self) -> FactoryConfig:
        across = 2 if 3 in self.question.levels else 1
        for name, sampling, passages in (
            ("extract", self.extract.sampling, 1),
            ("question", self.question.sampling, across),
        ):
            need = passages * self.select.chunk_tokens + sampling.max_tokens + PROMPT_TOKENS_RESERVED
            if need > self.model.max_model_len:
                chunks = "2 * select.chunk_tokens (level 3)" if passages == 2 else "select.chunk_tokens"
                raise ValueError(
                    f"{chunks} + {name}.sampling.max_tokens + {PROMPT_TOKENS_RESERVED} for the prompt "
                    f"itself is {need}, above model.max_model_len={self.model.max_model_len}"
                )
        return self

    @model_validator(mode="after")
    def _judge_sees_everything(self) -> FactoryConfig:
        model = self.judge.model or self.model
        passages = 2 if 3 in self.question.levels else 1
        need = (
            passages * self.select.chunk_tokens
            + self.answer.sampling.max_tokens
            + self.judge.sampling.max_tokens
            + PROMPT_TOKENS_RESERVED
        )
        if self.judge.rubric is not None and need > model.max_model_len:
            fits = self.judge.sampling.max_tokens - (need - model.max_model_len)
            way = (
                f"judge.sampling.max_tokens={fits} fits"
                if fits >= JUDGE_REPLY_TOKENS
                else "lower select.chunk_tokens or answer.sampling.max_tokens, or raise max_model_len"
            )
            raise ValueError(
                f"the judge reads {passages} * select.chunk_tokens + answer.sampling.max_tokens, writes "
                f"judge.sampling.max_tokens and needs {PROMPT_TOKENS_RESERVED} for rubric and prompt: {need} tokens, "
                f"above the max_model_len={model.max_model_len} of its model; {way}"
            )
        return self

    @model_validator(mode="after")
    def _target_needs_walks(self) -> FactoryConfig:
        if self.target_samples is not None and 3 not in self.question.levels:
            raise ValueError("target_samples draws more walks until it is met: question.levels has to hold 3")
        return self

    def recipe(self) -> dict[str, Any]:
        """The keys that can change a row: what the run id is the hash of."""
        left_out = {"cluster", "store", "engine", "prices", "diversity", "observe", "sweep"}
        values = self.model_dump(mode="json", exclude=left_out)
        if self.curate.index == IndexConfig():
            del values["curate"]["index"]  # runs from before there was an index keep their ids
        if self.curate.decontamination.embedding == EmbeddingConfig():
            del values["curate"]["decontamination"]["embedding"]  # likewise
        if self.judge == JudgeConfig():
            del values["judge"]  # likewise
        if not isinstance(self.gate.canaries, str | None):
            # The recipe is published with the dataset, and canaries must not be.
            values["gate"]["canaries"] = [sha256_hex(canary.encode()) for canary in self.gate.canaries]
        for key in ("verify", "grounding", "require"):
            if getattr(self.answer, key) == getattr(AnswerConfig(), key):
                del values["answer"][key]  # and likewise
        return values


PROMPT_TOKENS_RESERVED = 700
"""Tokens kept free for instructions and concept lists; the longest general prompt measures about 500."""


def load_config(values: Mapping[str, Any]) -> FactoryConfig:
    """Checks composed values. Raises ConfigError naming every bad key by its path, with a suggestion."""
    return checked(FactoryConfig, values)
