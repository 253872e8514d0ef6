"""The filter `language`: documents in the asked languages, judged segment by segment.

Design: fastText is asked about words only. Of each paragraph the words that look like prose stay: ASCII words
all of letters, in lower case or with one capital, and every word with a letter beyond ASCII. Identifiers, URLs,
LaTeX commands, numbers and mark-up have none of them, and code between backticks is dropped, for they mislead:
of 493 pages of Python's own documentation 3 % would be lost without this, none is with it (docs/select.md).
Paragraphs are joined to segments, all segments of a batch are predicted in one call, and documents are judged
by characters: mean probability of the asked languages, and share of the characters in segments in which they
are together more probable than any other single language. A page half of which is translated has a share of
about one half.

Cost: that of a fastText prediction of the whole text or less, as half of a technical text is not asked about.
A segment is predicted on 2,000 characters at most, evenly spread, so an endless line costs no more than a page.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from factory.errors import ConfigError
from factory.select.config import LanguageConfig
from factory.select.filters import Candidate, Judge, Verdict
from factory.select.lid import Lid, LidFile, find_lid, lid_of, load_lid, open_lid, store_lid
from factory.store.base import Store

LANGUAGE_VERSION = 1
"""Raise when the same text and model can give another verdict or finding."""

PREDICTED_CHARACTERS = 2000
"""Of a segment, evenly spread: probabilities no longer move beyond it, and cost stays bounded."""

PREDICTED_WINDOWS = 4

LONG_PARAGRAPH_SEGMENTS = 4
"""A paragraph of more segments than this is taken line by line: lists and logs often hold no blank line."""

FEWEST_CHARACTERS = 50
"""With fewer characters of prose than this, all letters of the text are asked about, in lower case: a text all
in capitals, or of identifiers only. lid.176 is unsure of capitals (0.46 for English that has 0.94 in lower case)."""

SHOWN_LANGUAGES = 3
"""Languages named in a verdict's evidence."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_LETTER = re.compile(r"[^\W\d_]")
_LETTERS = re.compile(r"[^\W\d_]+")
_AROUND_WORDS = ".,;:?!()[]\"'*"


class Segment(NamedTuple):
    """Words of neighbouring paragraphs; `characters` weigh it, `text` is what is predicted."""

    text: str
    characters: int


class Shares(NamedTuple):
    """What is known of a document: mean probability by language, share of characters in segments of the asked
    languages, and by language the shares of the others."""

    probabilities: Mapping[str, float]
    asked: float
    foreign: Mapping[str, float]


@dataclass(frozen=True)
class Language:
    """Keeps documents in `config.languages`; `file` is the model on the driver, `prepare` stores it for workers.

    Reasons: `no_language` (no letters at all), `mixed_language` (neither nearly all nor nearly nothing of it is
    in the asked languages), `language`. Findings: `lang`, the most probable of the asked languages, and
    `lang_prob`, the probability of all of them together.
    """

    config: LanguageConfig
    file: LidFile

    name = "language"

    def identity(self) -> dict[str, Any]:
        return {
            "version": LANGUAGE_VERSION,
            "model": self.file.sha256,
            **self.config.model_dump(mode="json", exclude={"model"}),
        }

    def prepare(self, store: Store) -> None:
        store_lid(self.file, store)

    def open(self, store: Store) -> Judge:
        model = open_lid(self.file.sha256, store)

        def judge(documents: Sequence[Candidate]) -> list[Verdict | None]:
            return self.judge(model, documents)

        return judge

    def judge(self, model: Lid, documents: Sequence[Candidate]) -> list[Verdict | None]:
        split = [segments(document.text, self.config.segment_characters) for document in documents]
        predictions = iter(model.predict([segment.text for each in split for segment in each]))
        verdicts: list[Verdict | None] = []
        for document, each in zip(documents, split, strict=True):
            if not each:
                verdicts.append(Verdict("no_language", {"characters": len(document.text), "letters": 0}))
                continue
            found = shares(each, [next(predictions) for _ in each], self.config.languages)
            verdicts.append(self._verdict(found))
            if verdicts[-1] is None:
                document.findings |= self._findings(found)
        return verdicts

    def _verdict(self, found: Shares) -> Verdict | None:
        minimum = self.config.min_share
        if 1 - minimum <= found.asked < minimum:
            evidence = {
                "share": round(found.asked, 4),
                "minimum": minimum,
                "foreign": {name: round(share, 4) for name, share in _most(found.foreign)},
            }
            return Verdict("mixed_language", evidence)
        probability = self._probability(found)
        if found.asked < minimum or probability < self.config.min_probability:
            evidence = {
                "languages": {name: round(value, 4) for name, value in _most(found.probabilities)},
                "probability": round(probability, 4),
                "minimum": self.config.min_probability,
                "share": round(found.asked, 4),
            }
            return Verdict("language", evidence)
        return None

    def _probability(self, found: Shares) -> float:
        return sum(found.probabilities.get(name, 0.0) for name in self.config.languages)

    def _findings(self, found: Shares) -> dict[str, Any]:
        likeliest = max(self.config.languages, key=lambda name: found.probabilities.get(name, 0.0))
        return {"lang": likeliest, "lang_prob": round(self._probability(found), 4)}


