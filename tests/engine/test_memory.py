"""Memory that is left: the machine's, or the container's where that is less."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from factory.engine.memory import memory_left


def container(folder: Path, most: str, used: int, cached: int) -> Path:
    (folder / "memory.max").write_text(most)
    (folder / "memory.current").write_text(str(used))
    (folder / "memory.stat").write_text(f"anon {used - cached}\ninactive_file {cached}\nactive_file 0\n")
    return folder


def test_a_container_with_a_limit_has_what_that_leaves_its_file_cache_not_counted(tmp_path: Path) -> None:
    limit = 1 << 30
    used, cached = limit * 98 // 100, limit * 3 // 100  # 0.05 left: less than of the machine, whatever runs on it
    assert memory_left(container(tmp_path, str(limit), used, cached)) == pytest.approx(0.05, abs=0.001)
    assert memory_left(container(tmp_path, str(limit), limit, 0)) == 0.0


def test_without_a_limit_it_is_the_machines(tmp_path: Path) -> None:
    machine = psutil.virtual_memory()
    for folder in (tmp_path / "nothing", container(tmp_path, "max", 1 << 30, 0)):
        assert abs(memory_left(folder) - machine.available / machine.total) < 0.1
