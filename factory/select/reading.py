"""The rows of a source range as normalised texts, in batches that filters judge together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from factory.corpus.documents import normalise
from factory.corpus.readers import RangeReader
from factory.corpus.records import EXCERPT_BYTES, SourceDamage, SourceRow
from factory.identity import make_id
from factory.run.reject import Reject
from factory.select.pii import Pii

BATCH_DOCUMENTS = 256
"""Documents the filters judge together: models and vectorised checks no longer gain beyond it."""

BATCH_CHARACTERS = 4 << 20
"""Of text held for one batch, unless a single document is longer."""


_LAST_WORD = re.compile(r"\S{0,320}[@\d]\S{0,320}\Z")
"""320 characters are the longest e-mail address (RFC 5321, section 4.5.3.1)."""


def normalised(reader: RangeReader, rejects: list[Reject], pii: Pii | None = None) -> Iterator[tuple[str, SourceRow]]:
    """Every readable row with its normalised text; what cannot be read goes to `rejects`, its evidence masked
    where `pii` is given."""
    for item in reader:
        if isinstance(item, SourceDamage):
            stated = item.evidence if pii is None else _masked(item.evidence, pii)
            evidence = {**stated, "shard": item.shard, "row": item.row}
            rejects.append(Reject(make_id("source-row", item.shard, item.row), item.reason, evidence=evidence))
        else:
            yield normalise(item.text), item


def _masked(evidence: Mapping[str, Any], pii: Pii) -> dict[str, Any]:
    """A value that the end of an excerpt cut is no longer seen as one: such an end is left out."""
    cut = {
        key: _LAST_WORD.sub("…", value)
        for key, value in evidence.items()
        if isinstance(value, str) and len(value.encode("utf-8", "replace")) >= EXCERPT_BYTES
    }
    return pii.masked_evidence({**evidence, **cut})


def batches(rows: Iterable[tuple[str, SourceRow]]) -> Iterator[list[tuple[str, SourceRow]]]:
    batch: list[tuple[str, SourceRow]] = []
    characters = 0
    for text, item in rows:
        if batch and (len(batch) == BATCH_DOCUMENTS or characters + len(text) > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append((text, item))
        characters += len(text)
    if batch:
        yield batch
