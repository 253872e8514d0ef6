"""Compilation of kernels to machine code, cached on disk where there is a place for it.

Design: numba comes with vLLM. Its on-disk cache saves each worker process the seconds of compiling; a read-only
installation without a writable cache folder (a locked-down container) would make the decorator itself fail, so
there kernels are compiled in every process instead. No fast-math: sums are taken in the order written, so a kernel
gives the same bits in every process.

Cost: compiling takes 12 s of one core for walks and matching together, once an installation; loading 0.4 s a process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """`function` as machine code."""
    try:
        kernel: Kernel = numba.njit(cache=True)(function)
    except RuntimeError:  # «no locator available»
        kernel = numba.njit(function)
    return kernel
