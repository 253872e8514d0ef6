"""What a training job leaves: the selector's artefact with an entry an iteration, its report, and what it cost.

Design: the manifest holds what the same training gives again (counts, requests, tokens, metrics), so that a job
killed half-way leaves the same selector as an undisturbed one; seconds and money are in the job's record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from factory.cost.amounts import of_ledger, total
from factory.cost.money import price
from factory.select.selector_artefact import Draft, save
from factory.select.training.corpus_pass import histogram_of
from factory.select.training.endpoints import WRITER, rater_role
from factory.select.training.measuring import Measured, agreement_of, kept_of, measured, scores_of
from factory.select.training.metrics import Metrics
from factory.select.training.models import model_bytes
from factory.select.training.refine import Iteration, Job
from factory.select.training.report import Iteration as ReportIteration
from factory.select.training.report import SelectorReport, build_selector_report

COUNTED = ("requests", "prompt_tokens", "generated_tokens")
TIMED = ("seconds", "engine_seconds")


def keep(job: Job, iterations: Sequence[Iteration]) -> dict[str, Any]:
    """Saves the last iteration's classifier; gives its fingerprint, prefix, sha256, metrics and cost."""
    last, training = iterations[-1], job.config.training
    settings = training.fasttext if training.kind == "fasttext" else training.forest
    found = _measured(job, iterations)
    entries = [_entry(job, one, metrics) for one, metrics in zip(iterations, found.by_iteration, strict=True)]
    draft = Draft(
        domain=job.pack.name,
        model=model_bytes(job.store, last.model),
        scoring=last.model.scoring,
        parameters={"kind": training.kind, **settings.model_dump(mode="json")},
        seed=job.config.seed,
        threshold=training.threshold,
        training=last.split.training,
        held_out=last.split.held_out,
        iterations=entries,
        raters=_raters(job),
        licence_notes=_licence_notes(job),
    )
    kept = save(job.store, draft, lambda name: build_selector_report(_report(job, iterations, found, draft, name)))
    return {
        "fingerprint": kept.manifest.fingerprint,
        "prefix": kept.prefix,
        "sha256": kept.manifest.sha256,
        "metrics": _summary(found.by_iteration[-1], last.scored["facts"]),
        "cost": [_cost(job, iteration) for iteration in iterations],
    }


def _measured(job: Job, iterations: Sequence[Iteration]) -> Measured:
    from factory.run.execute import on_worker

    models, last = [iteration.model for iteration in iterations], iterations[-1].split
    threshold = job.config.training.threshold
    return on_worker(partial(measured, job.store, models, last.held_out, last.unseen, last.training, threshold))


def _entry(job: Job, iteration: Iteration, metrics: Metrics | None) -> dict[str, Any]:
    """Size of D^t, score histogram, overlap with D^(t-1) (docs/selector.md), examples, ratings, metrics, requests."""
    facts = iteration.scored["facts"]
    entry: dict[str, Any] = {
        "iteration": iteration.number,
        "model_sha256": iteration.model.sha256,
        "examples": _by_origin(iteration.split.training),
        "held_out": _by_origin(iteration.split.held_out),
        "documents": facts["documents"],
        "kept": facts["kept"],
        "histogram": {f"{edge:.1f}": count for edge, count in histogram_of(facts).items()},
        "turned_away": iteration.scored["reasons"],
        "metrics": None if metrics is None else asdict(metrics),
        "asked": _asked(job, iteration),
    }
    if iteration.number:
        before, both = facts.get("kept_before", 0), facts.get("kept_both", 0)
        either = before + facts["kept"] - both
        entry |= {"kept_before": before, "kept_both": both, "overlap": round(both / either, 4) if either else None}
    return entry


def _asked(job: Job, iteration: Iteration) -> dict[str, Any]:
    """What models were asked for this iteration, by stage: rows that came out, reasons of the others, tokens."""
    asked: dict[str, Any] = {}
    for name in iteration.stages:
        done = job.dones[name]
        if "requests" in done["ledger"]:
            counted = {key: round(done["ledger"][key]) for key in COUNTED}
            asked[name] = {"accepted": done["counts"]["accepted"], "reasons": done["reasons"], **counted}
    return asked


