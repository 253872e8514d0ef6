"""`factory --help` answers at once: what a subcommand needs is imported when it is chosen."""

from __future__ import annotations

import subprocess
import sys

from tests.resident import REPOSITORY

HEAVY = ("boto3", "numba", "pandas", "ray", "scipy", "sklearn", "torch", "vllm")


def test_the_list_of_subcommands_imports_nothing_heavy() -> None:
    asked = f"import sys, factory.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
