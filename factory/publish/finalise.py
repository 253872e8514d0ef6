"""Publishing: shards, card, prompts and attribution under `datasets/<name>/<version>/`, and the manifest last.

Design: a dataset exists when its manifest does, and that is put only if absent. Before anything is written
a claim on the version (also put if absent) says what will stand there and when it was created, so that
every attempt, and every concurrent one, writes the very same bytes under the same names; a different
dataset under that version is refused before it can touch a file. Killed anywhere, the next attempt writes
what is missing, removes what is not listed, and puts the manifest. Cost: each shard is read, encoded and
put once (about 100 MB/s a worker); `each` spreads that over a cluster.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import ConservationError, GateError, StoreError, TransientStoreError
from factory.identity import canonical_json, sha256_hex
from factory.publish.attribution import write_attribution
from factory.publish.card import render_card
from factory.publish.gates.results import require_passed
from factory.publish.manifest import (
    ATTRIBUTION,
    CARD,
    KIND,
    MANIFEST,
    MANIFEST_VERSION,
    Claimed,
    Manifest,
    Publication,
    Shard,
    accepted_samples,
    build_manifest,
    content_digest,
    seal,
    shard_lineage,
    unseal,
)
from factory.publish.places import dataset_prefix, records_prefix
from factory.publish.sample_facts import SPLITS
from factory.publish.samples import DIGITAL_SOURCE_TYPE, sample_schema
from factory.publish.sources import SourceCounts
from factory.publish.wording import PROMPTS
from factory.run.outputs import Output
from factory.run.record import now
from factory.run.units import FileRef
from factory.store.base import Store
from factory.store.commits import read_commits
from factory.store.objects import read_mapping
from factory.store.parquet import Layout, to_parquet
from factory.tables import SCHEMA_VERSION

Put = TypeVar("Put")

ENCODED_AT_ONCE = 2
"""Shards encoded at once in one process: a shard of 128 MiB takes about 1 GiB of memory decoded."""

ROW_GROUP_ROWS = 4096
"""Rows a row group: some MiB, small enough for the hub's viewer to fetch one at a time."""


@dataclass(frozen=True)
class Placement:
    """What one shard is made of and where it goes; all that a worker needs."""

    split: str
    path: str
    prefix: str
    source: FileRef
    metadata: Mapping[str, str]


@dataclass(frozen=True)
class Published:
    """A finished dataset: its prefix below the root, its manifest, and whether it stood there before."""

    prefix: str
    manifest: Manifest
    already: bool


Each = Callable[[Callable[[Placement], Shard], Sequence[Placement]], Iterable[Shard]]
"""map: applies a function to placements on as many workers as there are, keeping order."""


def claim_key(name: str, version: str) -> str:
    return f"{records_prefix(name, version)}/claim.json"


def finalise(store: Store, publication: Publication, outputs: Sequence[Output], each: Each | None = None) -> Published:
    """Writes the dataset, or finds it finished. `outputs` are what the shards step committed.

    Raises GateError when a gate failed or there is nothing to publish, ConservationError when the shards do
    not hold exactly the samples, StoreError when another dataset stands under this name and version.
    """
    require_passed(publication.gates)
    placements = place_shards(store, publication, outputs)
    if not placements:
        raise GateError(
            "no dataset was published: not one sample came through",
            cause="every row was turned away on the way, or the corpus gave no questions",
            remedy="look at the reasons for rejection in the run's report",
        )
    prefix = dataset_prefix(publication.name, publication.version)
    content = content_digest(
        publication, [{"path": place.path, "content_sha256": place.source.content_sha256} for place in placements]
    )
    claimed = _claim(store, publication, content)
    finished = standing(store, prefix)
    if finished is not None:
        return Published(prefix, _same(finished, publication, placements, store), True)

    if each is None:
        with ThreadPoolExecutor(ENCODED_AT_ONCE) as pool:
            shards = list(pool.map(lambda place: write_shard(store, place), placements))
    else:
        shards = list(each(_ShardWriter(store), placements))
    _conserved(publication, shards)

    sources = SourceCounts()
    entries = [
        _write_attribution(store, prefix, publication.name, shards, sources),
        _write(store, prefix, PROMPTS, canonical_json(dict(publication.wording))),
    ]
    card = render_card(build_manifest(publication, shards, claimed, sources.to_json(), entries)).encode()
    entries.append(_write(store, prefix, CARD, card))
    manifest = build_manifest(publication, shards, claimed, sources.to_json(), entries)
    remove_strangers(store, prefix, {entry["path"] for entry in manifest["files"]})
    sealed = seal(manifest)
    if not _retried(lambda: store.put_if_absent(f"{prefix}/{MANIFEST}", sealed)):
        finished = standing(store, prefix)
        if finished is not None:
            return Published(prefix, _same(finished, publication, placements, store), True)
    return Published(prefix, orjson.loads(sealed), False)


