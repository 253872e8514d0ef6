"""The keys below `select`: which documents become reference documents, and how they are cut.

Design: every filter is a section of its own and has an off position (an empty list, null), so that any of
them can be switched by one override. What is on by default holds for every corpus: lengths, licences that
forbid the use, personal data. What depends on the corpus (languages, quality rules, a domain) is off until
somebody says what they want; the presets do.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from factory.licences.patterns import misspelt
from factory.section import Section, Share


def _meets_a_licence(pattern: str) -> str:
    problem = misspelt(pattern)
    if problem:
        raise ValueError(problem)
    return pattern


LicencePattern = Annotated[str, AfterValidator(_meets_a_licence)]
"""An SPDX id, or several with `*`, whatever the case; one that meets no licence is a mistake."""

LanguageCode = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class LanguageConfig(Section):
    """fastText's lid.176. Long documents are judged by segment, so that half-translated pages are seen."""

    languages: tuple[LanguageCode, ...] = Field(
        default=(), description="languages to keep, as ISO 639 codes of lid.176, for example [en]; empty: off"
    )
    min_probability: Share = Field(default=0.5, description="of the asked languages together, over the whole text")
    min_share: Share = Field(default=0.8, description="share of characters in segments of the asked languages")
    segment_characters: int = Field(
        default=500, ge=50, le=10_000, description="characters a segment at least; paragraphs are not cut"
    )


class QualityConfig(Section):
    """Character and repetition heuristics; a rule is off where its bound is null."""


class LicenceConfig(Section):
    """Which licences may pass. Every part that AND joins must pass, and one part that OR joins."""

    allow: tuple[LicencePattern, ...] | None = Field(
        default=None, description="SPDX ids or patterns (`CC-BY-*`) that may pass; null: all that are not denied"
    )
    deny: tuple[LicencePattern, ...] = Field(
        default=(
            "*-NC", "*-NC-*", "*-ND", "*-ND-*",
            "*-Noncommercial-*", "NCGL-*", "Aladdin", "LicenseRef-all-rights-reserved",
        ),
        description="SPDX ids or patterns that may not pass: by default non-commercial and no-derivatives ones, and "
        "rights that are all reserved",
    )  # fmt: skip
    unknown: Literal["keep", "reject", "quarantine"] = Field(
        default="keep", description="what becomes of documents whose licence is not stated or no SPDX licence"
    )


class PiiConfig(Section):
    """Personal data and secrets, found by pattern and checksum."""

    action: Literal["keep", "mask", "reject"] = Field(
        default="mask", description="keep: not looked for; mask: typed placeholders; reject: the document"
    )


class DocumentDuplicatesConfig(Section):
    """Near-duplicate documents: MinHash over word shingles, verified by exact Jaccard similarity."""

    threshold: float | None = Field(
        default=None, gt=0, le=1, description="Jaccard similarity at which two documents are one; null: off"
    )
    shingle_words: int = Field(default=5, ge=1, le=20, description="words a shingle")
    permutations: int = Field(default=128, ge=16, le=1024, description="MinHash functions")


class SelectorConfig(Section):
    """A trained domain classifier (`python -m jobs.train_selector`)."""

    path: str | None = Field(
        default=None, description="folder or s3:// address that the training job printed; null: off"
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="digest of its manifest that must be met; null: any"
    )
    threshold: float = Field(default=6.5, ge=1, le=10, description="score from which a document is kept; paper: 6.5")


class SelectConfig(Section):
    min_characters: int = Field(default=200, ge=1, description="shorter documents hold too little to ask about")
    max_characters: int | None = Field(
        default=None, ge=1, description="longer documents are rejected; null: chunked however long"
    )
    licence: LicenceConfig = LicenceConfig()
    quality: QualityConfig = QualityConfig()
    language: LanguageConfig = LanguageConfig()
    pii: PiiConfig = PiiConfig()
    benchmark_pages: bool = Field(
        default=True, description="reject documents that hold items of curate.benchmarks: level 1 would extract them"
    )
    selector: SelectorConfig = SelectorConfig()
    duplicates: DocumentDuplicatesConfig = DocumentDuplicatesConfig()
    chunk_tokens: int = Field(
        default=1500, ge=64, le=100_000, description="tokens a chunk at most, counted by the model's tokenizer"
    )
    unit_rows: int = Field(default=256, ge=1, le=10_000, description="chunks a unit: 1-3 minutes of engine time")

    @model_validator(mode="after")
    def _lengths_ordered(self) -> SelectConfig:
        if self.max_characters is not None and self.max_characters < self.min_characters:
            raise ValueError("select.max_characters is below select.min_characters")
        return self
