"""The keys of `cluster`: on what a run works, and how it is submitted as a job. None of them can change a row."""

from __future__ import annotations

from typing import Literal

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


class ClusterConfig(Section):
    executor: Literal["ray", "processes"] = Field(
        default="ray",
        description="processes: worker processes of this machine instead of Ray; pods of an Indexed Job share a run so",
    )
    index: int | None = Field(
        default=None, ge=0, description="processes: which of the pods this is; null: JOB_COMPLETION_INDEX, else 0"
    )
    completions: int | None = Field(
        default=None, ge=1, le=10_000, description="processes: pods that share a run; null: JOB_COMPLETIONS, else 1"
    )
    address: str | None = Field(
        default=None,
        description="null: Ray starts on this machine; auto: the cluster this is a node of; jobs.submit: http://HEAD:8265",
    )
    cpus: int | None = Field(default=None, ge=1, description="cores Ray may use here; null: all")
    object_store_mib: int = Field(default=512, ge=80, description="Ray's shared memory on this machine")
    attempt_deadline_s: int = Field(default=3600, ge=10, description="an attempt may not commit after this")
    grace_seconds: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="what the platform gives between SIGTERM and SIGKILL (Kubernetes 30, spot machines 120): all but "
        "the last 10 of it units under way may use to commit; up to 10: the run leaves at once",
    )
    nodes_wait_s: int = Field(
        default=20,
        ge=0,
        le=86_400,
        description="seconds to wait for nodes that engines need and that are not there: 900 and more where an "
        "autoscaler or spot capacity brings them; up to 30 are cut to 5 where no node is of an autoscaler or KubeRay",
    )
    job: JobConfig = JobConfig()

    @model_validator(mode="after")
    def _one_executor(self) -> ClusterConfig:
        if self.executor == "processes" and self.address is not None:
            raise ValueError("cluster.executor=processes works without Ray: leave cluster.address out, or executor=ray")
        if self.executor == "ray" and (self.index is not None or self.completions is not None):
            raise ValueError("cluster.index and cluster.completions are for cluster=indexed (executor=processes)")
        return self
