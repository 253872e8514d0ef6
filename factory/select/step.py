"""The `select` step: the only one that reads source files.

Design: a unit is one range of the corpus. Its rows stream through normalising, filters and chunking into parts
of about one model unit each; text, span and origin are committed, so lineage outlives the source. What is
turned away (by a filter, or because it could not be read) becomes a reject that names shard and row. Copies of
a document are kept here, whichever range they are in: only `merge` sees them all. Parts beyond 256 MiB of text
go to a temporary file that Arrow maps, so memory is bounded even where one compressed file is one range.

Cost: the tokenizer's, nearly all of it: 1.0 to 1.3 MB/s a core with SmolLM2's on long documents, 7 to 10 MB/s
with `words`; reading alone runs at 200 to 400.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from factory.config import FactoryConfig, SelectConfig
from factory.corpus.documents import (
    CHUNKER_VERSION,
    NORMALISER_VERSION,
    chunk,
    document_id,
    fits_without_counting,
    normalise,
)
from factory.corpus.ranges import SourceRange
from factory.corpus.readers import RangeReader, read_range
from factory.corpus.records import SourceDamage, SourceRow
from factory.corpus.sources import list_sources, plan_ranges
from factory.engine.tokenizer import Tokenizer
from factory.identity import make_id
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.select.filters import Filter, Length, Verdict, judge
from factory.select.parts import PartWriter
from factory.store.base import Store

STEP_VERSION = 1

EXCERPT_CHARACTERS = 2000
"""Of a rejected text, kept beside the reason: enough to judge the filter by. The whole is in the source."""


@dataclass(frozen=True)
class SelectStep:
    config: SelectConfig
    tokenizer: Tokenizer

    name = "select"
    version = STEP_VERSION

    @property
    def filters(self) -> tuple[Filter, ...]:
        """In the order they are asked; the first that objects decides."""
        return (Length(self.config.min_characters, self.config.max_characters),)

    def identity(self) -> dict[str, Any]:
        """Column mapping and defaults are not here: they are part of each range, and so of each unit's id."""
        config = self.config
        identity: dict[str, Any] = {
            "config": config.model_dump(mode="json"),
            "normaliser": NORMALISER_VERSION,
            "chunker": CHUNKER_VERSION,
        }
        longest = config.max_characters
        if longest is None or not fits_without_counting(longest, config.chunk_tokens):
            identity |= self.tokenizer.identity()
        return identity

    def work(self, store: Store, unit: Unit) -> UnitResult:
        """Reads the range in `unit.parameters`. Raises CorpusError when a file is gone or has changed."""
        range_ = SourceRange.from_json(unit.parameters["range"])
        reader = read_range(range_)
        parts = PartWriter(self.config.unit_rows, self.config.chunk_tokens)
        rejects: list[Reject] = []
        used = 0
        filters = self.filters
        for text, item in _normalised(reader, rejects):
            verdict = judge(filters, text)
            if verdict is not None:
                rejects.append(_rejected(item, text, verdict))
                continue
            spans = chunk(text, self.config.chunk_tokens, self.tokenizer.count)
            parts.add(document_id(text), text, spans, item)
            used += 1
        summary = reader.summary
        return UnitResult(
            inputs=summary.rows + summary.damages,
            used=used,
            tables=parts.finish(),
            id_column="chunk_id",
            rejects=tuple(rejects),
            ledger={"source_bytes": summary.bytes, "characters": parts.characters},
            facts={
                "range": range_.name,
                "sha256": summary.sha256,
                "hashed": summary.hashed,
                "bytes": summary.bytes,
                "documents": used,
            },
        )


def select_step(config: FactoryConfig, tokenizer: Tokenizer) -> SelectStep:
    return SelectStep(config.select, tokenizer)


def plan_select(config: FactoryConfig, tokenizer: Tokenizer) -> list[Unit]:
    """One unit a source range, in an order of which every prefix is a fair sample.

    Raises CorpusError for a corpus that cannot be read as configured, ConfigError for a tokenizer that is not
    there: both are found here, before anything starts.
    """
    tokenizer.count(["checked before anything starts"])
    ranges = plan_ranges(list_sources(config.corpus), config.corpus)
    return [Unit(range_.range_id, parameters={"range": range_.to_json()}) for range_ in ranges]


def source_bytes(unit: Unit) -> int:
    """About how many bytes of text a unit of `select` reads, decompressed."""
    return SourceRange.from_json(unit.parameters["range"]).text_bytes


def _normalised(reader: RangeReader, rejects: list[Reject]) -> Iterator[tuple[str, SourceRow]]:
    for item in reader:
        if isinstance(item, SourceDamage):
            evidence = {**item.evidence, "shard": item.shard, "row": item.row}
            rejects.append(Reject(make_id("source-row", item.shard, item.row), item.reason, evidence=evidence))
        else:
            yield normalise(item.text), item


def _rejected(row: SourceRow, text: str, verdict: Verdict) -> Reject:
    evidence = {**verdict.evidence, "shard": row.shard, "row": row.shard_row}
    return Reject(document_id(text), verdict.reason, evidence=evidence, text=text[:EXCERPT_CHARACTERS])
