"""Compiled loops of the graph: apart from what imports them, since planning does without numba (3 s to load)."""

from __future__ import annotations

import numpy as np

from factory.concepts.graph.tables import I64, U32, U64
from factory.native import compiled


@compiled
def find_all(numbers: U64, begins: I64, shift: np.uint64, wanted: U64, found: U32) -> int:
    """Writes the position in the sorted `numbers` of each of `wanted`; how many were written before one that is not
    there. `begins` and `shift` are those of lookup.Buckets."""
    for place in range(len(wanted)):
        bucket = np.int64(wanted[place] >> shift)
        position, stop = begins[bucket], begins[bucket + 1]
        while position < stop and numbers[position] != wanted[place]:
            position += 1
        if position == stop:
            return place
        found[place] = position
    return len(wanted)
