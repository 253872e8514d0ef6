"""Two real runs that are watched from outside while they work: one from nothing, and the same over a grown corpus."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.corpora import row_of, write_corpus, write_shard
from tests.observe.otlp_receiver import Received, receiving
from tests.observe.terminal import Terminal
from tests.runs import Finished, run_factory

DOCUMENTS, GROWN = 30, 12
SECRET = "wirklich-geheim-4711"


@dataclass
class Watched:
    """What was seen of a run: scrapes of its endpoint, frames of `factory top`, and what it said."""

    root: Path
    finished: Finished = field(default_factory=lambda: Finished(-1, "", ""))
    scrapes: list[str] = field(default_factory=list)
    found_by: list[Any] = field(default_factory=list)
    frames: str = ""
    screen: bytes = b""
    top_code: int | None = None
    restored: bool = False
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> str:
        return str(self.finished.result["run"])

    @property
    def last(self) -> str:
        """The exposition of the finished run."""
        return next(text for text in reversed(self.scrapes) if 'state="finished"} 1.0' in text)

    def dones(self) -> dict[str, dict[str, Any]]:
        """The records of its steps, as they were when it ended: the next run over the root replaces them."""
        return self.steps


@pytest.fixture(scope="session")
def receiver() -> Iterator[Received]:
    with receiving() as received, pytest.MonkeyPatch.context() as patch:
        # For the rest of the session: what is shared between runs starts anew when the environment changes.
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.address)
        patch.setenv("OBSERVE_TEST_TOKEN", SECRET)
        yield received


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("observed-corpus"), DOCUMENTS)


@pytest.fixture(scope="session")
def first(corpus: Path, receiver: Received, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A run from nothing, with `factory top` beside it until somebody presses Ctrl-C."""
    return _watched(corpus, tmp_path_factory.mktemp("observed-root"), interrupt_top=True)


@pytest.fixture(scope="session")
def grown(first: Watched, corpus: Path) -> Watched:
    """The same command when the corpus has more documents; `factory top` ends with it."""
    write_shard(corpus / "shard-900", [row_of(number) for number in range(500, 500 + GROWN)], 1)
    return _watched(corpus, first.root, interrupt_top=False)


def _watched(corpus: Path, root: Path, *, interrupt_top: bool) -> Watched:
    watched = Watched(root)
    folder = root.parent / f"{root.name}-targets"
    over = threading.Event()
    before = {path.name for path in root.glob("runs/*.json")}
    others = [
        threading.Thread(target=_scrape, args=(watched, folder, over)),
        threading.Thread(target=_top, args=(watched, root, over, interrupt_top, bool(before))),
    ]
    for thread in others:
        thread.start()
    extra = (
        "engine.scripted_latency_s=0.3",
        "observe.logs=json",
        "observe.metrics_port=0",
        "observe.metrics_linger_s=3",
        f"observe.metrics_discovery={folder}",
        "observe.traces=otlp",
        "prices.engine_hour=2",
        "prices.cpu_core_hour=0.1",
    )
    try:
        watched.finished = run_factory(corpus, str(root), extra)
    finally:
        over.set()
        for thread in others:
            thread.join(60)
    found = (json.loads(path.read_text()) for path in root.glob(f"runs/{watched.run}/*.done.json"))
    watched.steps = {done["step"]: done for done in found}
    watched.record = json.loads((root / f"runs/{watched.run}.json").read_text())
    return watched


def _scrape(watched: Watched, folder: Path, over: threading.Event) -> None:
    """Asks whatever the discovery file names, as Prometheus would."""
    while not over.wait(0.5):
        for path in folder.glob("*.json"):
            try:
                found = json.loads(path.read_text())
                answer = httpx.get(f"http://{found[0]['targets'][0]}/metrics", timeout=5)
            except (OSError, httpx.HTTPError):
                continue
            watched.found_by.append(found)
            watched.scrapes.append(answer.text)


def _top(watched: Watched, root: Path, over: threading.Event, interrupt: bool, known: bool) -> None:
    deadline = time.monotonic() + 300
    while not over.is_set() and time.monotonic() < deadline:
        records = [json.loads(path.read_text()) for path in root.glob("runs/*.json")]
        if any(record["state"] == "running" and (not known or record["resumed"]) for record in records):
            break
        time.sleep(0.2)
    terminal = Terminal(["top", str(root), "--interval", "0.5"])
    try:
        terminal.wait(lambda text: text.count("dataset demo") >= 2)
        if interrupt:
            terminal.type(b"\x03")
        watched.top_code = terminal.end(seconds=240)
        watched.frames, watched.screen = terminal.text, terminal.screen
        watched.restored = terminal.after() == terminal.before
    finally:
        terminal.close()
