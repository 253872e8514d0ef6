"""Inside the sandbox: lays out each case as a file, compiles and runs it, and says what it printed.

Design: it is the sandbox's program, so all it starts shares its limits and dies with it. Each case is a process of its
own, so one that crashes takes no other along; each result is a line that is written at once, so what ran before a limit
was met is known. It holds no expected value: whoever takes it over can print what they like, and not what is asked for.

Standard library alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

KEPT = 8192
"""Bytes of a case's output that are compared."""

PATH = "/usr/local/bin:/usr/bin:/bin"


def main(given: dict[str, Any]) -> None:
    out = os.dup(1)
    for number, content in enumerate(given["files"]):
        Path(given["file"]).write_text(content)
        compiled = _run(given["compile"]) if given["compile"] else (0, "", "")
        code, printed, said = _run(given["run"]) if compiled[0] == 0 else (compiled[0], "", compiled[2])
        line = json.dumps({"case": number, "code": code, "printed": printed, "said": said})
        os.write(out, f"{given['token']}{line}\n".encode())


def _run(command: list[str]) -> tuple[int, str, str]:
    """Exit code, and the ends of what it printed and of what it complained of."""
    argv = [sys.executable if part == "python" else part for part in command]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"PATH": PATH, "HOME": str(Path.cwd()), "LANG": "C.UTF-8", "PYTHONHASHSEED": "0"},
        check=False,
    )
    printed = done.stdout[-KEPT:].decode("utf-8", "replace")
    return done.returncode, printed, done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
