"""What a driver is told that cannot join a cluster."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from factory.cluster.joining import explained, join
from factory.errors import ClusterError
from tests.cluster.several_nodes import SeveralNodes
from tests.resident import REPOSITORY


@pytest.fixture
def _loopback_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray takes the machine's own address for 127.0.0.1, where the servers of these tests do not listen."""
    monkeypatch.setattr("ray._private.services.resolve_ip_for_localhost", lambda host: host)


@contextmanager
def listening(answers: bool) -> Iterator[str]:
    """Something that is no Ray: it takes connections, and says something or nothing."""

    class Anything(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            if answers:
                self.request.sendall(b"HTTP/1.1 505 no\r\n\r\n")
            else:
                threading.Event().wait(1)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Anything) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.usefixtures("_loopback_stays")
@pytest.mark.parametrize("answers", [True, False])
def test_what_is_no_head_is_said_before_ray_tries_to_join_it(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.setattr("factory.cluster.joining.HEAD_S", 0.5)
    with listening(answers) as address, pytest.raises(ClusterError) as refused:
        join(address)
    assert f"no head of a Ray cluster answers at {address}: " in refused.value.what


class Unwilling(grpc.GenericRpcHandler):
    """A head that takes nobody's token."""

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        def refuse(_: bytes, context: grpc.ServicerContext) -> bytes:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
            return b""

        return grpc.unary_unary_rpc_method_handler(refuse)


@pytest.mark.usefixtures("_loopback_stays")
@pytest.mark.parametrize(("sent", "said"), [({"authorization": "Bearer x"}, "refused"), ({}, "none was sent")])
def test_a_token_that_the_head_refuses_is_said_at_once(
    sent: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("factory.cluster.joining.token_headers", lambda: sent)
    server = grpc.server(ThreadPoolExecutor(1), handlers=[Unwilling()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with pytest.raises(ClusterError, match=said) as refused:
            join(f"127.0.0.1:{port}")
    finally:
        server.stop(None)
    assert "RAY_AUTH_MODE=token" in refused.value.remedy


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
    assert "no head of a Ray cluster answers" in hung.stdout
    joined(cluster.address, cluster.environment, OTHER_PYTHON)
    other = joined(cluster.address, cluster.environment)
    assert other.returncode == 8
    assert "another Ray or Python" in other.stdout
    assert "3.9.7" in other.stdout
