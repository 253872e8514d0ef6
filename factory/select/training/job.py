"""The training job as a whole: check everything, work what is pending, keep the selector, say where it is.

Design: like a run (factory/run/runner.py): the job's id is the hash of its configuration without cluster, store,
engine and prices, and of its models; its record says what it is and how far it got; the same command finds it on
any machine and goes on where it stopped. Everything that can fail early fails before a model is started: pack,
syllabus, models, ratings files, corpus. A finished job whose inputs are unchanged answers from its record.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from factory.corpus.config import CorpusConfig
from factory.corpus.sources import list_sources, plan_ranges
from factory.credentials import blanked
from factory.domains.pack import Pack, load_pack
from factory.domains.syllabus import Syllabus, load_syllabus
from factory.engine.config import ModelConfig
from factory.engine.models import resolve
from factory.identity import fingerprint
from factory.observe.session import state_of
from factory.run.engines import Served, count_engine_starts
from factory.run.progress import Progress
from factory.run.record import Record, now, read_record, write_record
from factory.run.stage import Session
from factory.run.units import Unit
from factory.select.filters import Filter
from factory.select.order import filters_of
from factory.select.pii import pii_among
from factory.select.preprocessing import PREPROCESSING_VERSION
from factory.select.selector_artefact import ARTEFACT_VERSION
from factory.select.training import assignments, corpus_pass, rate_documents, sample, write_documents
from factory.select.training.config import TrainConfig
from factory.select.training.endpoints import WRITER, check_endpoints, rater_role
from factory.select.training.keep import keep
from factory.select.training.models import TRAINING_VERSION
from factory.select.training.ratings import RatingsFile, read_ratings, with_raters_masked
from factory.select.training.refine import Job, refine
from factory.store.base import Store

KIND = "selector"
"""What `kind` says in the record of a training job; runs have none."""

VERSIONS = {
    "assign": assignments.STEP_VERSION,
    "write": write_documents.STEP_VERSION,
    "pass": corpus_pass.STEP_VERSION,
    "sample": sample.STEP_VERSION,
    "rate": rate_documents.STEP_VERSION,
    "training": TRAINING_VERSION,
    "preprocessing": PREPROCESSING_VERSION,
    "artefact": ARTEFACT_VERSION,
}


@dataclass(frozen=True)
class Materials:
    """What a job is made of before it begins. `served` and `identities` are by role; `ranges` cover the corpus,
    `positives` the user's own documents."""

    job: str
    pack: Pack
    syllabus: Syllabus | None
    filters: tuple[Filter, ...]
    ranges: tuple[Unit, ...]
    positives: tuple[Unit, ...]
    files: tuple[RatingsFile, ...]
    served: Mapping[str, Served]
    identities: Mapping[str, Mapping[str, Any]]

    def inputs_digest(self) -> str:
        """What a finished job must still agree with to have nothing to do."""
        return fingerprint(
            {
                "versions": VERSIONS,
                "pack": self.pack.identity(),
                "filters": [[each.name, each.identity()] for each in self.filters],
                "ranges": [unit.unit_id for unit in (*self.ranges, *self.positives)],
                "ratings": [[file.entry, dict(file.sha256)] for file in self.files],
                "models": dict(self.identities),
            }
        )


def load_materials(config: TrainConfig) -> Materials:
    """Raises ConfigError or CorpusError for everything that can be wrong before work begins."""
    training = config.training
    pack = load_pack(config.domain)
    syllabus = None
    served: dict[str, Served] = {}
    if training.documents:
        pack.prompt("reference_document")
        syllabus = load_syllabus(config.domain)
        served[WRITER] = _served(config, config.model)
    if training.rounds:
        pack.prompt("rate_document")
        for rater in training.model_raters:
            engine = rater.engine or config.engine
            model = rater.model or config.model
            served[rater_role(rater.name)] = Served(resolve(model, engine.kind), engine)
    identities = {role: _identity(one) for role, one in served.items()}
    filters = filters_of(config.for_filters())
    files = tuple(read_ratings(rater) for rater in training.file_raters)
    if (pii := pii_among(filters)) is not None:
        files = tuple(replace(file, rows=with_raters_masked(file.rows, pii.masked)) for file in files)
    return Materials(
        job=f"train-{fingerprint({'recipe': config.recipe(), 'models': identities})[:16]}",
        pack=pack,
        syllabus=syllabus,
        filters=filters,
        ranges=_ranges(config.corpus)[: training.ranges],
        positives=_positives(config),
        files=files,
        served=served,
        identities=identities,
    )


