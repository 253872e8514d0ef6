"""What the driver of a step holds while very many tiny units go through Ray Data: `python -m tests.bench.units_feed
UNITS [TASKS]`.

Design: the pipeline of an LLM step (run/execute.py), one unit after another in each of eight slots, with a task that
does nothing but give the receipts: no store, no engine, so what is left is what Ray Data and the driver do with units.
TASKS replaces execute.TASKS_AT_MOST: as many as there are units is how it was before. The last line of stdout is one
JSON object: seconds, the driver's memory before the first unit and its peak.
"""

from __future__ import annotations

import json
import sys
import time

import pyarrow as pa

from factory.cluster.config import ClusterConfig
from factory.run import execute
from factory.run.attempt import Receipt, StepRun
from factory.run.session import ray_session
from factory.run.units import unit_over
from factory.store.commits import Commit, Counts
from tests.bench.units_root import ATTEMPT, ENGINE, FOLDER, LEDGER, RUN, parent_files
from tests.memory import memory_mib

SLOTS = 8


def receipts(block: pa.Table) -> pa.Table:
    return execute._outcome(lambda: [_receipt(unit.unit_id) for unit in execute._load(block)])


def _receipt(unit: str) -> Receipt:
    counts = Counts(inputs=2, used=2, accepted=2)
    commit = Commit(unit, ATTEMPT, FOLDER, RUN, "", None, (), {}, counts, {}, "0", "0", LEDGER, ENGINE)
    return Receipt(unit, ATTEMPT, commit, LEDGER)


def main(units: int, tasks: int) -> int:
    import ray

    execute.TASKS_AT_MOST = tasks
    pending = [unit_over(output.file) for output in parent_files(units)]
    with ray_session(ClusterConfig(cpus=2, object_store_mib=200), 0):
        ray.get(ray.remote(lambda: None).remote())
        before, started = memory_mib("VmRSS"), time.monotonic()

        def pipeline(left: object) -> object:
            slots = ray.data.TaskPoolStrategy(size=SLOTS)
            dataset = execute._dataset(pending, 1)
            return dataset.map_batches(receipts, compute=slots, num_cpus=0, **execute._STAGE)

        came = sum(1 for _ in execute._until_committed(pipeline, pending, StepRun(FOLDER, RUN)))
        figures = {
            "units": units,
            "tasks": len(execute.shared_out(pending, 1)),
            "seconds": time.monotonic() - started,
            "mib_before": before,
            "mib_peak": memory_mib("VmHWM"),
        }
    assert came == units
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else execute.TASKS_AT_MOST))
