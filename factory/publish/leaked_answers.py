"""Answers of a run that repeat answers or solutions of benchmarks: the rules of curation, held against the other side.

Design: curation sees questions before there are answers, so answers are looked at where they become samples. The rules
and their evidence are those of `curate.decontamination` and of `factory decon`; an answer that is a leak is a reject
with that evidence, one that is a benchmark's answer but for its numbers is counted (`similar: report`), and
`factory decon` on the published dataset shows it.

Cost: that of the rules, docs/benchmarks.md, `decon`; an answer is longer than a question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from factory.curate.decon.hits import Screen
from factory.curate.words import tokenise
from factory.run.reject import Reject

REASON = "contaminated_answer"


@dataclass(frozen=True)
class LeakedAnswers:
    """`rejects` by the answer's place in the table; `facts` count hits by benchmark and rule: `answer_leak=` those
    rejected, `answer_alike=` those kept."""

    rejects: Mapping[int, Reject] = field(default_factory=dict)
    facts: Mapping[str, int] = field(default_factory=dict)


def leaked_answers(screen: Screen, answers: pa.Table) -> LeakedAnswers:
    """Which rows of an ANSWER table repeat an answer of the benchmarks that `screen` holds."""
    texts: list[str] = [text or "" for text in answers.column("answer").to_pylist()]
    ids: list[str] = answers.column("answer_id").to_pylist()
    rejects: dict[int, Reject] = {}
    facts: Counter[str] = Counter()
    for place, hit in sorted(screen.best(texts, tokenise(texts)).items()):
        leak = screen.rejects(hit)
        facts[f"answer_{'leak' if leak else 'alike'}={hit.benchmark}: {hit.rule}"] += 1
        if leak:
            rejects[place] = Reject(ids[place], REASON, evidence=hit.evidence())
    return LeakedAnswers(rejects, dict(facts))
