"""The rows of a source range as normalised texts, in batches that filters judge together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from factory.corpus.documents import normalise
from factory.corpus.readers import RangeReader
from factory.corpus.records import SourceDamage, SourceRow
from factory.identity import make_id
from factory.run.reject import Reject

BATCH_DOCUMENTS = 256
"""Documents the filters judge together: models and vectorised checks no longer gain beyond it."""

BATCH_CHARACTERS = 4 << 20
"""Of text held for one batch, unless a single document is longer."""


def normalised(reader: RangeReader, rejects: list[Reject]) -> Iterator[tuple[str, SourceRow]]:
    """Every readable row with its normalised text; what cannot be read goes to `rejects`."""
    for item in reader:
        if isinstance(item, SourceDamage):
            evidence = {**item.evidence, "shard": item.shard, "row": item.row}
            rejects.append(Reject(make_id("source-row", item.shard, item.row), item.reason, evidence=evidence))
        else:
            yield normalise(item.text), item


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
