"""The web address of a Ray cluster, and whether what answers there will take a job from here.

Design: jobs go through the dashboard of the head node (port 8265), over HTTP. Before anything is packed or sent it is
asked who it is: nobody there, something else there, a token that is missing or wrong, another Ray, another Python are
five different mistakes with five different ways out, and Ray's own client says most of them late or in a stack of
exceptions. Every question has a time limit; Ray's client has none.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from factory.cluster.address import CONNECT_S, PORT
from factory.cluster.nodes import Node
from factory.cluster.token import RIGHT_ONE, token_headers
from factory.errors import ClusterError

ANSWER_S = 15.0
"""With CONNECT_S, name resolution and both tries of two families of addresses an unreachable cluster is said within
30 s."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Dashboard:
    """A cluster's web address, versions and live nodes."""

    url: str
    ray: str
    python: str
    nodes: tuple[Node, ...]


def ask(url: str) -> Dashboard:
    """Who answers at `url`. Raises ClusterError where nobody does, or somebody who will not take a job from here:
    the token, Ray's version or Python's is wrong."""
    version = _get(url, "/api/version")
    if not isinstance(version, dict) or "ray_version" not in version:
        raise _not_ray(url, "its answer to /api/version has no version of Ray")
    python = _within(_get(url, "/api/v0/cluster_metadata"), "data", "pythonVersion")
    dashboard = Dashboard(url, str(version["ray_version"]), str(python or ""), tuple(nodes_at(url)))
    check_versions(dashboard)
    return dashboard


def check_versions(dashboard: Dashboard) -> None:
    """Raises ClusterError where the cluster's Ray or Python is none that this code runs on."""
    import ray

    own = ray.__version__
    if dashboard.ray.split(".")[:2] != own.split(".")[:2]:
        raise ClusterError(
            f"the cluster at {dashboard.url} runs Ray {dashboard.ray}, this is Ray {own}",
            cause="the cluster's image was built from other pins than this checkout",
            remedy=f"use an image with Ray {own} (infra/docker), or the checkout that goes with Ray {dashboard.ray}",
        )
    python = tuple(int(part) for part in dashboard.python.split(".")[:2] if part.isascii() and part.isdigit())
    if python and python < OLDEST_PYTHON:
        oldest = ".".join(str(part) for part in OLDEST_PYTHON)
        raise ClusterError(
            f"the cluster at {dashboard.url} runs Python {dashboard.python}, the factory needs {oldest} or later",
            cause="the job's code runs on the cluster, with its Python and its packages",
            remedy="use an image with a newer Python (infra/docker)",
        )


OLDEST_PYTHON = (3, 11)
"""As in pyproject.toml (requires-python)."""


def python_note(dashboard: Dashboard) -> str:
    """What to say where the cluster's Python is another than ours, which a job does not mind; else nothing."""
    own = ".".join(str(part) for part in sys.version_info[:3])
    if not dashboard.python or dashboard.python == own:
        return ""
    return f"the cluster's Python is {dashboard.python}, this is {own}; the job runs with the cluster's"


def nodes_at(url: str) -> list[Node]:
    """The cluster's live nodes. Raises ClusterError as `ask` does."""
    answer = _get(url, "/api/v0/nodes?limit=10000&detail=1")
    listed = _within(answer, "data", "result", "result") or []
    try:
        return [
            Node(
                {str(name): float(amount) for name, amount in (node.get("resources_total") or {}).items()},
                {str(name): str(value) for name, value in (node.get("labels") or {}).items()},
            )
            for node in listed
            if node.get("state") == "ALIVE"
        ]
    except (AttributeError, TypeError, ValueError):
        raise _not_ray(url, "its list of nodes is none") from None


def _within(value: Any, *names: str) -> Any:
    """What lies below `names`; None where nothing does."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _get(url: str, path: str) -> Any:
    headers = token_headers()
    try:
        answer = httpx.get(url + path, headers=headers, timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S))
    except (httpx.RemoteProtocolError, httpx.DecodingError, httpx.TooManyRedirects):
        raise _not_ray(url, "it does not speak HTTP") from None
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise _unreachable(url, error) from None
    if answer.status_code in (401, 403):
        raise _token_refused(url, answer.status_code, bool(headers))
    if answer.status_code != 200:
        raise _not_ray(url, f"it answered {path} with HTTP {answer.status_code}")
    try:
        return answer.json()
    except (ValueError, LookupError, RecursionError):  # LookupError: a character set that there is not
        raise _not_ray(url, f"its answer to {path} is no JSON") from None


def _unreachable(url: str, error: Exception) -> ClusterError:
    parts = urlsplit(url)
    forwarded = (
        "`kubectl port-forward` or the SSH tunnel has ended, or no cluster runs here"
        if parts.hostname in LOOPBACK
        else "the name or the port is wrong, the cluster is down, or a firewall stands between"
    )
    return ClusterError(
        f"no Ray cluster answers at {url}: {str(error) or type(error).__name__}",
        cause=forwarded,
        remedy=f"check cluster.address: http://HEAD:{PORT}, as `curl {url}/api/version` reaches it from here",
    )


def _not_ray(url: str, why: str) -> ClusterError:
    return ClusterError(
        f"what answers at {url} is not the dashboard of a Ray cluster: {why}",
        cause=f"another port of the head (6379, 10001; the dashboard's is {PORT}), or a proxy's page",
        remedy=f"give cluster.address=http://HEAD:{PORT}; the head must have been started with its dashboard",
    )


def _token_refused(url: str, status: int, sent: bool) -> ClusterError:
    return ClusterError(
        f"the cluster at {url} refused the token" if sent else f"the cluster at {url} wants a token, and none was sent",
        cause="the cluster was started with another token (it makes a new one for every cluster)"
        if sent
        else "RAY_AUTH_MODE is not `token` here; the file with the token does not suffice",
        remedy=f"{RIGHT_ONE} (HTTP {status})",
    )
