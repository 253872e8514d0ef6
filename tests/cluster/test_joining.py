"""What a driver is told that cannot join a cluster."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from factory.cluster.joining import explained, join
from factory.errors import ClusterError, ConfigError
from tests.cluster.several_nodes import SeveralNodes
from tests.resident import REPOSITORY


@pytest.mark.parametrize("address", ["http://head:8265", "ray://head:10001"])
def test_an_address_that_takes_jobs_is_no_drivers(address: str) -> None:
    with pytest.raises(ConfigError, match="not for a driver") as refused:
        join(address)
    assert f"jobs.submit … cluster.address={address}" in refused.value.remedy


@pytest.mark.parametrize("address", ["head", "head:port"])
def test_half_an_address_is_none(address: str) -> None:
    with pytest.raises(ConfigError, match="no HOST:PORT"):
        join(address)


def test_a_closed_port_is_said_before_ray_is_asked() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ClusterError, match="nothing answers") as refused:
            join(f"127.0.0.1:{taken.getsockname()[1]}")
    assert "jobs.submit" in refused.value.remedy


def test_a_mismatch_of_versions_says_both_and_the_way_out() -> None:
    said = "Version mismatch: The cluster was started with:\n    Ray: 2.9.3\n    Python: 3.10.1\nThis process ..."
    error = explained("head:6379", said)
    assert "Ray: 2.9.3 Python: 3.10.1" in error.what
    assert "jobs.submit" in error.remedy
    assert error.exit_code == 8


JOIN = """
import sys
from factory.cluster.joining import join
from factory.errors import FactoryError
try:
    join(sys.argv[1])
except FactoryError as error:
    print(error)
    sys.exit(error.exit_code)
"""

OTHER_PYTHON = """
import json, sys
from ray._raylet import GcsClient
client = GcsClient(address=sys.argv[1])
known = json.loads(client.internal_kv_get(b"CLUSTER_METADATA", b"cluster"))
client.internal_kv_put(b"CLUSTER_METADATA", json.dumps(known | {"python_version": "3.9.7"}).encode(), True, b"cluster")
"""


def joined(address: str, environment: dict[str, str], code: str = JOIN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, address],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_a_real_cluster_refuses_wrong_tokens_and_versions_in_time(cluster: SeveralNodes) -> None:
    assert joined(cluster.address, cluster.environment).returncode == 0
    wrong = joined(cluster.address, {**cluster.environment, "RAY_AUTH_TOKEN": "0" * 64})
    assert (wrong.returncode, "token" in wrong.stdout + wrong.stderr) == (8, True), wrong.stdout + wrong.stderr
    silent = socket.create_server(("127.0.0.1", 0))
    with silent:
        hung = joined(f"127.0.0.1:{silent.getsockname()[1]}", cluster.environment)
    assert hung.returncode == 8, hung.stdout + hung.stderr
    assert "did not let this process join within 25 s" in hung.stderr
    joined(cluster.address, cluster.environment, OTHER_PYTHON)
    other = joined(cluster.address, cluster.environment)
    assert other.returncode == 8
    assert "another Ray or Python" in other.stdout
    assert "3.9.7" in other.stdout
