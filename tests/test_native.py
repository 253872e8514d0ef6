"""Kernels are compiled with a cache on disk, and without one where there is no place for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.runs import REPOSITORY

PROGRAM = """
from factory.native import compiled

@compiled
def doubled(value):
    return 2 * value

print(doubled(21))
"""


def test_a_kernel_without_a_place_for_its_cache_still_runs(tmp_path: Path) -> None:
    """Numba finds no folder for code that lies in no file, as in a container that may write nowhere."""
    environment = {**os.environ, "HOME": "/nonexistent", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["42"]