def place_shards(store: Store, publication: Publication, outputs: Sequence[Output]) -> list[Placement]:
    """Names for the shards: by split, and in it by range of keys. Empty shards committed no file, so none."""
    folder = outputs[0].file.name.split("/")[0] if outputs else ""
    commits = read_commits(store, folder, [output.unit for output in outputs])
    found: dict[str, list[tuple[str, FileRef]]] = {split: [] for split in SPLITS}
    for output, commit in zip(outputs, commits, strict=True):
        found[commit.facts["split"]].append((commit.facts["lo"], output.file))
    prefix = dataset_prefix(publication.name, publication.version)
    models = sorted({f"{generator.model}@{generator.revision}" for generator in publication.generators})
    metadata = {
        "synthetic": "true",
        "digital_source_type": DIGITAL_SOURCE_TYPE,
        "run": publication.run,
        "dataset": publication.name,
        "version": publication.version,
        "schema_version": str(SCHEMA_VERSION),
        "tokenizer": publication.tokenizer,
        "generator": ", ".join(models),
    }
    placements = []
    for split, files in found.items():
        for index, (_, file) in enumerate(sorted(files, key=lambda pair: pair[0])):
            path = f"data/{split}-{index:05d}-of-{len(files):05d}.parquet"
            placements.append(Placement(split, path, prefix, file, {**metadata, "split": split}))
    return placements


@dataclass(frozen=True)
class _ShardWriter:
    """`write_shard` with its store, as one picklable function."""

    store: Store

    def __call__(self, place: Placement) -> Shard:
        return write_shard(self.store, place)


def write_shard(store: Store, place: Placement) -> Shard:
    """Encodes one committed shard with its metadata, puts it under its final name, and describes it.

    Raises StoreError when the committed file is no longer what its commit says.
    """
    data = store.get(place.source.key)
    if sha256_hex(data) != place.source.sha256:
        raise StoreError(
            f"{place.source.key} in {store.uri} is not the file that was committed",
            cause="it was changed or damaged after its commit",
            remedy="restore it, or delete the commits of its step to have the shards made again",
        )
    table = pq.read_table(pa.BufferReader(data))
    schema = sample_schema(with_tasks="task" in table.column_names, with_tags="tags" in table.column_names)
    table = table.select(schema.names).cast(schema)
    encoded = encode_shard(table, place.metadata)
    _put(store, f"{place.prefix}/{place.path}", encoded)
    return Shard(
        path=place.path,
        split=place.split,
        rows=table.num_rows,
        bytes=len(encoded),
        num_bytes=uncompressed_bytes(pq.read_metadata(pa.BufferReader(encoded))),
        sha256=sha256_hex(encoded),
        source=place.source.name,
        content_sha256=place.source.content_sha256,
        lineage=shard_lineage(table),
    )


def encode_shard(table: pa.Table, metadata: Mapping[str, str]) -> bytes:
    """A shard's Parquet bytes: the same for the same rows, metadata and pyarrow version."""
    return to_parquet(table.replace_schema_metadata(None), metadata, Layout(ROW_GROUP_ROWS))


def uncompressed_bytes(metadata: pq.FileMetaData) -> int:
    return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))


def require_free(store: Store, name: str, version: str, run: str) -> None:
    """Raises StoreError when another run holds the version: to be asked before anything is paid for."""
    try:
        held = read_mapping(store, claim_key(name, version), ("run",))
    except KeyError:
        return
    if held["run"] != run:
        raise StoreError(
            f"{store.uri}/{dataset_prefix(name, version)} is already the dataset of run {held['run']}, "
            f"this is run {run}",
            cause="publish.version was given by hand, and another configuration has published under it",
            remedy="choose another publish.version, or none: then it is the fingerprint of the rows",
        )


