"""Leaving on SIGTERM without losing what is nearly done: no unit is begun any more, those under way may commit.

Design: workers say of each unit that it is under way, by a key in Ray's own key-value store (its head process), and
then look whether the run is leaving; the driver puts that mark first and lists the keys after, so no unit begins
unseen, on any machine. (Without Ray units are worked in threads of the driver, and a set does for both.) Nothing is
written to the root. The handler of SIGTERM only begins the drain and returns; a
thread waits until nothing is under way or the time is up and sends the signal again, which then ends the run as ever.
How long the wait may be follows from `cluster.grace_seconds`, what the platform gives between SIGTERM and SIGKILL, less
what leaving takes. Ctrl-C does not wait: somebody sits there and wants an end.

Cost: three calls to Ray's head a unit.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from factory.observe import logs

NAMESPACE = b"factory-drain"

LEAVES_S = 10.0
"""Kept of the grace period for leaving itself: 1 to 3 s in good order, 8 s at most (forced_end.PATIENCE_S)."""

LOOK_S = 0.2

MEANT_S = 0.5
"""Seconds after which a second signal is meant: wrappers such as `timeout` pass on to a child what its group got."""


@dataclass
class _Drain:
    """Of this process, as signals are. `grace_s`: units are being worked, and may have so long; `since`: when the first
    SIGTERM came; `over`: the next one ends the run."""

    grace_s: float | None = None
    since: float | None = None
    over: bool = False


_drain = _Drain()

_here: set[tuple[str, str]] = set()
"""Units under way in threads of this process."""


@contextmanager
def patient(grace_s: float) -> Iterator[None]:
    """While the body works units, the first SIGTERM lets those under way end. Where the body comes to its end after
    such a signal, the run ends here."""
    _drain.grace_s = grace_s
    try:
        yield
        if is_leaving():
            leave_here()
    finally:
        _drain.grace_s = None


def is_leaving() -> bool:
    """Whether a SIGTERM has come whose units may still end."""
    return _drain.since is not None


def spared() -> bool:
    """For the handler of SIGTERM: whether the run goes on for now. Begins the drain at the first signal."""
    if _drain.since is None:
        if _drain.grace_s is None or _drain.grace_s <= LEAVES_S:
            return False
        _drain.since = time.monotonic()
        threading.Thread(target=_wait, args=(_drain.grace_s - LEAVES_S,), name="drain", daemon=True).start()
        return True
    return not _drain.over and time.monotonic() - _drain.since < MEANT_S


def leave() -> None:
    """Ends a drain, and by a last SIGTERM to this process the run."""
    _drain.over = True
    os.kill(os.getpid(), signal.SIGTERM)


def leave_here() -> None:
    """`leave` for the main thread, which goes no further. Raises KeyboardInterrupt.

    The one that the signal raised may have been lost: in a callback of Ray's, or a destructor, Python only prints it.
    Signals are ignored from then on, and a step whose units were never begun ended with a KeyError.
    """
    leave()
    raise KeyboardInterrupt


@contextmanager
def under_way(folder: str, unit: str) -> Iterator[bool]:
    """Where a unit is worked, in a task of Ray or a thread of the driver: holds it for under way while the body works
    it; False where it must not be begun any more. A unit that is tried again has the same key, so a worker that was
    killed leaves none behind for long."""
    if not _under_ray():
        _here.add((folder, unit))
        try:
            yield not is_leaving()
        finally:
            _here.discard((folder, unit))
        return
    from ray.experimental import internal_kv

    job = _job()
    key, may_begin = _unit_key(job, folder, unit), True
    with suppress(Exception):  # Ray's head is gone, and the run will be: that is for others to say
        internal_kv._internal_kv_put(key, b"1", namespace=NAMESPACE)
        may_begin = not internal_kv._internal_kv_exists(_mark_key(job), namespace=NAMESPACE)
    try:
        yield may_begin
    finally:
        with suppress(Exception):
            internal_kv._internal_kv_del(key, namespace=NAMESPACE)


def _wait(patience_s: float) -> None:
    until = time.monotonic() + patience_s
    with suppress(Exception):  # Ray's head is gone: nothing to wait for
        if _under_ray():
            _mark()
        said = False
        while time.monotonic() < until and not _drain.over:
            units = _units_under_way() if _under_ray() else len(_here)
            if not units:
                break
            if not said:
                said = True
                logs.tell(_words(units, patience_s), event="leaving", level="warning")
            time.sleep(LOOK_S)
    if not _drain.over:
        leave()


def _mark() -> None:
    from ray.experimental import internal_kv

    internal_kv._internal_kv_put(_mark_key(_job()), b"1", namespace=NAMESPACE)


def _units_under_way() -> int:
    from ray.experimental import internal_kv

    return len(internal_kv._internal_kv_list(_unit_key(_job(), "", ""), namespace=NAMESPACE))


def _under_ray() -> bool:
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _words(units: int, patience_s: float) -> str:
    what = "1 unit is" if units == 1 else f"{units} units are"
    return (
        f"SIGTERM: {what} under way and may commit within {patience_s:.0f} s (cluster.grace_seconds); none is begun "
        "any more, and a second signal leaves at once"
    )


def _job() -> str:
    import ray

    return str(ray.get_runtime_context().get_job_id())


def _unit_key(job: str, folder: str, unit: str) -> bytes:
    return f"{job}/units/{folder}{'/' if folder else ''}{unit}".encode()


def _mark_key(job: str) -> bytes:
    return f"{job}/leaving".encode()
