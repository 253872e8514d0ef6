"""The typed configuration of a run: its sections, and what must hold between them.

Design: Hydra composes YAML from `conf/`, this schema checks it before anything starts. Frozen models,
unknown keys refused with the nearest known name. Every section lies in the folder whose work it describes
(`config.py` there), with bounds, units and the reasons for defaults. Three groups of keys never change a row and are
left out of fingerprints and of the run id: `cluster`, `store` and `engine` (with `prices`, `diversity`, `observe`,
`sweep`, `governance`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from factory.answers.config import AnswerConfig
from factory.answers.judge.config import JudgeConfig
from factory.cluster.config import ClusterConfig
from factory.concepts.config import ExtractConfig
from factory.concepts.graph.config import GraphConfig
from factory.concepts.walks.config import PairConfig, WalkConfig
from factory.corpus.config import CorpusConfig
from factory.cost.config import PricesConfig
from factory.curate.config import CurateConfig, IndexConfig
from factory.curate.decon.config import EmbeddingConfig
from factory.domains.config import DomainConfig
from factory.engine.config import EngineConfig, ModelConfig
from factory.evaluate.diversity.config import DiversityConfig
from factory.govern.config import GovernanceConfig, contradictions_in
from factory.identity import sha256_hex
from factory.observe.config import ObserveConfig
from factory.publish.config import PublishConfig
from factory.publish.gates.config import GateConfig
from factory.questions.config import QuestionConfig
from factory.section import Section, checked
from factory.select.config import SelectConfig
from factory.store.config import StoreConfig
from factory.sweep.config import SweepConfig
from factory.tasks.config import TasksConfig
from factory.vocabulary.config import VocabularyConfig

PROMPT_TOKENS_RESERVED = 700
"""Tokens kept free for instructions and concept lists; the longest general prompt measures about 500."""

TASK_TOKENS_RESERVED = 700
"""The same for prompts of task types (the longest, of multiple choice, measures 475), conversations and schemas."""

CHARACTERS_A_TOKEN, NAME_AND_CODE_CHARACTERS = 3.5, 60
"""Of a vocabulary's lines: terms of medicine are cut into shorter tokens than English."""

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
    tasks: TasksConfig = TasksConfig()
    curate: CurateConfig = CurateConfig()
    answer: AnswerConfig = AnswerConfig()
    judge: JudgeConfig = JudgeConfig()
    gate: GateConfig = GateConfig()
    publish: PublishConfig = PublishConfig()
    governance: GovernanceConfig = GovernanceConfig()
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
            need += self._vocabulary_tokens
            if need > self.model.max_model_len:
                chunks = "2 * select.chunk_tokens (level 3)" if passages == 2 else "select.chunk_tokens"
                raise ValueError(
                    f"{chunks} + {name}.sampling.max_tokens + {PROMPT_TOKENS_RESERVED} for the prompt "
                    f"itself is {need}, above model.max_model_len={self.model.max_model_len}"
                    + ("; with a vocabulary, lower domain.vocabulary.max_terms" if self._vocabulary_tokens else "")
                )
        return self

    @property
    def _vocabulary_tokens(self) -> int:
        """Tokens that a prompt's vocabulary takes at most."""
        given = self.domain.vocabulary
        most = given.max_terms * (given.definition_characters + NAME_AND_CODE_CHARACTERS)
        return round(most / CHARACTERS_A_TOKEN) if given.files else 0

    @model_validator(mode="after")
    def _governance_says_one_thing(self) -> FactoryConfig:
        for fault in contradictions_in(self.governance):
            raise ValueError(fault)
        return self

    @model_validator(mode="after")
    def _task_prompts_fit(self) -> FactoryConfig:
        for name, task in self.tasks.on().items():
            asked = task.question_tokens or self.question.sampling.max_tokens
            answered = task.answer_tokens or self.answer.sampling.max_tokens
            need = self.select.chunk_tokens + max(asked, answered) + TASK_TOKENS_RESERVED
            if need > self.model.max_model_len:
                key = "question_tokens" if asked >= answered else "answer_tokens"
                raise ValueError(
                    f"select.chunk_tokens + {max(asked, answered)} to generate + {TASK_TOKENS_RESERVED} for a prompt "
                    f"with its examples is {need}, above model.max_model_len={self.model.max_model_len}: lower "
                    f"tasks.{name}.{key} or select.chunk_tokens"
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
    def _something_is_asked(self) -> FactoryConfig:
        if not self.question.levels and not self.tasks.on():
            raise ValueError(
                "question.levels=[] asks no open questions, and no task type is on: name a level, or set "
                "tasks.<type>.questions above 0"
            )
        return self

    @model_validator(mode="after")
    def _target_needs_walks(self) -> FactoryConfig:
        if self.target_samples is not None and 3 not in self.question.levels:
            raise ValueError("target_samples draws more walks until it is met: question.levels has to hold 3")
        return self

    def recipe(self) -> dict[str, Any]:
        """The keys that can change a row: what the run id is the hash of."""
        left_out = {"cluster", "store", "engine", "prices", "diversity", "observe", "sweep", "governance"}
        values = self.model_dump(mode="json", exclude=left_out)
        if self.curate.index == IndexConfig():
            del values["curate"]["index"]  # runs from before there was an index keep their ids
        if self.curate.decontamination.embedding == EmbeddingConfig():
            del values["curate"]["decontamination"]["embedding"]  # likewise
        if self.domain.variant is None:
            del values["domain"]["variant"]  # likewise
        if self.domain.vocabulary == VocabularyConfig():
            del values["domain"]["vocabulary"]  # likewise
        if self.judge == JudgeConfig():
            del values["judge"]  # likewise
        values["tasks"] = {name: values["tasks"][name] for name in self.tasks.on()}
        if not values["tasks"]:
            del values["tasks"]  # likewise, and what a type is set to that is off changes no row
        if not isinstance(self.gate.canaries, str | None):
            # The recipe is published with the dataset, and canaries must not be.
            values["gate"]["canaries"] = [sha256_hex(canary.encode()) for canary in self.gate.canaries]
        if not self.gate.pack:
            del values["gate"]["pack"]  # likewise
        for key in ("verify", "grounding", "require"):
            if getattr(self.answer, key) == getattr(AnswerConfig(), key):
                del values["answer"][key]  # and likewise
        return values


def load_config(values: Mapping[str, Any]) -> FactoryConfig:
    """Checks composed values. Raises ConfigError naming every bad key by its path, with a suggestion."""
    return checked(FactoryConfig, values)
