"""Counts examples for `python -m tests.fuzz`, and gives targets a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz import harness


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of a module's examples, which overwrite each other's."""
    return tmp_path_factory.mktemp("fuzz")


def pytest_sessionfinish() -> None:
    harness.write_counts()
