"""A point in a process of its own: `python -m factory.sweep.child PID KEY=VALUE …`, which is `python -m jobs.run` that
ends with the sweep, process PID, that started it.

A sweep that is killed cannot end its points. Left alone they would go on with nobody to see it, and where their Ray
ended with the sweep wait for it without end: three did so for five minutes until they were found.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from factory.leaving import leave
from factory.run.command import main
from factory.run.drain import is_leaving

LOOK_S = 1.0


def end_with(parent: int) -> None:
    """Ends this process, as SIGTERM does, once `parent` is its parent no more: that has ended. A run that is leaving
    already is left to it: a second signal would cut short the units that may still commit."""
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    if not is_leaving():
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(int(sys.argv[1]),), name="end-with-sweep", daemon=True).start()
    leave(main(sys.argv[2:]))
