"""What is said of a cluster that cannot be reached, is none, or is another than this code wants."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import ray

from factory.cluster.dashboard import Dashboard, ask, check_versions, python_note
from factory.errors import ClusterError, FactoryError


@contextmanager
def answering(answers: Mapping[str, Any], status: int = 200) -> Iterator[str]:
    """A server that answers paths (without their questions) with JSON, or with text where it is text."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers.get(self.path.partition("?")[0])
            body = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(status if found is not None else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def cluster(ray_version: str = ray.__version__, python: str = "3.12.1") -> dict[str, Any]:
    node = {"state": "ALIVE", "resources_total": {"CPU": 4.0}, "labels": {"kind": "spot"}}
    return {
        "/api/version": {"ray_version": ray_version},
        "/api/v0/cluster_metadata": {"data": {"pythonVersion": python}},
        "/api/v0/nodes": {"data": {"result": {"result": [node, {**node, "state": "DEAD"}]}}},
    }


def test_a_cluster_says_its_versions_and_its_living_nodes() -> None:
    with answering(cluster()) as url:
        dashboard = ask(url)
    assert (dashboard.url, dashboard.ray, dashboard.python) == (url, ray.__version__, "3.12.1")
    assert [node.resources for node in dashboard.nodes] == [{"CPU": 4.0}]
    assert "3.12.1" in python_note(dashboard)


def refused(url: str) -> FactoryError:
    with pytest.raises(ClusterError) as error:
        ask(url)
    assert error.value.exit_code == 8
    assert error.value.cause
    assert error.value.remedy
    return error.value


def test_a_closed_port_is_said_with_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = refused(url)
    assert f"no Ray cluster answers at {url}" in error.what
    assert "port-forward" in error.cause


def test_a_name_that_nobody_has_is_said() -> None:
    assert "no Ray cluster answers" in refused("http://no-such-head.invalid:8265").what


def test_a_server_that_says_nothing_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factory.cluster.dashboard.ANSWER_S", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        error = refused(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "no Ray cluster answers" in error.what


@pytest.mark.parametrize(
    "answers", [{"/api/version": "<html>Sign in</html>"}, {"/api/version": ["Ray"]}, {"/other": "x"}]
)
def test_something_else_that_answers_is_named_as_that(answers: dict[str, Any]) -> None:
    with answering(answers) as url:
        assert "is not the dashboard of a Ray cluster" in refused(url).what


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_said_with_where_to_get_one(status: int) -> None:
    with answering(cluster(), status) as url:
        error = refused(url)
    assert "token" in error.what
    assert "RAY_AUTH_TOKEN" in error.remedy


@pytest.mark.parametrize("version", ["2.9.3", "3.0.0"])
def test_another_ray_is_refused_with_both_versions(version: str) -> None:
    with answering(cluster(ray_version=version)) as url:
        error = refused(url)
    assert version in error.what
    assert ray.__version__ in error.what
    assert "infra/docker" in error.remedy


def test_a_later_bugfix_of_the_same_ray_will_do() -> None:
    major, minor = ray.__version__.split(".")[:2]
    check_versions(Dashboard("http://x", f"{major}.{minor}.9", "3.11.2", ()))


def test_a_python_that_the_factory_does_not_run_on_is_refused() -> None:
    with answering(cluster(python="3.10.14")) as url:
        error = refused(url)
    assert "Python 3.10.14" in error.what
    assert "3.11" in error.what