def _served(config: TrainConfig, model: ModelConfig) -> Served:
    return Served(resolve(model, config.engine.kind), config.engine)


def _identity(served: Served) -> dict[str, Any]:
    """What of a model can change what it writes: its content, number format and context length."""
    config = served.model.config
    return {**served.model.identity(), "dtype": config.dtype, "max_model_len": config.max_model_len}


def _ranges(corpus: CorpusConfig) -> tuple[Unit, ...]:
    ranges = plan_ranges(list_sources(corpus), corpus)
    return tuple(Unit(range_.range_id, parameters={"range": range_.to_json()}) for range_ in ranges)


def _positives(config: TrainConfig) -> tuple[Unit, ...]:
    own = config.training.positives
    if not own.paths:
        return ()
    columns = config.corpus.columns.model_copy(update={"text": own.text, "source": None, "license": None, "url": None})
    return _ranges(CorpusConfig(kind="files", paths=own.paths, columns=columns, default_source="positives"))


@dataclass(frozen=True)
class TrainResult:
    """What a job left: `path` is for select.selector.path, `sha256` for select.selector.sha256. `requests` is what
    this execution itself asked of engines."""

    job: str
    fingerprint: str
    path: str
    sha256: str
    report: str
    metrics: Mapping[str, Any]
    requests: int
    already_finished: bool
    seconds: float


def execute(config: TrainConfig, store: Store, progress: Progress) -> TrainResult:
    """Trains a selector, or says that there is nothing to do.

    Raises FactoryError; the job's record then says `failed` and why. Running the same command again goes on where
    this one stopped.
    """
    started = time.monotonic()
    materials = load_materials(config)
    previous = read_record(store, materials.job)
    inputs = materials.inputs_digest()
    if previous and previous["state"] == "finished" and previous["inputs"] == inputs:
        return _result(previous, 0, True, started)
    record: Record = {
        "run": materials.job,
        "kind": KIND,
        "state": "running",
        "config": config.model_dump(mode="json"),
        "inputs": inputs,
        "models": {role: served.model.id for role, served in materials.served.items()},
        "steps": {},
        "dataset": None,
        "started": previous["started"] if previous else now(),
        "resumed": [*previous.get("resumed", []), now()] if previous else [],
        "engine_starts": dict(previous.get("engine_starts", {})) if previous else {},
    }
    with ExitStack() as stack:
        served, cluster = materials.served, config.cluster
        session = Session(materials.job, store, progress, record, stack, cluster, served, config.seed)
        check_endpoints(session, config.training)
        write_record(store, record)
        job = Job(
            session,
            config,
            materials.pack,
            materials.syllabus,
            materials.filters,
            materials.ranges,
            materials.positives,
            materials.files,
            materials.identities,
        )
        try:
            iterations = refine(job)
            record["selector"] = keep(job, iterations)
        except BaseException as error:
            record |= {"state": state_of(error), "error": blanked(str(error)), "finished": now()}
            count_engine_starts(session, ask=False)
            write_record(store, record)
            raise
        count_engine_starts(session)
        record |= {"state": "finished", "finished": now()}
        write_record(store, record)
    return _result(record, job.requests_now(), False, started)


def _result(record: Mapping[str, Any], requests: int, finished_before: bool, started: float) -> TrainResult:
    kept = record["selector"]
    return TrainResult(
        job=record["run"],
        fingerprint=kept["fingerprint"],
        path=kept["prefix"],
        sha256=kept["sha256"],
        report=f"{kept['prefix']}/report.html",
        metrics=kept["metrics"],
        requests=requests,
        already_finished=finished_before,
        seconds=time.monotonic() - started,
    )
