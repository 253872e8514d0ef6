"""The keys of a sweep. They say how its points are worked and never what a point is."""

from __future__ import annotations

from pydantic import Field

from factory.section import Section


class SweepConfig(Section):
    """How the points of `-m` are worked (docs/sweeps.md); a plain run does not look at it. Never part of a run's
    identity."""

    at_once: int = Field(
        default=1,
        ge=1,
        le=256,
        description="points worked at the same time; 1: one after another in this process; more: a process each, or a "
        "Ray job each with sweep.jobs",
    )
    jobs: bool = Field(
        default=False, description="each point is a Ray job on the cluster at cluster.address; this process waits"
    )
