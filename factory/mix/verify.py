"""Verifying a mix: bytes, schema, order, counts by part and reason, human anchor, licences, card and attribution.

Design: as with a published dataset (factory/publish/verify.py) the manifest proves itself and everything else by hash,
and each shard is decoded once and held against what manifest and card say. A mix rests on files: every row has to name
one of the inputs, no row twice, and the published datasets among the inputs are looked up below the same root, where
they lie there. Cost: one read of every byte, one shard in memory at a time; the order
of rows is total, so a row that is there twice follows itself.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.errors import FactoryError
from factory.govern.erasure.records import records
from factory.identity import make_id, sha256_hex
from factory.licences.duties import combined_duties
from factory.licences.expression import combine
from factory.mix.card import render_card
from factory.mix.manifest import (
    KIND,
    LEFT,
    LEFT_OUT,
    MANIFEST_VERSION,
    MIXED,
    NOT_DRAWN,
    Manifest,
    PartCount,
    Shard,
    licence_facts,
    shard_facts,
    totals_of,
)
from factory.mix.parts import dataset_generators
from factory.mix.write import said_by, shard_metadata
from factory.publish.attribution import attribution_bytes
from factory.publish.checks import Check, Faults
from factory.publish.finalise import uncompressed_bytes
from factory.publish.manifest import ATTRIBUTION, CARD, MANIFEST, file_entry, splits_of, unseal
from factory.publish.places import dataset_prefix
from factory.publish.samples import DIGITAL_SOURCE_TYPE, sort_key
from factory.publish.verify import Verified, check_files, decoded_shards, every_file, read_checked, verified
from factory.store.base import Store


def verify_mix(store: Store) -> Verified:
    """Checks the mix that is the root of `store`. Never raises on bad data, only on a store that fails."""
    return verified(store, "", KIND, MANIFEST_VERSION, lambda manifest: _check_all(store, manifest))


def _check_all(store: Store, manifest: Manifest) -> Iterator[Check]:
    listed = {entry["path"]: entry for entry in manifest["files"]}
    yield check_files({*listed, MANIFEST}, set(every_file(store, "")))
    hashes, rows = Faults("hashes"), Faults("rows")
    attribution = hashlib.sha256()
    for piece in attribution_bytes(_shards(store, manifest, listed, hashes, rows), manifest["name"]):
        attribution.update(piece)
    left = _left_out(read_checked(store, "", LEFT_OUT, listed, hashes))
    for path in (CARD, ATTRIBUTION):
        read_checked(store, "", path, listed, hashes)
    yield hashes.check(f"{len(listed)} files have the bytes the manifest names")
    yield rows.check(f"{manifest['totals']['rows']} rows: schema, ids, order, roles, licences and lineage agree")
    yield _check_counts(manifest, left)
    yield _check_totals(manifest, listed)
    texts = Faults("card")
    card = sha256_hex(render_card(manifest).encode())
    texts.expect(listed.get(CARD, {}).get("sha256") == card, f"{CARD} is not the manifest's card")
    stated = listed.get(ATTRIBUTION, {}).get("sha256")
    texts.expect(stated == attribution.hexdigest(), f"{ATTRIBUTION} does not list exactly the rows' sources")
    yield texts.check(f"{CARD} follows from the manifest, {ATTRIBUTION} from the rows")


def _shards(
    store: Store, manifest: Manifest, listed: Mapping[str, Mapping[str, Any]], hashes: Faults, rows: Faults
) -> Iterator[pa.Table]:
    """Reads each shard once, records its faults, and passes its table on."""
    inputs = {(each["part"], each["sha256"]): each for each in manifest["inputs"]}
    metadata = shard_metadata(manifest["name"], manifest["version"], manifest["tokenizer"])
    last = (-1, "")
    for shard, file, table in decoded_shards(store, "", manifest, listed, hashes, rows):
        if not table.schema.equals(MIXED):
            rows.add(f"{shard['path']}: its columns are not those of a mix")
            continue
        found = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        wrong = [key for key, value in metadata.items() if found.get(key) != value]
        rows.extend(f"{shard['path']}: its metadata say another {key}" for key in wrong)
        rows.expect(table.num_rows == shard["rows"], f"{shard['path']} has {table.num_rows} rows, not {shard['rows']}")
        size = uncompressed_bytes(file.metadata)
        rows.expect(size == shard["num_bytes"], f"{shard['path']}: its uncompressed size is not what the manifest says")
        facts = shard_facts(table)
        rows.expect(facts == shard["facts"], f"{shard['path']}: its parts, licences or duties are not those listed")
        rows.extend(f"{shard['path']}: {fault}" for fault in _row_faults(table, inputs))
        ids = table.column("sample_id").to_pylist()
        for one in ids:
            place = (sort_key(manifest["seed"], one), one)
            if place <= last:
                rows.add(f"{shard['path']}: row {one} is {'there twice' if place == last else 'out of order'}")
            last = place
        yield table


def _row_faults(table: pa.Table, inputs: Mapping[tuple[str, str], Mapping[str, Any]]) -> Iterator[str]:
    licenses: list[list[str]] = table.column("licenses").to_pylist()
    duties: list[list[str]] = table.column("duties").to_pylist()
    attribution = table.column("attribution").to_pylist()
    for row, (one, lineage) in enumerate(
        zip(table.column("sample_id").to_pylist(), table.column("lineage").to_pylist(), strict=True)
    ):
        source = inputs.get((lineage["part"], lineage["file_sha256"]))
        if source is None:
            yield f"row {one} names no file of the mix"
            continue
        if make_id("mix-row", lineage["part"], lineage["file_sha256"], lineage["row"]) != one:
            yield f"row {one} does not follow from its lineage"
        told = (lineage["role"], lineage["dataset"], lineage["version"], lineage["file"])
        if told != (source["role"], source["dataset"], source["version"], source["name"]):
            yield f"row {one}: its lineage says other things of its file than the manifest"
        if not set(combined_duties(licenses[row])) <= set(duties[row]):
            yield f"row {one}: its licences bring duties that it does not carry"
        if sorted({place["license"] for place in attribution[row]}) != sorted(set(licenses[row])):
            yield f"row {one}: its licences are not those of its attribution"
    if [combine(stated) for stated in licenses] != table.column("license").to_pylist():
        yield "a row's licence is not its licences combined"
    roles = table.column("role")
    if roles.to_pylist() != [lineage["role"] for lineage in table.column("lineage").to_pylist()]:
        yield "a row's role is not that of its lineage"
    synthetic = pc.equal(roles, "synthetic")
    if not pc.all(pc.equal(table.column("synthetic"), synthetic)).as_py():
        yield "a row is not marked as what its role says"
    marked = pc.fill_null(pc.equal(table.column("digital_source_type"), DIGITAL_SOURCE_TYPE), False)
    if not pc.all(pc.equal(marked, synthetic)).as_py():
        yield "a synthetic row lacks its digital source type, or another one has it"
    chats = table.column("messages").to_pylist()
    for role, column in (("user", "question"), ("assistant", "answer")):
        if [said_by(chat, role) for chat in chats] != table.column(column).to_pylist():
            yield f"a row's {column} is not what its messages say"


def _left_out(data: bytes | None) -> dict[str, Counter[str]] | None:
    """Reasons by part, as the table of rows left out counts them; None where it cannot be read."""
    if data is None:
        return None
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        return None
    if not table.schema.remove_metadata().equals(LEFT):
        return None
    found: dict[str, Counter[str]] = {}
    for row in table.group_by(["part", "reason"]).aggregate([([], "count_all")]).to_pylist():
        found.setdefault(row["part"], Counter())[row["reason"]] = row["count_all"]
    return found


def _check_counts(manifest: Manifest, left: Mapping[str, Counter[str]] | None) -> Check:
    """Conservation: rows read are rows written and rows left out, by part and reason, and the tables agree."""
    faults = Faults("conservation")
    faults.expect(left is not None, f"{LEFT_OUT} cannot be read")
    shards = [Shard(**shard) for shard in manifest["shards"]]
    written = totals_of(shards)["parts"]
    human = 0
    for given in manifest["parts"]:
        part = PartCount(**given)
        faults.expect(part.balanced, f"part {part.name}: rows read are not rows written and left out")
        faults.expect(written.get(part.name, 0) == part.written, f"part {part.name}: the shards hold other rows of it")
        listed = {reason: number for reason, number in part.reasons.items() if reason != NOT_DRAWN}
        if left is not None:
            faults.expect(dict(left.get(part.name, {})) == listed, f"part {part.name}: {LEFT_OUT} counts other reasons")
        repeats = sum(part.reasons.get(reason, 0) for reason in ("exact_duplicate", "near_duplicate"))
        faults.expect(sum(part.repeats.values()) == repeats, f"part {part.name}: its repeats do not add up")
        strata = Counter[str]()
        for shard in shards:
            strata.update(shard.facts["strata"].get(part.name, {}))
        faults.expect(dict(strata) == dict(part.strata), f"part {part.name}: its strata do not add up")
        human += part.written if part.role == "human" else 0
    anchor = manifest["anchor"]
    faults.expect(anchor["rows"] == human, "the human anchor counts other rows")
    faults.expect(anchor["flagged"] == (anchor["rows"] < anchor["required"]), "the anchor's flag is wrong")
    read = sum(part["read"] for part in manifest["parts"])
    return faults.check(f"{read} rows read are those written and those left out, by part and reason")


def _check_totals(manifest: Manifest, listed: Mapping[str, Mapping[str, Any]]) -> Check:
    faults = Faults("totals")
    shards = [Shard(**shard) for shard in manifest["shards"]]
    totals = totals_of(shards)
    faults.expect(manifest["totals"] == totals, "totals do not add up from the shards")
    faults.expect(manifest["splits"] == splits_of(shards), "splits do not add up from the shards")
    licence = licence_facts(totals["licenses"], totals["duties"], manifest["recipe"]["mix"]["license"])
    faults.expect(manifest["license"] == licence, "licence and duties are not those of the rows")
    for shard in shards:
        faults.expect(listed.get(shard.path) == file_entry(shard), f"{shard.path} is listed twice, differently")
    return faults.check("splits, licences and totals add up")


def verify_inputs(root: Store, manifest: Manifest) -> Check:
    """The published datasets that the mix was made of, below the same root: their shards by hash."""
    faults = Faults("inputs")
    held = away = lost = 0
    erased = {(change.key, change.sha256) for record in records(root) for change in record.changes if change.removed}
    for each in manifest["inputs"]:
        if not each["dataset"]:
            away += 1
            continue
        key = f"{dataset_prefix(each['dataset'], each['version'])}/{each['name']}"
        if (key, each["sha256"]) in erased:
            lost += 1
            continue
        try:
            data = root.get(key)
        except KeyError:
            away += 1
            continue
        held += 1
        if sha256_hex(data) != each["sha256"]:
            faults.add(f"{each['name']} of {each['dataset']} {each['version']} is not what the mix was made of")
    for name, version in sorted({(each["dataset"], each["version"]) for each in manifest["inputs"] if each["dataset"]}):
        try:
            source = unseal(root.get(f"{dataset_prefix(name, version)}/{MANIFEST}"), f"{name} {version}")
        except (KeyError, FactoryError):
            continue  # away, or told above by its shards
        told = [each for each in manifest["generators"] if (each["dataset"], each["version"]) == (name, version)]
        models = [{key: each[key] for key in each if key not in ("part", "dataset", "version")} for each in told]
        known = dataset_generators(source)
        faults.expect(
            bool(told) == bool(known) and all(one in known for one in models) and all(one in models for one in known),
            f"the models behind {name} {version} are not those that it names",
        )
    elsewhere = f"; {away} lie elsewhere and are named by their hash" if away else ""
    elsewhere += f"; {lost} were replaced when rows of them were erased, as erasure records say" if lost else ""
    return faults.check(f"{held} of {len(manifest['inputs'])} input files lie below this root, unchanged{elsewhere}")
