"""`python -m tests.faults.soak --minutes 30`: runs over changing corpora on one root, with faults, for a long time.

Design: a round is a run as a user starts it (scripted engine, processes of its own), over a corpus that is new, grown
or the same as before, on a folder or on a real S3 server; a fault, drawn from the seed, falls at a random moment, and
the same command is given again until it succeeds. What a round leaves is looked at before the next begins: no process,
no unfinished write beyond what `factory gc` removes, commits with the bytes they had. Between rounds `factory gc`
removes what lost attempts left. When time is over every dataset that was ever published is proven, `factory doctor` has
to be content, and the first and the last rounds are compared: the driver's memory, its open files, the processes
and Ray's files left behind may not have grown. Rounds are not resumed: a soak that was stopped begins anew.

The last line of stdout is one JSON object; exit code 0 when everything held.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from factory.store.open import open_root
from tests.corpora import row_of, write_shard
from tests.faults.soak_round import Place, Round, changed_commits, run_once
from tests.runs import factory_cli
from tests.s3_server import running

FAULTS = ("none", "driver killed", "worker killed", "engine killed", "terminated", "server restarted")
RERUNS = 4
DOCUMENTS = (10, 24)
CORPORA = 4
"""Corpora at once; a new one takes the place of the oldest."""

SHARDS = 5
GROWTH = 1.25
"""Times the first rounds' driver memory that the last rounds' may be: medians of whole runs, of different sizes."""

MORE_FILES = 16
"""Open files of a driver beyond those of the first rounds."""

ROOT_MIB = 1024.0


class Soak:
    """The state of a soak: corpora, roots, the generator of chances."""

    def __init__(self, folder: Path, seed: int, places: Sequence[Place]) -> None:
        self.folder, self.places = folder, list(places)
        self.rng = random.Random(f"soak/{seed}")
        self.corpora: list[Path] = []
        self.documents = 0
        self.made = 0

    def corpus(self) -> Path:
        """A new corpus, one that has grown by a shard, or one as it was."""
        chance = self.rng.random()
        if len(self.corpora) < 2 or chance < 0.35:
            if len(self.corpora) == CORPORA:
                self.corpora.pop(0)  # its files stay: datasets that were made of it are proven without them
            self.corpora.append(self.folder / f"corpus-{self.made:03d}")
            self.made += 1
            self._grow(self.corpora[-1])
            return self.corpora[-1]
        chosen = self.rng.choice(self.corpora)
        if chance < 0.7 and len(list(chosen.iterdir())) < SHARDS:
            self._grow(chosen)
        return chosen

    def _grow(self, corpus: Path) -> None:
        corpus.mkdir(exist_ok=True)
        shard = len(list(corpus.iterdir()))
        count = self.rng.randint(*DOCUMENTS)
        rows = [row_of(self.documents + number) for number in range(count)]
        self.documents += count
        write_shard(corpus / f"shard-{shard:03d}", rows, shard % 3)

    def round(self, number: int) -> Round:
        place = self.places[number % len(self.places)]
        possible = [fault for fault in FAULTS if fault != "server restarted" or place.server is not None]
        found = Round(place.kind, self.rng.choice(possible))
        corpus, started = self.corpus(), time.monotonic()
        delay, fault = self.rng.uniform(1, 25), found.fault
        result: dict[str, Any] | None = None
        while result is None and found.starts <= RERUNS:
            result = run_once(self.folder, place, corpus, found, fault, delay)
            fault = "none"
        found.seconds = time.monotonic() - started
        if result is None:
            found.failures.append(f"not finished after {found.starts} starts")
            return found
        found.samples, found.requests = int(result["samples"]), int(result["requests"])
        place.datasets.add(result["dataset"])
        found.failures += changed_commits(place, self.rng)
        return found


def factory(*words: str) -> tuple[int, str]:
    done = factory_cli(*words)
    return done.code, (done.stdout + done.stderr).strip()


def prove(place: Place) -> list[str]:
    """Whatever is wrong at the end: with a dataset, with the root, with what is left after garbage collection."""
    failures = []
    for dataset in sorted(place.datasets):
        code, said = factory("verify", dataset)
        if code:
            failures.append(f"{dataset} is not verified: {said[-500:]}")
    code, said = factory("gc", place.root)
    if code:
        failures.append(f"gc failed: {said[-500:]}")
    code, said = factory("doctor", place.root)
    if code:
        failures.append(f"doctor is not content: {said[:1000]}")
    return failures


def root_mib(place: Place) -> float:
    return float(sum(info.size for info in place.store.list(""))) / 2**20


def trend(rounds: Sequence[Round]) -> dict[str, Any]:
    """Medians of the first and the last third, and what grew too much."""
    third = max(1, len(rounds) // 3)
    first, last = rounds[:third], rounds[-third:]

    def median(value: Callable[[Round], float], of: Sequence[Round]) -> float:
        return statistics.median(value(each) for each in of)

    found: dict[str, Any] = {}
    for name, value in (
        ("driver_mib", lambda each: each.driver_mib),
        ("driver_files", lambda each: each.driver_files),
        ("processes", lambda each: each.processes),
    ):
        found[name] = [round(median(value, first), 1), round(median(value, last), 1)]
    grown = [
        f"{name} grew from {before} to {after}"
        for name, (before, after) in found.items()
        if after > (before * GROWTH if name == "driver_mib" else before + MORE_FILES)
    ]
    return {**found, "grown": grown if len(rounds) >= 6 else []}


def soak(minutes: float, seed: int, kinds: Sequence[str], say: Callable[[str], None]) -> dict[str, Any]:
    started = time.monotonic()
    rounds: list[Round] = []
    failures: list[str] = []
    collected = 0
    with (
        tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as name,
        _places(Path(name), kinds) as places,
    ):
        state = Soak(Path(name), seed, places)
        while time.monotonic() - started < minutes * 60 or len(rounds) < len(places):
            found = state.round(len(rounds))
            rounds.append(found)
            failures += [f"round {len(rounds)} ({found.store}, {found.fault}): {each}" for each in found.failures]
            place = places[(len(rounds) - 1) % len(places)]
            say(_line(len(rounds), found))
            if state.rng.random() < 0.25:
                code, said = factory("gc", place.root)
                collected += json.loads(said.splitlines()[-1])["files"] if code == 0 else 0
                if code:
                    failures.append(f"gc after round {len(rounds)}: {said[-500:]}")
            if (size := root_mib(place)) > ROOT_MIB:
                failures.append(f"{place.root} has {size:.0f} MiB")
                break
        sizes = {place.kind: round(root_mib(place), 1) for place in places}
        for place in places:
            failures += prove(place)
        datasets = sum(len(place.datasets) for place in places)
    grown = trend(rounds)
    failures += grown.pop("grown")
    return {
        "minutes": round((time.monotonic() - started) / 60, 1),
        "seed": seed,
        "rounds": len(rounds),
        "starts": sum(each.starts for each in rounds),
        "faults": dict(Counter(each.fault for each in rounds if each.struck)),
        "datasets_verified": datasets,
        "samples": sum(each.samples for each in rounds),
        "orphan_processes": sum(each.orphans for each in rounds),
        "orphan_files_removed": collected,
        "root_mib": sizes,
        "first_and_last_third": grown,
        "soak_mib": round(psutil.Process().memory_info().rss / 2**20, 1),
        "failures": failures,
        "ok": not failures,
    }


@contextlib.contextmanager
def _places(folder: Path, kinds: Sequence[str]) -> Iterator[list[Place]]:
    with contextlib.ExitStack() as stack:
        places = []
        for kind in kinds:
            if kind == "folder":
                root, server = str(folder / "root"), None
            else:
                server = stack.enter_context(running("soak"))
                kept = {name: os.environ.get(name) for name in server.environment()}
                os.environ.update(server.environment())
                stack.callback(_restore, kept)
                root = "s3://soak/root"
            places.append(Place(kind, root, open_root(root), server))
        yield places


def _restore(kept: Mapping[str, str | None]) -> None:
    for name, value in kept.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def _line(number: int, found: Round) -> str:
    fault = found.fault if found.struck or found.fault == "none" else f"{found.fault} (too late)"
    return (
        f"round {number:>3}  {found.store:<6}  {fault:<24}  {found.starts} starts  {found.seconds:>6.1f} s  "
        f"{found.samples:>5} samples  driver {found.driver_mib:.0f} MiB, {found.driver_files} files"
        + "".join(f"\n           FAILED: {each}" for each in found.failures)
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", choices=("folder", "s3", "both"), default="both")
    options = parser.parse_args(arguments)
    kinds = ("folder", "s3") if options.store == "both" else (options.store,)
    result = soak(options.minutes, options.seed, kinds, lambda line: print(line, file=sys.stderr, flush=True))
    for failure in result["failures"]:
        print(f"FAILED  {failure}", file=sys.stderr)
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
