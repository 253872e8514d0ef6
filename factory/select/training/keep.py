"""What a training job leaves: the selector's artefact with its manifest entry an iteration, and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from factory.select.selector_artefact import Draft, save
from factory.select.training.corpus_pass import histogram_of
from factory.select.training.models import model_bytes
from factory.select.training.refine import WRITER, Iteration, Job, cost_of


def keep(job: Job, iterations: Sequence[Iteration]) -> dict[str, Any]:
    """Saves the last iteration's classifier; gives its fingerprint, prefix, sha256 and metrics."""
    last, training = iterations[-1], job.config.training
    settings = training.fasttext if training.kind == "fasttext" else training.forest
    entries = [_entry(job, iteration) for iteration in iterations]
    draft = Draft(
        domain=job.pack.name,
        model=model_bytes(job.store, last.model),
        scoring=last.model.scoring,
        parameters={"kind": training.kind, **settings.model_dump(mode="json")},
        seed=job.config.seed,
        threshold=training.threshold,
        training=last.training,
        held_out=last.held_out,
        iterations=entries,
        raters=_raters(job),
        licence_notes=_licence_notes(job),
    )
    kept = save(job.store, draft, lambda name: "")
    return {
        "fingerprint": kept.manifest.fingerprint,
        "prefix": kept.prefix,
        "sha256": kept.manifest.sha256,
        "metrics": entries[-1].get("metrics", {}),
    }


def _entry(job: Job, iteration: Iteration) -> dict[str, Any]:
    """The manifest entry of an iteration (method: size of D^t, score histogram, overlap with D^(t-1))."""
    facts = iteration.scored["facts"]
    entry: dict[str, Any] = {
        "iteration": iteration.number,
        "model_sha256": iteration.model.sha256,
        "examples": dict(sorted(Counter(example.origin for example in iteration.training).items())),
        "held_out": dict(sorted(Counter(example.origin for example in iteration.held_out).items())),
        "documents": facts["documents"],
        "kept": facts["kept"],
        "histogram": {f"{edge:.1f}": count for edge, count in histogram_of(facts).items()},
        "turned_away": iteration.scored["reasons"],
        "cost": cost_of(job, iteration.stages),
    }
    if iteration.number:
        before, both = facts.get("kept_before", 0), facts.get("kept_both", 0)
        either = before + facts["kept"] - both
        entry |= {"kept_before": before, "kept_both": both, "overlap": round(both / either, 4) if either else None}
    return entry


def _raters(job: Job) -> dict[str, Any]:
    about: dict[str, Any] = {}
    for rater in job.config.training.raters:
        if rater.kind == "file":
            file = next(file for file in job.files if file.entry == rater.name)
            about[rater.name] = {"kind": "file", "files": dict(file.sha256), "ratings": len(file.rows)}
        elif (served := job.session.served.get(f"rater {rater.name}")) is not None:
            about[rater.name] = {
                "kind": "model",
                "model": served.model.id,
                "revision": served.model.revision,
                "engine": served.engine.kind,
                "prompt_id": job.pack.prompt("rate_document").prompt_id,
                "samples": job.config.training.rate.samples,
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
