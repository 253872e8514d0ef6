"""The keys of `python -m jobs.mix`: which parts, how much of each, and what may not be in them.

Design: `curate` means what it means in a run, of which it is the part that applies to finished rows; `store` and
`tokenizer` likewise. Where files lie is not part of a mix's identity, what they hold is.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

from pydantic import Field, model_validator

from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
from factory.section import Section, Share
from factory.store.config import StoreConfig

Role = Literal["human", "real", "synthetic"]
Require = Literal["approved", "not_withdrawn", "any"]

KEEP_ORDER: tuple[Role, ...] = ("human", "real", "synthetic")
"""Of rows that repeat each other the one of the first of these stays: human rows are the scarce ones."""


class PartColumns(Section):
    """Columns of a part's files; null: looked for under the names in use."""

    chat: str | None = Field(default=None, description="a list of turns (role and content, or from and value)")
    question: str | None = Field(default=None, description="with answer: a chat of one question and one answer")
    answer: str | None = None
    license: str = "license"
    url: str = "url"
    id: str = Field(default="sample_id", description="what lineage calls the row; without it the row's number")


class PartConfig(Section):
    """One set of rows."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    role: Role = Field(description="human: the anchor; real: found data; synthetic: written by models")
    paths: tuple[str, ...] = Field(
        min_length=1, description="Parquet or JSONL files, folders, globs, s3://; a published dataset by its folder"
    )
    share: Share | None = Field(
        default=None, description="of the mix; null: what the others leave, and for a human part the anchor's least"
    )
    splits: tuple[str, ...] = Field(
        default=("train",), min_length=1, description="of a published dataset; others are held out for testing"
    )
    columns: PartColumns = PartColumns()
    license: str | None = Field(default=None, description="of rows that state none")
    url: str = Field(default="", description="where the part was found, for rows that do not say")


class AnchorConfig(Section):
    """Human rows that a mix has at least: 2.5 % of the rows or 125, whichever is more. Mixes of 95 to 97.5 % synthetic
    rows lose much less than those of 100 % (arXiv 2410.13098)."""

    min_share: Share = Field(default=0.025, description="of the mix's rows")
    min_rows: int = Field(default=125, ge=0)
    below: Literal["refuse", "flag"] = Field(
        default="refuse", description="with fewer human rows: refuse, or make it and say so in card and manifest"
    )


class StratifyConfig(Section):
    column: str | None = Field(default=None, description="column of strata (a.b looks into a.b); null: none")
    rule: Literal["proportional", "equal"] = Field(
        default="proportional", description="each part keeps its own distribution, or has every stratum alike"
    )


class MixSettings(Section):
    name: str = Field(default="mix", pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")
    version: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    parts: tuple[PartConfig, ...] = Field(default=(), description="at least one")
    unit: Literal["rows", "tokens"] = Field(default="rows", description="what size and shares are counted in")
    size: int | None = Field(default=None, ge=1, description="of the mix; null: as large as the shares allow")
    shortage: Literal["refuse", "shrink"] = Field(
        default="refuse", description="where a part has too little for size: refuse, or make the mix smaller"
    )
    anchor: AnchorConfig = AnchorConfig()
    stratify: StratifyConfig = StratifyConfig()
    duplicates: Literal["question", "conversation"] = Field(
        default="question", description="what makes two rows one: what the user says, or the whole chat"
    )
    require: Require = Field(
        default="approved",
        description="which published datasets are taken: approved ones, also drafts (not_withdrawn), or any",
    )
    license: str | None = Field(default=None, description="licence you give the mix; null: the combined one")
    shard_mib: int = Field(default=128, ge=1, le=4096, description="target size of a shard, before compression")

    @model_validator(mode="after")
    def _version_is_free(self) -> MixSettings:
        if self.version == "records":
            raise ValueError("mix.version=records is taken: datasets/<name>/records holds what comes after")
        return self

    @model_validator(mode="after")
    def _parts_make_sense(self) -> MixSettings:
        if not self.parts:
            raise ValueError("mix.parts is empty: name what is to be mixed (docs/mix.md)")
        twice = [name for name, number in Counter(part.name for part in self.parts).items() if number > 1]
        if twice:
            raise ValueError(f"mix.parts names {twice[0]} twice; rows could not be told apart")
        stated = [part.share for part in self.parts if part.share is not None]
        if sum(stated) > 1 + 1e-9:
            raise ValueError(f"the shares of mix.parts add up to {sum(stated):g}, above 1")
        if len(stated) == len(self.parts) and abs(sum(stated) - 1) > 1e-9:
            raise ValueError(f"the shares of mix.parts add up to {sum(stated):g}; leave one out, and it gets the rest")
        return self


class MixCurateConfig(Section):
    """Of a run's `curate`, what finished rows are held to."""

    shingles: Literal["by_length", "words"] = "by_length"
    shingle_words: int = Field(default=3, ge=1, le=10, description="word n-gram size, of the longer questions")
    permutations: int = Field(default=128, ge=16, le=1024, description="MinHash functions")
    threshold: float = Field(default=0.7, gt=0, le=1, description="exact Jaccard at which two rows are one")
    benchmarks: tuple[BenchmarkConfig, ...] = ()
    decontamination: DecontaminationConfig = DecontaminationConfig()


class MixConfig(Section):
    mix: MixSettings
    curate: MixCurateConfig = MixCurateConfig()
    store: StoreConfig
    tokenizer: str = Field(
        default="words", min_length=1, description="counts tokens: `words`, `smollm2`, a folder, an id"
    )
    seed: int = Field(default=17, ge=0, lt=2**31)

    def recipe(self) -> dict[str, Any]:
        """The keys that can change a row: where files lie, what the mix is called and who approved its parts cannot."""
        values = self.model_dump(mode="json", exclude={"store"})
        for name in ("name", "version", "require"):
            del values["mix"][name]
        for part in values["mix"]["parts"]:
            del part["paths"]
        for benchmark in values["curate"]["benchmarks"]:
            del benchmark["path"]
        return values
