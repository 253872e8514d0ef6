"""What stands above the figures of a run's report: what is wrong, and what must be known before the data is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from factory.evaluate.checks import Equation
from factory.evaluate.facts import ReportInput
from factory.evaluate.models import SMALL, in_words
from factory.vocabulary.given import ASKED, TERMS, WITH_TERMS


@dataclass(frozen=True)
class Notice:
    """`tone`: "bad" (something is wrong), "loud" (must be known before the data is used) or "note"."""

    tone: str
    headline: str
    body: str


def notices(data: ReportInput, broken: list[Equation]) -> list[Notice]:
    """What is said above all figures."""
    found: list[Notice] = []
    if data.state not in ("finished", "running"):
        found.append(Notice("bad", f"The run {data.state}.", data.error or "Its record does not say why."))
    if data.state == "running":
        found.append(Notice("note", "The run was still going when this was written.", "Figures are of finished steps."))
    if broken:
        names = ", ".join(dict.fromkeys(equation.step for equation in broken))
        found.append(
            Notice(
                "bad",
                f"Rows do not add up in: {names}.",
                "A row vanished, was counted twice, or a record was changed. The equations are marked below; "
                "do not use these samples before factory verify has explained it.",
            )
        )
    failed = [gate.name for gate in data.gates if gate.state == "fail"]
    if failed:
        found.append(Notice("bad", f"Failed gates: {', '.join(failed)}.", "A run whose gates fail publishes nothing."))
    warned = [gate.name for gate in data.gates if gate.state == "warn"]
    if warned:
        meant = "They do not stop publishing; docs/gates.md says what each asks you to look at."
        found.append(Notice("note", f"Gates that warn: {', '.join(warned)}.", meant))
    found.extend(Notice("loud", "Said when the run began.", f"{note}.") for note in data.notes)
    found.extend(_model_notices(data))
    found.extend(_index_notices(data.index))
    found.extend(_round_notices(data))
    found.extend(_vocabulary_notices(data))
    found.extend(Notice("note", "Left out of this report.", problem) for problem in data.problems)
    return found


def _model_notices(data: ReportInput) -> list[Notice]:
    if data.engine_kind == "scripted":
        return [
            Notice(
                "loud",
                "No language model wrote these samples.",
                "The scripted engine fills in deterministic text. This run shows that the pipeline works; its rows are "
                "not training data. The model named in the configuration was not loaded.",
            )
        ]
    found = []
    for model in data.models:
        if model.parameters is not None and model.parameters < SMALL:
            found.append(
                Notice(
                    "loud",
                    f"{model.id} has {in_words(model.parameters)} parameters: expect weak samples.",
                    f"Models below {in_words(SMALL)} parameters often miss the format and get facts wrong. Many of "
                    "their outputs are rejected below, and what remains shows the pipeline rather than its best work.",
                )
            )
    return found


def _index_notices(index: Mapping[str, Any]) -> list[Notice]:
    """What of other datasets the questions were held against, and whether later runs hold theirs against these."""
    if not index:
        return []
    lines = []
    for key, when in (("compared_with", "before answers"), ("newer", "registered meanwhile, before publishing")):
        for item in index.get(key) or ():
            lines.append(f"{item['dataset']}@{item['version']} ({item['questions']:,} questions, {when})")
    if index.get("segment"):
        lines.append(f"its own questions are registered as segment {index['segment']}")
    compared = any(index.get(key) for key in ("compared_with", "newer"))
    headline = "Compared with published datasets." if compared else "Not compared with published datasets."
    return [Notice("note", headline, "; ".join(lines) if lines else "The index had none.")]


def _vocabulary_notices(data: ReportInput) -> list[Notice]:
    """What the user's terminologies gave to prompts: of a vocabulary of another field nothing is found."""
    files = ((data.config.get("domain") or {}).get("vocabulary") or {}).get("files") or ()
    if not files:
        return []
    names = ", ".join(str(file).replace("\\", "/").rpartition("/")[2] for file in files)
    asked = [step for step in data.steps if ASKED in step.facts]
    if not asked:
        return [
            Notice("note", "The vocabulary went into no prompt.", f"{names}: only the domain pack's checks ask it.")
        ]
    rows, found, terms = (sum(step.facts.get(name, 0) for step in asked) for name in (ASKED, WITH_TERMS, TERMS))
    told = "; ".join(f"{step.name}: {step.facts[WITH_TERMS]:,} of {step.facts[ASKED]:,}" for step in asked)
    headline = f"Vocabulary: {found:,} of {rows:,} prompts were given terms, {terms:,} in all."
    return [Notice("note" if found else "loud", headline, f"{names}. Prompts about passages with a term: {told}.")]


def _round_notices(data: ReportInput) -> list[Notice]:
    """What `target_samples` asked for, and what each round of walks brought."""
    target = data.config.get("target_samples")
    if target is None or not data.rounds:
        return []
    ended = [each for each in data.rounds if each.get("samples") is not None]
    accepted = int(ended[-1]["samples"]) if ended else 0
    rounds = "; ".join(
        f"round {number}: walks up to {each['walks']:,}, {each['samples']:,} samples in all"
        for number, each in enumerate(ended, 1)
    )
    if accepted >= target:
        headline = f"The target of {target:,} accepted samples is met: {accepted:,}."
        return [Notice("note", headline, f"{rounds}. A round is not cut short, so there may be more than asked for.")]
    if data.state != "finished":
        return [Notice("note", f"Target: {target:,} accepted samples, {accepted:,} so far.", rounds)]
    headline = f"The target of {target:,} accepted samples is not met: {accepted:,}."
    return [
        Notice("loud", headline, f"{rounds}. No walks are left; see the rejects of walk, pair and question_3 below.")
    ]
