"""The governance bundle of a dataset: every document of factory/govern/documents and an index, beside the dataset.

    datasets/<name>/records/<version>/bundle-<12 digits of its digest>/bundle.json and the documents it lists

Design: a function of manifest.json and prompts.json alone, so the same factory makes the same bytes of the same dataset
and puts them under the same name. Every file is put only if absent and the index last: a bundle is there when its index
is, and a write that was killed is finished by the next. A newer factory that words a document otherwise makes another
bundle beside the first; nothing is ever replaced. Cost: measured in docs/bundle.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from factory import __version__
from factory.errors import StoreError
from factory.govern.documents import documents
from factory.govern.facts import Facts, facts_of
from factory.govern.json_document import document_bytes
from factory.identity import fingerprint, sha256_hex
from factory.publish.manifest import Manifest
from factory.publish.places import records_prefix
from factory.publish.wording import PROMPTS
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import absent, damaged

INDEX, KIND, BUNDLE_VERSION = "bundle.json", "factory-bundle", 1
DIGITS = 12


@dataclass(frozen=True)
class Bundle:
    """A bundle in memory. `files` maps paths inside it to bytes, the index not among them; `problems` what a document
    lacks that its kind requires, by path."""

    prefix: str
    digest: str
    files: Mapping[str, bytes]
    index: bytes
    problems: Mapping[str, list[str]] = field(default_factory=dict)


def build_bundle(manifest: Manifest, prompts: bytes) -> Bundle:
    """The bundle of a dataset from its manifest and the bytes of its prompts.json."""
    facts = facts_of(manifest)
    body = orjson.loads(prompts)
    files = rendered(facts)
    lacking = {document.PATH: document.problems(files[document.PATH]) for document in documents()}
    problems = {path: found for path, found in lacking.items() if found}
    index = index_of(facts, files, body, sha256_hex(prompts))
    digest = fingerprint(index)
    name = f"bundle-{digest[:DIGITS]}"
    return Bundle(f"{records_prefix(facts.name, facts.version)}/{name}", digest, files, document_bytes(index), problems)


def rendered(facts: Facts) -> dict[str, bytes]:
    """Every document by its path in the bundle."""
    return {document.PATH: document.render(facts) for document in documents()}


def index_of(facts: Facts, files: Mapping[str, bytes], prompts: Any, prompts_sha256: str) -> dict[str, Any]:
    """The content of bundle.json over these documents."""
    return {
        "kind": KIND,
        "bundle_version": BUNDLE_VERSION,
        "written_by": __version__,
        "name": facts.name,
        "version": facts.version,
        "created": facts.created,
        "updated": facts.updated,
        "erased": [asdict(each) for each in facts.erased],
        "run": facts.run,
        "dataset": facts.prefix,
        "manifest": {"path": facts.manifest.path, "sha256": facts.manifest.sha256, "digest": facts.digest},
        "documents": listed(files),
        "recipe": {"sha256": fingerprint(facts.recipe), "content": facts.recipe},
        "prompts": {"path": PROMPTS, "sha256": prompts_sha256, "content": prompts},
    }


def listed(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Files as the index names them: path, size in bytes, SHA-256."""
    return [{"path": path, "bytes": len(data), "sha256": sha256_hex(data)} for path, data in sorted(files.items())]


def write_bundle(store: Store, bundle: Bundle, prefix: str | None = None) -> bool:
    """Puts what is missing of a bundle under its own prefix, or another; whether anything was.

    Raises StoreError where another file stands under the name of one of its own.
    """
    where = bundle.prefix if prefix is None else prefix
    new = False
    for path, data in [*bundle.files.items(), (INDEX, bundle.index)]:
        key = f"{where}/{path}" if where else path
        if store.put_if_absent(key, data):
            new = True
        elif store.get(key) != data:
            raise StoreError(
                f"{key} in {store.uri} is another file than the bundle's",
                cause="it was changed after it was written, or the folder holds the bundle of another dataset",
                remedy="name an empty folder; where it was changed, delete it and run the command again",
            )
    return new


def bundle_of(store: Store, manifest: Manifest, prefix: str = "") -> Bundle:
    """The bundle of the dataset that lies at `prefix` of a store. Raises StoreError where its prompts.json is gone, or
    is not what was published."""
    key = f"{prefix}/{PROMPTS}" if prefix else PROMPTS
    try:
        prompts = store.get(key)
    except AbsentObjectError as error:
        raise absent(error) from error
    published = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    if sha256_hex(prompts) != published.get(PROMPTS):
        raise damaged(store.uri, key, "it has other bytes than the manifest names")
    return build_bundle(manifest, prompts)
