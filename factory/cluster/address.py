"""`cluster.address`: what may stand there, for who submits a job and for who is a driver, and whether somebody listens.

Design: a cluster has several doors: the dashboard (http://HEAD:8265) takes jobs, the head's own port (HEAD:6379) takes
drivers that run on a node, and Ray Client's (ray://HEAD:10001) takes programs that end with their connection, which no
run should. A port that is given is asked and never exchanged for another: with two clusters behind one name (tunnels,
port-forwards) the job would go to the wrong one. Nothing here imports Ray, so that a slip costs no start of it.
"""

from __future__ import annotations

import os
import socket
from urllib.parse import SplitResult, urlsplit

from factory.errors import ClusterError, ConfigError

PORT = 8265
"""Of Ray's dashboard, unless it was started with another."""

CONNECT_S = 8.0

WEB = ("http", "https")


def url_of(address: str | None) -> str:
    """The web address of the dashboard that `cluster.address` means. Raises ConfigError where it means none."""
    if address is None:
        raise ConfigError(
            "jobs.submit needs cluster.address",
            cause="it is null, which means Ray on this machine",
            remedy=f"add cluster.address=http://HEAD:{PORT}; on Kubernetes `kubectl port-forward` the head's service "
            f"and use http://127.0.0.1:{PORT}. `python -m jobs.run` runs here",
        )
    if address == "auto":
        return _from_environment()
    parts = _parts(address)
    host = _host(address, parts)
    if parts.scheme in WEB:
        return address.rstrip("/")
    if parts.scheme:
        raise ConfigError(
            f"cluster.address={address} is not for jobs",
            cause="ray:// is Ray Client, with whose connection a run would end"
            if parts.scheme == "ray"
            else f"Ray knows no {parts.scheme}://",
            remedy=f"give the dashboard of the same head: cluster.address=http://{host}:{PORT}",
        )
    return f"http://{host}:{parts.port or PORT}"


def _from_environment() -> str:
    """What Ray's own client looks at. Raises ConfigError for an address of another door: the cluster that it names need
    not be the one on this machine."""
    for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS"):
        said = os.environ.get(name, "")
        if said.startswith(("http://", "https://")):
            return said.rstrip("/")
        if said not in ("", "auto", "local"):
            raise ConfigError(
                f"cluster.address=auto goes by the environment, and {name}={said} is no dashboard",
                cause="it is the head's own port, for drivers, or Ray Client's",
                remedy=f"give cluster.address=http://HEAD:{PORT}",
            )
    return f"http://127.0.0.1:{PORT}"


def require_drivers(address: str | None) -> None:
    """Raises ConfigError for an address that is not for a driver, ClusterError where nobody listens at HOST:PORT.

    `auto` and null pass: Ray itself finds out who is here.
    """
    if address is None or address == "auto":
        return
    parts = _parts(address)
    host = _host(address, parts)
    if parts.scheme:
        submitted = address if parts.scheme in WEB else f"http://{host}:{PORT}"
        raise ConfigError(
            f"cluster.address={address} is not for a driver",
            cause="http:// is the dashboard, which takes jobs; ray:// is Ray Client, which a run would not outlive",
            remedy=f"submit it: python -m jobs.submit … cluster.address={submitted}; on a node of the cluster itself, "
            "cluster.address=auto",
        )
    if parts.port is None or parts.path:
        raise ConfigError(
            f"cluster.address={address} is no HOST:PORT",
            remedy="cluster.address=auto on a node of the cluster; python -m jobs.submit from elsewhere",
        )
    try:
        socket.create_connection((host.strip("[]"), parts.port), timeout=CONNECT_S).close()
    except (OSError, UnicodeError) as error:
        raise ClusterError(
            f"nothing answers at cluster.address={address}: {error}",
            cause="the cluster is down, or the name or port is wrong (the head's own port is 6379)",
            remedy="check the address: `ray status` on the head; from outside the cluster use python -m jobs.submit",
        ) from None


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        _ = parts.port
    except ValueError as error:  # an open bracket, a port that is no number
        raise ConfigError(
            f"cluster.address={address} is no HOST:PORT and no address: {error}",
            remedy=f"write it as http://HEAD:{PORT}, with the head's name",
        ) from None
    return parts


def _host(address: str, parts: SplitResult) -> str:
    """As it stands in an address. Raises ConfigError where there is none."""
    host = parts.hostname
    if not host:
        raise ConfigError(
            f"cluster.address={address} names no host", remedy=f"write it as http://HEAD:{PORT}, with the head's name"
        )
    return f"[{host}]" if ":" in host else host
