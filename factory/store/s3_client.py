"""Connections to S3: one client a process and address, made on first use, credentials from the cloud's own chain.

Design: boto3 clients may be shared by threads but neither pickled nor used across a fork, so they are kept in
this module by process id. botocore's own retries are off for single calls: only who counts the tries knows
whether an answer was lost. Uploads in parts use a second client with botocore's retries, part by part.
Cost: the import 0.3 s, a client 0.1 s, once a process.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Literal

import boto3.session
from botocore.config import Config

from factory.errors import StoreError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 30
"""Silence on a connection, not the length of a transfer: no healthy S3 stays silent for so long."""

CONNECTIONS = 64
"""Kept open per client; more threads than this still work, but reconnect."""

PART_TRIES = 10

_clients: dict[tuple[object, ...], S3Client] = {}
_lock = threading.Lock()


def _forget_after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    _clients.clear()


os.register_at_fork(after_in_child=_forget_after_fork)


def client(endpoint_url: str | None, region: str, *, tries: int = 1) -> S3Client:
    """This process's client for an endpoint (None: AWS, or AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL)."""
    endpoint_url = endpoint_url or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    name = (endpoint_url, region, tries, os.environ.get("AWS_PROFILE"), os.environ.get("AWS_ACCESS_KEY_ID"))
    with _lock:
        if name not in _clients:
            _clients[name] = _connect(endpoint_url, region, tries)
        return _clients[name]


def forget(stale: S3Client) -> None:
    """Makes the next call read credentials afresh."""
    with _lock:
        for name in [name for name, known in _clients.items() if known is stale]:
            del _clients[name]


def _connect(endpoint_url: str | None, region: str, tries: int) -> S3Client:
    session = boto3.session.Session(region_name=region)
    settings = session._session.get_scoped_config().get("s3") or {}
    # Other servers rarely have a DNS name per bucket; `addressing_style` in ~/.aws/config overrides.
    addressing: Any = settings.get("addressing_style") or ("path" if endpoint_url else "auto")
    # Servers other than AWS may not know the checksums that botocore sends since 1.36 unless told otherwise.
    checksums: Literal["when_required", "when_supported"] = "when_required" if endpoint_url else "when_supported"
    config = Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": tries},
        s3={"addressing_style": addressing},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
    )
    try:
        connected: S3Client = session.client("s3", endpoint_url=endpoint_url, config=config)
    except ValueError:
        raise StoreError(
            "cannot connect to S3: the endpoint is no address",
            cause="store.endpoint_url or AWS_ENDPOINT_URL is misspelt",
            remedy="write it like https://host:9000",
        ) from None
    return connected
