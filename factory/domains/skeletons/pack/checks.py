"""What this pack checks by code: `verify` looks at final answers, `gates` at the whole set before it is published.

The contract, and what happens when something here raises: factory/domains/checks.py. Both are tried on items.jsonl by
`factory domain check`. Replace the examples by what is known for sure in your field, or delete this file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from factory.domains.checks import FinalAnswer, Gate, Question, Sample, Verdict

_ASKED = re.compile(r"\bwhat is the (.+?)\?", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_UNFINISHED = re.compile(r"\b(?:TODO|TBD|lorem ipsum)\b|\[(?:insert|your)\b", re.IGNORECASE)


@cache
def known_values() -> dict[str, str]:
    """Term -> value, from data/values.txt (files below data/ are part of what the pack is named by)."""
    lines = (Path(__file__).parent / "data" / "values.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {term.strip().casefold(): value.strip() for term, value in pairs}


def verify(question: Question, answers: Sequence[FinalAnswer]) -> list[Verdict]:
    """Yes or no where the question asks for a value that is known, else nothing."""
    asked = _ASKED.search(question.text)
    expected = known_values().get(asked.group(1).casefold()) if asked else None
    return [judged(answer.final, expected) for answer in answers]


def judged(final: str | None, expected: str | None) -> Verdict:
    if expected is None or final is None:
        return Verdict()
    said = _NUMBER.findall(final)
    if len(said) != 1:
        return Verdict(evidence={"expected": expected, "numbers": said})
    same = float(said[0]) == float(expected)
    return Verdict("yes" if same else "no", by="known_values", evidence={"expected": expected})


def unfinished(samples: Sequence[Sample]) -> list[str | None]:
    """What in an answer was left to be filled in."""
    found = [_UNFINISHED.search(sample.answer) for sample in samples]
    return [f"holds {match.group()!r}" if match else None for match in found]


gates = {"unfinished": Gate(unfinished, "share of answers with a part left to be filled in", threshold=0.01)}
