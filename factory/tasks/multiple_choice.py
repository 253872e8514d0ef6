"""Multiple choice: a question, the right option and wrong ones, in an order drawn by hash.

Design: the model gives a stem, the right option and distractors; code checks that no distractor is the right answer or
another distractor in other writing (the verifiers' equality), that length and form do not give the right one away
(Haladyna, Downing and Rodriguez 2002, guidelines 21 and 28), and draws the order. The right option's place goes round
with the question's number from a place drawn for the passage, so that letters are balanced within a passage too.
Whether a distractor is right all the same, no rule can see: the answer stage chooses without knowing, and `verified`
says whether it chose the same.

Cost: 0.1 ms a question of four options; more for options that are formulas (verify/equality.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from factory.answers.final_answer import final_answer
from factory.answers.verify.choice import named_option, text_of_choice
from factory.answers.verify.equality import compare
from factory.answers.verify.numbers import read_quantity
from factory.answers.verify.verdict import Verdict
from factory.concepts.reply import SCHEMA_MISMATCH
from factory.concepts.wording import clean_name, clean_text
from factory.identity import make_id, seed_for
from factory.tasks.config import MultipleChoiceConfig
from factory.tasks.task import About, Data, Drafted, Given, Problem

TOO_FEW_OPTIONS, EMPTY_OPTION = "too_few_options", "empty_option"
DISTRACTOR_IS_RIGHT, OPTIONS_REPEAT = "distractor_is_right", "options_repeat"
RIGHT_BY_LENGTH, RIGHT_BY_FORM = "right_option_told_by_length", "right_option_told_by_form"
POINTS_AT_OPTIONS, OPTION_IN_QUESTION = "option_points_at_others", "right_option_in_question"

BY = "choice"

SLACK = 12
"""Characters by which options may differ whatever their ratio: `5` beside `about 5` tells nobody anything."""

# Options are put into another order, so none may speak of the others by place or letter.
_POINTS_AT_OPTIONS = re.compile(
    r"\b(?:all|none|both|neither|either|any|some) of (?:the|these) (?:above|others?|options|answers)\b"
    r"|\b(?:all|none) of (?:these|them)\b|\b(?:the )?above\b$|^(?:both |neither |either )?\(?[A-J]\)? (?:and|or|nor|&) "
    r"\(?[A-J]\)?$",
    re.IGNORECASE,
)
_LETTER = re.compile(r"^\(?[A-J][).:]\s+")


@dataclass(frozen=True)
class MultipleChoice:
    """TaskType: an answer is one of the offered options, named by its letter."""

    config: MultipleChoiceConfig

    name = "multiple_choice"
    shows_passage = False
    quotes = False
    votes = True
    asks_in_words = True
    wording: tuple[str, ...] = ()

    @property
    def framed(self) -> None:
        return None

    def item_schema(self) -> dict[str, Any]:
        count = self.config.options - 1
        wrong = {"type": "array", "items": {"type": "string"}, "minItems": count, "maxItems": count}
        return {"question": {"type": "string"}, "correct_option": {"type": "string"}, "wrong_options": wrong}

    def definitions(self) -> dict[str, Any]:
        return {}

    def asked_with(self, about: About) -> Mapping[str, str]:
        return {"wrong_options": str(self.config.options - 1)}

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem:
        stem, right, wrong = item.get("question"), item.get("correct_option"), item.get("wrong_options")
        if not isinstance(stem, str) or not isinstance(right, str):
            return Problem(SCHEMA_MISMATCH, {"field": "correct_option" if isinstance(stem, str) else "question"})
        stem = clean_text(stem)
        if not isinstance(wrong, list) or not all(isinstance(option, str) for option in wrong):
            return Problem(SCHEMA_MISMATCH, {"field": "wrong_options"}, stem)
        options = [_clean(option) for option in (right, *wrong[: self.config.options - 1])]
        shown = laid_out(stem, options)
        if not all(options):
            return Problem(EMPTY_OPTION, {"options": options}, shown)
        if len(options) < self.config.options:
            return Problem(TOO_FEW_OPTIONS, {"options": len(options), "asked": self.config.options}, shown)
        if problem := self._tells(stem, options[0], options[1:]):
            return Problem(problem.reason, problem.evidence, shown)
        place = (seed_for(about.seed, "place of the right option", about.chunk_id) + about.index) % len(options)
        order = sorted(
            options[1:], key=lambda option: make_id("option", about.seed, about.chunk_id, about.index, option)
        )
        order.insert(place, options[0])
        return Drafted(laid_out(stem, order), stem, {"options": order, "right": place, "letter": letter(place)})

    def answered_with(self, data: Data) -> Mapping[str, str]:
        return {"letters": ", ".join(letter(place) for place in range(len(data["options"])))}

    def answer_schema(self) -> None:
        return None

    def published(self, sample: str, data: Data) -> tuple[str, str | None]:
        # A model that only names an option leaves the marker out: "A) 12".
        return sample, final_answer(sample) or named_option(sample)

    def verify(self, data: Data, given: Given) -> Verdict:
        """yes for the right option by letter or, where no letter is named, by its words; else no."""
        options, right = list(data["options"]), data["letter"]
        said = given.final if given.final is not None else given.text
        named = named_option(said)
        beside = text_of_choice(said)
        if named is None or (beside is not None and not same(beside, options[_place(named, options)])):
            fits = [letter(place) for place, option in enumerate(options) if same(option, beside or said)]
            named = fits[0] if len(fits) == 1 else None
        evidence = {"answered": said[:200], "right": right}
        return Verdict("yes" if named == right else "no", BY, {**evidence, "chosen": named})

    def identity(self) -> dict[str, Any]:
        return {"options": self.config.options, "max_length_ratio": self.config.max_length_ratio}

    def check_identity(self) -> dict[str, Any]:
        return {}

    def _tells(self, stem: str, right: str, wrong: Sequence[str]) -> Problem | None:
        """What gives the right option away, or makes another one right as well."""
        for option in (right, *wrong):
            if found := _POINTS_AT_OPTIONS.search(option):
                return Problem(POINTS_AT_OPTIONS, {"words": found.group()})
        for option in wrong:
            if same(right, option):
                return Problem(DISTRACTOR_IS_RIGHT, {"right": right[:200], "distractor": option[:200]})
        for one, other in combinations(wrong, 2):
            if same(one, other):
                return Problem(OPTIONS_REPEAT, {"options": [one[:200], other[:200]]})
        lengths = sorted(map(len, wrong))
        ratio, own = self.config.max_length_ratio, len(right)
        if own > max(lengths[-1] * ratio, lengths[-1] + SLACK) or max(own * ratio, own + SLACK) < lengths[0]:
            return Problem(RIGHT_BY_LENGTH, {"right": own, "wrong": lengths, "max_length_ratio": ratio})
        forms = {form_of(option) for option in wrong}
        if form_of(right) not in forms:
            return Problem(RIGHT_BY_FORM, {"right": form_of(right), "wrong": sorted(forms)})
        if len(right) > SLACK and right.casefold() in stem.casefold():
            return Problem(OPTION_IN_QUESTION, {"right": right[:200]})
        return None


def letter(place: int) -> str:
    """The letter of the option at `place`, 0-based."""
    return chr(ord("A") + place)


def laid_out(stem: str, options: Sequence[str]) -> str:
    """The question as a reader sees it."""
    return "\n".join([stem, "", *(f"{letter(place)}) {option}" for place, option in enumerate(options))])


def same(one: str, other: str) -> bool:
    """Whether two options are one answer, by the verifiers that know both."""
    return compare(one, other).equal is True


def form_of(option: str) -> str:
    """`number`, `code`, `formula` or `words`: what an option is at first sight."""
    if read_quantity(option) is not None:
        return "number"
    if "`" in option:
        return "code"
    return "formula" if "$" in option or "\\" in option else "words"


def _place(named: str, options: Sequence[str]) -> int:
    place = ord(named) - ord("A")
    return place if place < len(options) else 0


def _clean(option: str) -> str:
    """On one line, without a letter or list mark of the model's own."""
    return _LETTER.sub("", clean_name(option)) if "`" not in option else " ".join(clean_text(option).split())
