"""Verifying a dataset by itself: bytes, counts, schema, order, splits, card and attribution, anywhere it lies.

Design: the manifest proves itself by its digest and everything else by its hashes; then each shard is
decoded once and its rows are held against what the manifest and the card say of them. Splits need no set
of documents: every row must lie in the split that the rule gives each of its documents. Cost: one read of
every byte, one shard in memory at a time, 70,000 short rows a second and core.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from factory.errors import FactoryError, TransientStoreError
from factory.identity import make_id, sha256_hex
from factory.licences.duties import combined_duties
from factory.licences.expression import combine
from factory.publish.attribution import attribution_bytes
from factory.publish.card import render_card
from factory.publish.checks import Check, Faults
from factory.publish.finalise import uncompressed_bytes
from factory.publish.manifest import (
    ATTRIBUTION,
    CARD,
    CROISSANT,
    KIND,
    MANIFEST,
    MANIFEST_VERSION,
    Manifest,
    Shard,
    accepted_samples,
    erased_of,
    file_entry,
    published_schema,
    shard_lineage,
    splits_of,
    totals_of,
    unseal,
)
from factory.publish.samples import DIGITAL_SOURCE_TYPE, sort_key, split_of
from factory.publish.sources import SourceCounts
from factory.publish.wording import PROMPTS
from factory.publish.wording import faults as wording_faults
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.local_files import LOCK
from factory.tasks.chat import is_chat_of


@dataclass(frozen=True)
class Verified:
    """Outcome of `verify_bytes`; `manifest` is None where it could not be trusted at all."""

    manifest: Manifest | None
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)


def verify_bytes(store: Store, prefix: str = "") -> Verified:
    """Checks the dataset under `prefix` without its root. Never raises on bad data, only on a store that fails."""
    return verified(store, prefix, KIND, MANIFEST_VERSION, lambda manifest: _check_all(store, prefix, manifest))


def verified(
    store: Store, prefix: str, kind: str, version: int, checks_of: Callable[[Manifest], Iterable[Check]]
) -> Verified:
    """Checks the manifest under `prefix`, of a dataset or a mix, and then all that it speaks of by `checks_of`."""
    where = f"{prefix}/{MANIFEST}" if prefix else MANIFEST
    try:
        manifest = unseal(store.get(where), where, kind, version)
    except KeyError:
        return Verified(None, (Check("manifest", False, f"there is no {MANIFEST} in {store.uri}/{prefix}"),))
    except FactoryError as error:
        return Verified(None, (Check("manifest", False, error.what),))
    checks = [Check("manifest", True, f"digest {manifest['digest'][:16]} matches its bytes")]
    try:
        checks.extend(checks_of(manifest))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        # An intact digest proves integrity, not authorship: a forged manifest may lack anything.
        checks.append(Check("manifest", False, f"it lacks or misnames something: {type(error).__name__}: {error}"))
    return Verified(manifest, tuple(checks))


def _check_all(store: Store, prefix: str, manifest: Manifest) -> Iterator[Check]:
    listed = {entry["path"]: entry for entry in manifest["files"]}
    present = set(every_file(store, prefix))
    copied = present & {CROISSANT} - set(listed)
    yield check_files(set(listed) | {MANIFEST}, present - copied)
    if copied:
        yield _check_copied(store, prefix, manifest)
    hashes, rows = Faults("hashes"), Faults("rows")
    sources = SourceCounts()
    shards = _checked_shards(store, prefix, manifest, listed, hashes, rows)
    pieces = attribution_bytes(shards, manifest["name"], sources.counted)
    attribution = hashlib.sha256()
    for piece in pieces:
        attribution.update(piece)
    prompts = read_checked(store, prefix, PROMPTS, listed, hashes)
    for path in (CARD, ATTRIBUTION):
        read_checked(store, prefix, path, listed, hashes)
    yield hashes.check(f"{len(listed)} files have the bytes the manifest names")
    yield rows.check(f"{manifest['totals']['rows']} rows: schema, ids, order, splits, licences and lineage agree")
    yield _check_totals(manifest, listed)
    yield _check_marks(manifest)
    if manifest.get("erased"):
        yield Check("erased", True, erased_in_words(manifest))
    yield _check_texts(manifest, attribution.hexdigest(), sources, prompts)
    failed = [gate["name"] for gate in manifest["gates"] if not gate["passed"] and gate["severity"] != "warn"]
    yield Check(
        "gates", not failed, f"failed: {', '.join(failed)}" if failed else "no gate that stops publishing failed"
    )


def every_file(store: Store, prefix: str) -> Iterator[str]:
    """Paths below `prefix` of all files, those included that the store itself would not list."""
    if not isinstance(store, LocalStore):
        start = f"{prefix}/" if prefix else ""
        for info in store.list(start):
            yield info.key.removeprefix(start)
        return
    top = Path(store.root, prefix)
    for folder, names, files in os.walk(top):
        links = [name for name in names if Path(folder, name).is_symlink()]
        for name in [*files, *links]:
            path = Path(folder, name)
            # The store's own lock files travel with a copied folder; they are always empty.
            lock = LOCK in (name, Path(folder).name)
            if not (lock and not path.is_symlink() and path.stat().st_size == 0):
                yield path.relative_to(top).as_posix()


def _check_copied(store: Store, prefix: str, manifest: Manifest) -> Check:
    """The document of the bundle that may be copied into the dataset."""
    # Imported here: the bundle's documents are written by what publishing has made, and read its modules.
    from factory.govern.documents import croissant_beside
    from factory.govern.facts import facts_of

    faults = Faults("croissant")
    fault = croissant_beside.fault(store, facts_of(manifest), prefix)
    faults.extend([f"{CROISSANT} {fault}"] if fault else ())
    return faults.check(f"{CROISSANT}, copied beside the data, is the one that follows from the manifest")


def check_files(listed: set[str], present: set[str]) -> Check:
    faults = Faults("files")
    faults.extend(f"{path} is missing" for path in sorted(listed - present))
    faults.extend(f"{path} does not belong to the dataset" for path in sorted(present - listed))
    return faults.check(f"exactly the {len(listed)} files of the dataset are there")


def read_checked(
    store: Store, prefix: str, path: str, listed: Mapping[str, Mapping[str, Any]], faults: Faults
) -> bytes | None:
    """A file's bytes, or None (and a fault) where it is missing or not as listed."""
    if path not in listed:
        faults.add(f"the manifest does not list {path}")
        return None
    try:
        data = store.get(f"{prefix}/{path}" if prefix else path)
    except KeyError:
        faults.add(f"{path} is missing")
        return None
    except TransientStoreError:
        raise
    except FactoryError as error:
        faults.add(f"{path} cannot be read: {error.what}")
        return None
    entry = listed[path]
    if len(data) != entry["bytes"]:
        faults.add(f"{path} has {len(data)} bytes instead of {entry['bytes']}")
    elif sha256_hex(data) != entry["sha256"]:
        faults.add(f"{path} has other bytes than were published")
    else:
        return data
    return None


