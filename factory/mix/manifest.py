"""The manifest of a mix: its parts, what became of every row, and the hash of every file.

Design: sealed like a published dataset's (factory/publish/manifest.py), of a kind of its own, because a mix rests on
files and not on the steps of a run. Counts by part and reason are equations that `factory verify` adds up again. What
differs between machines (paths, clocks, hosts) stays out; `created` comes from the claim on the version.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from factory.licences.expression import combine
from factory.licences.together import conflict
from factory.mix.config import MixConfig
from factory.publish.manifest import ShardFile, file_entry, splits_of
from factory.publish.samples import ATTRIBUTIONS, MESSAGES

KIND, MANIFEST_VERSION = "factory-mix", 2
LEFT_OUT = "left_out.parquet"
MIX_VERSION = 2
"""Raised when the same inputs and keys could give another mix; part of the version."""

CONFLICTS_NAMED = 20

LINEAGE = pa.struct(
    [
        ("part", pa.string()),
        ("role", pa.string()),
        ("dataset", pa.string()),  # published dataset and its version; null for other files
        ("version", pa.string()),
        ("sample_id", pa.string()),  # what the source calls the row; null where it has no name
        ("file", pa.string()),
        ("file_sha256", pa.string()),
        ("row", pa.int64()),
    ]
)

MIXED = pa.schema(
    [
        ("sample_id", pa.string()),
        ("messages", MESSAGES),
        ("question", pa.string()),  # what the user says, all turns
        ("answer", pa.string()),
        ("part", pa.string()),
        ("role", pa.string()),
        ("stratum", pa.string()),
        ("synthetic", pa.bool_()),
        ("digital_source_type", pa.string()),  # null for rows that are not synthetic
        ("tokens", pa.int32()),
        ("licenses", pa.list_(pa.string())),
        ("license", pa.string()),
        ("duties", pa.list_(pa.string())),
        ("attribution", ATTRIBUTIONS),
        ("lineage", LINEAGE),
    ]
)

LEFT = pa.schema(
    [
        ("part", pa.string()),
        ("role", pa.string()),
        ("file", pa.string()),
        ("file_sha256", pa.string()),
        ("row", pa.int64()),
        ("source_id", pa.string()),
        ("reason", pa.string()),  # contaminated | exact_duplicate | near_duplicate | no_question | no_answer | …
        ("kept_id", pa.string()),  # sample_id of the row that it repeats, null for other reasons
        ("kept_part", pa.string()),
        ("kept_drawn", pa.bool_()),  # whether that row is in the mix, or was only not drawn
        ("similarity", pa.float64()),
        ("evidence", pa.string()),
    ]
)

NOT_DRAWN = "not_drawn"
"""Usable rows that the shares had no room for: counted, not listed."""

Manifest = dict[str, Any]


@dataclass(frozen=True)
class PartCount:
    """What became of a part's rows. `read` = `written` + the sum of `reasons`, where rows not drawn are one reason;
    `repeats` counts its duplicates by the part of the row that stayed; `strata` its written rows by stratum."""

    name: str
    role: str
    asked: float | None
    got_rows: float
    got_tokens: float
    read: int
    written: int
    tokens: int
    reasons: Mapping[str, int]
    repeats: Mapping[str, int]
    strata: Mapping[str, int]

    @property
    def balanced(self) -> bool:
        return self.read == self.written + sum(self.reasons.values())


@dataclass(frozen=True)
class Shard(ShardFile):
    """A shard of a mix: `facts` are what its rows say (shard_facts)."""

    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Anchor:
    """Human rows, and how many were required; `flagged`: fewer, and the mix was made anyway."""

    rows: int
    required: int
    min_share: float
    min_rows: int

    @property
    def flagged(self) -> bool:
        return self.rows < self.required


def shard_facts(table: pa.Table) -> dict[str, Any]:
    """What a shard's rows say, by themselves; `table` has the columns of MIXED."""
    by_part = table.group_by(["part", "role"]).aggregate([("tokens", "sum"), ("sample_id", "count")])
    return {
        "parts": {
            row["part"]: {"role": row["role"], "rows": row["sample_id_count"], "tokens": row["tokens_sum"]}
            for row in sorted(by_part.to_pylist(), key=lambda row: str(row["part"]))
        },
        "strata": _pairs(table, "part", "stratum"),
        "licenses": _counts(table.column("license")),
        "duties": _counts(pc.list_flatten(table.column("duties"))),
    }


