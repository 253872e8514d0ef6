"""The settings of the two classifiers, with the reasons for their defaults."""

from __future__ import annotations

from pydantic import Field

from factory.section import Section


class FastTextSettings(Section):
    """Supervised fastText (Joulin et al. 2017, arXiv 1607.01759). Labels are the score classes 1 to 10."""

    dimension: int = Field(default=16, ge=2, le=300, description="length of word vectors")
    epochs: int = Field(default=10, ge=1, le=1000, description="passes over the examples, at least")
    least_lines: int = Field(
        default=50_000, ge=0, le=10_000_000, description="lines to learn from in all: small sets get more passes"
    )
    learning_rate: float = Field(default=0.2, gt=0, le=2)
    word_ngrams: int = Field(
        default=1, ge=1, le=5, description="longest run of words with a vector of its own; 2 was no better"
    )
    bucket: int = Field(
        default=50_000, ge=1, le=4_000_000, description="hashed vectors for runs of words; none with word_ngrams=1"
    )
    min_count: int = Field(default=3, ge=1, description="rarer words are left out of the vocabulary")
    function_words: bool = Field(default=False, description="true: learn from `the`, `we`, `such` as well")
    threads: int = Field(default=1, ge=1, le=256, description="1: the same model every time; more: not")
    attempts: int = Field(default=4, ge=1, le=20, description="seeds tried before training is given up")


class ForestSettings(Section):
    """Random forest regressor over mean-pooled hidden states, the paper's own variant (arXiv 2503.19551, 4.1)."""

    model: str = Field(default="smollm2", min_length=1, description="Hugging Face id, local folder, or `smollm2`")
    revision: str | None = Field(default=None, description="commit of a Hugging Face model; null: what is cached")
    max_tokens: int = Field(default=256, ge=8, le=32_768, description="tokens of a text that are embedded")
    batch_size: int = Field(default=16, ge=1, le=4096, description="texts a forward pass")
    trees: int = Field(default=200, ge=1, le=10_000)
    max_depth: int | None = Field(default=None, ge=1, le=1000, description="null: until leaves are pure or small")
    min_samples_leaf: int = Field(default=2, ge=1)
    max_features: float = Field(default=0.1, gt=0, le=1, description="share of dimensions a split looks at")
    jobs: int = Field(default=0, ge=0, le=256, description="cores that grow trees; 0: all; the model is the same")
