"""What the proxy costs where it makes no trouble: `python -m tests.trouble.throughput`.

One real S3 server; objects of 8 MiB are written and read by four threads, and small ones read by sixteen, directly and
through the proxy, in turn. The last line is one JSON object; ratios below 1 are what the proxy takes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from factory.store.s3 import S3Store
from factory.trouble.proxy import TroubleProxy
from tests.s3_server import running

LARGE = os.urandom(8 << 20)
LARGE_OBJECTS = 24
SMALL_READS = 1500


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
        with TroubleProxy(server.endpoint_url) as proxy:
            found = []
            for turn in range(2):
                for name, address in (("direct", server.endpoint_url), ("proxy", proxy.url)):
                    figures = measured(S3Store("throughput", f"{name}-{turn}", address))
                    found.append((name, figures))
                    print(name, {key: round(value, 1) for key, value in figures.items()}, flush=True)
    direct, through = (max_of([each for name, each in found if name == wanted]) for wanted in ("direct", "proxy"))
    print(json.dumps({key: round(through[key] / direct[key], 2) for key in direct}))


def max_of(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: max(run[key] for run in runs) for key in runs[0]}


if __name__ == "__main__":
    main()
