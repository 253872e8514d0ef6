"""How a run may be observed: keys of the section `observe`. None of them can change a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from factory.section import Section


class OpenLineageConfig(Section):
    """Where a run's lineage events go while it works (docs/lineage.md)."""

    to: str | None = Field(
        default=None,
        min_length=1,
        description="URL of a server that takes OpenLineage events (without a path: /api/v1/lineage), or a file to "
        "append to; null: nowhere",
    )
    timeout_s: float = Field(default=5, gt=0, le=60, description="seconds that the server may take for one event")


class ObserveConfig(Section):
    """What a run shows of itself while it works (docs/observability.md). Never part of a run's identity."""

    logs: Literal["text", "json"] = Field(
        default="text", description="text: bars on a terminal, lines elsewhere; json: one object a line, workers too"
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="port of the Prometheus endpoint; 0: any free one; null: none"
    )
    metrics_host: str = Field(
        default="127.0.0.1", min_length=1, description="address it listens on; it asks nobody for a password"
    )
    metrics_discovery: str | None = Field(
        default=None, description="folder for a file that tells Prometheus of the endpoint (file_sd); null: none"
    )
    metrics_linger_s: float = Field(
        default=0, ge=0, le=600, description="seconds the endpoint stays after the run, for a last scrape"
    )
    ray_metrics: bool = Field(
        default=False, description="workers also export live gauges through Ray's own agents (a cluster's endpoint)"
    )
    traces: Literal["off", "otlp"] = Field(
        default="off", description="otlp: a trace a unit, to where the variables OTEL_EXPORTER_OTLP_* say"
    )
    openlineage: OpenLineageConfig = OpenLineageConfig()

    @property
    def on_workers(self) -> OnWorkers:
        return OnWorkers(self.logs == "json", self.ray_metrics)


@dataclass(frozen=True)
class OnWorkers:
    """What workers and engines do by themselves; pickled to each with its task."""

    json_logs: bool = False
    gauges: bool = False


UNOBSERVED = OnWorkers()
