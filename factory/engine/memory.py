"""How much memory is left where this process runs: of the machine, or of its container where that has a limit."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def memory_left(cgroup: Path = CGROUP) -> float:
    """The share of memory, 0 to 1, that could still be taken. A container's cache of files counts as left: the kernel
    gives it up first."""
    import psutil  # type: ignore[import-untyped]

    machine = psutil.virtual_memory()
    left: float = machine.available / machine.total
    with suppress(OSError, ValueError):
        most = int((cgroup / "memory.max").read_text())  # "max" where there is no limit: a ValueError
        used = int((cgroup / "memory.current").read_text())
        lines = (line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        given_up_first = sum(int(number) for name, number in lines if name == "inactive_file")
        left = min(left, max(0.0, (most - used + given_up_first) / most))
    return left
