"""`factory top ROOT`: a run while it works, as a live view in the terminal.

Design: reads the store (factory/observe/glimpse.py), so it works from any machine, also on S3, and costs the run
nothing; a look lists and reads a bounded number of objects. On request it asks a run's metrics endpoint as well, for
what only its processes know. Drawn on the terminal's second screen, which is left as it was found, however the view
ends; where output is no terminal, frames are plain lines.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from factory.errors import ConfigError, StoreError
from factory.leaving import INTERRUPTED_CODE
from factory.printable import unguarded
from factory.store.base import Store

if TYPE_CHECKING:
    from rich.text import Text

    from factory.observe.glimpse import Glimpse, RunView

WATCHED = (
    "factory_engine_replicas",
    "factory_engine_open_requests",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
)
ENDPOINT_LIMIT_S = 2.0
ENDPOINT_BYTES = 16 << 20


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "top",
        help="a run while it works, as a live view",
        description="Reads the store only; Ctrl-C ends the view, not the run. docs/observability.md explains it.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given to the run as store.root")
    parser.add_argument("--run", dest="run_id", help="this run; without it the one that works, or the last that did")
    parser.add_argument("--once", action="store_true", help="one frame, then the end")
    parser.add_argument("--interval", type=_interval, default=2.0, metavar="S", help="seconds between frames (2)")
    parser.add_argument("--metrics", metavar="URL", help="the run's metrics endpoint, for a live look into its engines")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def _interval(text: str) -> float:
    seconds = float(text)
    if not 0.5 <= seconds <= 3600:
        raise argparse.ArgumentTypeError("from 0.5 to 3600 seconds")
    return seconds


def run(args: argparse.Namespace) -> int:
    from factory.observe.glimpse import RunView
    from factory.store.open import open_root

    store = open_root(args.root, endpoint_url=args.endpoint_url)
    chosen, others = _chosen(store, args.run_id)
    view = RunView(store, chosen)
    if args.once:
        _print(_drawn(_look(view, others), args.metrics))
        return 0
    if not sys.stdout.isatty():
        return _lines(view, others, args)
    return _screen(view, others, args)


def _chosen(store: Store, run_id: str | None) -> tuple[str, int]:
    """The run to look at, and how many others work under the root. Raises ConfigError where there is none."""
    from factory.cli.status import recorded

    records = recorded(store, run_id)
    working = [record for record in records if record["state"] == "running"]
    chosen = (working or records)[-1]
    return str(chosen["run"]), max(0, len(working) - 1)


def _look(view: RunView, others: int) -> Glimpse:
    return replace(view.look(), others=others)


def _drawn(glimpse: Glimpse, metrics: str | None, *, width: int | None = None, height: int = 0) -> Text:
    from factory.observe.frame import frame

    live, problem = live_values(metrics) if metrics else ({}, "")
    if problem and glimpse.state != "running":
        problem = "none: the endpoint ends with its run"
    return frame(glimpse, width or _width(), live, height, problem)


def _width() -> int:
    with suppress(OSError):
        return os.get_terminal_size(sys.stdout.fileno()).columns
    return int(os.environ.get("COLUMNS", "") or 80)


def _print(text: Text) -> None:
    from rich.console import Console

    Console(file=unguarded(sys.stdout), soft_wrap=True).print(text, end="")


def _lines(view: RunView, others: int, args: argparse.Namespace) -> int:
    """Frames below each other until the run has ended."""
    while True:
        glimpse = _look(view, others)
        _print(_drawn(glimpse, args.metrics))
        sys.stdout.flush()
        if glimpse.state != "running":
            return 0
        time.sleep(args.interval)


def _screen(view: RunView, others: int, args: argparse.Namespace) -> int:
    """Frames on the second screen until Ctrl-C or the end of the run, whose last frame stays on the first."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=unguarded(sys.stdout))
    last: Text | None = None
    works, code = True, 0
    try:
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while works:
                try:
                    glimpse = _look(view, others)
                    works = glimpse.state == "running"
                    last = _drawn(glimpse, args.metrics, width=console.width, height=console.height)
                except StoreError as error:
                    if last is None:
                        raise
                    last = last.copy()  # a store that does not answer for a while is no reason to look away
                    last.append(f"\nthe store does not answer: {error.what[:200]}", "yellow")
                live.update(last, refresh=True)
                if works:
                    time.sleep(args.interval)
    except KeyboardInterrupt:
        code = INTERRUPTED_CODE
    if last is not None:
        console.print(last, end="", soft_wrap=True)
    return code


def live_values(address: str) -> tuple[Mapping[str, float], str]:
    """What an endpoint says of engines: sums over its series, of KV caches the fullest; and, where it says nothing,
    why. Raises ConfigError for what is no address of one."""
    import httpx
    from prometheus_client.parser import text_string_to_metric_families

    if not address.startswith(("http://", "https://")):
        raise ConfigError(
            f"--metrics {address} is no address", remedy="give it as the run says it: http://HOST:PORT/metrics"
        )
    values: dict[str, float] = {}
    try:
        with httpx.stream("GET", address, timeout=ENDPOINT_LIMIT_S, follow_redirects=False) as answer:
            text = b""
            for part in answer.iter_bytes():
                text += part
                if len(text) > ENDPOINT_BYTES:
                    return {}, f"{address} answers with more than {ENDPOINT_BYTES >> 20} MiB"
        if answer.status_code != 200:
            return {}, f"{address} answers with HTTP {answer.status_code}"
        for family in text_string_to_metric_families(text.decode(errors="replace")):
            for sample in family.samples:
                if sample.name not in WATCHED or sample.labels.get("state", "answering") != "answering":
                    continue
                before = values.get(sample.name, 0.0)
                fullest = sample.name == "vllm:kv_cache_usage_perc"
                values[sample.name] = max(before, sample.value) if fullest else before + sample.value
    except httpx.TimeoutException:
        return {}, f"{address} does not answer within {ENDPOINT_LIMIT_S:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
        return {}, f"{address}: {why}"
    except ValueError:
        return {}, f"{address} answers with what are no metrics"
    return values, ""
