"""A local Ray that dies under its driver: noticed within seconds, said, and the run ended.

Design: Ray's processes end with their driver, but not the other way round. Where the raylet or the head is killed (by
the kernel for want of memory, or by somebody), the driver waits for what will not come back, for a minute or for ever.
A thread looks at the processes that Ray has started here; when one has ended and nobody has asked the run to end, the
main thread is interrupted as by SIGTERM, which reaches it wherever it waits, and raises `RayLostError`. A driver that
cannot leave even so is ended after `PATIENCE_S`, its record closed (forced_end.py). Ray's core may be faster and end
the process itself (last_words.py).

Cost: two waitpid calls a second.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

from factory.errors import ClusterError
from factory.observe import logs
from factory.run.drain import is_leaving, leave
from factory.run.forced_end import PATIENCE_S, note_forced_end
from factory.run.last_words import said

LOOK_S = 1.0

SETTLE_S = 2.0
"""Between a death and what is done about it: a machine that shuts down sends SIGTERM to all processes, Ray's perhaps
before ours, and then the run is interrupted, not failed."""

NEEDED = {"raylet": "its node process (raylet)", "gcs_server": "its head process (GCS)"}


class RayLostError(KeyboardInterrupt):
    """Ray ended. No Exception: Ray's own code, in which the main thread may be, catches and logs those."""


@dataclass
class Watch:
    """`gone` is written by the thread before it interrupts the main thread, and read there. `leaving`: Ray is being
    shut down on purpose."""

    gone: str | None = None
    leaving: bool = False

    def stand_down(self) -> None:
        self.leaving = True


@contextmanager
def watched() -> Iterator[Watch]:
    """Watches the Ray that this process has started while the body runs; to be entered in the main thread. Before the
    body shuts Ray down it tells the watch to stand down.

    Raises ClusterError when a process of Ray ended that nothing works without. The body sees RayLostError.
    """
    watch, over = Watch(), threading.Event()
    before = signal.getsignal(signal.SIGTERM)

    def on_terminate(number: int, frame: FrameType | None) -> None:
        if watch.gone is not None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            raise RayLostError(watch.gone)
        if callable(before):
            before(number, frame)
        else:
            signal.signal(signal.SIGTERM, before)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, on_terminate)
    threading.Thread(target=_look, args=(watch, over), name="watch-ray", daemon=True).start()
    try:
        yield watch
    except RayLostError as error:
        raise _lost(str(error)) from None
    finally:
        over.set()
        if watch.gone is not None or signal.getsignal(signal.SIGTERM) is on_terminate:
            signal.signal(signal.SIGTERM, before)  # a sweep goes on with its next point


def _look(watch: Watch, over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        gone = _gone()
        if gone is None:
            continue
        if over.wait(SETTLE_S) or watch.leaving or signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
            return  # the run is ending already
        if is_leaving():  # a signal to every process ended Ray as well: nobody is left to wait for
            leave()
            return
        watch.gone = gone
        os.kill(os.getpid(), signal.SIGTERM)
        if not over.wait(PATIENCE_S):
            error = _lost(gone)
            note_forced_end("failed", str(error), type(error).__name__)
            said()
            logs.tell_error(error)
            os._exit(error.exit_code)
        return


def _gone() -> str | None:
    """Which process of the local Ray has ended, in words."""
    from ray._private import worker

    node = worker._global_node
    if node is None:
        return None
    with suppress(RuntimeError):  # its list of processes changes while Ray shuts down
        return next((NEEDED[kind] for kind, _ in node.dead_processes() if kind in NEEDED), None)
    return None


def _lost(what: str) -> ClusterError:
    return ClusterError(
        f"Ray ended under the run: {what} is gone",
        cause="it was killed: by the kernel when memory ran out, or by somebody",
        remedy="give the same command again; what is committed is kept. If it comes back, give the machine more memory",
    )
