"""Settings of verification: which verifier, how exact, how long, and what code may do."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from factory.answers.verify.limits import Limits
from factory.section import Section


class CodeConfig(Section):
    """What a program under test may use. It always runs without a network, or not at all (docs/answers.md)."""

    cpu_seconds: int = Field(default=10, ge=1, le=600, description="processor time of one row's tests")
    wall_seconds: float = Field(default=60, ge=1, le=1200, description="seconds until everything it started is killed")
    memory_mib: int = Field(default=512, ge=64, le=65_536, description="address space of each of its processes")
    processes: int = Field(default=32, ge=1, le=1024, description="processes and threads at once")
    file_mib: int = Field(default=16, ge=1, le=1024, description="largest file it may write, and its scratch folder")
    without_network_barrier: bool = Field(
        default=False,
        description="run it even where the kernel allows no namespaces; it then has your network, files and secrets",
    )

    @property
    def limits(self) -> Limits:
        mib = 1 << 20
        return Limits(
            self.cpu_seconds, self.wall_seconds, self.memory_mib * mib, self.processes, self.file_mib * mib
        )  # fmt: skip


class VerifyConfig(Section):
    kind: Literal["auto", "none", "recompute", "choice", "code", "pack"] = Field(
        default="auto",
        description="auto: whatever fits the row, the domain pack's own verifier first, but nothing that runs code of "
        "a model; pack: that one alone; code: run the tests a row brings",
    )
    tolerance: float = Field(default=1e-6, ge=0, le=0.1, description="relative difference of equal numbers")
    comparison_seconds: float = Field(default=3, gt=0, le=600, description="processor time of comparing two formulas")
    code: CodeConfig = CodeConfig()