def language_filter(config: LanguageConfig) -> Language:
    """Raises ConfigError where the model is missing or does not know a language that is asked for."""
    file = find_lid(config.model)
    known = lid_of(load_lid(config.model)).languages
    for name in config.languages:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
            raise ConfigError(
                f"select.language.languages: the model does not know `{name}`",
                cause="lid.176 uses two-letter ISO 639-1 codes where they exist",
                remedy=f"give one of: {', '.join(near or sorted(known))}",
            )
    return Language(config, file)


def segments(text: str, characters: int) -> list[Segment]:
    """Segments of at least `characters` characters of prose; the last may be half as long, or all there is.

    Empty for a text without letters.
    """
    if not _LETTER.search(text):
        return []
    parts = [words for part in _parts(text, characters) if (words := prose(part))]
    if sum(map(len, parts)) < FEWEST_CHARACTERS:
        parts = [" ".join(_LETTERS.findall(text)).lower()]
    return [Segment(_spread(joined), len(joined)) for joined in _joined(parts, characters)]


def prose(text: str) -> str:
    """The words of `text` that tell its language, separated by single spaces."""
    words = [word.strip(_AROUND_WORDS) for word in text.split()]
    return " ".join(
        [
            word
            for word in words
            if (word.isalpha() and len(word) > 1 and (word.islower() or word.istitle()))
            or (not word.isascii() and _LETTER.search(word))
        ]
    )


def _parts(text: str, characters: int) -> Iterator[str]:
    if "`" in text:
        text = _CODE.sub(" ", text)
    for paragraph in text.split("\n\n"):
        if len(paragraph) > LONG_PARAGRAPH_SEGMENTS * characters:
            yield from paragraph.split("\n")
        else:
            yield paragraph


def _joined(parts: Sequence[str], characters: int) -> list[str]:
    joined: list[str] = []
    held: list[str] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part) + 1
        if size > characters:
            joined.append(" ".join(held))
            held, size = [], 0
    if held and joined and size <= characters / 2:
        # Too few words to be judged alone.
        joined[-1] = " ".join([joined[-1], *held])
    elif held:
        joined.append(" ".join(held))
    return joined


def _spread(text: str) -> str:
    """At most PREDICTED_CHARACTERS of `text` in evenly spread windows."""
    if len(text) <= PREDICTED_CHARACTERS:
        return text
    window = PREDICTED_CHARACTERS // PREDICTED_WINDOWS
    last = len(text) - window
    starts = [last * number // (PREDICTED_WINDOWS - 1) for number in range(PREDICTED_WINDOWS)]
    return " ".join(text[start : start + window] for start in starts)


def shares(split: Sequence[Segment], predictions: Sequence[Mapping[str, float]], languages: Sequence[str]) -> Shares:
    """What the predictions of a document's segments say of it, weighted by characters."""
    total = sum(segment.characters for segment in split)
    probabilities: dict[str, float] = defaultdict(float)
    foreign: dict[str, float] = defaultdict(float)
    asked = 0
    for segment, prediction in zip(split, predictions, strict=True):
        for name, probability in prediction.items():
            probabilities[name] += probability * segment.characters / total
        other = next((name for name in prediction if name not in languages), None)
        if other is None or sum(prediction.get(name, 0.0) for name in languages) >= prediction[other]:
            asked += segment.characters
        else:
            foreign[other] += segment.characters / total
    return Shares(probabilities, asked / total, foreign)


def _most(values: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(values.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_LANGUAGES]
