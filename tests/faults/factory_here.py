"""The `factory` commands that a trial gives, in this process: one of its own takes 1 to 3 s of a core to import."""

from __future__ import annotations

import contextlib
import io

from factory.cli.main import main
from tests.runs import Finished


def factory_here(*arguments: str) -> Finished:
    """Exit code and what was printed. With the environment of this process, credentials of a store included."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(list(arguments))
        except SystemExit as end:  # argparse's
            code = end.code if isinstance(end.code, int) else 1
    return Finished(code, out.getvalue(), err.getvalue())
