"""What the proxy costs where it makes no trouble: `python -m tests.trouble.throughput`.

One real S3 server, the proxy as a process of its own; objects of 8 MiB are written and read by four threads, and small
ones read by sixteen, directly and through the proxy, in turn. The last line is one JSON object: through the proxy over
direct, and the proxy's own CPU time a small request.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil

from factory.store.s3 import S3Store
from tests.runs import REPOSITORY
from tests.s3_server import running

LARGE = os.urandom(8 << 20)
LARGE_OBJECTS = 16
SMALL_READS = 1000


def rate(work: Callable[[int], object], times: int, threads: int) -> float:
    """Calls a second."""
    with ThreadPoolExecutor(threads) as pool:
        started = time.perf_counter()
        list(pool.map(work, range(times)))
        return times / (time.perf_counter() - started)


def measured(store: S3Store) -> dict[str, float]:
    store.put("small", b"x" * 2000)
    store.get("small")
    mib = len(LARGE) / (1 << 20)
    return {
        "write_mib_s": mib * rate(lambda number: store.put(f"large-{number}", LARGE), LARGE_OBJECTS, 4),
        "read_mib_s": mib * rate(lambda number: store.get(f"large-{number}"), LARGE_OBJECTS, 4),
        "small_reads_s": rate(lambda _number: store.get("small"), SMALL_READS, 16),
    }


def main() -> None:
    with running("throughput") as server:
        os.environ.update(server.environment())
        with proxy_before(server.endpoint_url) as (address, process):
            found = []
            for turn in range(2):
                for name, place in (("direct", server.endpoint_url), ("proxy", address)):
                    figures = measured(S3Store("throughput", f"{name}-{turn}", place))
                    found.append((name, figures))
                    print(name, {key: round(value, 1) for key, value in figures.items()}, flush=True)
            store = S3Store("throughput", "proxy-0", address)
            before = sum(process.cpu_times()[:2])
            rate(lambda _number: store.get("small"), SMALL_READS, 4)
            own_ms = (sum(process.cpu_times()[:2]) - before) / SMALL_READS * 1000
    direct, through = (max_of([each for name, each in found if name == wanted]) for wanted in ("direct", "proxy"))
    ratios = {key: round(through[key] / direct[key], 2) for key in direct}
    print(json.dumps({**ratios, "proxy_cpu_ms_a_request": round(own_ms, 2)}))


@contextlib.contextmanager
def proxy_before(to: str) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, "-m", "factory.cli.main", "trouble", "--to", to]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            yield process.stderr.readline().split(" -> ")[0], psutil.Process(process.pid)
        finally:
            process.terminate()


def max_of(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: max(run[key] for run in runs) for key in runs[0]}


if __name__ == "__main__":
    main()
