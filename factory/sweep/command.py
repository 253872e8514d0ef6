"""`python -m jobs.run -m KEY=A,B`: works the points of a sweep, says how each ended, and keeps a record on the store.

Design: the points are known and checked before the first one starts (points.py); then `sweep.at_once` of them are
worked at a time (launch.py). A point that fails does not stop the others; all that failed are named at the end, and
the exit code is that of the worst. Points that agree up to a step share its outputs by fingerprint, whichever comes
first: while two are at work, the second waits at the lease of the step's folder (factory/run/stage.py) and then finds
it committed. The same command goes on with an interrupted sweep; given twice at once, the second waits for the first.

stdout has a JSON object a point and one of the sweep, which is the last line.
"""

from __future__ import annotations

import json
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal

from factory.credentials import said
from factory.errors import ConfigError, StoreError, TransientStoreError
from factory.leaving import INTERRUPTED_CODE
from factory.observe import logs
from factory.run.progress import duration
from factory.run.record import now
from factory.store.base import Store
from factory.store.lease import held
from factory.sweep.launch import Here, Launcher, Outcome, Processes
from factory.sweep.points import Point, points_of, sweep_id_of
from factory.sweep.record import PointRecord, SweepRecord, Written, lease_of, read_sweep, sweep_key

LauncherName = Literal["here", "processes", "jobs"]

_printing = threading.Lock()


def sweep(overrides: Sequence[str]) -> int:
    """Works every point; the exit code of the worst. Raises ConfigError when a point cannot be composed, or points
    would spoil each other: then nothing was started."""
    from factory.store.open import open_store, probe

    points = points_of(overrides)
    store = open_store(points[0].config.store)
    sweep_id = sweep_id_of(points)
    name = _launcher_name(points)
    _say_doubles(points)
    if len(points) == 1:
        _say("note: no key has several values, so this is a sweep of one point")
    with _launching(name, points) as launcher:
        probe(store)
        with held(store, lease_of(sweep_id), f"the same sweep, {sweep_id}", _say):
            written = Written(store, _record_of(sweep_id, points, name, overrides, _before(store, sweep_id)))
            failed = _worked(written, points, launcher)
    return _closed(store, points[0].config.store.endpoint_url, written.record, failed)


def _launcher_name(points: Sequence[Point]) -> LauncherName:
    config = points[0].config
    if not config.sweep.jobs:
        return "here" if config.sweep.at_once == 1 else "processes"
    if config.cluster.address is None:
        raise ConfigError(
            "sweep.jobs=true makes each point a Ray job, and cluster.address names no cluster",
            cause="a Ray of this command's own would end with it, and its jobs too",
            remedy="add cluster=ray cluster.address=…; or, without one, sweep.at_once=N: N points here at a time",
        )
    return "jobs"


@contextmanager
def _launching(name: LauncherName, points: Sequence[Point]) -> Iterator[Launcher]:
    if name == "jobs":
        from factory.sweep.jobs import launching_jobs

        with launching_jobs(points, _say) as launcher:
            yield launcher
    else:
        yield Here() if name == "here" else Processes()


def _say_doubles(points: Sequence[Point]) -> None:
    for point in points:
        if point.same_as is not None:
            _say(
                f"note: point {point.number} ({point.name}) is the same run as point {point.same_as}, worked once: "
                "they differ in nothing that can change a row. To measure engine settings, start a command for each, "
                "with a store.root of its own"
            )


def _before(store: Store, sweep_id: str) -> SweepRecord | None:
    """The record of the same sweep; a damaged one is written anew."""
    try:
        return read_sweep(store, sweep_id)
    except TransientStoreError:
        raise
    except StoreError as error:
        _say(f"note: {error.what}; it is written anew")
        return None


def _record_of(
    sweep_id: str,
    points: Sequence[Point],
    launcher: LauncherName,
    overrides: Sequence[str],
    previous: SweepRecord | None,
) -> SweepRecord:
    known = {each.identity: each for each in previous.points} if previous else {}
    return SweepRecord(
        sweep=sweep_id,
        state="running",
        launcher=launcher,
        at_once=points[0].config.sweep.at_once,
        started=previous.started if previous else now(),
        resumed=(*previous.resumed, now()) if previous else (),
        command=tuple(overrides),
        points=tuple(
            PointRecord(
                point=point.number,
                name=point.name,
                overrides=point.varied,
                differs=point.differs,
                identity=point.identity,
                run=known[point.identity].run if point.identity in known else None,
                state="waiting",
                same_as=point.same_as,
            )
            for point in points
        ),
    )


