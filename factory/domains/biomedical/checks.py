"""What the pack `biomedical` checks by code. A row's answer is wrong ("no") where it states a dosage, a diagnosis or
advice that its passages do not hold up, names a medicine that nobody knows, or rests on its passages hardly at all.

The gates ask the same of everything that is about to be published: `answer.require=not_wrong`, which the pack sets,
leaves such rows out before, so a gate that finds one tells that somebody lowered it. Guide: docs/biomedical.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from factory.answers.grounding import grounding
from factory.domains.biomedical import advice, doses
from factory.domains.biomedical.drug_names import DRUG, Known, invented
from factory.domains.biomedical.writing import plain
from factory.domains.checks import FinalAnswer, Gate, Question, Sample, Terms, Verdict

GROUNDED = 0.15
"""Least share of an answer's content words with evidence in its passages. Of summaries that people wrote, 5 % are below
0.12, and 5 % of those of another chapter above 0.17 (docs/answers.md)."""

FEW_WORDS = 25
"""Words of an answer up to which the words themselves are looked at, too."""

SHOWN, SHOWN_CHARACTERS = 3, 200


def verify(question: Question, answers: Sequence[FinalAnswer]) -> list[Verdict]:
    """ "no" with what is wrong, else nothing: that an answer is supported does not make it right."""
    return [verdict(question, answer.text) for answer in answers]


def verdict(question: Question, answer: str) -> Verdict:
    if not answer or not question.passages:
        return Verdict()
    found = dict(problems(question.text, answer, question.passages, question.vocabulary))
    return Verdict("no", next(iter(found)), found) if found else Verdict()


def problems(
    question: str, answer: str, passages: Sequence[str], vocabulary: Terms | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is wrong, by name, with the sentences and words that show it."""
    known = Known(vocabulary)
    if found := doses_without_evidence(question, answer, passages, known):
        yield "dosage_without_evidence", {"sentences": found}
    if said := advice.unsupported(advice.spoken(answer), passages):
        yield f"{said[0].kind}_without_evidence", {"sentences": _shown(each.sentence for each in said)}
    if names := invented(answer, passages, known):
        yield "unknown_medicine", {"names": names[:10], "vocabulary": _has_drugs(vocabulary)}
    if (share := grounded(question, answer, passages)) is not None and share < GROUNDED:
        yield "not_grounded", {"grounded_share": round(share, 3), "least": GROUNDED}


def doses_without_evidence(question: str, answer: str, passages: Sequence[str], known: Known) -> list[str]:
    stated = doses.statements(answer, known, question)
    return _shown(each.sentence for each in doses.unsupported(stated, passages, known)) if stated else []


_WORD = re.compile(r"[^\W\d_]{4,}|\d+(?:[.,]\d+)?")


def grounded(question: str, answer: str, passages: Sequence[str]) -> float | None:
    """Share of an answer that has evidence in its passages, in [0, 1]; of an answer of a few words, which has hardly
    any pairs of them, half the share of its words that stand in a passage or the question. None without a word."""
    share = grounding(answer, passages).grounded_share
    if share is not None and (share >= GROUNDED or len(_WORD.findall(answer)) > FEW_WORDS):
        return share
    words = set(_WORD.findall(plain(answer.replace("Final answer:", " "))))
    there = {word for text in (question, *passages) for word in _WORD.findall(plain(text))}
    return 0.5 * len(words & there) / len(words) if words else None


def _has_drugs(vocabulary: Terms | None) -> bool:
    return vocabulary is not None and vocabulary.has_kind(DRUG)


def _shown(found: Iterator[str]) -> list[str]:
    return [text[:SHOWN_CHARACTERS] for text in dict.fromkeys(found)][:SHOWN]


def unsupported_doses(samples: Sequence[Sample]) -> list[str | None]:
    return [_told(doses_without_evidence(s.question, s.answer, s.passages, Known(s.vocabulary))) for s in samples]


def unsupported_advice(samples: Sequence[Sample]) -> list[str | None]:
    found = [advice.unsupported(advice.spoken(sample.answer), sample.passages) for sample in samples]
    return [_told(_shown(each.sentence for each in said)) for said in found]


def unknown_medicines(samples: Sequence[Sample]) -> list[str | None]:
    return [_told(invented(sample.answer, sample.passages, Known(sample.vocabulary))[:10]) for sample in samples]


def ungrounded(samples: Sequence[Sample]) -> list[str | None]:
    shares = [grounded(sample.question, sample.answer, sample.passages) for sample in samples]
    return [f"{share:.2f} of its words have evidence" if share is not None and share < GROUNDED else None
            for share in shares]  # fmt: skip


def _told(found: Sequence[str]) -> str | None:
    return " | ".join(found) or None


gates = {
    "dosage_without_evidence": Gate(
        unsupported_doses, "share of answers with a dosage that no passage states", 0.0, "error", passages=True
    ),
    "advice_without_evidence": Gate(
        unsupported_advice, "share of answers with a diagnosis or advice that no passage gives", 0.0, "error",
        passages=True,
    ),
    "unknown_medicines": Gate(
        unknown_medicines, "share of answers with a name like a medicine's that neither vocabulary nor passages have",
        0.0, "error", passages=True, vocabulary=DRUG,
    ),
    "not_grounded": Gate(
        ungrounded, f"share of answers of which less than {GROUNDED} rests on the passages", 0.0, "error", passages=True
    ),
}  # fmt: skip
