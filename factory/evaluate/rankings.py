"""How columns of a run are distributed, as its report shows them: histograms of numbers, rankings of counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from factory.evaluate import charts, text
from factory.evaluate.facts import Categories, Numbers, ReportInput
from factory.run.record import section_of
from factory.select.findings import findings_of


@dataclass(frozen=True)
class Histogram:
    title: str
    numbers: Numbers
    chart: Markup
    labels: tuple[str, ...]
    as_share: bool
    remark: str = ""

    def value(self, number: float) -> str:
        return text.share(number) if self.as_share else text.count(number)


@dataclass(frozen=True)
class Ranking:
    title: str
    rows: tuple[tuple[str, int, Markup], ...]
    categories: Categories
    wide: bool = False


HISTOGRAMS = {
    "question_tokens": ("Question length", "tokens", False),
    "answer_tokens": ("Answer length", "tokens", False),
    "agreement": ("Agreement of answers", "of votes for the winner", True),
    "copied_share": ("Copied from the source", "of an answer's word 8-grams", True),
    "grounded_share": ("Grounded in the source", "of an answer's content words", True),
}
RANKINGS = {
    "subject": "Subject",
    "edu_level": "Educational level",
    "level": "Level",
    "origin": "Origin of the question",
    "verified": "Verified",
}


def distributions(data: ReportInput) -> Mapping[str, list[Any]]:
    """Histograms and rankings of the samples' columns."""
    numbers, categories = data.distributions.numbers, data.distributions.categories
    histograms = []
    for name, (title, unit, as_share) in HISTOGRAMS.items():
        if name in numbers:
            found = numbers[name]
            chart = charts.histogram(found, unit, f"{title}: distribution over {found.rows:,} rows", as_share=as_share)
            labels = charts.axis_labels(found, as_share=as_share)
            remark = "One sample a question, so every answer agrees with itself." if _unvoted(data, name) else ""
            histograms.append(Histogram(title, found, chart, labels, as_share, remark))
    rankings = [
        _ranking(title, categories[name], wide=name == "subject", by_name=name == "level")
        for name, title in RANKINGS.items()
        if name in categories
    ]
    return {"histograms": histograms, "rankings": rankings}


SELECTION = {
    "licence": ("Licence", "documents"),
    "lang": ("Language", "documents"),
    "score": ("Domain score, 1 to 10", "documents"),
    "duty": ("Duties of the licence", "documents"),
    "masked": ("Masked personal data", "spans"),
}
"""What the filters of `select` found in documents they let pass (factory/select/findings.py)."""

SELECTION_SHOWN = 10


def selection(data: ReportInput) -> list[Ranking]:
    """What `select` found in the documents it let pass."""
    step = data.step("select")
    rankings = []
    for kind, (title, noun) in SELECTION.items():
        counts = findings_of(step.facts, kind) if step else {}
        if counts:
            most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            shown, rest = most[:SELECTION_SHOWN], most[SELECTION_SHOWN:]
            # A document has several duties or none: their shares are of documents, not of each other.
            whole = step.count("used") if step and noun == "documents" else sum(counts.values())
            found = Categories(tuple(shown), sum(rows for _, rows in rest), len(counts), whole)
            rankings.append(_ranking(f"{title} ({noun})", found, wide=False, by_name=kind == "score"))
    return rankings


DECONTAMINATION = {
    "leak": "Dropped as benchmark items, by rule (questions)",
    "alike": "Kept: similar to an item (other numbers, or near by embedding), by rule (questions)",
    "answer_leak": "Dropped as answers of benchmarks, by rule (answers)",
    "answer_alike": "Kept: similar to a benchmark's answer (other numbers), by rule (answers)",
}
"""What the rules of decontamination found among questions (factory/curate/decon/hits.py, `count_evidence`) and answers
(factory/publish/leaked_answers.py)."""


def decontamination(data: ReportInput) -> list[Ranking]:
    """What was dropped or marked as like a benchmark."""
    rankings = []
    for kind, title in DECONTAMINATION.items():
        step = data.step("samples" if kind.startswith("answer_") else "sketch")
        counts = findings_of(step.facts, kind) if step else {}
        if counts:
            most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
            rest = sum(rows for _, rows in most[SELECTION_SHOWN:])
            found = Categories(tuple(most[:SELECTION_SHOWN]), rest, len(counts), sum(counts.values()))
            rankings.append(_ranking(title, found, wide=False, by_name=False))
    return rankings


def _unvoted(data: ReportInput, name: str) -> bool:
    return name == "agreement" and answers_asked(data) == 1


def _ranking(title: str, found: Categories, *, wide: bool, by_name: bool) -> Ranking:
    most = max((rows for _, rows in found.values), default=0)
    rows = tuple(
        (name, rows, charts.share_bar(rows / most if most else 0, "used", f"{name}: {rows:,}"))
        for name, rows in (sorted(found.values) if by_name else found.values)
    )
    return Ranking(title, rows, found, wide)


def answers_asked(data: ReportInput) -> int:
    """k: answers sampled a question at most."""
    return int(section_of(data.config, "answer").get("samples", 1))
