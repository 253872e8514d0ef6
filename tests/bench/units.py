"""Very many units: what planning, resuming and looking cost with 1,000, 10,000 and 100,000 of them.

A step with so many committed units is written (units_root.py) into a folder, and a smaller one into a real S3 server;
each look at it (units_action.py) is a process of its own, so its peak memory is its own. Looks come in the order in
which an old root meets this version: half of the units committed and no index; the same again, now folded; all of them;
all of them with the run's record; then what people ask. Bounds are on the driver's memory beyond what it has before and
on the seconds before Ray would start. At last tiny units go through Ray Data (units_feed.py), twice as many of them
each time: the driver must not grow.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from factory.store.open import open_root
from tests.bench.figures import Figures, Row
from tests.bench.units_root import write_plan, write_units
from tests.runs import REPOSITORY, environment

SIZES = (1_000, 10_000, 100_000)
S3_SIZES = (10_000,)
FEED = (2_000, 20_000)
DRIVER_MIB = 96.0
"""Bound: what a driver may hold beyond its start, whatever the units: a fold has one index file's commits in memory."""

DRIVER_KIB_A_UNIT = 4.0
"""Bound: what it may hold beyond that of a unit of the step it works."""

START_S = 2.0
START_S_A_1000 = 0.25
"""Bound: processor seconds, and those a thousand units more, before a started step works its first pending unit."""

FEED_MIB = 64.0
"""Bound: how much more the driver may hold of ten times the units in Ray Data, its plan of them not counted."""

LOOKS = {
    "planned": "planned, nothing committed",
    "resumed": "half committed, no index: started again",
    "resumed again": "the same, folded",
    "found": "all committed, half folded: found by another run",
    "found again": "the same, folded",
    "again": "finished step started again",
    "status": "factory status",
    "doctor": "factory doctor",
    "gc": "factory gc --dry-run",
    "proven": "factory verify, commits and files of the step",
}
DRIVERS = ("planned", "resumed", "resumed again", "found", "found again", "again")

Look = Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--units", type=int, nargs="*", help="units: sizes in a folder (default 1000 10000 100000)")
    parser.add_argument("--units-s3", type=int, nargs="*", help="units: sizes on S3 (default 10000)")
    parser.add_argument("--units-feed", type=int, nargs="*", help="units: sizes through Ray Data (default 2000 20000)")


def measure(options: argparse.Namespace) -> Figures:
    tiny = options.tiny
    sizes = (40,) if tiny else _given(options.units, SIZES)
    s3_sizes = () if tiny else _given(options.units_s3, S3_SIZES)
    feed_sizes = (40,) if tiny else _given(options.units_feed, FEED)
    looks: dict[str, dict[str, Look]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="factory-units-") as folder:
            looks[f"folder {size}"] = look_at(folder, size)
    if s3_sizes:
        with _server() as bucket:
            for size in s3_sizes:
                looks[f"s3 {size}"] = look_at(f"{bucket}/{size}", size)
    fed = [feed(size) for size in feed_sizes]
    return _figures(looks, fed)


def look_at(root: str, size: int) -> dict[str, Look]:
    store = open_root(root)
    write_plan(store, size)
    found = {"planned": _look("planned", root, size)}
    write_units(store, size, 0, size // 2)
    found["resumed"] = _look("resumed", root, size)
    found["resumed again"] = _look("resumed", root, size)
    write_units(store, size, size // 2, size)
    for name in ("found", "found again", "again", "status", "doctor", "gc", "proven"):
        found[name] = _look(name.removesuffix(" again"), root, size)
    return found


def feed(units: int, tasks: int | None = None) -> Look:
    return _child("tests.bench.units_feed", [str(units), *([str(tasks)] if tasks else [])])


def _look(name: str, root: str, size: int) -> Look:
    look = _child("tests.bench.units_action", [name, root, str(size)])
    print(f"{size} units in {root}: {name}: {json.dumps(look)}", file=sys.stderr, flush=True)
    return look


def _child(module: str, arguments: Sequence[str]) -> Look:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=REPOSITORY, env=environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    found: Look = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _server() -> Iterator[str]:
    from tests.s3_server import running

    with running("units") as server, patch.dict(os.environ, server.environment()):
        yield "s3://units"


def _figures(looks: Mapping[str, Mapping[str, Look]], fed: Sequence[Look]) -> Figures:
    rows = []
    for place, found in looks.items():
        size = int(place.rpartition(" ")[2])
        for name, look in found.items():
            grown = look["mib_peak"] - look["mib_before"]
            value = (
                f"{look['processor_seconds']:.2f} s ({look['seconds']:.2f} s of wall time), +{grown:,.0f} MiB, "
                f"{look['requests']:,} requests"
            )
            if name not in DRIVERS:
                rows.append(Row(f"{place} units: {LOOKS[name]}", value))
                continue
            most_mib, most_s = _bounds(size)
            # The first look at an old root reads what nobody has folded; it is bounded by what S3 answers.
            timed = name not in ("resumed", "found")
            met = grown <= most_mib and (not timed or look["processor_seconds"] <= most_s)
            target = f"< {most_mib:,.0f} MiB{f', < {most_s:,.0f} s' if timed else ''}:"
            rows.append(Row(f"{place} units: {LOOKS[name]}", value, target, met))
    for each in fed:
        value = f"{each['mib_peak'] - each['mib_before']:,.0f} MiB in {each['seconds']:.1f} s"
        rows.append(Row(f"{each['units']:,} pending units through Ray Data, driver grows by", value))
    if len(fed) > 1:
        more = (fed[-1]["mib_peak"] - fed[-1]["mib_before"]) - (fed[0]["mib_peak"] - fed[0]["mib_before"])
        rows.append(
            Row("of that because there are more units", f"{more:,.0f} MiB", f"< {FEED_MIB:.0f} MiB:", more < FEED_MIB)
        )
    values = {
        "looks": looks,
        "feed": list(fed),
        "sizes": {"looks": list(looks), "feed": [each["units"] for each in fed]},
    }
    return Figures("units", rows, values)


def _bounds(size: int) -> tuple[float, float]:
    """MiB and seconds that a driver may take for a step of so many units."""
    return DRIVER_MIB + size * DRIVER_KIB_A_UNIT / 1024, START_S + size / 1000 * START_S_A_1000


def _given(asked: Sequence[int] | None, default: Sequence[int]) -> Sequence[int]:
    return default if asked is None else asked
