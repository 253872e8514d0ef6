"""One, then four nodes: parallel efficiency, the tail, and a node that goes while another comes.

Nodes are raylets on this machine with one logical CPU each (tests/cluster/several_nodes.py), engines are scripted ones
whose answers take their time, each its own (engine.extra.latency: lognormal). Who waits for whom is what is measured:
two cores are enough for four nodes, and how busy they were is in the table. The same step, same requests, runs on one
node and on four, first worked small to start the workers; the clock runs from the first batch on its way to an engine
to the last commit. Then a whole run works on the cluster of four, with latencies, and when half of its LLM units are
committed a node gets SIGKILL, as a spot machine goes, and another is added. Its dataset is held against that of an
undisturbed run without a cluster, row by row.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from factory.engine.placement import ENGINE_RESOURCE
from factory.run.session import KEEP_IDLE_WORKERS_MS
from tests.bench.figures import Figures, Row
from tests.bench.observe import sampled
from tests.bench.resume import Units, units_of
from tests.cluster.several_nodes import SeveralNodes
from tests.corpora import write_corpus
from tests.runs import REPOSITORY, command, dataset_rows, environment

EFFICIENCY_TARGET = 0.90
TAIL_TARGET = 0.10
LATENCY: Mapping[str, float] = {"median_s": 0.2, "sigma": 0.7, "slots": 8}
UNIT_ROWS = 32
NODE: Mapping[str, Any] = {"num_cpus": 1, "resources": {ENGINE_RESOURCE: 1.0}}
GRACE_S = 3.0
"""Between the end of one node and the start of the next."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cluster-nodes", type=int, default=4, help="cluster: nodes (default 4)")
    parser.add_argument("--cluster-units", type=int, default=192, help=f"cluster: units of {UNIT_ROWS} (default 192)")
    parser.add_argument(
        "--cluster-documents", type=int, default=240, help="cluster: of the disturbed run (default 240)"
    )


