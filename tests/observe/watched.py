"""A real run that is watched while it works: its endpoint scraped, its root looked at, its spans received."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from factory.observe.glimpse import Glimpse, RunView
from factory.store.local import LocalStore
from tests.runs import Finished, run_factory

SECRET = "wirklich-geheim-4711"
LATENCY_S = 0.2
LINGER_S = 5.0
"""Scrapes come every quarter of a second: time for one of the finished run also where the machine is busy."""


@dataclass
class Watched:
    """What was seen of a run: scrapes of its endpoint, looks as `factory top` has them, and what it said."""

    root: Path
    finished: Finished = field(default_factory=lambda: Finished(-1, "", ""))
    scrapes: list[str] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    looks: list[Glimpse] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    dones: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The records of its steps, as they were when it ended: the next run over the root replaces them."""
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> str:
        return str(self.finished.result["run"])

    @property
    def last(self) -> str:
        """The exposition of the finished run."""
        return next(text for text in reversed(self.scrapes) if 'state="finished"} 1.0' in text)

    @property
    def targets_folder(self) -> Path:
        return self.root.parent / f"{self.root.name}-targets"


def watch(corpus: Path, root: Path, collector: str) -> Watched:
    """Works a run to its end, with everything that observes switched on. `collector`: where spans go."""
    watched = Watched(root)
    over = threading.Event()
    watchers = [threading.Thread(target=each, args=(watched, over)) for each in (_scrape, _look)]
    for watcher in watchers:
        watcher.start()
    extra = (
        f"engine.scripted_latency_s={LATENCY_S}",
        "observe.logs=json",
        "observe.metrics_port=0",
        f"observe.metrics_linger_s={LINGER_S}",
        f"observe.metrics_discovery={watched.targets_folder}",
        "observe.traces=otlp",
        "prices.engine_hour=2",
        "prices.cpu_core_hour=0.1",
    )
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OBSERVE_TEST_TOKEN": SECRET}
    try:
        watched.finished = run_factory(corpus, str(root), extra, ray=True, variables=variables)
    finally:
        over.set()
        for watcher in watchers:
            watcher.join()
    found = (json.loads(path.read_text()) for path in root.glob(f"runs/{watched.run}/*.done.json"))
    watched.dones = {done["step"]: done for done in found}
    watched.record = json.loads((root / f"runs/{watched.run}.json").read_text())
    return watched


def _scrape(watched: Watched, over: threading.Event) -> None:
    """Asks whatever the discovery file names, as Prometheus would."""
    while not over.wait(0.25):
        for path in watched.targets_folder.glob("*.json"):
            try:
                found = json.loads(path.read_text())
                answer = httpx.get(f"http://{found[0]['targets'][0]}/metrics", timeout=5)
            except (OSError, httpx.HTTPError):
                continue
            watched.targets.append(found)
            watched.scrapes.append(answer.text)


def _look(watched: Watched, over: threading.Event) -> None:
    """Looks at the run, and once more when it has ended."""
    view: RunView | None = None
    ended = False
    while not ended:
        ended = over.wait(0.5)
        for path in watched.root.glob("runs/*.json"):
            view = view or RunView(LocalStore(str(watched.root)), path.stem)
            try:
                watched.looks.append(view.look())
            except Exception as error:
                watched.failures.append(repr(error))
