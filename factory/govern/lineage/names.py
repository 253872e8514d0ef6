"""Names in OpenLineage events: jobs, runs, datasets, and the versions of the facets that we write.

Design: nothing here names a machine or a store. A step's folder is named by its content, so the same table has the same
name wherever its root lies, and events of a live run and those of the bundle name the same things. A step's run is its
begin: worked anew after a kill or a failure it is another run; the run around all is the factory's run, however many
executions it took.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

NAMESPACE = "factory"
"""Of jobs and datasets alike."""

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"

FACETS: Mapping[str, tuple[str, str]] = {
    "columnLineage": ("1-2-0", "ColumnLineageDatasetFacet"),
    "dataQualityAssertions": ("1-1-0", "DataQualityAssertionsDatasetFacet"),
    "dataQualityMetrics": ("1-0-1", "DataQualityMetricsDatasetFacet"),
    "datasetType": ("1-0-1", "DatasetTypeDatasetFacet"),
    "documentation": ("1-1-0", "DocumentationJobFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "executionParameters": ("1-0-0", "ExecutionParametersRunFacet"),
    "inputStatistics": ("1-0-0", "InputStatisticsInputDatasetFacet"),
    "jobType": ("2-0-4", "JobTypeJobFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
    "ownership": ("1-0-1", "OwnershipDatasetFacet"),
    "parent": ("1-2-0", "ParentRunFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"),
    "run_tags": ("1-0-0", "TagsRunFacet"),
    "schema": ("1-2-0", "SchemaDatasetFacet"),
    "tags": ("1-0-0", "TagsDatasetFacet"),
    "test": ("1-0-1", "TestRunFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
}
"""Facet -> version and name of its schema, as openlineage-python 1.54.0 has them."""

_UUIDS = uuid.uuid5(uuid.NAMESPACE_URL, "urn:corpus-factory:openlineage")


def producer(version: str) -> str:
    """The URI that names this software in events."""
    return f"urn:corpus-factory:{version}"


def schema_url(key: str) -> str:
    version, name = FACETS[key]
    return f"https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}"


def facet(by: str, key: str, **values: Any) -> dict[str, dict[str, Any]]:
    """The facet under its key (`run_tags` goes under `tags`); `by` is the producer. None among `values` is left out:
    the standard knows no null."""
    told = {name: value for name, value in values.items() if value is not None}
    return {key.removeprefix("run_"): {"_producer": by, "_schemaURL": schema_url(key), **told}}


def run_id(run: str, folder: str = "", began: str | None = None) -> str:
    """UUID of a step's run by the factory's run, its folder and when it began; of the run around all without these."""
    return str(uuid.uuid5(_UUIDS, "\0".join((run, folder, began or ""))))


def job_name(dataset: str, step: str = "") -> str:
    return f"{dataset}.{step}" if step else dataset


def table_name(folder: str) -> str:
    """The dataset that is a step's output: where it lies below the root."""
    return f"steps/{folder}"


def corpus_name(dataset: str) -> str:
    """The dataset that stands for the source documents."""
    return f"{dataset}/corpus"
