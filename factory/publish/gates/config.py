"""The keys below `gate`: thresholds, severities, and what the set is compared with.

Design: a key that begins with min_ or max_ is a gate of that name, its value the threshold (null: measured, not
judged). What it does when it fails stands below `gate.severity`. An error by default is only what cannot befall an
honest small run: faults that earlier steps exclude, or that make any set useless. What depends on corpus and purpose
warns, and preset=production makes errors of it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from factory.section import Section, Share
from factory.select.config import LanguageCode

Severity = Literal["error", "warn"]

Column = Literal["level", "origin", "edu_level", "subject", "domain", "source", "license"]
"""Columns whose groups are counted; `source` and `license` of a row are those of its documents."""

COLUMNS: tuple[Column, ...] = ("level", "origin", "edu_level", "subject", "domain", "source", "license")


class SeverityConfig(Section):
    """What a failed gate does: `error` stops publishing, `warn` is told in the run's output, report and card."""

    min_samples: Severity = "error"
    min_yield: Severity = "error"
    max_duplicate_start: Severity = "error"
    max_copied_share: Severity = "error"
    max_shared_start: Severity = "warn"
    max_shared_template: Severity = "warn"
    max_exact_duplicates: Severity = Field(default="error", description="curation takes all of them out")
    max_near_duplicates: Severity = "warn"
    max_other_language: Severity = Field(default="warn", description="detectors err on short or formal texts")
    max_verbatim_share: Severity = "warn"
    max_personal_data: Severity = Field(default="warn", description="a model invents addresses and numbers too")
    max_canaries: Severity = Field(default="error", description="only where canaries are given")
    max_refusals: Severity = "warn"
    max_contaminated_questions: Severity = Field(default="error", description="curation takes all of them out")
    max_contaminated_answers: Severity = "warn"
    lengths: Severity = Field(default="error", description="every gate of gate.lengths")
    target: Severity = Field(default="error", description="every gate of gate.target")
    drift: Severity = Field(default="warn", description="every gate of gate.drift")
    balance: Severity = Field(default="error", description="every gate of gate.balance")


class LengthConfig(Section):
    """A bound for one quantile of lengths: `{field: answer, quantile: 0.5, least: 200, most: 4000}`."""

    field: Literal["question", "answer"]
    quantile: float = Field(ge=0, le=1)
    least: int | None = Field(default=None, ge=0, description="characters")
    most: int | None = Field(default=None, ge=0, description="characters")

    @model_validator(mode="after")
    def _bounds_something(self) -> LengthConfig:
        if self.least is None and self.most is None:
            raise ValueError("a bound of gate.lengths needs least or most")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError(f"gate.lengths: least={self.least} is above most={self.most}")
        return self


class ShareConfig(Section):
    """A group of a column and the share of rows it is meant to have: `{group: 1, share: 0.5}`."""

    group: str | int
    share: Share


class TargetConfig(Section):
    """Shares that the groups of a column are meant to have."""

    column: Column = "level"
    shares: tuple[ShareConfig, ...] = Field(
        default=(), description="for example [{group: 1, share: 0.6}, {group: 2, share: 0.4}]; empty: off"
    )
    max_divergence: Share | None = Field(
        default=0.05, description="Jensen-Shannon divergence (base 2, 0 to 1) of the set from the target"
    )

    @model_validator(mode="after")
    def _adds_up(self) -> TargetConfig:
        total = sum(each.share for each in self.shares)
        if self.shares and abs(total - 1) > SHARES_MISS:
            raise ValueError(f"gate.target.shares add up to {total:g}, not to 1")
        if len({str(each.group) for each in self.shares}) < len(self.shares):
            raise ValueError("gate.target.shares names a group twice")
        return self


SHARES_MISS = 0.01
"""Three shares of 0.33 are meant to be all."""


class DriftConfig(Section):
    """Comparison with an earlier version of the dataset: levels, lengths and the groups of `columns`."""

    against: str | None = Field(default=None, description="folder or s3:// address of a published dataset; null: off")
    columns: tuple[Column, ...] = Field(
        default=("level", "edu_level", "source"), description="columns whose groups are compared, beside both lengths"
    )
    max_divergence: Share | None = Field(
        default=0.1, description="Jensen-Shannon divergence (base 2, 0 to 1) of a column or length"
    )
    max_stability_index: float | None = Field(
        default=0.25, ge=0, description="population stability index; by custom 0.1 is a small shift, 0.25 a large one"
    )
    max_vanished: int | None = Field(default=0, ge=0, description="groups that were there and are gone")
    vanished_from: Share = Field(
        default=0.01, description="share of the earlier version from which a group that is gone counts as vanished"
    )


