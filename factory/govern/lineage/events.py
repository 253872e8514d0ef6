"""Run events: a step begins, a step ends, a dataset is published, and the run around all.

Design: pure functions, shared by the document of the bundle and by live emission (factory/observe/lineage.py), so that
a step's two events are the same from either, byte for byte. A failed or aborted event says no more than that and why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from factory.govern.facts import Facts, Gate, Step
from factory.govern.lineage import facets as said
from factory.govern.lineage.columns import columns_of, deciding
from factory.govern.lineage.inputs import inputs_of
from factory.govern.lineage.names import (
    NAMESPACE,
    SPEC,
    corpus_name,
    facet,
    job_name,
    producer,
    run_id,
    table_name,
)
from factory.run.strands import of_kind
from factory.run.words import words_of

Event = dict[str, Any]
Folders = Mapping[str, str]
"""Step -> its folder, of the steps that a run has taken so far."""

PUBLISH = "publish"
"""The job that makes files of a dataset out of the rows of `shards`."""


@dataclass(frozen=True)
class Whole:
    """What every event of a run has in common: the dataset's name, the factory's run and seed, its software version."""

    dataset: str
    run: str
    seed: int
    software: str

    @property
    def by(self) -> str:
        return producer(self.software)


def line(event: Event) -> bytes:
    return orjson.dumps(event, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def step_started(whole: Whole, name: str, folder: str, began: str, reads: Sequence[str], folders: Folders) -> Event:
    """`reads` as the step's stage has them; `folders` of the steps before it."""
    inputs = [{"namespace": NAMESPACE, "name": table} for table in _tables(whole, name, reads, folders).values()]
    outputs = [{"namespace": NAMESPACE, "name": table_name(folder)}]
    return _of_step(whole, "START", name, folder, began, began, inputs=inputs, outputs=outputs)


def step_completed(
    whole: Whole,
    step: Step,
    folders: Folders,
    model: tuple[str, str] | None = None,
    gates: Sequence[Gate] = (),
    kind: str = "COMPLETE",
) -> Event:
    """`model`: name and revision; `gates`: what they found, for the step that tests. `kind` is OTHER where the step was
    taken up again after it was complete, and knows more now."""
    by, tables = whole.by, _tables(whole, step.name, step.reads, folders)
    with_tasks = any(name != "answer" for name in of_kind("answer", folders))
    columns = columns_of(step.name, tuple(tables), with_tasks)
    lineage = said.column_lineage(by, columns, deciding(step.name, tuple(tables)), tables)
    output = {
        "namespace": NAMESPACE,
        "name": table_name(step.folder),
        "facets": {
            **facet(by, "version", datasetVersion=step.accepted_digest),
            **said.table_schema(by, step.name, with_tasks),
            **lineage,
        },
        "outputFacets": facet(by, "outputStatistics", rowCount=step.counts["accepted"]),
    }
    told = said.step_parameters(step, model, whole.seed)
    run = {**said.parameters(by, told), **said.tests(by, gates), **_counted(by, step)}
    inputs = [_input(whole, step, name, table, gates) for name, table in tables.items()]
    began, ended = step.began or "", step.ended or step.began or ""
    return _of_step(whole, kind, step.name, step.folder, began, ended, run, inputs=inputs, outputs=[output])


def step_ended(whole: Whole, kind: str, name: str, folder: str, began: str, at: str, why: str) -> Event:
    """FAIL or ABORT of a step that was begun, and why."""
    return _of_step(whole, kind, name, folder, began, at, said.failure(whole.by, why))


def run_started(whole: Whole, at: str) -> Event:
    inputs = [{"namespace": NAMESPACE, "name": corpus_name(whole.dataset)}]
    return _event(whole, "START", run_id(whole.run), job_name(whole.dataset), at, {}, _run_job(whole), inputs)


def run_ended(whole: Whole, kind: str, at: str, why: str) -> Event:
    """FAIL or ABORT of the run around all."""
    error = said.failure(whole.by, why)
    return _event(whole, kind, run_id(whole.run), job_name(whole.dataset), at, error, _run_job(whole))


def run_completed(whole: Whole, facts: Facts, at: str) -> Event:
    select = facts.step("select")
    inputs: list[Event] = [{"namespace": NAMESPACE, "name": corpus_name(whole.dataset)}]
    if select is not None:
        inputs = [_input(whole, select, "", corpus_name(whole.dataset))]
    run = said.parameters(whole.by, {"seed": facts.seed, "domain": facts.domain, "tokenizer": facts.tokenizer})
    outputs = [{"namespace": NAMESPACE, "name": facts.prefix}]
    job = _run_job(whole)
    return _event(whole, "COMPLETE", run_id(whole.run), job_name(whole.dataset), at, run, job, inputs, outputs)


