"""What the kernel says of a process's memory.

Not `getrusage().ru_maxrss`: a child begins with its parent's peak there, through fork and exec, so small processes of a
large one all seem to have had its size.
"""

from __future__ import annotations

from pathlib import Path


def memory_mib(line: str, process: int | str = "self") -> float:
    """`VmHWM` (the peak of this program) or `VmRSS` (now) of a process. Raises OSError where it has ended."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(text for text in status if text.startswith(f"{line}:")).split()[1]) / 1024
