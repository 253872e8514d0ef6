"""Taking rows out of mixes: a mix holds copies of published rows, and says of each which one it is.

Design: as with datasets. Rows read stay rows read: what was written or left out and is erased now is a reason of its
own, `erased`, in the counts of its part and in the table of rows left out, where it stands without a name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.shards import read_shard, rewrite_shard, write_attribution
from factory.govern.erasure.tables import empty_value, erased_rows
from factory.identity import sha256_hex
from factory.mix.manifest import LEFT, LEFT_OUT, Manifest, PartCount, Shard, licence_facts, shard_facts, totals_of
from factory.publish.manifest import ATTRIBUTION, erased_of, file_entry, splits_of
from factory.select.erased import REASON
from factory.store.base import Store

REPEATS = ("exact_duplicate", "near_duplicate")

BATCH = 8192
"""Rows left out that are looked at at a time: a mix may have left out many more than it holds."""


def edited_mix(
    draft: Store, prefix: str, manifest: Manifest, erasure: str, matcher: Matcher
) -> tuple[int, dict[str, int], Manifest | None]:
    """Rows taken out, those of each new shard, and the manifest without card and seal; None where there are none."""
    parts = {part["name"]: PartCount(**part) for part in manifest["parts"]}
    shards, lost, gone = _edit_shards(draft, prefix, manifest, erasure, matcher)
    left = _edit_left_out(draft, prefix, matcher, parts, gone)
    if left is None:
        return 0, {}, None
    rows = sum(table.num_rows for table in gone)
    for table in gone:
        for row in table.select(["part", "stratum", "tokens"]).to_pylist():
            parts[row["part"]] = _without(parts[row["part"]], str(row["stratum"]), int(row["tokens"]))
    totals = totals_of(shards)
    attribution = write_attribution(draft, prefix, manifest["name"], [shard.path for shard in shards])
    human = sum(part.written for part in parts.values() if part.role == "human")
    anchor = {**manifest["anchor"], "rows": human, "flagged": human < manifest["anchor"]["required"]}
    written = {*(shard["path"] for shard in manifest["shards"]), ATTRIBUTION, LEFT_OUT}
    return (
        rows,
        lost,
        {
            **{key: value for key, value in manifest.items() if key != "digest"},
            "license": licence_facts(totals["licenses"], totals["duties"], manifest["recipe"]["mix"]["license"]),
            "parts": [asdict(part) for part in parts.values()],
            "anchor": anchor,
            "splits": splits_of(shards),
            "totals": totals,
            "shards": [asdict(shard) for shard in shards],
            "files": [
                *map(file_entry, shards),
                attribution,
                left,
                *(entry for entry in manifest["files"] if entry["path"] not in written),
            ],
        },
    )


def _edit_shards(
    draft: Store, prefix: str, manifest: Manifest, erasure: str, matcher: Matcher
) -> tuple[list[Shard], dict[str, int], list[pa.Table]]:
    shards: list[Shard] = []
    lost: dict[str, int] = {}
    gone: list[pa.Table] = []
    for shard in manifest["shards"]:
        table = read_shard(draft, prefix, shard["path"])
        rows = erased_rows(table, matcher)
        if not rows.any():
            shards.append(Shard(**shard))
            continue
        gone.append(table.filter(pa.array(rows)).replace_schema_metadata(None))
        kept = table.filter(pa.array(~rows))
        made = rewrite_shard(draft, prefix, shard, kept, erasure)
        if made is not None:
            shards.append(Shard(**made, facts=shard_facts(kept)))
            lost[made["path"]] = int(rows.sum()) + erased_of(manifest, shard["path"])
    return shards, lost, gone


def _edit_left_out(
    draft: Store, prefix: str, matcher: Matcher, parts: dict[str, PartCount], gone: list[pa.Table]
) -> dict[str, Any] | None:
    """Rewrites the table of rows left out and the counts of `parts`; its entry in the manifest, None where neither it
    nor a shard has something erased."""
    file = pq.ParquetFile(pa.BufferReader(draft.get(f"{prefix}/{LEFT_OUT}")))
    sink = pa.BufferOutputStream()
    written, changed = 0, bool(gone)
    with pq.ParquetWriter(sink, LEFT, compression="zstd", version="2.6") as writer:
        for batch in file.iter_batches(BATCH):
            rows = batch.to_pylist()
            new = [_without_erased(row, matcher, parts) for row in rows]
            changed = changed or new != rows
            writer.write_table(pa.Table.from_pylist(new, schema=LEFT))
            written += len(new)
        for table in gone:
            new = [_nameless(row["part"], row["role"]) for row in table.select(["part", "role"]).to_pylist()]
            writer.write_table(pa.Table.from_pylist(new, schema=LEFT))
            written += len(new)
    if not changed:
        return None
    data = bytes(sink.getvalue())
    draft.put(f"{prefix}/{LEFT_OUT}", data)
    return {"path": LEFT_OUT, "bytes": len(data), "sha256": sha256_hex(data), "rows": written}


def _without_erased(row: dict[str, Any], matcher: Matcher, parts: dict[str, PartCount]) -> dict[str, Any]:
    """What stands in the place of a row that was left out; where it is erased, `parts` count it as such."""
    if row["source_id"] in matcher.ids or (row["evidence"] and matcher.named(row["evidence"])):
        part = parts[row["part"]]
        repeats, reasons = Counter(part.repeats), Counter(part.reasons)
        if row["reason"] in REPEATS:
            repeats[row["kept_part"]] -= 1
        reasons.subtract([row["reason"]])
        reasons.update([REASON])
        parts[row["part"]] = replace(part, reasons=dict(+reasons), repeats=dict(+repeats))
        return _nameless(row["part"], row["role"])
    return {**row, "kept_id": ""} if row["kept_id"] in matcher.ids else row


def _nameless(part: str, role: str) -> dict[str, Any]:
    return {**{field.name: empty_value(field.type) for field in LEFT}, "part": part, "role": role, "reason": REASON}


def _without(part: PartCount, stratum: str, tokens: int) -> PartCount:
    """The part with a written row less, which is erased now."""
    strata, reasons = Counter(part.strata), Counter(part.reasons)
    strata.subtract([stratum])
    reasons.update([REASON])
    return replace(
        part, written=part.written - 1, tokens=part.tokens - tokens, reasons=dict(reasons), strata=dict(+strata)
    )
