"""The Prometheus endpoint of a run: GET /metrics, while the run lives and a little longer where that is asked for.

Design: prometheus_client's own server, in threads that end with the process. It answers from numbers in memory. It has
no password and so listens on the loopback interface unless told otherwise; what it shows are names of steps, models and
reasons, and numbers. Runs end, so Prometheus must be told where they are while they work: `observe.metrics_discovery`
is a folder of file_sd files, one a run, taken away at its end.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from factory.errors import ConfigError
from factory.observe.config import ObserveConfig

ANY_ADDRESS = ("0.0.0.0", "::", "")


@contextmanager
def serving(
    config: ObserveConfig, run: str, collect: Callable[[], Iterable[Any]], say: Callable[[str], None]
) -> Iterator[str]:
    """Serves what `collect` gives while the body runs; yields the address. Raises ConfigError where it cannot
    listen."""
    from prometheus_client import CollectorRegistry, start_http_server

    class Collected:
        def collect(self) -> Iterable[Any]:
            return collect()

    registry = CollectorRegistry()
    registry.register(Collected())
    assert config.metrics_port is not None
    try:
        server, thread = start_http_server(config.metrics_port, config.metrics_host, registry)
    except OSError as error:
        raise ConfigError(
            f"metrics cannot be served at {config.metrics_host}:{config.metrics_port}: {error}",
            cause="another run or program has the port, or this machine does not have the address",
            remedy="set observe.metrics_port=0 for any free port, or another observe.metrics_host",
        ) from error
    host = socket.gethostname() if config.metrics_host in ANY_ADDRESS else config.metrics_host
    target = f"[{host}]:{server.server_port}" if ":" in host else f"{host}:{server.server_port}"
    address = f"http://{target}/metrics"
    say(f"metrics: {address}")
    try:
        with _discovered(config.metrics_discovery, run, target):
            yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def linger(config: ObserveConfig, say: Callable[[str], None]) -> None:
    """Waits as long as the endpoint is to stay after a run."""
    if config.metrics_linger_s:
        with suppress(KeyboardInterrupt):
            say(f"metrics stay for {config.metrics_linger_s:g} s; Ctrl-C ends that")
            time.sleep(config.metrics_linger_s)


@contextmanager
def _discovered(folder: str | None, run: str, target: str) -> Iterator[None]:
    """A file_sd file while the body runs. Raises ConfigError where it cannot be written."""
    if folder is None:
        yield
        return
    path = Path(folder).expanduser() / f"factory-{run}.json"
    body = orjson.dumps([{"targets": [target], "labels": {"job": "factory"}}])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.part")
        unfinished.write_bytes(body)
        unfinished.replace(path)  # Prometheus never reads half a file
    except OSError as error:
        raise ConfigError(
            f"observe.metrics_discovery={folder}: {error}", remedy="name a folder that this user may write"
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_bytes() == body:  # another run of the same id may have taken it over
                path.unlink()
