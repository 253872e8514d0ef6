"""The texts that ratings files bring themselves, put into the store as the filters leave them.

Design: ratings are found by the id of the text as it came, so masking costs no match; what is stored is the text
that `select.pii` leaves, as it is of the corpus. A text that is turned away is stored nowhere, and its ratings are
counted under the reason.
Cost: the masking, on the driver: 0.1 to 0.4 ms a text.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from factory.corpus.documents import document_id
from factory.identity import sha256_hex
from factory.select.pii import Pii
from factory.select.training.ratings import Given
from factory.select.training.sample import GIVEN_TEXT
from factory.store.base import Store
from factory.store.parquet import to_parquet


def put_texts(store: Store, rows: Sequence[Given], pii: Pii | None) -> tuple[str, str, dict[str, str]]:
    """Key and digest of the texts of `rows`, empty where none is left; and name -> reason of those turned away."""
    kept: list[tuple[str, str, str]] = []
    left_out: dict[str, str] = {}
    for text, entry in sorted({(row.text, row.entry) for row in rows if row.text is not None}):
        treated, verdict = (text, None) if pii is None else pii.treated(text)
        if verdict is None:
            kept.append((treated, entry, document_id(text)))
        else:
            left_out[document_id(text)] = verdict.reason
    if not kept:
        return "", "", left_out
    table = pa.Table.from_pylist([dict(zip(GIVEN_TEXT.names, each, strict=True)) for each in kept], schema=GIVEN_TEXT)
    data = to_parquet(table, {"kind": "rated texts"})
    digest = sha256_hex(data)
    store.put(f"training/texts/{digest}.parquet", data)
    return f"training/texts/{digest}.parquet", digest, left_out
