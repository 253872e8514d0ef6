"""Facets of OpenLineage, built from facts.

Design: one function a facet group, each gives the mapping that goes under `facets`; a facet with nothing to say is not
there. Values of parameters and tags are strings, as the standard wants them: what is no string is canonical JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from factory.govern.facts import Facts, Gate, Step
from factory.govern.json_document import in_words
from factory.govern.lineage.columns import Columns, From, table_of
from factory.govern.lineage.names import NAMESPACE, facet, job_name, run_id
from factory.publish.wording import text_ids

Facets = dict[str, Any]

SOURCE = "factory"
"""Who sets our tags."""


def parent(by: str, dataset: str, run: str) -> Facets:
    """The run around all; it is the root as well."""
    whole = {"run": {"runId": run_id(run)}, "job": {"namespace": NAMESPACE, "name": job_name(dataset)}}
    return facet(by, "parent", **whole, root=whole)


def engine(by: str, version: str) -> Facets:
    return facet(by, "processing_engine", name="factory", version=version, openlineageAdapterVersion=version)


def parameters(by: str, values: Mapping[str, Any]) -> Facets:
    given = [{"key": key, "value": in_words(value)} for key, value in sorted(values.items()) if value is not None]
    return facet(by, "executionParameters", parameters=given) if given else {}


def step_parameters(step: Step, model: tuple[str, str] | None, seed: int) -> dict[str, Any]:
    """What a step was told: by its own settings, sampling, prompt (and other texts of prompts.json) and model."""
    told: dict[str, Any] = {"step_version": step.version, "units": step.units, "seed": seed, "prompt": step.prompt}
    if others := [each for each in text_ids(step.own) if each not in (step.prompt, step.own.get("rubric"))]:
        told["texts"] = " ".join(others)
    told |= {f"own.{name}": value for name, value in step.own.items() if name != "prompt"}
    told |= {f"sampling.{name}": value for name, value in (step.sampling or {}).items()}
    if model is not None:
        told |= {"model": model[0], "model_revision": model[1]}
    return told


def job(by: str, kind: str, description: str) -> Facets:
    return {
        **facet(by, "jobType", processingType="BATCH", integration="FACTORY", jobType=kind),
        **facet(by, "documentation", description=description, contentType="text/plain"),
    }


def schema(by: str, columns: Iterable[tuple[str, str]]) -> Facets:
    fields = [
        {"name": name, "type": kind, "ordinal_position": place} for place, (name, kind) in enumerate(columns, start=1)
    ]
    return facet(by, "schema", fields=fields)


def table_schema(by: str, step: str, with_tasks: bool = False) -> Facets:
    """The columns of a step's table; nothing for those whose tables are the step's own affair."""
    table = table_of(step, with_tasks)
    return {} if table is None else schema(by, ((column.name, str(column.type)) for column in table))


def column_lineage(by: str, columns: Columns, deciding: Sequence[From], table_of: Mapping[str, str]) -> Facets:
    """`table_of`: step -> name of its dataset."""
    if not columns:
        return {}

    def inputs(found: Sequence[From]) -> list[dict[str, Any]]:
        return [
            {
                "namespace": NAMESPACE,
                "name": table_of[item.step],
                "field": item.column,
                "transformations": [
                    {
                        "type": "DIRECT" if item.subtype in ("IDENTITY", "TRANSFORMATION") else "INDIRECT",
                        "subtype": item.subtype,
                        "description": "",
                        "masking": False,
                    }
                ],
            }
            for item in found
        ]

    fields = {name: {"inputFields": inputs(found)} for name, found in columns.items()}
    return facet(by, "columnLineage", fields=fields, dataset=inputs(deciding))


def tests(by: str, gates: Sequence[Gate]) -> Facets:
    """The gates as tests of the run. One that is off measures and cannot fail: it is skipped."""
    found = [
        {
            "name": gate.name,
            "status": "skip" if gate.threshold is None else "pass" if gate.passed else "fail",
            **_severity(gate),
            "type": "gate",
            "description": gate.meaning,
            **_expected(gate),
            "actual": in_words(gate.measured),
        }
        for gate in gates
    ]
    return facet(by, "test", tests=found) if found else {}


def assertions(by: str, gates: Sequence[Gate]) -> Facets:
    """The same as assertions on the table that was tested; those that are off assert nothing."""
    found = [
        {
            "assertion": gate.name,
            "success": gate.passed,
            **_severity(gate),
            "name": gate.name,
            "description": gate.meaning,
            **_expected(gate),
            "actual": in_words(gate.measured),
        }
        for gate in gates
        if gate.threshold is not None
    ]
    return facet(by, "dataQualityAssertions", assertions=found) if found else {}


def _severity(gate: Gate) -> dict[str, str]:
    return {"severity": gate.severity} if gate.severity in ("error", "warn") else {}


def _expected(gate: Gate) -> dict[str, str]:
    if gate.threshold is None:
        return {}
    return {"expected": f"{'>=' if gate.bound == 'min' else '<='} {in_words(gate.threshold)}"}


def published(by: str, facts: Facts) -> Facets:
    """What a published dataset is: its version, columns, figures, and in tags what the standard has no field for."""
    metrics = {
        "question_tokens": {"sum": facts.tokens.get("question", 0), "count": facts.rows},
        "answer_tokens": {"sum": facts.tokens.get("answer", 0), "count": facts.rows},
        "level": {"count": facts.rows, "distinctCount": len(facts.levels)},
        "license": {"count": facts.rows, "distinctCount": len(facts.license_rows)},
        "verified": {"count": facts.rows, "distinctCount": len(facts.verified)},
    }
    sizes = {"rowCount": facts.rows, "bytes": facts.published_bytes, "fileCount": len(facts.files)}
    owner = facts.governance.owner
    return {
        **facet(by, "version", datasetVersion=facts.version),
        **facet(by, "datasetType", datasetType="FILE", subType="PARQUET"),
        **schema(by, facts.columns),
        **facet(by, "dataQualityMetrics", columnMetrics=metrics, **sizes),
        **(facet(by, "ownership", owners=[{"name": owner, "type": "OWNER"}]) if owner is not None else {}),
        **tags(by, tags_of(facts)),
    }


def tags_of(facts: Facts) -> list[tuple[str, str]]:
    told = [
        ("synthetic", "true"),
        ("digital_source_type", facts.digital_source_type),
        ("dry_run", in_words(facts.dry_run)),
        ("license", facts.license),
        ("source_license", facts.source_license),
        ("manifest_digest", facts.digest),
        ("run", facts.run),
        *(("language", language) for language in facts.languages),
        *((f"rows.{split.name}", str(split.rows)) for split in facts.splits),
        *((f"erased.{each.erasure}", str(each.rows)) for each in facts.erased),
    ]
    return told


def tags(by: str, told: Iterable[tuple[str, str]]) -> Facets:
    return facet(by, "tags", tags=[{"key": key, "value": value, "source": SOURCE} for key, value in told])


def run_tags(by: str, told: Iterable[tuple[str, str]]) -> Facets:
    return facet(by, "run_tags", tags=[{"key": key, "value": value, "source": SOURCE} for key, value in told])


def failure(by: str, message: str) -> Facets:
    return facet(by, "errorMessage", message=message, programmingLanguage="PYTHON")
