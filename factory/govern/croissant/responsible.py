"""The Responsible-AI properties of Croissant (RAI 1.0), from what was configured, counted and measured.

Design: properties about people who annotated are left out, since nobody did before publication. What only the
publisher can know (biases, impact, maintenance) is taken from the governance section or said not to be stated; nothing
is guessed.
"""

from __future__ import annotations

from typing import Any

from factory.govern.facts import Facts, Step
from factory.govern.json_document import in_words
from factory.publish.manifest import ATTRIBUTION, CARD

NOT_STATED = "Not stated by the publisher."

REQUIRED = (
    "dataCollection", "dataCollectionRawData", "dataCollectionTimeframe", "dataPreprocessingProtocol",
    "dataAnnotationProtocol", "machineAnnotationTools", "annotationsPerItem", "dataBiases", "dataLimitations",
    "dataUseCases", "personalSensitiveInformation", "dataReleaseMaintenancePlan", "dataSocialImpact",
)  # fmt: skip
"""What a synthetic dataset has to say; the vocabulary itself requires nothing."""

PERSONAL = {
    "yes": "The publisher states that the sources hold sensitive personal information.",
    "no": "The publisher states that the sources hold no sensitive personal information.",
    "unknown": "The publisher does not state whether the sources hold sensitive personal information.",
}
DRY_RUN = "Made by the scripted engine, which is no language model: a dry run, of no use for training."


def responsible_ai(facts: Facts) -> dict[str, Any]:
    """`rai:` properties by their full names."""
    stated = facts.governance
    said: dict[str, Any] = {
        "dataCollection": _collection(facts),
        "dataCollectionType": _types(facts),
        "dataCollectionRawData": _raw(facts),
        "dataCollectionTimeframe": [time for time in (facts.worked_since, facts.created) if time is not None],
        "dataPreprocessingProtocol": [_protocol(step) for step in facts.steps if step.model is None],
        "dataAnnotationProtocol": _annotation(facts),
        "dataAnnotationAnalysis": [_gate(gate) for gate in facts.gates],
        "machineAnnotationTools": [_tool(step) for step in facts.steps if step.model is not None],
        "annotationsPerItem": "0: no person labelled a row before it was published.",
        "personalSensitiveInformation": [PERSONAL[stated.personal_data], *_personal_steps(facts)],
        "dataBiases": list(stated.known_bias) or [NOT_STATED],
        "dataLimitations": _limitations(facts),
        "dataUseCases": list(stated.intended_uses) or [NOT_STATED],
        "dataSocialImpact": stated.social_impact or NOT_STATED,
        "dataReleaseMaintenancePlan": [stated.maintenance or NOT_STATED],
    }
    return {f"rai:{name}": value for name, value in said.items() if value}


def _collection(facts: Facts) -> str:
    models = ", ".join(f"{model.name} at revision {model.revision} ({model.role})" for model in facts.models)
    levels = ", ".join(f"level {level}: {rows:,}" for level, rows in sorted(facts.levels.items()))
    written = DRY_RUN if facts.dry_run else f"Questions and answers were written by language models: {models}."
    return (
        f"Generated from source documents, not collected. {written} Rows by level: {levels}. Steps, in order: "
        f"{', '.join(step.name for step in facts.steps)}; the parameters of each are under prov:wasGeneratedBy."
        + "".join(f" {step.name}: {step.reuse_in_words}." for step in facts.steps if step.reused)
    )


def _types(facts: Facts) -> list[str]:
    crawled = ["Web Scraping"] if facts.governance.crawled else []
    by = "the scripted engine, no language model" if facts.dry_run else "language models"
    return ["Document analysis", *crawled, f"Others: generated from documents by {by}"]


def _raw(facts: Facts) -> str:
    sources = facts.sources
    stated = facts.governance
    collected = stated.collection or "How and when they were collected was not stated by the publisher."
    more = (
        ("Legal basis", stated.legal_basis),
        ("Licence policy", stated.licence_policy),
        ("Reservations of rights", stated.rights_reservation),
        ("Illegal content", stated.illegal_content),
    )
    words = "".join(f" {label}, as the publisher states: {value}." for label, value in more if value is not None)
    return (
        f"{sources['places']:,} places of source documents at {sources['hosts']:,} hosts, {sources['without_url']:,} "
        f"of them without a URL, each listed with its licence in {ATTRIBUTION}. {collected}{words}"
    )


def _protocol(step: Step) -> str:
    counts = step.counts
    turned = ", ".join(f"{reason} {rows:,}" for side in step.reasons.values() for reason, rows in sorted(side.items()))
    return (
        f"{step.name} (version {step.version}): {in_words(step.own)}. Read {counts['inputs']:,} rows, used "
        f"{counts['used']:,}, gave {counts['accepted']:,}; turned away: {turned or 'none'}."
    )


def _tool(step: Step) -> str:
    model = step.model or {}
    named = " at revision ".join(str(model[key]) for key in ("id", "revision") if model.get(key))
    words = [f"model {named or in_words(model)}", f"sampling {in_words(step.sampling)}", *map(in_words, step.engines)]
    return f"{step.name} (version {step.version}): {'; '.join(words)}"


def _annotation(facts: Facts) -> str:
    verified = ", ".join(f"{verdict} {rows:,}" for verdict, rows in sorted(facts.verified.items()))
    judged = any(model.role == "judge" for model in facts.models)
    return (
        "All annotations are by software: agreement of sampled answers, verification (verified: "
        f"{verified}), grounding in the sources{' and scores by a judge model' if judged else ''}. None is by people."
    )


def _gate(gate: Any) -> str:
    asked = (
        "off" if gate.threshold is None else f"{'at least' if gate.bound == 'min' else 'at most'} {gate.threshold:g}"
    )
    verdict = "off" if gate.severity == "off" else "passed" if gate.passed else "not passed"
    return f"{gate.name}: {gate.meaning}; measured {gate.measured:.4g}, asked for {asked}: {verdict}"


def _personal_steps(facts: Facts) -> list[str]:
    """What filters for personal data were told, and what the gate for it measured."""
    filters = [
        f"{step.name} looked for personal data in sources: {in_words(settings)}."
        for step in facts.steps
        for name, settings in step.own.get("filters", ())
        if name == "pii"
    ]
    return [*filters, *(_gate(gate) for gate in facts.gates if gate.name == "max_personal_data")]


def _limitations(facts: Facts) -> list[str]:
    unchecked = facts.rows - facts.verified.get("yes", 0) - facts.verified.get("no", 0)
    own = [
        *([DRY_RUN] if facts.dry_run else []),
        *(
            f"{each.rows:,} rows were erased since publication, on {each.at} (erasure {each.erasure}); steps and gates "
            "are told as they were before."
            for each in facts.erased
        ),
        "Rows are machine-generated, with the errors and views of the models and of the sources.",
        f"{unchecked:,} of {facts.rows:,} answers were not verified by any checker (column verified).",
        "Agreement between samples of one model is not correctness.",
    ]
    unfit = [f"Not to be used for: {use}" for use in facts.governance.prohibited_uses]
    return [*own, *facts.governance.limitations, *unfit, f"See {CARD} for what was turned away and why."]
