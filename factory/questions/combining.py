"""What levels 2 and 3 share: questions that must name the concepts they combine, and the reading of such replies.

Design: the prompt lists numbered sets of concepts that were drawn in code; the model copies the set beside each
question. An echo that is none of the listed sets, or one already used, turns the question away, so what a row
says about its concepts is what it was asked for. Question text is unbounded in the schema, for the reason
given in level1.

Cost: about 160 microseconds a reply of five questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from factory.concepts.extract import NAME_CHARACTERS, closed_object
from factory.concepts.reply import SCHEMA_MISMATCH, read_reply
from factory.concepts.wording import comparable
from factory.questions.rows import CREATED, MORE_THAN_ASKED, Sorting
from factory.questions.tags import Tags, tag_properties
from factory.run.reject import Reject
from factory.run.step import Parsed

CONCEPTS_NOT_ECHOED, NO_QUESTIONS = "concepts_not_echoed", "no_questions"
TOO_FEW_CONCEPTS = "too_few_concepts"

_EVIDENCE_SETS = 5  # enough to see what went wrong, small enough to keep for every reject


def numbered(sets: Sequence[Sequence[str]]) -> str:
    """The sets as a prompt lists them."""
    return "\n".join(f"{number}. {'; '.join(concepts)}" for number, concepts in enumerate(sets, 1))


def combining_schema(fewest: int, most: int, questions: int, tags: Tags) -> dict[str, Any]:
    """JSON schema of a reply: up to `questions` questions, each with `fewest` to `most` concepts and with `tags`."""
    name = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS}
    concepts = {"type": "array", "items": name, "minItems": fewest, "maxItems": most}
    question = closed_object({"concepts": concepts, "question": {"type": "string"}, **tag_properties(tags)})
    return closed_object({"questions": {"type": "array", "items": question, "minItems": 0, "maxItems": questions}})


def read_questions(
    text: str, finish_reason: str, sets: Sequence[tuple[str, ...]], most: int, sorting: Sorting, edu_level: str
) -> Parsed:
    """QUESTION rows of a reply about `sets`. The row itself is turned away as no_questions, truncated, invalid_json
    or schema_mismatch; single questions as concepts_not_echoed or for what `checks` names."""
    reply = read_reply(text, finish_reason, salvage=True)
    problem, questions = reply.problem, (reply.value or {}).get("questions")
    if not problem and not isinstance(questions, list):
        problem = SCHEMA_MISMATCH
    if problem or not isinstance(questions, list):
        evidence = {"characters": len(text)}
        return Parsed(rejects=[Reject(sorting.item, problem, evidence=evidence, text=text)])
    asked = {frozenset(map(comparable, concepts)): concepts for concepts in sets}
    for index, item in enumerate(questions):
        if index >= most:
            sorting.turn_away(index, MORE_THAN_ASKED, None)
            continue
        _sort(sorting, index, item, asked, edu_level)
    if reply.cut_off:
        sorting.turn_away(len(questions), reply.cut_by, reply.cut_off)
    return sorting.parsed(NO_QUESTIONS, text)


def _sort(
    sorting: Sorting, index: int, item: Any, asked: dict[frozenset[str], tuple[str, ...]], edu_level: str
) -> None:
    """Checks one question's echo against the sets still open (and closes its set), then the question."""
    values = item if isinstance(item, dict) else {}
    question, echo = values.get("question"), values.get("concepts")
    if not isinstance(question, str):
        sorting.turn_away(index, SCHEMA_MISMATCH, None, field="question")
        return
    if not isinstance(echo, list) or not all(isinstance(concept, str) for concept in echo):
        sorting.turn_away(index, SCHEMA_MISMATCH, question, field="concepts")
        return
    concepts = asked.pop(frozenset(map(comparable, echo)), None)
    if concepts is None:
        echoed = [concept[:NAME_CHARACTERS] for concept in echo[:_EVIDENCE_SETS]]
        still_open = [list(concepts) for concepts in islice(asked.values(), _EVIDENCE_SETS)]
        sorting.turn_away(index, CONCEPTS_NOT_ECHOED, question, echoed=echoed, open=still_open)
        return
    sorting.take(index, question, CREATED, edu_level, concepts, values)
