"""The `factory` commands that a trial gives, in this process: one of its own takes 1 to 3 s of a core to import.

What a process remembers of commits is forgotten before each command: a unit that was torn and made again has another
commit, and `verify`, which had seen the first one in this process, held the dataset against that.
"""

from __future__ import annotations

import contextlib
import io

from factory.cli.main import main
from factory.run.outputs import forget_committed
from tests.runs import Finished


def factory_here(*arguments: str) -> Finished:
    """Exit code and what was printed. With the environment of this process, credentials of a store included."""
    forget_committed()
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(arguments))
        except SystemExit as end:  # argparse's
            code = end.code if isinstance(end.code, int) else 1
    return Finished(code, out.getvalue(), err.getvalue())