def _counts(column: Any) -> dict[str, int]:
    return dict(sorted((str(pair["values"]), pair["counts"]) for pair in pc.value_counts(column).to_pylist()))


def _pairs(table: pa.Table, one: str, other: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for row in table.group_by([one, other]).aggregate([([], "count_all")]).to_pylist():
        found.setdefault(row[one], {})[row[other]] = row["count_all"]
    return {name: dict(sorted(values.items())) for name, values in sorted(found.items())}


def totals_of(shards: Sequence[Shard]) -> dict[str, Any]:
    """Sums over shards: rows, tokens, licences, duties, and rows by part."""
    licenses, duties, parts, tokens = Counter[str](), Counter[str](), Counter[str](), 0
    for shard in shards:
        licenses.update(shard.facts["licenses"])
        duties.update(shard.facts["duties"])
        parts.update({name: part["rows"] for name, part in shard.facts["parts"].items()})
        tokens += sum(part["tokens"] for part in shard.facts["parts"].values())
    return {
        "rows": sum(shard.rows for shard in shards),
        "tokens": tokens,
        "parts": dict(sorted(parts.items())),
        "licenses": dict(sorted(licenses.items())),
        "duties": dict(sorted(duties.items())),
    }


def licence_facts(licenses: Mapping[str, int], duties: Mapping[str, int], stated: str | None) -> dict[str, Any]:
    """The licence of the whole. `conflicts` are pairs of rows' licences that no one work can be under: rows stay works
    of their own, and whoever melts them into one text has to know."""
    found = sorted(licenses)
    pairs = [[one, other] for place, one in enumerate(found) for other in found[place + 1 :] if conflict(one, other)]
    combined = combine(licenses)
    return {
        "dataset": stated or combined,
        "combined_sources": combined,
        "rows": dict(licenses),
        "duties": dict(duties),
        "conflicts": pairs[:CONFLICTS_NAMED],
    }


def build_manifest(
    config: MixConfig,
    version: str,
    created: str,
    inputs: Sequence[Mapping[str, Any]],
    benchmarks: Sequence[Mapping[str, Any]],
    parts: Sequence[PartCount],
    anchor: Anchor,
    shards: Sequence[Shard],
    files: Sequence[Mapping[str, Any]],
    software: Mapping[str, str],
    generators: Sequence[Mapping[str, Any]],
) -> Manifest:
    """The manifest without its digest. `files` are the entries of files that are not shards; `generators` the models
    behind the published inputs (parts.generators_of)."""
    totals = totals_of(shards)
    return {
        "kind": KIND,
        "manifest_version": MANIFEST_VERSION,
        "name": config.mix.name,
        "version": version,
        "created": created,
        "seed": config.seed,
        "unit": config.mix.unit,
        "tokenizer": config.tokenizer,
        "license": licence_facts(totals["licenses"], totals["duties"], config.mix.license),
        "parts": [asdict(part) for part in parts],
        "anchor": {**asdict(anchor), "flagged": anchor.flagged},
        "inputs": [dict(each) for each in inputs],
        "generators": [dict(each) for each in generators],
        "benchmarks": [dict(each) for each in benchmarks],
        "schema": {"columns": [{"name": column.name, "type": str(column.type)} for column in MIXED]},
        "splits": splits_of(shards),
        "totals": totals,
        "shards": [asdict(shard) for shard in shards],
        "recipe": config.recipe(),
        "software": dict(software),
        "files": sorted([*map(file_entry, shards), *map(dict, files)], key=lambda entry: str(entry["path"])),
    }
