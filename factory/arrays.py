"""An .npz archive as arrays, with one kind of error for bytes that are none.

Design: numpy and zipfile raise a dozen kinds of errors for an archive that is damaged or forged: a header that claims
more than memory has is a MemoryError, an entry that says it is encrypted a RuntimeError. No pickle is ever opened.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

_RAISED = (
    ValueError, LookupError, OSError, EOFError, TypeError, AttributeError, OverflowError, MemoryError, SyntaxError,
    RuntimeError, struct.error, zlib.error, zipfile.BadZipFile,
)  # fmt: skip


def arrays_in(data: bytes) -> dict[str, Any]:
    """Name -> array. Raises ValueError saying what is wrong with the archive."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except _RAISED as error:
        raise ValueError(f"it is no archive of arrays ({type(error).__name__}: {error})") from None
    # An entry that does not begin as an array does is handed out as bytes.
    if strange := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise ValueError(f"it is no archive of arrays ({strange[0]} is none)")
    return arrays
