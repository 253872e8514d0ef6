"""A thousand requests open at once against a server that fails and stalls: nothing lost, and what it costs.

The product's OpenAI engine, with `engine.max_concurrency=1000`, is handed batches of 25 requests, eighty at a time, by
one process; the server (request_server.py) is another one, and answers after five seconds. (With eight batches of 250
and answers after a second 629 were open at most: each batch waited for its own stalls.) Of the server's tries 5 % end
with HTTP 500, 502 or a reset connection and 1 % never answer: those are left at `engine.timeout_s`. Each completion is
held against its request, the engine's count of retries against the server's own count of failures. Sockets and memory
of the client are sampled five times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import psutil  # type: ignore[import-untyped]

from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.config import EngineConfig, ModelConfig
from factory.engine.models import resolve
from factory.engine.openai import OpenAiEngine
from tests.bench.figures import Figures, Row
from tests.runs import REPOSITORY, environment

BATCH, BATCHES_OPEN = 25, 80
ERRORS, STALLS = 0.05, 0.01
LATENCY_S = 5.0
TIMEOUT_S = 30.0
INTERVAL_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=20_000, help="requests: how many (default 20000)")
    parser.add_argument("--concurrency", type=int, default=1000, help="requests: open at once (default 1000)")


@dataclass
class Watch:
    """What the client's process held at most; `first_mib` before the first request."""

    port: int
    first_mib: float = 0.0
    most_mib: float = 0.0
    most_sockets: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        process = psutil.Process()
        self.first_mib = process.memory_info().rss / 2**20
        while not self.stopped.wait(INTERVAL_S):
            self.most_mib = max(self.most_mib, process.memory_info().rss / 2**20)
            sockets = [each for each in process.net_connections("tcp") if each.raddr and each.raddr.port == self.port]
            self.most_sockets = max(self.most_sockets, len(sockets))


@contextmanager
def _server() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.request_server", str(ERRORS), str(STALLS), str(LATENCY_S)],
        cwd=REPOSITORY,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Seen:
    answered: int = 0
    wrong: int = 0
    failed: int = 0
    retries: int = 0


async def _ask(engine: OpenAiEngine, requests: int, seen: Seen) -> None:
    room = asyncio.Semaphore(BATCHES_OPEN)
    sampling = Sampling(temperature=0.7, top_p=0.9, max_tokens=64, seed=1)

    async def one(start: int) -> None:
        async with room:
            asked = [f"question {number}" for number in range(start, min(start + BATCH, requests))]
            batch = Batch(tuple(Request(f"r-{text}", (Message("user", text),)) for text in asked), sampling)
            for text, completion in zip(asked, await engine.generate(batch), strict=True):
                seen.retries += completion.retries
                if completion.error is not None:
                    seen.failed += 1
                elif completion.texts != (f"answer to {text}",) or completion.request_id != f"r-{text}":
                    seen.wrong += 1
                else:
                    seen.answered += 1

    await asyncio.gather(*(one(start) for start in range(0, requests, BATCH)))


def measure(options: argparse.Namespace) -> Figures:
    requests, concurrency = (400, 100) if options.tiny else (options.requests, options.concurrency)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * concurrency + 256)), hard))
    with _server() as port:
        config = EngineConfig(
            kind="openai",
            base_url=f"http://127.0.0.1:{port}/v1",
            max_concurrency=concurrency,
            timeout_s=TIMEOUT_S,
            max_retries=8,
        )
        model = resolve(ModelConfig(id="served", license="-", output_terms="-"), "openai")
        engine, seen, watch = OpenAiEngine(config, model), Seen(), Watch(port)
        thread = threading.Thread(target=watch.run, daemon=True)

        async def run() -> tuple[float, float]:
            await engine.start()
            thread.start()
            started, processor = time.monotonic(), time.process_time()
            await _ask(engine, requests, seen)
            spent = time.monotonic() - started, time.process_time() - processor
            await engine.stop()
            return spent

        seconds, processor = asyncio.run(run())
        watch.stopped.set()
        thread.join()
        counts = httpx.get(f"http://127.0.0.1:{port}/counts").json()
    failures = counts.get("errors", 0) + counts.get("stalls", 0)
    lost = requests - seen.answered - seen.wrong - seen.failed
    rows = [
        Row("requests, tries the server saw", f"{requests:,}, {counts['tries'] - 1:,}"),
        Row(
            "open at once at the server, most",
            f"{counts['most_open']:,}",
            f"{concurrency:,}:",
            counts["most_open"] == concurrency,
        ),
        Row("errors, stalls", f"{counts.get('errors', 0):,}, {counts.get('stalls', 0):,}"),
        Row(
            "completions lost, wrong, given up",
            f"{lost}, {seen.wrong}, {seen.failed}",
            "0, 0, 0:",
            not (lost or seen.wrong or seen.failed),
        ),
        Row("retries counted / failures", f"{seen.retries:,} / {failures:,}", "equal:", seen.retries == failures),
        Row(
            "sockets of the client, most",
            f"{watch.most_sockets:,}",
            f"<= {concurrency:,}:",
            watch.most_sockets <= concurrency,
        ),
        Row("memory of the client, before and most", f"{watch.first_mib:.0f}, {watch.most_mib:.0f} MiB"),
        Row("requests/s", f"{requests / seconds:,.0f}"),
        Row("client's processor time a request", f"{1000 * processor / requests:.2f} ms"),
    ]
    values = {
        "requests": requests,
        "tries": counts["tries"] - 1,
        "most_open": counts["most_open"],
        "errors": counts.get("errors", 0),
        "stalls": counts.get("stalls", 0),
        "lost": lost,
        "wrong": seen.wrong,
        "given_up": seen.failed,
        "retries": seen.retries,
        "most_sockets": watch.most_sockets,
        "memory_before_mib": round(watch.first_mib, 1),
        "memory_most_mib": round(watch.most_mib, 1),
        "seconds": round(seconds, 2),
        "requests_per_second": round(requests / seconds, 1),
        "client_ms_per_request": round(1000 * processor / requests, 3),
        "sizes": {"requests": requests, "concurrency": concurrency, "latency_s": LATENCY_S, "timeout_s": TIMEOUT_S},
    }
    return Figures("requests", rows, values)
