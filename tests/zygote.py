"""Runs commands in forks of one process that has imported what they import: `python -m tests.zygote`.

A line of standard input is one command, as JSON: {"module", "arguments", "stdout", "stderr", "variables"} (two files,
and what is added to its environment); the answer is a line with its process id, and one with its exit code. Every
command is a process of its own, as when a user types it; what it saves is importing Ray, Arrow and the factory, 3 s of
a core a command. Nothing here may start a thread before the fork, so Ray is imported and not started.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any

PRELOADED = (
    "ray.data",
    "pyarrow.parquet",
    "hydra",
    "boto3",
    "jinja2",
    "factory.run.command",
    "factory.run.runner",
    "factory.run.execute",
    "factory.engine.pool",
    "factory.select.training.job",
    "factory.cli.verify",
)


def main() -> None:
    for module in PRELOADED:
        importlib.import_module(module)
    gc.freeze()  # shared pages stay shared
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(command)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(command: dict[str, Any]) -> None:
    """Becomes the command, and ends with it."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, path in ((0, os.devnull), (1, command["stdout"]), (2, command["stderr"])):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
        os.environ.update(command["variables"])
        sys.argv = [command["module"], *command["arguments"]]
        code = importlib.import_module(command["module"]).main(command["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