def _claim(store: Store, publication: Publication, content: str) -> Claimed:
    """Takes the version for this content; returns what its first attempt claimed. Raises StoreError when taken."""
    key = claim_key(publication.name, publication.version)
    clock = dict(publication.clock)
    mine = {"content": content, "created": now(), "run": publication.run, **({"clock": clock} if clock else {})}
    store.put_if_absent(key, canonical_json(mine))
    held = read_mapping(store, key, ("content", "run"))
    if held["content"] == content:
        return Claimed(str(held["created"]), held.get("clock", {}))
    where = f"{store.uri}/{dataset_prefix(publication.name, publication.version)}"
    raise StoreError(
        f"{where} is already the dataset of run {held['run']} with content {held['content'][:12]}; this is run "
        f"{publication.run} with content {content[:12]}",
        cause="publish.version was given by hand, and rows, licence or generators differ from what stands there",
        remedy=f"choose another publish.version (or none); if that dataset was never finished, delete {key}",
    )


def standing(store: Store, prefix: str, kind: str = KIND, version: int = MANIFEST_VERSION) -> Manifest | None:
    """The manifest of the finished dataset at `prefix`, None where there is none. Raises StoreError when it is not
    intact, or of another kind or version."""
    try:
        data = store.get(f"{prefix}/{MANIFEST}")
    except KeyError:
        return None
    return unseal(data, f"{store.uri}/{prefix}/{MANIFEST}", kind, version)


def _same(found: Manifest, publication: Publication, placements: Sequence[Placement], store: Store) -> Manifest:
    """The manifest that stands there, if it is of these very shards. Raises StoreError naming both otherwise."""
    theirs = [(shard["path"], shard["content_sha256"]) for shard in found["shards"]]
    if theirs == [(place.path, place.source.content_sha256) for place in placements]:
        return found
    raise StoreError(
        f"{store.uri}/{dataset_prefix(publication.name, publication.version)} holds the dataset of run {found['run']} "
        f"created {found['created']}; this is another one, of run {publication.run}",
        cause="publish.version was given by hand and is taken",
        remedy="choose another publish.version; published datasets never change",
    )


def _conserved(publication: Publication, shards: Sequence[Shard]) -> None:
    published = sum(shard.rows for shard in shards)
    step, accepted = accepted_samples(publication.steps) or ("samples", published)
    if published != accepted:
        raise ConservationError(
            f"the shards hold {published} rows, the {step} step accepted {accepted}",
            cause="committed sample files changed between the two steps",
            remedy="delete the commits of the shards step and run again; nothing was published",
        )


def _write(store: Store, prefix: str, path: str, data: bytes) -> dict[str, Any]:
    """Puts a small file and gives its entry in the manifest."""
    _put(store, f"{prefix}/{path}", data)
    return {"path": path, "bytes": len(data), "sha256": sha256_hex(data), "rows": None}


def _write_attribution(
    store: Store, prefix: str, title: str, shards: Sequence[Shard], sources: SourceCounts
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="attribution-") as folder:
        tables = (
            pq.read_table(pa.BufferReader(store.get(f"{prefix}/{shard.path}")), columns=["attribution"])
            for shard in shards
        )
        path = Path(folder) / ATTRIBUTION
        size, digest = write_attribution(tables, title, path, sources.counted)
        _retried(lambda: store.put_file(f"{prefix}/{ATTRIBUTION}", str(path)))
    return {"path": ATTRIBUTION, "bytes": size, "sha256": digest, "rows": None}


def remove_strangers(store: Store, prefix: str, listed: set[str]) -> None:
    """Deletes what earlier attempts left under names this dataset does not use."""
    for info in list(store.list(f"{prefix}/")):
        if info.key.removeprefix(f"{prefix}/") not in {*listed, MANIFEST}:
            store.delete(info.key)
    store.discard_unfinished(f"{prefix}/", 0)


def _put(store: Store, key: str, data: bytes) -> None:
    _retried(lambda: store.put(key, data))


def _retried(put: Callable[[], Put]) -> Put:
    """Puts again where a concurrent attempt at the same dataset cleared away our unfinished write: each one
    that finishes does so once, and its bytes are ours."""
    for _ in range(CONCURRENT_ATTEMPTS):
        try:
            return put()
        except TransientStoreError:
            raise  # the store was waited for already, and long
        except StoreError as error:
            last = error
    raise last


CONCURRENT_ATTEMPTS = 8
"""Attempts at one dataset that may finish while another one writes; a run has one, two drivers by mistake two."""
