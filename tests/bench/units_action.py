"""One look at a step of very many units: `python -m tests.bench.units_action ACTION ROOT UNITS`, a process of its own.

The last line of stdout is one JSON object: seconds, those of the processor, peak memory of the process and what it had
before, requests to the store (a listing counts one for every 1,000 objects, as S3 answers them).
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import wraps
from typing import Any

from factory.cli.main import main as factory
from factory.cluster.config import ClusterConfig
from factory.publish.checks import Faults
from factory.publish.proof import sum_up
from factory.run.progress import SilentProgress
from factory.run.record import done_key, read_record
from factory.run.stage import Session, UnworkedError, tally_of, work_stage
from factory.store.base import Store
from factory.store.commit_index import fold
from factory.store.local import LocalStore
from factory.store.open import open_root
from factory.store.s3 import S3Store
from tests.bench.units_root import FOLDER, RUN, STEP, dones, stage, write_plan
from tests.memory import memory_mib

PAGE = 1000
CALLS = ("get_tagged", "get_range", "head", "put", "put_if_absent", "put_if_match", "delete", "clock")


def planned(store: Store, units: int) -> None:
    """A step is planned, up to where Ray would start."""
    with contextlib.suppress(UnworkedError):
        work_stage(_session(store, rehearsal=True), stage(), dones(units))


def resumed(store: Store, units: int) -> None:
    """A killed step starts again, up to where Ray would start."""
    plan = stage().plan(store, dones(units)).plan
    tally = tally_of(store, FOLDER, plan, folding=True)
    assert 0 < len(tally.attempts) == len(plan.done) < len(plan.units)


def found(store: Store, units: int) -> None:
    """A run meets a step that is all committed, and has no record of it."""
    store.delete(done_key(RUN, STEP.name))
    done = work_stage(_session(store), stage(), dones(units))
    assert done["units"] == done["units_reused"] == units


def again(store: Store, units: int) -> None:
    """A run meets a step that it has finished before."""
    assert work_stage(_session(store), stage(), dones(units))["units"] == units


def folded(store: Store, units: int) -> None:
    fold(store, FOLDER)


def proven(store: Store, units: int) -> None:
    """The part of `factory verify` that reads every commit and every file of a step."""
    faults = [Faults(name) for name in ("steps", "files", "conservation")]
    step = write_plan(store, units)
    assert sum_up(store, step, *faults).units == units
    assert not any(each.found for each in faults)


def _command(*words: str) -> Callable[[Store, int], None]:
    def run(store: Store, units: int) -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            assert factory([words[0], store.uri, *words[1:]]) == 0

    return run


ACTIONS: dict[str, Callable[[Store, int], None]] = {
    "planned": planned,
    "resumed": resumed,
    "found": found,
    "again": again,
    "folded": folded,
    "proven": proven,
    "status": _command("status"),
    "doctor": _command("doctor"),
    "gc": _command("gc", "--dry-run"),
}


def _session(store: Store, *, rehearsal: bool = False) -> Session:
    record = read_record(store, RUN)
    assert record is not None
    return Session(RUN, store, SilentProgress(), record, ExitStack(), ClusterConfig(), {}, seed=0, rehearsal=rehearsal)


def _counted(kind: type[Any], requests: Counter[str]) -> None:
    """Counts the calls of a kind of store from now on."""
    for name in CALLS:
        setattr(kind, name, _counting(getattr(kind, name), name, requests))
    listed = kind.list

    @wraps(listed)
    def pages(self: Any, prefix: str) -> Iterator[Any]:
        requests["list"] += 1
        for number, info in enumerate(listed(self, prefix), 1):
            if number % PAGE == 0:
                requests["list"] += 1
            yield info

    kind.list = pages


def _counting(call: Callable[..., Any], name: str, requests: Counter[str]) -> Callable[..., Any]:
    @wraps(call)
    def counting(*arguments: Any, **named: Any) -> Any:
        requests[name] += 1
        return call(*arguments, **named)

    return counting


def main(name: str, root: str, units: int) -> int:
    store, requests = open_root(root), Counter[str]()
    for kind in (LocalStore, S3Store):
        _counted(kind, requests)
    store.head("warm")  # connections, credentials
    requests.clear()
    before, started, used = memory_mib("VmRSS"), time.monotonic(), time.process_time()
    ACTIONS[name](store, units)
    figures = {
        "seconds": time.monotonic() - started,
        "processor_seconds": time.process_time() - used,
        "mib_before": before,
        "mib_peak": memory_mib("VmHWM"),
        "requests": sum(requests.values()),
        "by_call": dict(requests),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