def _worked(written: Written, points: Sequence[Point], launcher: Launcher) -> dict[int, Outcome]:
    """Works all points, `at_once` at a time; those that failed, by number."""
    own = [point for point in points if point.same_as is None]
    failed: dict[int, Outcome] = {}
    try:
        if written.record.launcher == "here":
            for point in own:
                _note(failed, point, _one(written, point, len(points), launcher))
        else:
            _side_by_side(written, own, len(points), launcher, failed)
    except BaseException as error:
        _ended_badly(written, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed")
        raise
    written.ended("failed" if failed else "finished")
    return failed


def _side_by_side(
    written: Written, own: Sequence[Point], points: int, launcher: Launcher, failed: dict[int, Outcome]
) -> None:
    pool = ThreadPoolExecutor(written.record.at_once, thread_name_prefix="point")
    try:
        begun: dict[Future[Outcome], Point] = {
            pool.submit(_one, written, point, points, launcher): point for point in own
        }
        open_points = set(begun)
        while open_points:
            # In slices: a signal reaches the main thread only while it waits for a while and not for ever.
            ended, open_points = wait(open_points, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for future in ended:
                _note(failed, begun[future], future.result())
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        if launcher.stop():
            wait(begun, timeout=LEAVE_S)
        raise
    pool.shutdown()


LOOK_S = 0.5

LEAVE_S = 7.0
"""Seconds that points have for an orderly end: this process itself has 8 (factory/run/command.py)."""


def _one(written: Written, point: Point, points: int, launcher: Launcher) -> Outcome:
    head = f"point {point.number} of {points}"
    _say(f"{head}: {point.name}")
    written.point(point.number, state="running", error="", exit_code=None)
    started = time.monotonic()
    outcome = launcher.work(point, partial(_passed_on, point.number), partial(written.point, point.number))
    seconds = time.monotonic() - started
    run = outcome.result.get("run")
    known: dict[str, Any] = {"run": run} if run else {}
    if outcome.code == 0:
        written.point(point.number, state="finished", exit_code=0, seconds=round(seconds, 1), **known)
        _say(f"{head} finished in {duration(seconds)}: {_brought(outcome)}")
        _out({"point": point.number, "name": point.name, **outcome.result})
    else:
        state = "interrupted" if outcome.code == INTERRUPTED_CODE else "failed"
        written.point(
            point.number, state=state, exit_code=outcome.code, error=outcome.error, seconds=round(seconds, 1), **known
        )
        _say(f"{head} {state} after {duration(seconds)}, exit code {outcome.code}: {outcome.error}")
    return outcome


def _brought(outcome: Outcome) -> str:
    result = outcome.result
    if result.get("already_finished"):
        return f"{result.get('samples', 0):,} samples, all there before"
    return f"{result.get('samples', 0):,} samples, {result.get('requests', 0):,} requests of its own"


def _note(failed: dict[int, Outcome], point: Point, outcome: Outcome) -> None:
    if outcome.code:
        failed[point.number] = outcome


def _ended_badly(written: Written, state: Literal["interrupted", "failed"]) -> None:
    try:
        written.ended(state)
    except StoreError:
        return  # what ended the sweep is what has to be read


def _closed(store: Store, endpoint_url: str | None, record: SweepRecord, failed: dict[int, Outcome]) -> int:
    """Says how the sweep ended; its exit code."""
    root = store.uri.rstrip("/")
    names = {each.point: each.name for each in record.points}
    if failed:
        _say(f"{len(failed)} of {len(record.points)} points failed:")
        for number, outcome in sorted(failed.items()):
            _say(f"  point {number} ({names[number]}), exit code {outcome.code}: {outcome.error}")
        _say("the same command tries these again; points that finished are not paid for again")
    endpoint = f" --endpoint-url {shlex.quote(endpoint_url)}" if endpoint_url else ""
    _say(f"compare: factory compare {shlex.quote(root)} --sweep {record.sweep}{endpoint}")
    _out(
        {
            "sweep": record.sweep,
            "state": record.state,
            "points": len(record.points),
            "finished": sum(each.state == "finished" for each in record.points),
            "failed": [names[number] for number in sorted(failed)],
            "record": f"{root}/{sweep_key(record.sweep)}",
        }
    )
    return max((outcome.code for outcome in failed.values()), default=0)


def _say(line: str) -> None:
    with _printing:
        logs.tell(line)


def _passed_on(point: int, line: str) -> None:
    """Says a line of a point's own process; one of JSON is whole as it is."""
    with _printing:
        if not logs.is_json():
            logs.tell(f"{point}| {line}")
        elif line.startswith("{"):
            print(said(line), file=sys.stderr, flush=True)
        else:
            logs.tell(line, point=point)


def _out(value: dict[str, Any]) -> None:
    with _printing:
        print(json.dumps(value), flush=True)
