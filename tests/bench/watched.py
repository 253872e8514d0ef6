"""What observing costs: the same scripted runs, plain and with everything on, in turn.

An engine that answers at once and units of 16 rows: some hundred units of which every one is little more than its
framework, the worst case for whatever is done a unit. On means: metrics served and scraped every second, JSON logs of
driver, workers and engine, and a trace a unit sent to a receiver on the loopback interface. A pair is a plain run and
an observed one; the ratio is of the best of each, in processor seconds of the whole process tree and in units a second
from the first unit of `extract` to the manifest.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.bench.figures import Figures, Row
from tests.bench.pipeline import Measured, run_pipeline
from tests.observe.otlp_receiver import receiving

SMALL_UNITS = ("select.unit_rows=16", "curate.unit_rows=16")
RATIO_TARGET = 0.95


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--watched-documents", type=int, default=1000, help="watched: documents a run (default 1000)")
    parser.add_argument("--watched-pairs", type=int, default=3, help="watched: pairs of runs (default 3)")


def measure(options: argparse.Namespace) -> Figures:
    documents, pairs = (60, 1) if options.tiny else (options.watched_documents, options.watched_pairs)
    plain, watched = [], []
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        for pair in range(pairs):
            plain.append(run_pipeline(documents, Path(folder, f"plain-{pair}"), SMALL_UNITS))
            with _everything_on(Path(folder, f"targets-{pair}")) as (extra, scrapes):
                watched.append(run_pipeline(documents, Path(folder, f"watched-{pair}"), (*SMALL_UNITS, *extra)))
    rates = [max(_units_a_second(run) for run in runs) for runs in (plain, watched)]
    costs = [min(_ms_a_unit(run) for run in runs) for runs in (plain, watched)]
    ratio = rates[1] / rates[0]
    rows = [
        Row("units a run, pairs of runs", f"{plain[0].units:,}, {pairs}"),
        Row("units per second, plain", f"{rates[0]:,.1f}"),
        Row("units per second, metrics, JSON logs and traces", f"{rates[1]:,.1f}"),
        Row("ratio", f"{ratio:.3f}", f">= {RATIO_TARGET:g}:", ratio >= RATIO_TARGET),
        Row("processor time per unit, plain / observed", f"{costs[0]:,.1f} / {costs[1]:,.1f} ms"),
        Row("scrapes answered in the last observed run", f"{scrapes[0]}"),
    ]
    values = {
        "units": plain[0].units,
        "units_per_second": {"plain": [_units_a_second(run) for run in plain]}
        | {"observed": [_units_a_second(run) for run in watched]},
        "processor_ms_per_unit": {"plain": [_ms_a_unit(run) for run in plain]}
        | {"observed": [_ms_a_unit(run) for run in watched]},
        "ratio": round(ratio, 4),
        "sizes": {"documents": documents, "unit_rows": 16},
    }
    return Figures("watched", rows, values)


def _units_a_second(run: Measured) -> float:
    return round(run.units / run.seconds, 2)


def _ms_a_unit(run: Measured) -> float:
    return round(run.processor_seconds / run.units * 1000, 2)


@contextmanager
def _everything_on(targets: Path) -> Iterator[tuple[tuple[str, ...], list[int]]]:
    """Overrides for a run that is observed while the body runs, and how many scrapes it has answered."""
    over, answered = threading.Event(), [0]
    with receiving() as received:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = received.address
        scraping = threading.Thread(target=_scrape, args=(targets, over, answered), daemon=True)
        scraping.start()
        try:
            yield (
                (
                    "observe.logs=json",
                    "observe.metrics_port=0",
                    f"observe.metrics_discovery={targets}",
                    "observe.traces=otlp",
                ),
                answered,
            )
        finally:
            over.set()
            scraping.join()
            del os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"]


def _scrape(targets: Path, over: threading.Event, answered: list[int]) -> None:
    while not over.wait(1):
        for path in targets.glob("*.json"):
            try:
                target = json.loads(path.read_text())[0]["targets"][0]
                answered[0] += httpx.get(f"http://{target}/metrics", timeout=5).status_code == 200
            except (OSError, httpx.HTTPError):
                continue