def _checked_shards(
    store: Store,
    prefix: str,
    manifest: Manifest,
    listed: Mapping[str, Mapping[str, Any]],
    hashes: Faults,
    rows: Faults,
) -> Iterator[pa.Table]:
    """Reads each shard once, records its faults, and passes its table on."""
    last: dict[str, tuple[int, str]] = {}
    for shard, file, table in decoded_shards(store, prefix, manifest, listed, hashes, rows):
        rows.extend(f"{shard['path']}: {fault}" for fault in _shard_faults(manifest, shard, file, table, last))
        if table.schema.equals(published_schema(manifest)):
            yield table


def decoded_shards(
    store: Store,
    prefix: str,
    manifest: Manifest,
    listed: Mapping[str, Mapping[str, Any]],
    hashes: Faults,
    rows: Faults,
) -> Iterator[tuple[Mapping[str, Any], pq.ParquetFile, pa.Table]]:
    """Each shard as the manifest describes it, its file and its rows, of those that are as listed and can be read."""
    for shard in manifest["shards"]:
        data = read_checked(store, prefix, shard["path"], listed, hashes)
        if data is None:
            continue
        try:
            file = pq.ParquetFile(pa.BufferReader(data))
            table = file.read()
        except (pa.ArrowException, OSError) as error:
            rows.add(f"{shard['path']} cannot be read as Parquet: {error}")
            continue
        yield shard, file, table


