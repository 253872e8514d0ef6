"""The order in which documents are sampled, and in which one of two duplicate questions is kept.

Design: blocks of `BLOCK_ROWS` neighbouring rows of a committed select file are ordered by a hash of where
they lie; in a block, rows keep their order. `limit=N` takes the first N documents of that order, and a
larger sample contains a smaller one. Curation keeps, of two questions, the one whose source comes first in
the same order, so what a small run kept a larger run over the same files keeps too, and its answers are
reused. Blocks and not single rows: a sample drawn row by row left units of 2 rows each, which starve an
engine (54 units for 110 documents, measured in the demo).
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

BLOCK_ROWS = 16
"""Rows a block: a sample of 110 documents comes from 7 places, and its units are still worth an engine's batch."""


def sample_key(file: str, row: int) -> int:
    """64 bits: place of row `row` of the select file named `file` (a lineage name) in the sampling order."""
    return _block_key(file, row // BLOCK_ROWS) * BLOCK_ROWS + row % BLOCK_ROWS


def sample_keys(files: pa.Array, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """uint64[N]: `sample_key` of rows[i] of the file named files[i]. Hashes each block met once."""
    names = files.dictionary_encode()
    blocks = rows // BLOCK_ROWS
    many = int(blocks.max(initial=0)) + 1
    met, of = np.unique(names.indices.to_numpy().astype(np.int64) * many + blocks, return_inverse=True)
    called = names.dictionary.to_pylist()
    keys = np.array([_block_key(called[each // many], each % many) for each in met.tolist()], np.uint64)
    found: npt.NDArray[np.uint64] = keys[of] * np.uint64(BLOCK_ROWS) + (rows % BLOCK_ROWS).astype(np.uint64)
    return found


@lru_cache(maxsize=65536)
def _block_key(file: str, block: int) -> int:
    digest = hashlib.sha256(f"{file}\0{block}".encode()).digest()
    return int.from_bytes(digest[:8]) // BLOCK_ROWS