def _cost(job: Job, iteration: Iteration) -> dict[str, float | None]:
    """What an iteration's rows cost whoever paid for them, from the ledgers of its stages; the price is null where
    something that was used has none."""
    spent: Counter[str] = Counter()
    for name in iteration.stages:
        ledger = job.dones[name]["ledger"]
        spent.update({key: ledger[key] for key in (*COUNTED, *TIMED) if key in ledger})
    amounts = total(of_ledger(job.dones[name]["ledger"]) for name in iteration.stages)
    money = price(amounts, job.config.prices, [job.config.model.id])
    known = round(money.amount, 4) if money.whole and money.amount is not None else None
    return {key: round(spent[key], 3) for key in (*COUNTED, *TIMED)} | {"price": known}


def _summary(metrics: Metrics | None, facts: Mapping[str, int]) -> dict[str, Any]:
    """The figures a command line can show; the report has all."""
    kept = {"documents": facts["documents"], "kept": facts["kept"]}
    if metrics is None:
        return {"held_out": 0, **kept}
    return {
        "held_out": metrics.examples,
        "precision": metrics.precision.value,
        "recall": metrics.recall.value,
        "f1": metrics.f1,
        "mean_absolute_error": metrics.mean_absolute_error,
        "roc_area": metrics.roc_area,
        **kept,
    }


def _report(
    job: Job, iterations: Sequence[Iteration], found: Measured, draft: Draft, fingerprint: str
) -> SelectorReport:
    histogram = histogram_of(iterations[-1].scored["facts"])
    named = ["cold start", *(f"iteration {iteration.number}" for iteration in iterations[1:])]
    rounds = []
    for name, one, metrics in zip(named, iterations, found.by_iteration, strict=True):
        facts = one.scored["facts"]
        rounds.append(ReportIteration(name, len(one.split.training), metrics, facts["kept"] / facts["documents"]))
    return SelectorReport(
        fingerprint=fingerprint,
        domain=draft.domain,
        kind=job.config.training.kind,
        threshold=draft.threshold,
        seed=draft.seed,
        examples=_by_origin(iterations[-1].split.training),
        metrics=found.by_iteration[-1],
        iterations=rounds,
        elsewhere=found.unseen,
        corpus=kept_of(histogram),
        corpus_scores=scores_of(histogram),
        agreement=agreement_of(job.book.ratings, draft.threshold),
        explanation=found.explanation,
        markup=found.markup,
        parameters=draft.parameters,
        raters=draft.raters,
        licence_notes=draft.licence_notes,
        model_bytes=len(draft.model),
    )


def _by_origin(examples: Sequence[Any]) -> dict[str, int]:
    return dict(sorted(Counter(example.origin for example in examples).items()))


def _raters(job: Job) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for rater in job.config.training.raters:
        if rater.kind == "file":
            file = next(file for file in job.files if file.entry == rater.name)
            found = job.met[rater.name]
            about[rater.name] = {
                "kind": "file",
                "files": dict(file.sha256),
                "ratings": found.ratings,
                "used": found.used,
                "unmatched": found.unmatched,
                "left_out": dict(found.left_out),
                "by_rater": dict(found.by_rater),
            }
        elif (served := job.session.served.get(rater_role(rater.name))) is not None:
            about[rater.name] = {
                "kind": "model",
                "model": served.model.id,
                "revision": served.model.revision,
                "engine": served.engine.kind,
                "prompt_id": job.pack.prompt("rate_document").prompt_id,
                "samples": job.config.training.rate.samples,
                "ratings": sum(rating.entry == rater.name for rating in job.book.ratings),
            }
    return about


def _licence_notes(job: Job) -> list[str]:
    notes = []
    written = len(job.book.by_origin.get("cold_start_positive", ()))
    if written:
        model = job.session.served[WRITER].model
        notes.append(f"{written} documents were written by {model.id} ({model.license}): {model.output_terms}")
    licences = Counter(document.license or "not stated" for document in job.book.documents.values() if document.shard)
    if licences:
        listed = ", ".join(f"{licence} ({count})" for licence, count in licences.most_common(20))
        notes.append(f"texts of the corpus that were learnt from or rated, by licence: {listed}")
    return notes
