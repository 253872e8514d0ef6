"""Section `graph` of the configuration: how concepts become a graph."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from factory.section import Section


class MergeNamesConfig(Section):
    """Names that are taken for one although they are written differently. Off unless a rule is on."""

    abbreviations: bool = Field(
        default=True, description="FFT alone is the fast Fourier transform where the corpus explains it so"
    )
    abbreviation_share: float = Field(
        default=0.9, ge=0.5, le=1, description="least share of one explanation among an abbreviation's"
    )
    similarity: float | None = Field(
        default=None, ge=0.5, le=1, description="least cosine of two names' embeddings; null: not compared"
    )
    model: str | None = Field(
        default=None,
        description="sentence-embedding model for `similarity`: a folder, or a Hugging Face id as of all-MiniLM-L6-v2",
    )
    revision: str | None = None

    @model_validator(mode="after")
    def _a_model_made_for_it(self) -> MergeNamesConfig:
        # A causal model's mean states do not tell names apart: with SmolLM2-135M "Fourier series" and "Fourier
        # transform" have a cosine of 0.995, and two unrelated names 0.91.
        if self.similarity is not None and self.model is None:
            raise ValueError("graph.merge_names.similarity needs graph.merge_names.model, a sentence-embedding model")
        return self

    @property
    def on(self) -> bool:
        return self.abbreviations or self.similarity is not None


class GraphConfig(Section):
    max_passage_nodes: int = Field(
        default=1024,
        ge=2,
        le=4096,
        description="topics and concepts of one passage at most; more is a reject (pairs grow with the square)",
    )
    signature_permutations: int = Field(
        default=64, ge=0, le=256, description="MinHash values kept a passage, for near-duplicate pairs; 0: none"
    )
    signature_shingle_words: int = Field(default=5, ge=1, le=13)
    partitions: int | None = Field(
        default=None, ge=1, le=4096, description="parts the edges are summed in, a power of two; null: by size"
    )
    segment_passages: int = Field(default=64_000, ge=1, le=10_000_000, description="passages an index segment")
    merge_names: MergeNamesConfig = MergeNamesConfig()

    @field_validator("partitions")
    @classmethod
    def _power_of_two(cls, value: int | None) -> int | None:
        if value is not None and value & (value - 1):
            raise ValueError("graph.partitions has to be a power of two, for example 16")
        return value
