"""One generated question on its way to a row: named, cleaned, checked, accepted or turned away.

Design: a question's id is what was asked about (a chunk, a walk), step folder and place in the reply, so that it
keeps its id when a model words it differently, and a turned-away question has the id it would have carried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.concepts.reply import SCHEMA_MISMATCH
from factory.concepts.wording import clean_text
from factory.identity import make_id
from factory.questions.checks import DUPLICATE_IN_DOCUMENT, QuestionChecks, same_question
from factory.questions.tags import Tags, read_tags
from factory.run.reject import Reject
from factory.run.step import Parsed, Row

CREATED, EXTRACTED = "created", "extracted"
MORE_THAN_ASKED = "more_than_asked"


@dataclass
class Sorting:
    """The questions of one reply, sorted into accepted and rejected. `item` is the id of the input row, `constant`
    the columns that every question of the reply shares, `tags` what each has to be tagged with."""

    item: str
    folder: str
    checks: QuestionChecks
    constant: Row
    tags: Tags = field(default_factory=dict)
    accepted: list[Row] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    _forms: dict[str, str] = field(default_factory=dict)

    def turn_away(self, index: int, reason: str, text: str | None, **evidence: Any) -> None:
        self.rejects.append(Reject(self.question_id(index), reason, "output", evidence, text))

    def question_id(self, index: int) -> str:
        return make_id("question", self.item, self.folder, index)

    def take(
        self, index: int, text: str, origin: str, edu_level: str, concepts: Sequence[str], reply: Mapping[str, Any]
    ) -> None:
        """Accepts the question, or turns it away for what the checks find. `reply` is its part of the model's."""
        question = clean_text(text)
        columns: Row = {"origin": origin, "edu_level": edu_level, "concepts": list(concepts)}
        if self.tags:
            tags = read_tags(self.tags, reply)
            if isinstance(tags, str):
                self.turn_away(index, SCHEMA_MISMATCH, question, field=tags)
                return
            columns["tags"] = tags
        self.take_checked(index, question, question, columns)

    def take_checked(self, index: int, text: str, asks: str, columns: Row) -> None:
        """As `take`, of a question that is more than what it `asks`: only that is held against the checks."""
        if problem := self.checks.problem(asks):
            self.turn_away(index, problem[0], text, **problem[1])
            return
        question_id = self.question_id(index)
        first = self._forms.setdefault(same_question(text), question_id)
        if first != question_id:
            self.turn_away(index, DUPLICATE_IN_DOCUMENT, text, of=first)
            return
        self.accepted.append({**self.constant, "question_id": question_id, "text": text, **columns})

    def parsed(self, reason: str, text: str) -> Parsed:
        """What came of the row; a row without an accepted question is itself turned away for `reason`."""
        if self.accepted:
            return Parsed(self.accepted, self.rejects)
        reasons = sorted({reject.reason for reject in self.rejects})
        return Parsed([], [*self.rejects, Reject(self.item, reason, evidence={"outputs": reasons}, text=text)])
