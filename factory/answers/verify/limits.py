"""What a program under test may use."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """`memory_bytes` is the address space of each process; `file_bytes` the largest file and the whole scratch
    folder; `output_bytes` what is kept of what it prints (more ends it). `address_bytes`, where it is not 0, is the
    address space instead: of runtimes that reserve far more than they use. What all processes hold is bounded by
    `memory_bytes` either way."""

    cpu_seconds: int = 10
    wall_seconds: float = 60.0
    memory_bytes: int = 512 << 20
    processes: int = 32
    file_bytes: int = 16 << 20
    output_bytes: int = 256 << 10
    address_bytes: int = 0
