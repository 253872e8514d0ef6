"""Joining a Ray cluster as a driver: who answers at the address, and what is wrong where nobody does.

Design: a driver has to be on a node of the cluster, which a job is (`jobs.submit`, `ray job submit`): there the address
is `auto`. Ray itself answers a wrong address, token or version after a minute, in a stack of exceptions, or by ending
the process; so the head is asked one question first, the call has a time limit of its own, and what Ray says is put
into words. Cost: 0.04 s the question.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from factory.cluster.address import require_drivers
from factory.cluster.token import RIGHT_ONE, token_headers
from factory.credentials import said
from factory.errors import ClusterError

HEAD_S = 8.0
"""A head answers in hundredths of a second."""

JOIN_S = 25.0
"""Ray itself would give up after 60 s where something answers that is no Ray."""

SHOWN = 300
"""Characters of what Ray said."""


def join(address: str) -> None:
    """Connects this process to the cluster at `address`: `auto`, or host:port of its head.

    Raises ConfigError for an address of another kind, ClusterError where the cluster cannot be joined: nobody there, a
    wrong token, another version of Ray or Python.
    """
    require_drivers(address)
    require_head(address)
    import ray

    try:
        with _in_time(address):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise explained(address, str(error)) from error


def require_head(address: str) -> None:
    """Asks the head whether it is one and takes this process's token. Raises ClusterError where it does not.

    Ray's own client repeats this question to an unwilling head for 20 s, with a line each time.
    """
    headers = token_headers()
    head = _head_of(address)
    if head is None or os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
        return
    import grpc  # type: ignore[import-untyped]

    with grpc.insecure_channel(head, options=[("grpc.enable_http_proxy", 0)]) as channel:
        alive = channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")
        try:
            alive(b"", timeout=HEAD_S, metadata=tuple(headers.items()))
        except grpc.RpcError as error:
            code, words = error.code(), str(error.details())
        else:
            return
    if code == grpc.StatusCode.UNAUTHENTICATED:
        raise _token_refused(head, bool(headers))
    seen = head if address in ("auto", head) else f"{head}, as which Ray asks {address}"
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNIMPLEMENTED):
        raise ClusterError(
            f"no head of a Ray cluster answers at {seen}: {' '.join(words.split())[:SHOWN]}",
            cause="another port of the head (the dashboard's is 8265, Ray Client's 10001; its own is 6379), something "
            "else listens there, or the cluster is down",
            remedy="check cluster.address and `ray status` on the head; from outside the cluster use "
            "python -m jobs.submit",
        )


def _head_of(address: str) -> str | None:
    """HOST:PORT of the head as Ray will ask it, which for 127.0.0.1 may be another address of this machine; None where
    only Ray's own search finds it."""
    from ray._private.services import canonicalize_bootstrap_address

    try:
        found = canonicalize_bootstrap_address(address)
    except (ConnectionError, ValueError, OSError):
        return None
    return str(found) if found else None


def _token_refused(head: str, sent: bool) -> ClusterError:
    return ClusterError(
        f"the cluster at {head} refused the token" if sent else f"the cluster at {head} wants a token; none was sent",
        cause="the token is another cluster's (each makes a new one)"
        if sent
        else "RAY_AUTH_MODE is not `token` here; the file with the token does not suffice",
        remedy=RIGHT_ONE,
    )


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
            remedy=RIGHT_ONE,
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
