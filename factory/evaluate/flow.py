"""The funnel: one row a step, with bars on one scale, both equations and the reasons behind them."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from factory.evaluate.charts import share_bar, stacked_bar
from factory.evaluate.checks import Equation, handover_equation, inputs_equation, outputs_equation
from factory.evaluate.facts import ReportInput, StepFacts
from factory.evaluate.text import share
from factory.run.words import Words, words_of

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
    words = words_of(step.name)
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
