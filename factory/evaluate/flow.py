"""The funnel: one row a step, with bars on one scale, both equations and the reasons behind them."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from factory.evaluate.charts import share_bar, stacked_bar
from factory.evaluate.checks import Equation, handover_equation, inputs_equation, outputs_equation
from factory.evaluate.facts import ReportInput, StepFacts
from factory.evaluate.text import share


@dataclass(frozen=True)
class Words:
    """What a step reads, what it gives, and what it does."""

    reads: str
    gives: str
    does: str


WORDS = {
    "select": Words("documents", "passages", "reads the corpus, normalises and chunks it"),
    "document_sketch": Words("passages", "document sketches", "MinHash bands of whole documents"),
    "document_match": Words("document sketches", "documents to keep", "finds near-duplicate documents"),
    "merge": Words("passages", "passages", "joins documents met more than once, leaves out near-duplicates, samples"),
    "extract": Words("passages", "passages with concepts", "level, subject, topics and key concepts of a passage"),
    "graph": Words("passages with concepts", "walks", "co-occurrence of concepts, and walks over it"),
    "question_1": Words("passages", "questions", "level 1: questions a passage holds, and new ones"),
    "question_2": Words("passages", "questions", "level 2: questions around concepts drawn in code"),
    "question_3": Words("walks", "questions", "level 3: questions across two documents"),
    "sketch": Words("questions", "sketches", "MinHash bands, overlaps with benchmarks"),
    "match": Words("sketches", "questions to keep", "verifies candidates, decides which duplicates go"),
    "curate": Words("questions", "questions", "takes out duplicates and benchmark leaks"),
    "answer": Words("questions", "answers", "samples answers and counts votes"),
    "samples": Words("answers", "samples", "adds split, licences, token counts and lineage"),
    "gate": Words("samples", "samples", "holds the whole against thresholds"),
    "shards": Words("samples", "published samples", "puts samples into their final order"),
    "publish": Words("samples", "published samples", "writes shards, card and manifest"),
}
UNKNOWN_STEP = Words("rows", "rows", "")

REASONS_SHOWN = 12
"""A step with more reasons than this has a defect, not a funnel; the rest is summed in one line."""


@dataclass(frozen=True)
class Reason:
    side: str
    name: str
    rows: int
    of: int
    bar: Markup


@dataclass(frozen=True)
class Side:
    """One equation with its bar and the reasons behind it; `noun` is what is counted."""

    equation: Equation
    noun: str
    bar: Markup
    reasons: tuple[Reason, ...]
    handover: Equation | None = None


@dataclass(frozen=True)
class FlowRow:
    step: StepFacts
    words: Words
    inputs: Side
    outputs: Side

    @property
    def broken(self) -> bool:
        equations = (self.inputs.equation, self.inputs.handover, self.outputs.equation)
        return not all(equation.holds for equation in equations if equation is not None)


def flow_rows(data: ReportInput) -> list[FlowRow]:
    scale = max((max(step.count("inputs"), step.count("produced")) for step in data.steps), default=0)
    return [_row(step, data, scale) for step in data.steps]


def _row(step: StepFacts, data: ReportInput, scale: int) -> FlowRow:
    words = WORDS.get(step.name, UNKNOWN_STEP)
    ins, outs = inputs_equation(step), outputs_equation(step)
    return FlowRow(
        step=step,
        words=words,
        inputs=Side(
            ins,
            words.reads,
            _bar(ins, scale, "inputs"),
            (*_reasons(step, "input"), *_reasons(step, "quarantine")),
            handover_equation(step, data.steps),
        ),
        outputs=Side(outs, words.gives, _bar(outs, scale, "outputs"), _reasons(step, "output")),
    )


def _bar(equation: Equation, scale: int, what: str) -> Markup:
    said = ", ".join(f"{rows:,} {name}" for name, rows in equation.terms)
    return stacked_bar(equation.terms, scale, f"{equation.step} {what}: {said}")


def _reasons(step: StepFacts, side: str) -> tuple[Reason, ...]:
    reasons = sorted(step.reasons.get(side, {}).items(), key=lambda item: (-item[1], item[0]))
    of = step.count("produced" if side == "output" else "inputs")
    shown = reasons[:REASONS_SHOWN]
    rest = sum(rows for _, rows in reasons[REASONS_SHOWN:])
    if rest:
        shown.append((f"{len(reasons) - REASONS_SHOWN} further reasons", rest))
    css = "quarantined" if side == "quarantine" else "rejected"
    return tuple(
        Reason(side, name, rows, of, share_bar(rows / of if of else 0, css, f"{name}: {rows:,} ({share(rows, of)})"))
        for name, rows in shown
    )
