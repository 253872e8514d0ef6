"""Taking rows out of published datasets: new shards, a new manifest that says so, a tombstone beside the dataset.

Design: a published version never changes but by erasure. Its shards with erased rows are replaced under other names;
card and attribution follow from the rows that stay, as `verify` demands; the manifest is sealed anew and carries
`erased`: how many rows, by which erasure, and the digest it had before. So whoever pinned the old digest learns what
became of it, and every equation holds with erased rows as a figure of their own. Gates and steps stay as they were:
they tell of the dataset as it was published. The tombstone (`records/<version>/erasures/`) says the same to whoever
has only that folder.
"""

from __future__ import annotations

from dataclasses import asdict

import pyarrow as pa

from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.mixes import edited_mix
from factory.govern.erasure.records import ErasedDataset
from factory.govern.erasure.shards import read_shard, rewrite_shard, write_attribution
from factory.govern.erasure.tables import erased_rows, without_cells
from factory.govern.state import datasets_below
from factory.identity import canonical_json, sha256_hex
from factory.licences.expression import combine
from factory.mix.card import render_card as render_mix_card
from factory.mix.manifest import KIND as MIX
from factory.mix.manifest import MANIFEST_VERSION as MIX_VERSION
from factory.publish.card import render_card
from factory.publish.manifest import (
    ATTRIBUTION,
    CARD,
    MANIFEST,
    Manifest,
    Shard,
    erased_of,
    file_entry,
    kind_of,
    seal,
    shard_lineage,
    splits_of,
    totals_of,
    unseal,
)
from factory.publish.places import dataset_prefix, records_prefix
from factory.publish.sources import SourceCounts
from factory.store.base import Store


def edit_datasets(draft: Store, erasure: str, at: str, matcher: Matcher) -> list[ErasedDataset]:
    """Takes the rows out of every version that has some."""
    found = []
    for name, version in datasets_below(draft):
        prefix = dataset_prefix(name, version)
        where, data = f"{draft.uri}/{prefix}/{MANIFEST}", draft.get(f"{prefix}/{MANIFEST}")
        mix = kind_of(data) == MIX
        edit = edited_mix if mix else _edited
        manifest = unseal(data, where, MIX, MIX_VERSION) if mix else unseal(data, where)
        rows, shards, new = edit(draft, prefix, manifest, erasure, matcher)
        if new is None:
            continue
        before = str(manifest["digest"])
        note = {"erasure": erasure, "at": at, "rows": rows, "shards": shards, "manifest_before": before}
        body = {**new, "erased": [*manifest.get("erased", ()), note]}
        sealed = _sealed(draft, prefix, body)
        draft.put(f"{prefix}/{MANIFEST}", sealed)
        digest = str(unseal(sealed, prefix, body["kind"], body["manifest_version"])["digest"])
        tombstone = {**note, "manifest_now": digest, "dataset": body["name"], "version": body["version"]}
        draft.put(f"{records_prefix(name, version)}/erasures/{erasure}.json", canonical_json(tombstone))
        found.append(ErasedDataset(prefix, rows, before, digest))
    return found


def _sealed(draft: Store, prefix: str, body: Manifest) -> bytes:
    """The manifest's bytes, with the card that follows from it."""
    render = render_mix_card if body["kind"] == MIX else render_card
    others = [entry for entry in body["files"] if entry["path"] != CARD]
    card = render({**body, "files": others}).encode()
    draft.put(f"{prefix}/{CARD}", card)
    entry = {"path": CARD, "bytes": len(card), "sha256": sha256_hex(card), "rows": None}
    return seal({**body, "files": sorted([*others, entry], key=lambda each: str(each["path"]))})


def _edited(
    draft: Store, prefix: str, manifest: Manifest, erasure: str, matcher: Matcher
) -> tuple[int, dict[str, int], Manifest | None]:
    rows = 0
    lost: dict[str, int] = {}
    shards: list[Shard] = []
    for shard in manifest["shards"]:
        table = read_shard(draft, prefix, shard["path"])
        gone = erased_rows(table, matcher)
        kept, _ = without_cells(table.filter(pa.array(~gone)), matcher.cell)
        if not gone.any() and kept.equals(table):
            shards.append(Shard(**shard))
            continue
        number = int(gone.sum())
        rows += number
        made = rewrite_shard(draft, prefix, shard, kept, erasure)
        if made is not None:
            source, content = shard["source"], shard["content_sha256"]
            shards.append(Shard(**made, source=source, content_sha256=content, lineage=shard_lineage(kept)))
            lost[made["path"]] = number + erased_of(manifest, shard["path"])
    told = matcher.value({key: value for key, value in manifest.items() if key not in ("digest", "gates")})
    gates = [{**gate, "evidence": [*map(matcher.line, gate["evidence"])]} for gate in manifest["gates"]]
    if not rows and {**told, "digest": manifest["digest"], "gates": gates} == manifest:
        return 0, {}, None
    totals = totals_of(shards)
    combined = combine(totals["licenses"])
    rule = dict(manifest["split_rule"])
    empty = [name for name in ("validation", "test") if rule[name] and not any(each.split == name for each in shards)]
    rule.pop("empty", None)
    sources = SourceCounts()
    attribution = write_attribution(draft, prefix, manifest["name"], [shard.path for shard in shards], sources)
    written = {*(shard["path"] for shard in manifest["shards"]), ATTRIBUTION}
    left = [entry for entry in manifest["files"] if entry["path"] not in written]
    return (
        rows,
        lost,
        {
            **told,
            "license": {
                **manifest["license"],
                "combined_sources": combined,
                "rows": totals["licenses"],
                "duties": totals["duties"],
            },
            "split_rule": {**rule, **({"empty": empty} if empty else {})},
            "splits": splits_of(shards),
            "totals": totals,
            "sources": sources.to_json(),
            "shards": [asdict(shard) for shard in shards],
            "gates": gates,
            "files": [*map(file_entry, shards), attribution, *left],
        },
    )