def _shard_faults(
    manifest: Manifest,
    shard: Mapping[str, Any],
    file: pq.ParquetFile,
    table: pa.Table,
    last: dict[str, tuple[int, str]],
) -> Iterator[str]:
    if not table.schema.equals(published_schema(manifest)):
        yield "its columns are not those of the sample schema"
        return
    if table.num_rows != shard["rows"]:
        yield f"it has {table.num_rows} rows instead of {shard['rows']}"
    if uncompressed_bytes(file.metadata) != shard["num_bytes"]:
        yield "its uncompressed size is not what the manifest says"
    found = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    for key, value in _expected_metadata(manifest, shard).items():
        if found.get(key) != value:
            yield f"its metadata say {key}={found.get(key)!r} instead of {value!r}"
    if shard_lineage(table) != shard["lineage"]:
        yield "its rows' lineage is not what the manifest says of the shard"
    yield from _row_faults(manifest, shard["split"], table, last)


def _expected_metadata(manifest: Manifest, shard: Mapping[str, Any]) -> dict[str, str]:
    return {
        "synthetic": "true",
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "run": manifest["run"],
        "dataset": manifest["name"],
        "version": manifest["version"],
        "schema_version": str(manifest["schema"]["version"]),
        "tokenizer": manifest["tokenizer"],
        "split": shard["split"],
    }


def _row_faults(manifest: Manifest, split: str, table: pa.Table, last: dict[str, tuple[int, str]]) -> Iterator[str]:
    """Faults of single rows; `last` is the place of the row before, by split, across shards."""
    rule = manifest["split_rule"]
    seed = manifest["seed"]
    columns = ("sample_id", "doc_ids", "licenses", "license", "duties", "attribution")
    ids, docs, licenses, combined, duties, attribution = (table.column(name).to_pylist() for name in columns)
    answer_ids = pc.struct_field(table.column("lineage"), "answer_id").to_pylist()
    for row, sample_id in enumerate(ids):
        place = (sort_key(seed, sample_id), sample_id)
        if split in last and place <= last[split]:
            yield f"row {row} ({sample_id}) is out of order or doubled"
        last[split] = place
        if sample_id != make_id("sample", answer_ids[row]):
            yield f"row {row}: sample id {sample_id} does not belong to answer {answer_ids[row]}"
        if split_of(docs[row], rule["seed"], rule["validation"], rule["test"]) != split:
            yield f"row {row} ({sample_id}) rests on a document of another split"
        if combine(licenses[row]) != combined[row]:
            yield f"row {row} ({sample_id}): {combined[row]} is not what its licences combine to"
        if not set(combined_duties(licenses[row])) <= set(duties[row]):
            yield f"row {row} ({sample_id}): its licences bring duties that it does not carry"
        if sorted({place["license"] for place in attribution[row]}) != licenses[row]:
            yield f"row {row} ({sample_id}): its licences are not those of its attribution"
    marked = pc.equal(table.column("digital_source_type"), DIGITAL_SOURCE_TYPE)
    if not pc.all(pc.fill_null(pc.and_(table.column("synthetic"), marked), False)).as_py():
        yield "a row is not marked as synthetic"
    domains = set(pc.unique(table.column("domain")).to_pylist())
    if domains - {manifest["domain"]}:
        yield f"its rows are of {sorted(map(str, domains))}, the manifest says {manifest['domain']!r}"
    if "task" in table.column_names:
        rows = table.select(["messages", "task", "question", "answer", "task_data"]).to_pylist()
        wrong = [place for place, row in enumerate(rows) if not is_chat_of(row["messages"], row["task"], row)]
        yield from (f"row {place}: its messages are not question and answer" for place in wrong)
        return
    turns = pc.list_flatten(table.column("messages"))
    contents = pc.struct_field(turns, "content").to_pylist()
    roles = pc.struct_field(turns, "role").to_pylist()
    pairs = zip(table.column("question").to_pylist(), table.column("answer").to_pylist(), strict=True)
    if contents != [text for pair in pairs for text in pair] or roles != ["user", "assistant"] * table.num_rows:
        yield "messages are not question and answer"


