"""The keys of `python -m jobs.train_selector`: every bound and default of a domain classifier's training.

Design: the groups of a run (corpus, domain, model, engine, store, cluster) and its sections `select` and `curate`
mean here what they mean there, so that a selector is trained on documents that passed the filters of the run it
is for; `training` is what only this job knows. As in a run, `cluster`, `store`, `engine` and `prices` never
change what comes out and are not part of the job's id.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from factory.cluster.config import ClusterConfig
from factory.config import FactoryConfig
from factory.corpus.config import CorpusConfig
from factory.cost.config import PricesConfig
from factory.curate.config import CurateConfig
from factory.domains.config import DomainConfig
from factory.engine.config import EngineConfig, ModelConfig, SamplingConfig
from factory.section import Section, Share
from factory.select.config import SelectConfig
from factory.select.training.settings import FastTextSettings, ForestSettings
from factory.store.config import StoreConfig


class PositivesConfig(Section):
    """Documents of yours that are what you look for. Read like a corpus; only the text column is needed."""

    paths: tuple[str, ...] = Field(default=(), description="files, folders, globs, s3:// addresses; empty: none")
    text: str = Field(default="text", description="column with the text, in Parquet and JSONL")
    limit: int = Field(default=20_000, ge=1, description="documents at most, by hash: more teach a classifier little")


class WriteConfig(Section):
    """The documents that the model writes from the syllabus."""

    min_characters: int = Field(default=300, ge=1, description="a shorter one is a reject: it teaches no vocabulary")
    unit_rows: int = Field(default=64, ge=1, le=10_000, description="documents a unit, the atom of paying once")
    sampling: SamplingConfig = SamplingConfig(temperature=0.8, max_tokens=700)


class RateConfig(Section):
    """How a model rates a document."""

    samples: int = Field(default=1, ge=1, le=32, description="ratings a document, averaged")
    excerpt_characters: int = Field(
        default=2500, ge=200, le=200_000, description="of a document a rater is shown; longer ones lose their inside"
    )
    unit_rows: int = Field(default=64, ge=1, le=10_000, description="documents a unit, the atom of paying once")
    sampling: SamplingConfig = SamplingConfig(temperature=0, top_p=1, max_tokens=128)

    @model_validator(mode="after")
    def _samples_differ(self) -> RateConfig:
        if self.samples > 1 and self.sampling.temperature == 0:
            raise ValueError(
                "training.rate.samples above 1 needs training.rate.sampling.temperature above 0: "
                "at temperature 0 every sample says the same"
            )
        return self


class RatingColumns(Section):
    """Columns of a ratings file. One that names the document is enough: its id, its text, or the text's SHA-256."""

    doc_id: str = "doc_id"
    text: str = "text"
    text_sha256: str = "text_sha256"
    score: str = "score"
    rater: str = Field(default="rater", description="who gave the score, where one file holds several raters")