def published(whole: Whole, facts: Facts) -> tuple[Event, Event]:
    """The begin and the end of publication. Only one time of it is on record: the claim on the version."""
    by, shards = whole.by, facts.step("shards")
    tables = {} if shards is None else {shards.name: table_name(shards.folder)}
    with_tasks = any(name == "task" for name, _ in facts.columns)
    columns = columns_of(PUBLISH, tuple(tables), with_tasks)
    lineage = said.column_lineage(by, columns, deciding(PUBLISH, tuple(tables)), tables)
    sizes = {"rowCount": facts.rows, "size": facts.published_bytes, "fileCount": len(facts.files)}
    output = {
        "namespace": NAMESPACE,
        "name": facts.prefix,
        "facets": {**said.published(by, facts), **lineage},
        "outputFacets": facet(by, "outputStatistics", **sizes),
    }
    bare = [{"namespace": NAMESPACE, "name": table} for table in tables.values()]
    inputs = bare if shards is None else [_read(whole, table, shards.counts["accepted"]) for table in tables.values()]
    name, at = {"namespace": NAMESPACE, "name": facts.prefix}, facts.created
    job = said.job(by, "STEP", words_of(PUBLISH).does)
    identity, run = run_id(whole.run, facts.prefix, at), said.parent(by, whole.dataset, whole.run)
    called = job_name(whole.dataset, PUBLISH)
    return (
        _event(whole, "START", identity, called, at, run, job, bare, [name]),
        _event(whole, "COMPLETE", identity, called, at, run, job, inputs, [output]),
    )


def _tables(whole: Whole, name: str, reads: Sequence[str], folders: Folders) -> dict[str, str]:
    """Step -> dataset, of what a step reads; the corpus has no step."""
    found = {each: table_name(folders[each]) for each in inputs_of(name, reads, folders)}
    return found or {"": corpus_name(whole.dataset)}


def _input(whole: Whole, step: Step, name: str, table: str, gates: Sequence[Gate] = ()) -> Event:
    """A table as the step read it: how many rows is known of those that it had to read wholly."""
    found: Event = {"namespace": NAMESPACE, "name": table}
    if name == "" or step.reads == (name,):
        found = _read(whole, table, step.counts["inputs"])
    if name == "":
        found["facets"] = facet(whole.by, "version", datasetVersion=step.plan)
    if gates and name == "samples":
        found["inputFacets"] = {**found.get("inputFacets", {}), **said.assertions(whole.by, gates)}
    return found


def _read(whole: Whole, table: str, rows: int) -> Event:
    facets = facet(whole.by, "inputStatistics", rowCount=rows)
    return {"namespace": NAMESPACE, "name": table, "inputFacets": facets}


def _counted(by: str, step: Step) -> dict[str, Any]:
    """What became of the rows that came in and of those that were made, with reasons, as tags of the run; also how many
    units were worked before it began."""
    told = [(f"rows.{name}", str(count)) for name, count in sorted(step.counts.items())]
    told += [("units.reused", str(step.reused))] if step.reused else []
    for side, reasons in sorted(step.reasons.items()):
        told += [(f"{side}.{reason}", str(count)) for reason, count in sorted(reasons.items())]
    return said.run_tags(by, told)


def _run_job(whole: Whole) -> dict[str, Any]:
    return said.job(whole.by, "RUN", "makes a dataset of question-answer samples out of documents")


def _of_step(
    whole: Whole,
    kind: str,
    name: str,
    folder: str,
    began: str,
    at: str,
    run: Mapping[str, Any] | None = None,
    inputs: Sequence[Event] = (),
    outputs: Sequence[Event] = (),
) -> Event:
    by = whole.by
    facets = {**said.parent(by, whole.dataset, whole.run), **(run or {})}
    job = said.job(by, "STEP", words_of(name).does)
    identity = run_id(whole.run, folder, began)
    return _event(whole, kind, identity, job_name(whole.dataset, name), at, facets, job, inputs, outputs)


def _event(
    whole: Whole,
    kind: str,
    identity: str,
    job: str,
    at: str,
    run_facets: Mapping[str, Any],
    job_facets: Mapping[str, Any],
    inputs: Sequence[Event] = (),
    outputs: Sequence[Event] = (),
) -> Event:
    by = whole.by
    return {
        "eventType": kind,
        "eventTime": at,
        "producer": by,
        "schemaURL": SPEC,
        "run": {"runId": identity, "facets": {**said.engine(by, whole.software), **run_facets}},
        "job": {"namespace": NAMESPACE, "name": job, "facets": dict(job_facets)},
        "inputs": list(inputs),
        "outputs": list(outputs),
    }