def _check_totals(manifest: Manifest, listed: Mapping[str, Mapping[str, Any]]) -> Check:
    faults = Faults("totals")
    shards = [Shard(**shard) for shard in manifest["shards"]]
    faults.expect(manifest["splits"] == splits_of(shards), "splits do not add up from the shards")
    faults.expect(manifest["totals"] == totals_of(shards), "totals do not add up from the shards")
    for shard in shards:
        faults.expect(listed.get(shard.path) == file_entry(shard), f"{shard.path} is listed twice, differently")
    combined = combine(manifest["totals"]["licenses"])
    faults.expect(manifest["license"]["combined_sources"] == combined, "the combined licence is not that of the rows")
    faults.expect(manifest["license"]["duties"] == manifest["totals"]["duties"], "the duties are not those of the rows")
    held = manifest["totals"]["rows"] + erased_of(manifest)
    step, samples = accepted_samples(manifest["steps"]) or ("samples", held)
    faults.expect(samples == held, f"the {step} step accepted another number of rows")
    for step in manifest["steps"]:
        faults.extend(f"step {step['name']}: {fault}" for fault in equation_faults(step["counts"]))
    return faults.check("splits, licences and every step's counts add up")


def _check_marks(manifest: Manifest) -> Check:
    """What the manifest says of all rows at once, and has to be what rows and files carry. Its times are no fault in
    any order: the clock of a machine may be set back while a run works."""
    faults = Faults("marks")
    faults.expect(manifest["synthetic"] is True, f"synthetic is {manifest['synthetic']!r}, every row says it is")
    source = manifest["digital_source_type"]
    faults.expect(source == DIGITAL_SOURCE_TYPE, f"the digital source type is {source!r}, rows say another")
    return faults.check("the manifest marks the dataset as its rows are marked")


def erased_in_words(manifest: Manifest) -> str:
    """What was taken out of the dataset since it was published."""
    told = [f"{note['rows']} rows by erasure {note['erasure']} of {note['at']}" for note in manifest["erased"]]
    first = manifest["erased"][0]["manifest_before"][:16]
    return f"erased in part: {'; '.join(told)}; it was published with the manifest {first}"


def equation_faults(counts: Mapping[str, int]) -> Iterator[str]:
    """Which of the two conservation equations do not hold."""
    if counts["inputs"] != counts["used"] + counts["rejected"] + counts["quarantined"]:
        yield f"{counts['inputs']} rows read are not used + rejected + quarantined"
    if counts["produced"] != counts["accepted"] + counts["output_rejected"]:
        yield f"{counts['produced']} rows produced are not accepted + rejected"


def _check_texts(manifest: Manifest, attribution: str, sources: SourceCounts, prompts: bytes | None) -> Check:
    faults = Faults("card")
    listed = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    faults.expect(listed.get(CARD) == sha256_hex(render_card(manifest).encode()), f"{CARD} is not the manifest's card")
    faults.expect(listed.get(ATTRIBUTION) == attribution, f"{ATTRIBUTION} does not list exactly the rows' sources")
    faults.expect(manifest["sources"] == sources.to_json(), "the counts of sources are not those of the rows")
    faults.extend(f"{PROMPTS}: {fault}" for fault in _prompt_faults(manifest, prompts))
    return faults.check(
        f"{CARD} follows from the manifest, {ATTRIBUTION} and counts of sources from the rows, {PROMPTS} from the steps"
    )


def _prompt_faults(manifest: Manifest, data: bytes | None) -> Iterator[str]:
    body = orjson.loads(data) if data is not None else {}
    if not body:
        return  # a file that is missing or changed is named with the hashes
    yield from wording_faults(body, manifest["steps"])
    named = [{key: prompt[key] for key in ("name", "prompt_id", "steps")} for prompt in body["prompts"]]
    if manifest["prompts"] != named:
        yield "the manifest lists other prompts"
