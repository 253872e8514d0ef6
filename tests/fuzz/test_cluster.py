"""What answers at a cluster's web address: the dashboard of a Ray cluster, one that lies, or something else."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from hypothesis import strategies as st

from factory.cluster.address import url_of
from factory.cluster.dashboard import Dashboard, ask
from factory.errors import ClusterError, ConfigError
from tests.fuzz.breaking import broken_bytes, json_bytes, texts
from tests.fuzz.harness import fuzzed, refused
from tests.fuzz.test_servers import HTML, Canned, canned, heads, http

__all__ = ["canned"]

NODE = {"state": "ALIVE", "resources_total": {"CPU": 4.0, "memory": 8e9}, "labels": {"ray.io/node-id": "ab"}}
ANSWER: dict[str, Any] = {
    "ray_version": metadata.version("ray"),
    "data": {"pythonVersion": "3.11.7", "result": {"result": [NODE]}},
}
"""What all three questions are answered with."""


@fuzzed(
    "factory.cluster.dashboard.ask",
    status=st.sampled_from((200, 200, 200, 204, 302, 401, 403, 404, 500)),
    body=st.one_of(json_bytes(ANSWER), json_bytes(ANSWER), st.just(HTML)),
    head=heads,
)
def test_any_answer_is_a_cluster_or_an_error(canned: Canned, status: int, body: bytes, head: dict[str, str]) -> None:
    canned.answer = http(status, body, head)
    with refused(ClusterError):
        assert isinstance(ask(canned.url), Dashboard)


@fuzzed("factory.cluster.dashboard.ask", data=broken_bytes([http(200, b'{"ray_version": "2"}')]))
def test_broken_http_is_an_error(canned: Canned, data: bytes) -> None:
    canned.answer = data
    with refused(ClusterError):
        ask(canned.url)


@fuzzed("factory.cluster.address.url_of", address=texts("ray://head:10001"))
def test_any_address_is_a_url_or_an_error(address: str) -> None:
    with refused(ConfigError):
        assert url_of(address).startswith(("http://", "https://"))
