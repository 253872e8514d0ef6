"""The `select` step: the only one that reads source files.

Design: a unit is one range of the corpus. Its rows stream, a batch at a time, through normalising, the filters
(filters.py; order.py says which) and chunking into parts of about one model unit each; text, span, origin and
what the filters found are committed, so lineage outlives the source. What is turned away (by a filter, or because
it could not be read) becomes a reject that names shard and row. Copies of a document are kept here, whichever
range they are in: only the global phases (select/merge.py, near.py) see them all. Parts beyond 256 MiB of text
go to a temporary file that Arrow maps, so memory is bounded even where one compressed file is one range.

Cost: the tokenizer's, nearly all of it: 1.0 to 1.3 MB/s a core with SmolLM2's on long documents, 7 to 10 MB/s
with `words`; reading alone runs at 200 to 400.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from factory.config import FactoryConfig
from factory.corpus.documents import (
    CHUNKER_VERSION,
    NORMALISER_VERSION,
    chunk,
    document_id,
    fits_without_counting,
)
from factory.corpus.ranges import SourceRange
from factory.corpus.readers import read_range
from factory.corpus.records import SourceRow
from factory.corpus.sources import list_sources, plan_ranges
from factory.engine.tokenizer import Tokenizer
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.select.config import SelectConfig
from factory.select.erased import REASON as ERASED
from factory.select.erased import DenyList
from factory.select.filters import Candidate, Filter, Verdict, judge
from factory.select.findings import count_findings
from factory.select.order import filters_of
from factory.select.parts import PartWriter
from factory.select.pii import Pii, pii_among
from factory.select.reading import batches, normalised
from factory.store.base import Store

STEP_VERSION = 6

EXCERPT_CHARACTERS = 2000
"""Of a rejected text, kept beside the reason: enough to judge the filter by. The whole is in the source."""


@dataclass(frozen=True)
class SelectStep:
    """`filters` in the order they are asked; the first that objects decides. `erased` are documents that were taken out
    of the root, whatever the filters say."""

    config: SelectConfig
    tokenizer: Tokenizer
    filters: tuple[Filter, ...]
    erased: DenyList | None = None

    name = "select"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        """Column mapping and defaults are not here: they are part of each range, and so of each unit's id."""
        config = self.config
        identity: dict[str, Any] = {
            "filters": [[each.name, each.identity()] for each in self.filters],
            "chunks": [config.chunk_tokens, config.unit_rows],
            "normaliser": NORMALISER_VERSION,
            "chunker": CHUNKER_VERSION,
        }
        longest = config.max_characters
        if longest is None or not fits_without_counting(longest, config.chunk_tokens):
            identity |= self.tokenizer.identity()
        if self.erased is not None:
            identity["erased"] = self.erased.identity()
        return identity

    def prepare(self, store: Store) -> None:
        """Puts what filters need (indexes, models) where workers find it; to be called on the driver before any
        unit is worked. Raises ConfigError."""
        for each in self.filters:
            each.prepare(store)

    def work(self, store: Store, unit: Unit) -> UnitResult:
        """Reads the range in `unit.parameters`. Raises CorpusError when a file is gone or has changed."""
        range_ = SourceRange.from_json(unit.parameters["range"])
        reader = read_range(range_)
        parts = PartWriter(self.config.unit_rows, self.config.chunk_tokens)
        rejects: list[Reject] = []
        used = 0
        found: Counter[str] = Counter()
        judges = [each.open(store) for each in self.filters]
        pii = pii_among(self.filters)
        for batch in batches(normalised(reader, rejects, pii)):
            documents = [Candidate(text, item.source, item.license, item.url) for text, item in batch]
            for document, (came, item), verdict in zip(documents, batch, judge(judges, documents), strict=True):
                if self.erased is not None and (entry := self.erased.found(*_ids(came, document.text))) is not None:
                    rejects.append(_left_out(item, entry))
                    if verdict is None:
                        parts.leave_out(chunk(document.text, self.config.chunk_tokens, self.tokenizer.count))
                    continue
                if verdict is not None:
                    rejects.append(_rejected(item, document, verdict, pii))
                    continue
                text = document.text
                spans = chunk(text, self.config.chunk_tokens, self.tokenizer.count)
                parts.add(document_id(text), text, spans, item, document.findings)
                count_findings(found, document.findings, document.license)
                used += 1
        summary = reader.summary
        return UnitResult(
            inputs=summary.rows + summary.damages,
            used=used,
            tables=parts.finish(),
            id_column="chunk_id",
            rejects=tuple(sorted(rejects, key=lambda reject: cast(int, reject.evidence["row"]))),
            ledger={"source_bytes": summary.bytes, "characters": parts.characters},
            facts={
                "range": range_.name,
                "sha256": summary.sha256,
                "hashed": summary.hashed,
                "bytes": summary.bytes,
                "documents": used,
                **found,
            },
        )


def select_step(config: FactoryConfig, tokenizer: Tokenizer, erased: DenyList | None = None) -> SelectStep:
    """Raises ConfigError where a filter's model or benchmark files are missing or not what they must be."""
    return SelectStep(config.select, tokenizer, filters_of(config), erased)


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


def _ids(*texts: str) -> set[str]:
    return {document_id(text) for text in texts}


def _left_out(row: SourceRow, entry: str) -> Reject:
    """An erased document: named by its entry in the list, never by its id or text."""
    return Reject(entry, ERASED, evidence={"shard": row.shard, "row": row.shard_row})


def _rejected(row: SourceRow, document: Candidate, verdict: Verdict, pii: Pii | None) -> Reject:
    """Filters before `pii` saw the text as it was; what is kept of it is masked all the same."""
    stated = verdict.evidence if pii is None else pii.masked_evidence(verdict.evidence)
    evidence = {**stated, "shard": row.shard, "row": row.shard_row}
    excerpt = document.text if document.excerpt is None else document.excerpt
    if pii is not None and document.excerpt is None:
        excerpt = pii.masked_excerpt(document.text, EXCERPT_CHARACTERS)
    return Reject(
        document_id(document.text),
        verdict.reason,
        side=verdict.side,
        evidence=evidence,
        text=excerpt[:EXCERPT_CHARACTERS],
    )