def measure(options: argparse.Namespace) -> Figures:
    nodes = 2 if options.tiny else options.cluster_nodes
    units = 6 if options.tiny else options.cluster_units
    documents = 24 if options.tiny else options.cluster_documents
    worked = {}
    for count in (1, nodes):
        with cluster(count) as there:
            worked[count] = _step(there, count, units)
            print(f"{count} nodes: {_short(worked[count])}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        disturbed = _disturbed(Path(folder), nodes, documents, units_a_step=8 if options.tiny else 16)
    return _figures(worked, nodes, units, documents, disturbed)


@contextmanager
def cluster(nodes: int) -> Iterator[SeveralNodes]:
    """A cluster of `nodes` nodes with one logical CPU and room for one engine each."""
    # As a run's own Ray: workers that wait for the next unit are kept.
    settings = {"idle_worker_killing_time_threshold_ms": KEEP_IDLE_WORKERS_MS}
    there = SeveralNodes(**NODE, _system_config=settings)
    try:
        for _ in range(nodes - 1):
            there.add(**NODE)
        yield there
    finally:
        there.close()


def _step(there: SeveralNodes, replicas: int, units: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        typed = [sys.executable, "-m", "tests.bench.cluster_step", there.address, folder, "--replicas", str(replicas)]
        typed += ["--units", str(units), "--rows", str(UNIT_ROWS), "--latency", json.dumps(dict(LATENCY))]
        process = subprocess.Popen(typed, cwd=REPOSITORY, env=there.environment, stdout=subprocess.PIPE, text=True)
        with sampled(there.pid, process.pid) as watches:
            stdout, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the step on {replicas} nodes ended with {process.returncode}")
    found: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    began, ended = found["began"], found["ended"]
    busy = sum(sum(watch.seconds_between(began, ended).values()) for watch in watches)
    return {**found, "cores": round(busy / (ended - began), 2)}


def tail_share(commits: Sequence[float]) -> float:
    """Share of the time from the beginning (0) to the last commit that comes after 95 % of the commits."""
    done = commits[-(-95 * len(commits) // 100) - 1]
    return (commits[-1] - done) / commits[-1]


def _short(found: Mapping[str, Any]) -> dict[str, Any]:
    tail = round(tail_share(found["commits"]), 4)
    return {**{key: value for key, value in found.items() if key != "commits"}, "tail_share": tail}


def _disturbed(folder: Path, nodes: int, documents: int, units_a_step: int) -> dict[str, Any]:
    """A run that loses a node and gets another, and the undisturbed one of the same recipe."""
    corpus = write_corpus(folder / "corpus", documents, shards=3)
    sizes = [f"select.unit_rows={units_a_step}", f"curate.unit_rows={units_a_step}"]
    calm, shaken = folder / "calm", folder / "shaken"
    undisturbed = _finished(command(corpus, str(calm), sizes))
    planned = len(units_of(calm).committed)
    latency = ", ".join(f"{key}: {value}" for key, value in LATENCY.items())
    with cluster(nodes) as there:
        more = [f"cluster.address={there.address}", f"engine.replicas={nodes}", f"+engine.extra.latency={{{latency}}}"]
        process = subprocess.Popen(
            command(corpus, str(shaken), [*sizes, *more]),
            cwd=REPOSITORY,
            env=there.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        at_loss = _when_half_is_committed(process, shaken, planned // 2)
        there.remove(there.added[-1])
        time.sleep(GRACE_S)
        there.add(**NODE)
        stdout, stderr = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the run that lost a node ended with {process.returncode}:\n{stderr[-4000:]}")
    after = units_of(shaken)
    redone = {unit for unit, number in after.attempts.items() if number > 1}
    rows, expected = dataset_rows(json.loads(stdout.splitlines()[-1])["dataset"]), dataset_rows(undisturbed["dataset"])
    return {
        "units": planned,
        "committed_at_loss": len(at_loss.committed),
        "in_flight_at_loss": len(at_loss.in_flight),
        "units_redone": len(redone),
        "redone_only_in_flight": redone <= at_loss.in_flight,
        "same_rows": rows.keys() == expected.keys() and all(rows[one].equals(expected[one]) for one in rows),
        "rows": sum(table.num_rows for table in expected.values()),
    }


def _finished(typed: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(typed, cwd=REPOSITORY, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(typed)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _when_half_is_committed(process: subprocess.Popen[str], root: Path, commits: int) -> Units:
    """The units as they are once `commits` are committed and some are in flight."""
    while True:
        units = units_of(root)
        if len(units.committed) >= commits and units.in_flight:
            return units
        if process.poll() is not None:
            raise RuntimeError(f"the run ended with {process.returncode} before it could lose a node")
        time.sleep(0.05)


def _figures(
    worked: Mapping[int, Mapping[str, Any]], nodes: int, units: int, documents: int, disturbed: Mapping[str, Any]
) -> Figures:
    one, many = worked[1], worked[nodes]
    efficiency = one["seconds"] / many["seconds"] / nodes
    with_start = one["seconds_with_start"] / many["seconds_with_start"] / nodes
    tail, tail_one = tail_share(many["commits"]), tail_share(one["commits"])
    rows = [
        Row(
            f"parallel efficiency, 1 to {nodes} nodes",
            f"{efficiency:.3f}",
            f">= {EFFICIENCY_TARGET}:",
            efficiency >= EFFICIENCY_TARGET,
        ),
        Row("the same with the step's start", f"{with_start:.3f}"),
        Row(f"seconds on 1 node / on {nodes}", f"{one['seconds']:.1f} / {many['seconds']:.1f}"),
        Row("requests, units", f"{many['requests']:,}, {units}"),
        Row(f"tail on {nodes} nodes, 95 % done to done", f"{tail:.1%}", f"< {TAIL_TARGET:.0%}:", tail < TAIL_TARGET),
        Row("tail on 1 node", f"{tail_one:.1%}"),
        Row(f"cores busy, 1 node / {nodes}", f"{one['cores']:.2f} / {many['cores']:.2f}"),
        Row(
            "run that lost a node and got another: same rows",
            str(disturbed["same_rows"]),
            "True:",
            disturbed["same_rows"],
        ),
        Row("  LLM units, committed when the node went", f"{disturbed['units']}, {disturbed['committed_at_loss']}"),
        Row("  in flight then", f"{disturbed['in_flight_at_loss']}"),
        Row(
            "  units redone",
            f"{disturbed['units_redone']}",
            "only those in flight:",
            disturbed["redone_only_in_flight"],
        ),
    ]
    values = {
        "efficiency": round(efficiency, 4),
        "efficiency_with_start": round(with_start, 4),
        "tail_share": round(tail, 4),
        "tail_share_one_node": round(tail_one, 4),
        "worked": {str(count): _short(found) for count, found in worked.items()},
        "disturbed": dict(disturbed),
        "sizes": {
            "nodes": nodes,
            "units": units,
            "unit_rows": UNIT_ROWS,
            "latency": dict(LATENCY),
            "documents": documents,
        },
    }
    return Figures("cluster", rows, values)
