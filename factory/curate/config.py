"""Keys of `curate`: what counts as a repeat, which one stays, and what is held against it."""

from __future__ import annotations

import warnings
from typing import Literal

from pydantic import Field, model_validator

from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
from factory.curate.semantic.config import SemanticConfig
from factory.section import Section

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
