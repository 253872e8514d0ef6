"""The keys of `cluster.job`: how a run is submitted to a Ray cluster as a job. None of them can change a row."""

from __future__ import annotations

from pydantic import Field, model_validator

from factory.credentials import is_secret_name
from factory.section import Section


class JobConfig(Section):
    """What `python -m jobs.submit` asks of the cluster for the job's driver, and what travels with it."""

    name: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="shown by the cluster, first part of the job's id; null: publish.name",
    )
    cpus: float = Field(
        default=0,
        ge=0,
        description="reserved for the driver, which then may run on any node; else it is on the head",
    )
    memory_gib: float = Field(default=0, ge=0, description="reserved for the driver")
    resources: dict[str, float] = Field(default_factory=dict, description="custom resources reserved for the driver")
    labels: dict[str, str] = Field(
        default_factory=dict, description="labels its node must have: {ray.io/market-type: '!spot'}"
    )
    metadata: dict[str, str] = Field(default_factory=dict, description="kept with the job, shown by the cluster")
    env: dict[str, str] = Field(
        default_factory=dict, description="environment of the job's processes; secrets are refused"
    )
    exclude: tuple[str, ...] = Field(default=(), description="more patterns of what stays here, as in .gitignore")
    package_mib: int = Field(
        default=64, ge=1, le=400, description="largest package; Ray itself takes less than 512 MiB through its head"
    )

    @model_validator(mode="after")
    def _env_without_secrets(self) -> JobConfig:
        for name in self.env:
            if is_secret_name(name):
                raise ValueError(
                    f"cluster.job.env.{name} is the name of a credential; the cluster keeps a job's environment for "
                    "all to read: credentials come from the environment of the nodes (docs/cluster.md)"
                )
        return self
