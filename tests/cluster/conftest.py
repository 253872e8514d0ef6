"""A cluster of several nodes for tests, and the command that submits to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.cluster.several_nodes import SeveralNodes
from tests.resident import REPOSITORY
from tests.waiting import LONGEST_S


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: str
    stderr: str


Submit = Callable[..., Ended]


def submitted(cluster: SeveralNodes, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
    """`python -m jobs.submit` to its end."""
    typed = [sys.executable, "-m", "jobs.submit", *arguments]
    if not any(item.startswith("cluster.address=") for item in arguments):
        typed.append(f"cluster.address={cluster.url}")
    done = subprocess.run(
        typed,
        cwd=REPOSITORY,
        env=dict(environment or cluster.environment),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def cluster() -> Iterator[SeveralNodes]:
    """One node with two GPUs that are none. Several on one machine would unpack packages over each other."""
    nodes = SeveralNodes(num_cpus=2, num_gpus=2, resources={"engine": 2}, labels={"kind": "pretended"})
    try:
        yield nodes
    finally:
        nodes.close()
