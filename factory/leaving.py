"""How a command ends: at once, when all that has to be closed is closed.

Arrow's threads may still be reading ahead while the interpreter takes its libraries down: on a busy machine about one
`factory verify` in ten said "verified" and was then aborted ("terminate called without an active exception", exit
code 134).
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

INTERRUPTED_CODE = 130
"""Of a command that was interrupted. 128 + SIGINT, whichever signal it was: what shells and schedulers take for an
interruption."""


def leave(code: int) -> NoReturn:
    """Ends the process with this exit code; what was printed is written out first."""
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
