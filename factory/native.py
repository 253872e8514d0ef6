"""Functions compiled to machine code by numba: where a pass over every character, token or walk would be Python's.

Design: `@compiled` and nothing else, so that a kernel reads like the loop it is. numba comes with vLLM. Kernels take
numpy arrays and numbers, release the interpreter's lock, and are compiled when first called; the machine code is
kept beside the source, or in the user's cache where that folder is read-only, which saves each worker process the
seconds of compiling. A read-only installation without a writable cache (a locked-down container) would make the
decorator itself fail, so there kernels are compiled in every process. No fast-math: sums are taken in the order
written, so a kernel gives the same bits in every process.

Cost: compiling takes 12 s of one core for walks and matching, 3 s for words, once an installation; loading 0.4 s a
process, nearly all of it numba itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """`function` as machine code. Integers wrap modulo 2^64, indexes are not checked."""
    try:
        kernel: Kernel = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # «no locator available»
        kernel = numba.njit(nogil=True)(function)
    return kernel
