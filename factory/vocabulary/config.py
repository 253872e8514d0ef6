"""Keys of `domain.vocabulary`: which terminologies, and how much of them goes into a prompt."""

from __future__ import annotations

from pydantic import Field

from factory.section import Section


class VocabularyConfig(Section):
    files: tuple[str, ...] = Field(
        default=(),
        description="terminologies of yours as .tsv, .csv or .jsonl with columns term, code, definition, synonyms, "
        "kind (docs/vocabulary.md); of a name that several have, the first says what it means",
    )
    max_terms: int = Field(default=8, ge=1, le=100, description="terms of a passage that a prompt is given at most")
    definition_characters: int = Field(
        default=120, ge=0, le=2000, description="of a definition, cut at a word; 0: without definitions"
    )
