"""Whether a generated text is a question that can stand alone: cheap checks, each with its evidence.

Design: what a rule can see is turned away before it costs an answer: wrong length, a loop, words of the
prompt handed back, a reader sent to a passage they do not have, no question at all, the same question twice.
Word lists come from the domain pack. The rules prefer to let a bad question pass rather than lose a good
one; quality beyond that is for curation and gates. Cost: 10-60 microseconds a question.
"""

from __future__ import annotations

import re
import string
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from factory.concepts.wording import repetition
from factory.domains.pack import Pack
from factory.identity import fingerprint
from factory.questions.config import QuestionConfig

TOO_SHORT, TOO_LONG = "too_short", "too_long"
REPETITION = "repetition"
COPIES_PROMPT = "copies_prompt"
NOT_SELF_CONTAINED = "not_self_contained"
NOT_A_QUESTION = "not_a_question"
DUPLICATE_IN_DOCUMENT = "duplicate_in_document"

# Shared runs of this many words do not happen by chance between a question and our instructions.
_PROMPT_RUN_WORDS = 6

_QUESTION_MARKS = re.compile("[?\uff1f\u061f\u037e\u2047\u2048\u2049\u203d\u2e2e\u055e\u1367]")
_WORD = re.compile(r"\w+")
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation.replace("_", "") + "“”‘’«»–—…", " "))

# Word lists are written in one script. A text mostly in others is not judged by them.
_OTHER_SCRIPTS_SHARE = 0.3

_WORDS_OF_A_TRIGRAM = 3
_EXTRACTED_SHARE = 0.5


@dataclass(frozen=True)
class QuestionChecks:
    """Bounds in characters, and the pack's word lists; `instructions` is the prompt's own text."""

    min_characters: int
    max_characters: int
    task_words: tuple[str, ...]
    refers_to_document: tuple[str, ...]
    instructions: str

    def problem(self, question: str) -> tuple[str, dict[str, Any]] | None:
        """Reason and evidence why `question` (cleaned) is turned away, or None where nothing is wrong."""
        if len(question) < self.min_characters:
            return TOO_SHORT, {"characters": len(question), "min_characters": self.min_characters}
        if len(question) > self.max_characters:
            return TOO_LONG, {"characters": len(question), "max_characters": self.max_characters}
        if (loop := repetition(question)) is not None:
            return REPETITION, {"measure": loop}
        if run := _run_of_prompt(question, self.instructions):
            return COPIES_PROMPT, {"words": run}
        if self.refers_to_document and (found := _any_of(self.refers_to_document).search(question)):
            return NOT_SELF_CONTAINED, {"words": found.group()}
        if not self._asks(question):
            return NOT_A_QUESTION, {"starts": question[:40]}
        return None

    def identity(self) -> dict[str, Any]:
        """All that decides what the checks say, short: the lists by their hash."""
        return {
            "characters": [self.min_characters, self.max_characters],
            "lists": fingerprint([list(self.task_words), list(self.refers_to_document)]),
            "instructions": fingerprint(self.instructions),
        }

    def _asks(self, question: str) -> bool:
        if not self.task_words or _QUESTION_MARKS.search(question):
            return True
        other = sum(character > "\u024f" for character in question)
        return other > _OTHER_SCRIPTS_SHARE * len(question) or bool(_task(self.task_words).search(question))


def checks_for(config: QuestionConfig, pack: Pack, prompt_name: str) -> QuestionChecks:
    prompt = pack.prompt(prompt_name)
    return QuestionChecks(
        config.min_characters,
        config.max_characters,
        pack.task_words,
        pack.refers_to_document,
        f"{prompt.system}\n{prompt.template}",
    )


def same_question(text: str) -> str:
    """Exact normal form: two questions with one form are the same question."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" .?!:")


@dataclass(frozen=True)
class Document:
    """The text that questions of one row claim to come from; its words are counted once, and only if asked."""

    text: str

    @cached_property
    def _words(self) -> str:
        return words_of(self.text)

    def holds(self, question: str) -> bool:
        """Whether at least half of the question's word trigrams stand in the document: what is asked of a
        question before the claim that it was taken from there goes into its lineage."""
        words = words_of(question).split()
        if len(words) < _WORDS_OF_A_TRIGRAM:
            return f" {' '.join(words)} " in self._words
        trigrams = [f" {a} {b} {c} " for a, b, c in zip(words, words[1:], words[2:], strict=False)]
        found = sum(trigram in self._words for trigram in trigrams)
        return found >= _EXTRACTED_SHARE * len(trigrams)


def words_of(text: str) -> str:
    """Words of a text, one space between two and one at either end. Translating takes a fifth of what a regular
    expression does on a document of 6,000 characters."""
    return f" {' '.join(text.casefold().translate(_PUNCTUATION).split())} "


def _run_of_prompt(question: str, instructions: str) -> str:
    words = _WORD.findall(question.casefold())
    runs = _runs(instructions)
    for start in range(len(words) - _PROMPT_RUN_WORDS + 1):
        run = " ".join(words[start : start + _PROMPT_RUN_WORDS])
        if run in runs:
            return run
    return ""


@lru_cache(maxsize=16)
def _runs(instructions: str) -> frozenset[str]:
    words = _WORD.findall(instructions.casefold())
    return frozenset(
        " ".join(words[start : start + _PROMPT_RUN_WORDS]) for start in range(len(words) - _PROMPT_RUN_WORDS + 1)
    )


@lru_cache(maxsize=16)
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


@lru_cache(maxsize=16)
def _task(words: tuple[str, ...]) -> re.Pattern[str]:
    """A task word at the start of a sentence, line, list item or clause (`Given x, find y`)."""
    either = "|".join(sorted((re.escape(word) for word in words), key=len, reverse=True))
    return re.compile(rf"(?:^|[.!:;,\n])[\s\"'(\d).*-]*(?:please\s+)?(?:{either})\b", re.IGNORECASE)