class BalanceConfig(Section):
    """Bounds on the groups of one column; `min_entropy` is the entropy of the shares relative to even ones."""

    column: Column
    groups: tuple[str, ...] = Field(
        default=(), description="groups that must be there; one without a row has share 0; empty: those found"
    )
    min_share: Share | None = Field(default=None, description="share of the smallest group")
    max_share: Share | None = Field(default=None, description="share of the largest group")
    min_entropy: Share | None = Field(default=None, description="1: even, 0: one group has all")


class PackGateConfig(Section):
    """What a run says of a gate of the domain pack's checks.py, in place of what stands there."""

    threshold: Share | None = Field(default=None, description="largest share that passes; null: as the pack says")
    severity: Literal["error", "warn", "off"] | None = Field(default=None, description="null: as the pack says")


class GateConfig(Section):
    """Every threshold null means: the gate is off, and the report says so."""

    min_samples: int | None = Field(default=1, ge=0)
    min_yield: Share | None = Field(default=0.01, description="samples published a question produced")
    max_duplicate_start: Share | None = Field(
        default=0.5, description="share of questions that begin with the commonest five words"
    )
    max_shared_start: Share | None = Field(
        default=0.5, description="share of questions whose first `start_tokens` words another question has as well"
    )
    start_tokens: int = Field(default=8, ge=2, le=50, description="words of a start, numbers and signs among them")
    max_shared_template: Share | None = Field(
        default=0.3, description="share of questions that differ from others in their numbers alone"
    )
    max_copied_share: Share | None = Field(default=0.5, description="share of answers mostly copied from the source")
    copied_answer: Share = Field(default=0.8, description="an answer counts as copied from this 8-gram share on")
    max_verbatim_share: Share | None = Field(
        default=0.1, description="share of rows with a run of `verbatim_words` words of their source"
    )
    verbatim_words: int = Field(default=50, ge=5, description="a run of so many words counts as leaked verbatim")
    max_exact_duplicates: Share | None = Field(default=0.01, description="share of questions that repeat another one")
    max_near_duplicates: Share | None = Field(
        default=0.05, description="share of questions nearly the same as another one, by curate's measure and threshold"
    )
    languages: tuple[LanguageCode, ...] | None = Field(
        default=None, description="languages that rows are meant to be in; null: select.language.languages"
    )
    max_other_language: Share | None = Field(
        default=0.1, description="share of rows whose question or answer is in another language"
    )
    max_personal_data: Share | None = Field(
        default=0.02, description="share of rows in which the detector of select.pii finds something"
    )
    canaries: tuple[str, ...] | str | None = Field(
        default=None, description="strings planted in the corpus that must not come out: a list, or a file of lines"
    )
    max_canaries: int | None = Field(default=0, ge=0, description="rows that hold a canary")
    max_refusals: Share | None = Field(
        default=0.1, description="share of answers that refuse or apologise, by `refusals` of the domain pack"
    )
    max_contaminated_questions: int | None = Field(
        default=0, ge=0, description="rows whose question still repeats an item of curate.benchmarks"
    )
    max_contaminated_answers: int | None = Field(
        default=0, ge=0, description="rows whose answer repeats a question or an answer of curate.benchmarks"
    )
    lengths: tuple[LengthConfig, ...] = Field(default=(), description="bounds for quantiles of lengths in characters")
    target: TargetConfig = TargetConfig()
    drift: DriftConfig = DriftConfig()
    balance: tuple[BalanceConfig, ...] = Field(default=(), description="bounds on the groups of columns")
    pack: dict[str, PackGateConfig] = Field(
        default_factory=dict,
        description="thresholds and severities of the domain pack's own gates: gate.pack.NAME.threshold=0.1",
    )
    sample_rows: int = Field(
        default=20_000, ge=100, description="rows of the seeded sample for near-duplicates and language"
    )
    source_rows: int = Field(
        default=1_000, ge=1, description="rows of that sample whose sources are read, for verbatim runs"
    )
    severity: SeverityConfig = SeverityConfig()

    @model_validator(mode="after")
    def _a_column_once(self) -> GateConfig:
        columns = [each.column for each in self.balance]
        if len(set(columns)) < len(columns):
            raise ValueError("gate.balance names a column twice")
        return self