class RaterConfig(Section):
    """Somebody who says how good documents are, from 1 to 10. The first of the list that has rated a document
    decides what is learnt of it. The first model of the list rates every sample; further ones rate
    `training.compare` documents and are compared with it in the report."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    kind: Literal["model", "file"] = "model"
    path: str | None = Field(default=None, description="file: Parquet, JSONL or CSV (a path, a glob or s3://)")
    columns: RatingColumns = RatingColumns()
    model: ModelConfig | None = Field(default=None, description="model: another one than the job's; null: that")
    engine: EngineConfig | None = Field(default=None, description="model: its engine, for example an endpoint")

    @model_validator(mode="after")
    def _what_each_kind_needs(self) -> RaterConfig:
        if self.kind == "file" and not self.path:
            raise ValueError(f"the rater {self.name} is a file and needs a path")
        if self.kind == "file" and (self.model or self.engine):
            raise ValueError(f"the rater {self.name} is a file: it takes neither model nor engine")
        if self.kind == "model" and self.path:
            raise ValueError(f"the rater {self.name} has a path: say kind: file")
        return self


class TrainingConfig(Section):
    kind: Literal["fasttext", "forest"] = Field(
        default="fasttext",
        description="fasttext: thousands of documents a second; forest: the paper's, over embeddings",
    )
    fasttext: FastTextSettings = FastTextSettings()
    forest: ForestSettings = ForestSettings()
    documents: int = Field(
        default=1000, ge=0, description="the model writes for the cold start, spread over syllabus, genres and levels"
    )
    positives: PositivesConfig = PositivesConfig()
    negatives: int = Field(
        default=2000, ge=0, description="documents of the corpus that the cold start takes for another field, unseen"
    )
    iterations: int = Field(default=2, ge=0, le=10, description="score, sample, rate, train; paper: 2 suffice")
    sample: int = Field(default=1000, ge=2, description="documents rated an iteration: half random, half near 6.5")
    raters: tuple[RaterConfig, ...] = Field(
        default=(RaterConfig(name="model"),), description="first come, first heard; see docs/selector.md"
    )
    compare: int = Field(
        default=200, ge=0, description="documents that all raters rate, of the ratings files or of the first sample"
    )
    carry_cold_start: bool = Field(
        default=False, description="train on written documents and unseen negatives also after the cold start"
    )
    held_out: Share = Field(default=0.2, lt=1, description="share of documents never trained on, by document id")
    unseen_sources: tuple[str, ...] = Field(
        default=(), description="sources nothing is learnt from; the report measures the selector on them apart"
    )
    threshold: float = Field(default=6.5, ge=1, le=10, description="score from which a document is kept; paper: 6.5")
    ranges: int | None = Field(
        default=None, ge=1, description="source ranges a pass over the corpus reads, a fair sample; null: all"
    )
    write: WriteConfig = WriteConfig()
    rate: RateConfig = RateConfig()

    @model_validator(mode="after")
    def _can_begin(self) -> TrainingConfig:
        names = [rater.name for rater in self.raters]
        if len(set(names)) < len(names):
            raise ValueError("two of training.raters have the same name")
        files = [rater for rater in self.raters if rater.kind == "file"]
        if not (self.documents or self.positives.paths or files):
            raise ValueError(
                "nothing says what the domain is: set training.documents above 0, training.positives.paths, or a "
                "rater of kind file"
            )
        return self

    @property
    def file_raters(self) -> tuple[RaterConfig, ...]:
        return tuple(rater for rater in self.raters if rater.kind == "file")

    @property
    def model_raters(self) -> tuple[RaterConfig, ...]:
        return tuple(rater for rater in self.raters if rater.kind == "model")

    @property
    def rounds(self) -> int:
        """Iterations with ratings of their own: without a rater that can be asked there is nothing to refine."""
        return self.iterations if self.model_raters else 0


class TrainConfig(Section):
    corpus: CorpusConfig
    domain: DomainConfig = DomainConfig()
    select: SelectConfig = SelectConfig()
    curate: CurateConfig = CurateConfig()
    model: ModelConfig
    engine: EngineConfig
    store: StoreConfig
    cluster: ClusterConfig = ClusterConfig()
    training: TrainingConfig = TrainingConfig()
    prices: PricesConfig = PricesConfig()
    seed: int = Field(default=17, ge=0, lt=2**31)

    @model_validator(mode="after")
    def _prompts_fit(self) -> TrainConfig:
        rate = self.training.rate
        shown = round(rate.excerpt_characters / CHARACTERS_A_TOKEN)
        for rater in self.training.model_raters if self.training.rounds else ():
            model = rater.model or self.model
            need = shown + rate.sampling.max_tokens + RUBRIC_TOKENS
            if need > model.max_model_len:
                raise ValueError(
                    f"training.rate.excerpt_characters (about {shown} tokens) + training.rate.sampling.max_tokens + "
                    f"{RUBRIC_TOKENS} for the rubric is {need}, above max_model_len={model.max_model_len} of the "
                    f"rater {rater.name}"
                )
        return self

    def for_filters(self) -> FactoryConfig:
        """What factory/select/order.py needs to know of a run. Not checked again: the steps of a run that have
        other demands (chunks that fit a prompt, say) do not take place here."""
        return FactoryConfig.model_construct(
            select=self.select, curate=self.curate, store=self.store, domain=self.domain, seed=self.seed
        )

    def recipe(self) -> dict[str, Any]:
        """The keys that can change the selector: what the job's id is the hash of."""
        recipe = self.model_dump(mode="json", exclude={"cluster", "store", "engine", "prices"})
        for rater in recipe["training"]["raters"]:
            del rater["engine"]
        if self.domain.variant is None:
            del recipe["domain"]["variant"]  # jobs from before there were variants keep their ids
        del recipe["domain"]["vocabulary"]  # no document is written or rated with one
        return recipe


CHARACTERS_A_TOKEN = 3.3
"""The least of prose and LaTeX under SmolLM2's and Llama's tokenizers (cli/plan.py). A document that takes more
is a reject of the rater, with that reason."""

RUBRIC_TOKENS = 800
"""Tokens kept free for the rubric and its examples; the general prompt measures 707 with SmolLM2's tokenizer."""
