"""A small published dataset with its bundle, and ways to plant something wrong in them that no hash gives away."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from factory.govern.bundle import DIGITS, INDEX, build_bundle
from factory.govern.check.bundle import Whole, bundle_findings, dataset_findings, whole_dataset
from factory.govern.check.findings import Finding
from factory.identity import canonical_json, fingerprint, sha256_hex
from factory.publish.finalise import encode_shard
from factory.publish.manifest import Manifest, seal
from factory.publish.samples import SAMPLE
from factory.store.local import LocalStore
from factory.store.parquet import parquet_metadata
from tests.publish.world import World

TEMPLATE, SYSTEM = "Answer: {{question}}", "Be exact."
PROMPT_ID = fingerprint([TEMPLATE, SYSTEM])
PROMPT = {"name": "answer", "prompt_id": PROMPT_ID, "steps": ["answer"], "system": SYSTEM, "template": TEMPLATE}
CLOCK = {
    "started": "2026-01-01T00:00:00+00:00",
    "steps": {"answer": ["2026-01-01T00:04:00+00:00", "2026-01-01T00:05:00+00:00"]},
}
GOVERNANCE = {"owner": "Example Ltd", "intended_uses": ["tuning a tutor"], "contact": "data@example.org"}


@dataclass(frozen=True)
class Bundled:
    """`files` are those of the bundle, its index among them."""

    whole: Whole
    files: dict[str, bytes]

    def findings(self) -> list[Finding]:
        """Of the bundle, in a folder that is called as its index demands."""
        folder = f"bundle-{fingerprint(orjson.loads(self.files[INDEX]))[:DIGITS]}"
        return list(bundle_findings(self.files, folder, self.whole))

    def of_dataset(self) -> list[Finding]:
        return list(dataset_findings(self.whole))


def publish(world: World) -> Bundled:
    """A dataset with all that documents speak of, and the bundle of it."""
    steps = [
        {**step, "identity": {**step["identity"], "own": {**step["identity"].get("own", {}), "prompt": PROMPT_ID}}}
        if step["name"] == "answer"
        else step
        for step in world.publication().steps
    ]
    published = world.publish(
        version="planted",
        steps=tuple(steps),
        languages=("en",),
        clock=CLOCK,
        governance=GOVERNANCE,
        wording={"prompts": [PROMPT], "rubrics": []},
        software={"factory": "0.1.0", "pyarrow": "26.0.1"},
    )
    assert isinstance(world.store, LocalStore)
    dataset = LocalStore(f"{world.store.root}/{published.prefix}")
    return bundled(whole_dataset(dataset, published.manifest))


def bundled(whole: Whole) -> Bundled:
    built = build_bundle(whole.manifest, whole.prompts)
    assert not built.problems
    return Bundled(whole, {**built.files, INDEX: built.index})


def with_document(found: Bundled, path: str, data: bytes) -> Bundled:
    """Another document under the same name, with its new hash in the index: no hash says that it was changed."""
    assert data != found.files[path], "nothing was planted"
    index = orjson.loads(found.files[INDEX])
    for entry in index["documents"]:
        if entry["path"] == path:
            entry |= {"bytes": len(data), "sha256": sha256_hex(data)}
    return replace(found, files={**found.files, path: data, INDEX: canonical_json(index)})


def with_index(found: Bundled, change: Callable[[dict[str, Any]], None]) -> Bundled:
    index = orjson.loads(found.files[INDEX])
    change(index)
    return replace(found, files={**found.files, INDEX: canonical_json(index)})


def word_replaced(data: bytes, word: str, by: str) -> bytes:
    """`word` wherever it stands by itself."""
    return re.sub(rb"(?<![\w.-])" + re.escape(word.encode()) + rb"(?=T|(?![\w-]))", by.encode(), data)


def with_file(found: Bundled, folder: str, path: str, data: bytes, **entry: Any) -> Bundled:
    """A copy of the dataset in `folder` in which a file has other bytes, and the manifest their hash."""
    store = LocalStore(folder)
    for info in found.whole.store.list(""):
        store.put(info.key, found.whole.store.get(info.key))
    assert data != store.get(path), "nothing was planted"
    store.put(path, data)
    manifest: Manifest = orjson.loads(canonical_json(found.whole.manifest))
    for each in (*manifest["files"], *manifest["shards"]):
        if each["path"] == path:
            each |= {"bytes": len(data), "sha256": sha256_hex(data), **entry}
    manifest = orjson.loads(seal(manifest))
    store.put("manifest.json", seal(manifest))
    return bundled(whole_dataset(store, manifest))


def with_shard(
    found: Bundled,
    folder: str,
    change: Callable[[pa.Table], pa.Table] = lambda table: table,
    metadata: Callable[[dict[str, str]], None] = lambda pairs: None,
) -> tuple[Bundled, str]:
    """The same with a changed first shard; also its path."""
    path = next(file.path for file in found.whole.facts.files if file.rows is not None)
    data = found.whole.store.get(path)
    pairs = parquet_metadata(data)
    metadata(pairs)
    table = change(pq.read_table(pa.BufferReader(data)).cast(SAMPLE))
    return with_file(found, folder, path, encode_shard(table, pairs)), path
