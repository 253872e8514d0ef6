"""What starting again costs: a finished run, and one that was killed half-way.

A finished run is started again as the same command, three times, and timed from exec to exit. Then the same
run in a fresh root is sent SIGKILL when half of its units are committed, and started again. Counted are the
units in flight at the kill (a start receipt, no commit), the units that were begun twice, and the requests
both executions made against those of the undisturbed run. Requests are counted, not timed: the ratio holds
for any engine.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tests.bench.figures import Figures, Row
from tests.bench.observe import observe
from tests.corpora import write_corpus
from tests.runs import LLM_STEPS, REPOSITORY, command, done_of, end_of_ray, environment

UNIT_ROWS = 16
AGAIN_TARGET_S = 10.0
LATENCY_S = 0.3
"""Of the scripted engine in the killed run: long enough that the kill finds units at the engine."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--resume-documents", type=int, default=1000, help="resume: documents (default 1000)")


@dataclass(frozen=True)
class Units:
    """Units of the LLM steps as the store knows them; an attempt is known by its start receipt."""

    attempts: Counter[str]
    committed: frozenset[str]

    @property
    def in_flight(self) -> set[str]:
        return set(self.attempts) - self.committed


def units_of(root: Path) -> Units:
    attempts: Counter[str] = Counter()
    committed: set[str] = set()
    for step in LLM_STEPS:
        for path in root.glob(f"steps/{step}-*/attempts/*.json"):
            attempts[f"{step}/{path.name.split('.')[0]}"] += 1
        committed |= {f"{step}/{path.stem}" for path in root.glob(f"steps/{step}-*/commits/*/*.json")}
    return Units(attempts, frozenset(committed))


def measure(options: argparse.Namespace) -> Figures:
    documents = 48 if options.tiny else options.resume_documents
    repeats = 1 if options.tiny else 3
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        corpus = write_corpus(Path(folder, "corpus"), documents, shards=max(3, documents // 500))
        calm = Path(folder, "calm")
        first = observe(_command(corpus, calm))
        run = first.finished.result["run"]
        again = [observe(_command(corpus, calm)) for _ in range(repeats)]
        planned = units_of(calm)
        killed = Path(folder, "killed")
        at_kill = _kill_half_way(corpus, killed, len(planned.committed) // 2)
        resumed = observe(_command(corpus, killed))
        after = units_of(killed)
        undisturbed = _requests(calm, run)
        kept_and_redone, lost = _requests(killed, run), _lost_requests(killed, run)
    redone = {unit for unit, number in after.attempts.items() if number > 1}
    again_s = statistics.median(item.seconds for item in again)
    again_requests = sum(item.finished.result["requests"] for item in again)
    overhead = (kept_and_redone + lost) / undisturbed
    only_in_flight = redone <= at_kill.in_flight
    rows = [
        Row("finished run started again", f"{again_s:.2f} s", f"< {AGAIN_TARGET_S:.0f} s:", again_s < AGAIN_TARGET_S),
        Row("requests of that", f"{again_requests}", "0:", again_requests == 0),
        Row("units of LLM steps in the run", f"{len(planned.committed)}"),
        Row("committed when killed", f"{len(at_kill.committed)}"),
        Row("in flight when killed", f"{len(at_kill.in_flight)}"),
        Row("units redone", f"{len(redone)}", "only those in flight:", only_in_flight),
        Row("requests undisturbed", f"{undisturbed:,}"),
        Row("requests killed + resumed, at most", f"{kept_and_redone + lost:,} ({overhead:.3f} times)"),
        Row("seconds of the resumed run", f"{resumed.seconds:.1f} s"),
    ]
    values = {
        "again_seconds": round(again_s, 3),
        "again_requests": again_requests,
        "units": len(planned.committed),
        "committed_at_kill": len(at_kill.committed),
        "in_flight_at_kill": len(at_kill.in_flight),
        "units_redone": len(redone),
        "redone_only_in_flight": only_in_flight,
        "requests_undisturbed": undisturbed,
        "requests_killed_and_resumed": kept_and_redone + lost,
        "overhead_ratio": round(overhead, 4),
        "sizes": {"documents": documents, "unit_rows": UNIT_ROWS, "repeats": repeats},
    }
    return Figures("resume", rows, values)


def _command(corpus: Path, root: Path, *extra: str) -> list[str]:
    sizes = (f"select.unit_rows={UNIT_ROWS}", f"curate.unit_rows={UNIT_ROWS}")
    return command(corpus, str(root), (*sizes, *extra))


def _kill_half_way(corpus: Path, root: Path, commits: int) -> Units:
    """Starts the run and sends SIGKILL to its driver once `commits` units are committed.

    What still commits while Ray's processes notice and leave is not redone, but it was in flight at the kill.
    """
    process = subprocess.Popen(
        _command(corpus, root, f"engine.scripted_latency_s={LATENCY_S}"),
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while len(units_of(root).committed) < commits:
        if process.poll() is not None:
            raise RuntimeError(f"the run ended with {process.returncode} before it could be killed")
        time.sleep(0.05)
    tree = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGKILL)
    at_kill = units_of(root)
    process.wait()
    end_of_ray(tree)
    return at_kill


def _requests(root: Path, run: str) -> int:
    return sum(int(done_of(root, run, step)["ledger"].get("requests", 0)) for step in LLM_STEPS)


def _lost_requests(root: Path, run: str) -> int:
    """Requests that attempts lost to the kill had planned; how many of them the engine saw, nobody knows."""
    return sum(int(done_of(root, run, step)["lost"].get("requests_at_most", 0)) for step in LLM_STEPS)
