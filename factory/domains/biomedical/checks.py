"""What the pack `biomedical` checks by code. A row's answer is wrong ("no") where it states a dosage, a diagnosis or
advice that its passages do not hold up, names a medicine that nobody knows, or rests on its passages hardly at all.

The gates ask the same of everything that is about to be published: `answer.require=not_wrong`, which the pack sets,
leaves such rows out before, so a gate that finds one tells that somebody lowered it. Guide: docs/biomedical.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from factory.answers.evidence import FUNCTION_WORDS
from factory.answers.grounding import grounding
from factory.domains.biomedical import advice, doses
from factory.domains.biomedical.drug_names import DRUG, Known, invented
from factory.domains.checks import FinalAnswer, Gate, Question, Sample, Terms, Verdict

GROUNDED = 0.15
"""Least share of an answer's content words with evidence in its passages. Of summaries that people wrote, 5 % are below
0.12, and 5 % of those of another chapter above 0.17 (docs/answers.md)."""

FEW_WORDS, GROUNDED_WORDS = 25, 0.5
"""An answer of so few words has hardly any pairs. There, of what it says beyond the question, half the words have
to stand in a passage: answers of a small model that invented a treatment had pairs with the question's own words."""

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
    if (rests := rests_on(question, answer, passages)) is not None and not rests.enough:
        yield "not_grounded", {"share": round(rests.share, 3), "least": rests.least, "of": rests.of}


def doses_without_evidence(question: str, answer: str, passages: Sequence[str], known: Known) -> list[str]:
    stated = doses.statements(answer, known, question)
    return _shown(each.sentence for each in doses.unsupported(stated, passages, known)) if stated else []


_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True)
class Rests:
    """How far an answer rests on its passages: a share in [0, 1], the least that passes, and what it is a share of."""

    share: float
    least: float
    of: str

    @property
    def enough(self) -> bool:
        return self.share >= self.least


def rests_on(question: str, answer: str, passages: Sequence[str]) -> Rests | None:
    """None where the answer says nothing that could be looked for."""
    said = _content(answer.replace("Final answer:", " "))
    if len(said) > FEW_WORDS:
        share = grounding(answer, passages).grounded_share
        return Rests(share, GROUNDED, "content words") if share is not None else None
    beyond = (said - _content(question)) or said
    there = {word for passage in passages for word in _content(passage)}
    return Rests(len(beyond & there) / len(beyond), GROUNDED_WORDS, "words beyond the question") if beyond else None


def _content(text: str) -> set[str]:
    return set(_WORD.findall(doses.without_amounts(text))) - FUNCTION_WORDS


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
    found = [rests_on(sample.question, sample.answer, sample.passages) for sample in samples]
    return [
        f"{rests.share:.2f} of its {rests.of} stand in the passages" if rests is not None and not rests.enough else None
        for rests in found
    ]


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
        ungrounded, "share of answers that hardly rest on the passages", 0.0, "error", passages=True
    ),
}  # fmt: skip
