"""Verifying an export: its bytes, columns, counts and markers, and what has become of the dataset since.

Design: the manifest proves itself by its digest and every file by its hash; each file is read back as what it is called
and held against what the manifest lists. With a root the dataset is looked up: whether it is still the one that was
exported, or has been changed (erased from) or withdrawn since, which a copy cannot know of itself.
Cost: one read of every byte, one file in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from factory.errors import FactoryError, StoreError
from factory.export.card import render_card
from factory.export.carried import MARKERS
from factory.export.encode import read_back
from factory.export.manifest import (
    ATTRIBUTION,
    CARD,
    EXPORT,
    KIND,
    MANIFEST_VERSION,
    file_entries,
    license_of,
    totals_of,
)
from factory.export.shaped import counts_in
from factory.govern.state import read_dataset, state_of
from factory.identity import sha256_hex
from factory.publish.checks import Check, Faults
from factory.publish.manifest import Manifest, unseal
from factory.publish.samples import DIGITAL_SOURCE_TYPE
from factory.publish.verify import Verified, check_files, every_file, read_checked
from factory.store.base import Store


def is_export(store: Store) -> bool:
    return store.head(EXPORT) is not None


def verify_export(store: Store) -> Verified:
    """Checks the export that is the root of `store`. Never raises on bad data, only on a store that fails."""
    try:
        manifest = unseal(store.get(EXPORT), EXPORT, KIND, MANIFEST_VERSION)
    except StoreError as error:
        return Verified(None, (Check("manifest", False, error.what),))
    checks = [Check("manifest", True, f"digest {manifest['digest'][:16]} matches its bytes")]
    try:
        checks.extend(_check_all(store, manifest))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        # An intact digest proves integrity, not authorship: a forged manifest may lack anything.
        checks.append(Check("manifest", False, f"it lacks or misnames something: {type(error).__name__}: {error}"))
    return Verified(manifest, tuple(checks))


def _check_all(store: Store, manifest: Manifest) -> Iterator[Check]:
    listed = {entry["path"]: entry for entry in manifest["files"]}
    yield check_files({*listed, EXPORT}, set(every_file(store, "")))
    hashes, rows = Faults("hashes"), Faults("rows")
    for path in (CARD, ATTRIBUTION):
        read_checked(store, "", path, listed, hashes)
    for piece in manifest["pieces"]:
        if piece["path"]:
            data = read_checked(store, "", piece["path"], listed, hashes)
            if data is not None:
                rows.extend(f"{piece['path']}: {fault}" for fault in _file_faults(manifest, piece, data))
    yield hashes.check(f"{len(listed)} files have the bytes the manifest names")
    yield rows.check(f"{manifest['totals']['rows']} rows can be read, have the columns listed and are marked")
    yield _check_counts(manifest, listed)
    card = sha256_hex(render_card(manifest).encode())
    faults = Faults("card")
    faults.expect(listed.get(CARD, {}).get("sha256") == card, f"{CARD} is not the manifest's card")
    yield faults.check(f"{CARD} follows from the manifest")


def _file_faults(manifest: Manifest, piece: Mapping[str, Any], data: bytes) -> Iterator[str]:
    file_format = manifest["recipe"]["file_format"]
    try:
        rows, marks, said = read_back(data, file_format, piece["num_bytes"], manifest["columns"], MARKERS)
    except ValueError as error:
        yield str(error)
        return
    if rows != piece["rows"]:
        yield f"it has {rows} rows instead of {piece['rows']}"
    everywhere = manifest["synthetic"] is True
    for synthetic, kind in zip(*(marks[name] for name in MARKERS), strict=True):
        if (everywhere and synthetic is not True) or (kind == DIGITAL_SOURCE_TYPE) != bool(synthetic):
            yield "a row is not marked as machine-made, or marked without being so"
            break
    if file_format == "parquet":
        source = manifest["source"]
        wanted = {
            "form": manifest["form"],
            "split": piece["split"],
            "dataset": source["name"],
            "version": source["version"],
            "manifest_sha256": source["manifest_sha256"],
            **({"synthetic": "true", "digital_source_type": DIGITAL_SOURCE_TYPE} if everywhere else {}),
        }
        yield from (f"its metadata say another {key}" for key, value in wanted.items() if said.get(key) != value)


def _check_counts(manifest: Manifest, listed: Mapping[str, Any]) -> Check:
    faults = Faults("conservation")
    for piece in manifest["pieces"]:
        counts = counts_in(piece["counts"])
        faults.expect(counts.balanced, f"{piece['piece']}: rows read are not rows used and left out")
        faults.expect(counts.written == piece["rows"], f"{piece['piece']}: it holds another number of rows")
    totals = totals_of(manifest["pieces"])
    faults.expect(totals == manifest["totals"], "totals do not add up from the files")
    licence = license_of(totals, manifest["source"]["license"])
    faults.expect(licence == manifest["license"], "the licence is not that of the rows")
    for entry in file_entries(manifest["pieces"]):
        faults.expect(listed.get(entry["path"]) == entry, f"{entry['path']} is listed twice, differently")
    counts = counts_in(totals["counts"])
    return faults.check(f"{counts.read} rows of the dataset are those used and those left out, by reason")


def verify_source(root: Store, manifest: Manifest) -> Check:
    """Whether the dataset below `root` is still what was exported."""
    source = manifest["source"]
    title = f"{source['name']}@{source['version']}"
    faults = Faults("source")
    try:
        dataset = read_dataset(root, source["name"], source["version"])
        state = state_of(root, dataset)
    except KeyError:
        return Check("source", False, f"{title} is not below {root.uri}")
    except FactoryError as error:
        return Check("source", False, error.what)
    if dataset.manifest_sha256 != source["manifest_sha256"]:
        notes = dataset.manifest.get("erased", ())
        why = "rows were erased from it" if notes else "another dataset stands under its name"
        faults.add(f"{title} has another manifest than what was exported ({why}); export it again, delete this copy")
    faults.expect(state.name != "withdrawn", f"{title} is {state.line}")
    return faults.check(f"{title} below {root.uri} is what was exported; it is {state.line}")
