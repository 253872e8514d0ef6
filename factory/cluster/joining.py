"""Joining a Ray cluster as a driver: who answers at the address, and what is wrong where nobody does.

Design: a driver has to be on a node of the cluster, which a job is (`jobs.submit`, `ray job submit`): there the address
is `auto`. Ray itself answers a wrong address, token or version after a minute, in a stack of exceptions, or by ending
the process; so the port is tried first, the call has a time limit of its own, and what Ray says is put into words.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from factory.credentials import said
from factory.errors import ClusterError, ConfigError

CONNECT_S = 8.0

JOIN_S = 25.0
"""Ray itself would give up after 60 s where something answers that is no Ray."""

SHOWN = 300
"""Characters of what Ray said."""


def join(address: str) -> None:
    """Connects this process to the cluster at `address`: `auto`, or host:port of its head.

    Raises ConfigError for an address of another kind, ClusterError where the cluster cannot be joined: nobody there, a
    wrong token, another version of Ray or Python.
    """
    _require_a_drivers_address(address)
    if address != "auto":
        _require_open(address)
    import ray

    try:
        with _in_time(address):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise explained(address, str(error)) from error


def _require_a_drivers_address(address: str) -> None:
    scheme = address.partition("://")[0] if "://" in address else ""
    if scheme:
        raise ConfigError(
            f"cluster.address={address} is not for a driver",
            cause="http:// is the dashboard, which takes jobs; ray:// is Ray Client, which a run would not outlive",
            remedy=f"submit it: python -m jobs.submit … cluster.address={address}; on a node of the cluster itself, "
            "cluster.address=auto",
        )


def _require_open(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(
            f"cluster.address={address} is no HOST:PORT",
            remedy="cluster.address=auto on a node of the cluster; python -m jobs.submit from elsewhere",
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S).close()
    except OSError as error:
        raise ClusterError(
            f"nothing answers at cluster.address={address}: {error}",
            cause="the cluster is down, or the name or port is wrong (the head's own port is 6379)",
            remedy="check the address: `ray status` on the head; from outside the cluster use python -m jobs.submit",
        ) from None


@contextmanager
def _in_time(address: str) -> Iterator[None]:
    """Ends this process with the error's words and code where the body takes longer than `JOIN_S`: inside Ray's core
    nothing can interrupt it."""
    over = threading.Event()

    def wait() -> None:
        if not over.wait(JOIN_S):
            error = ClusterError(
                f"the cluster at {address} did not let this process join within {JOIN_S:g} s",
                cause="what answers there is no Ray cluster, its head hangs, or its token is another",
                remedy="check the address (the head's own port is 6379) and `ray status` on the head",
            )
            print(said(f"{type(error).__name__}: {error}"), file=sys.stderr, flush=True)
            os._exit(error.exit_code)

    threading.Thread(target=wait, name="join-in-time", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def explained(address: str, words: str) -> ClusterError:
    """What Ray said when it did not let us join, in words of ours."""
    lines = " ".join(words.split())
    if "Version mismatch" in lines:
        return ClusterError(
            f"this process has another Ray or Python than the cluster at {address}: {lines[:SHOWN]}",
            cause="drivers and nodes exchange pickled code, so Ray wants the same versions of both, to the patch",
            remedy="start the run with the cluster's own Python: python -m jobs.submit from anywhere, or in the "
            "cluster's image (infra/docker)",
        )
    if address != "auto" and "Failed to connect" in lines:
        return ClusterError(
            f"what answers at {address} did not let this process join: {lines[:SHOWN]}",
            cause="the token is missing or wrong (Ray said InvalidAuthToken above), or it is no head of a Ray cluster",
            remedy="set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the head's (`ray get-auth-token` there), and check "
            "that the port is the head's own (6379)",
        )
    if "authentication" in lines.lower() or "token" in lines.lower():
        return ClusterError(
            f"the cluster at {address} did not accept this process's token: {lines[:SHOWN]}",
            cause="RAY_AUTH_TOKEN (or the file ~/.ray/auth_token) is of another cluster, or missing",
            remedy="set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN to the head's: `ray get-auth-token` there",
        )
    if "node_ip_address.json" in lines or "raylet" in lines.lower():
        return ClusterError(
            f"this machine is no node of the cluster at {address}: {lines[:SHOWN]}",
            cause="a driver runs on a node; from elsewhere there are jobs",
            remedy="python -m jobs.submit … cluster.address=http://HEAD:8265",
        )
    return ClusterError(
        f"the cluster at {address} could not be joined: {lines[:SHOWN]}",
        cause="no cluster runs here or at that address, or its head is gone",
        remedy="check cluster.address and `ray status`; null starts Ray on this machine",
    )
