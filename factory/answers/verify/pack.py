"""The verifier that a domain pack brings (`verify` of its checks.py), called so that nothing it does ends a run.

Design: an error, a verdict too few or one that is none leaves the answer unchecked, and its evidence says file, line
and reason: whoever reads the row or the report sees that the pack's code failed, and on what. The verdicts on the other
final answers of a question stand in the evidence of the published one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from factory.answers.verify.verdict import Verdict, Verified
from factory.domains.checks import Checks, FinalAnswer, Question, Terms
from factory.domains.pack_code import in_words, where
from factory.identity import canonical_json

PACK = "pack"
"""What `verified_by` says of a verdict that the pack's code gave without naming a rule of its own."""

ERROR, OTHERS = "checks_error", "other_answers"
"""Keys of evidence."""

LONGEST_EVIDENCE = 4000
"""Bytes of JSON; evidence is for people and lies beside every row."""


def pack_verdict(
    checks: Checks, row: Mapping[str, Any], passages: Sequence[str], vocabulary: Terms | None = None
) -> Verdict:
    """The verdict on the published answer of an ANSWER row."""
    question = Question(
        row["text"] or "",
        row["level"],
        row["edu_level"] or "",
        row["subject"] or "",
        tuple(row["concepts"] or ()),
        tuple(passages),
        vocabulary,
    )
    answers = distinct_answers(row)
    first, *others = pack_verdicts(checks, question, answers)
    if not others or ERROR in first.evidence:
        return first
    told = [
        {"final_answer": (answer.final or "")[:200], "verified": verdict.verified}
        for answer, verdict in zip(answers[1:], others, strict=True)
    ]
    return replace(first, evidence={**first.evidence, OTHERS: told})


def distinct_answers(row: Mapping[str, Any]) -> list[FinalAnswer]:
    """The final answers that the samples of an ANSWER row came to, the published one first."""
    votes = [(vote["final_answer"], vote["count"]) for vote in row["votes"] or ()]
    own = sum(count for final, count in votes if final == row["final_answer"])
    others = [FinalAnswer(final, votes=count) for final, count in votes if final != row["final_answer"]]
    return [FinalAnswer(row["final_answer"], row["answer"] or "", max(1, own)), *others]


def pack_verdicts(checks: Checks, question: Question, answers: Sequence[FinalAnswer]) -> list[Verdict]:
    """A verdict on each of `answers`. Raises nothing that the pack's code raises, an attempt to end the process
    included."""
    assert checks.verify is not None
    try:
        found: list[Any] = list(checks.verify(question, answers))
    except (Exception, SystemExit) as error:
        return _failed(answers, f"{in_words(error)} at {where(error, checks.path)}")
    if len(found) != len(answers):
        return _failed(answers, f"{checks.path}: verify gave {len(found)} verdicts on {len(answers)} answers")
    for verdict in found:
        if problem := _problem(verdict):
            return _failed(answers, f"{checks.path}: verify gave {problem}")
    return [
        verdict if verdict.verified == "unchecked" else replace(verdict, by=verdict.by or PACK) for verdict in found
    ]


def _problem(given: Any) -> str:
    if not isinstance(given, Verdict):
        return f"a {type(given).__name__} where a Verdict is wanted"
    verdict: Any = given  # its fields hold whatever the pack put there
    if verdict.verified not in get_args(Verified):
        return f"the verdict {verdict.verified!r}; there are {', '.join(get_args(Verified))}"
    if verdict.by is not None and not isinstance(verdict.by, str):
        return f"a verdict by {verdict.by!r}, which is no name"
    try:
        size = len(canonical_json(dict(verdict.evidence)))
    except (TypeError, ValueError) as error:
        return f"evidence that is no JSON ({in_words(error)})"
    return f"evidence of {size} bytes; {LONGEST_EVIDENCE} is the most" if size > LONGEST_EVIDENCE else ""


def _failed(answers: Sequence[FinalAnswer], reason: str) -> list[Verdict]:
    return [Verdict(evidence={ERROR: reason}) for _ in answers]
