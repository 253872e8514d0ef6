"""The index of a bundle, bundle.json: against the files beside it, the manifest, and the prompts of the dataset."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from factory.govern.bundle import BUNDLE_VERSION, DIGITS, INDEX, KIND
from factory.govern.check.findings import Finding, shown
from factory.govern.claims import Claims
from factory.govern.facts import Facts
from factory.identity import fingerprint, sha256_hex

REQUIRED = ("kind", "bundle_version", "written_by", "name", "version", "created", "run", "dataset", "manifest",
            "documents", "recipe", "prompts", "updated", "erased")  # fmt: skip


REQUIRED_INSIDE = {"manifest": ("sha256", "digest"), "recipe": ("sha256", "content"), "prompts": ("sha256", "content")}


TEXTS = ("written_by", "name", "version", "created", "updated", "run", "dataset")
_RELEASE = re.compile(r"(\d+)\.(\d+)\.(\d+)")
"""How a version of factory begins."""


def parsed_index(data: bytes) -> dict[str, Any]:
    """Raises ValueError where it is none, or lacks a required field."""
    try:
        index = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error}") from None
    if not isinstance(index, dict):
        raise ValueError("it is no JSON object")
    missing = [name for name in REQUIRED if name not in index]
    if missing:
        raise ValueError(f"{', '.join(missing)} is missing")
    for name, keys in REQUIRED_INSIDE.items():
        for key in keys:
            if not isinstance(index[name], dict) or key not in index[name]:
                raise ValueError(f"{name}.{key} is missing")
    for name in TEXTS:
        if not isinstance(index[name], str):
            raise ValueError(f"{name} is no text")
    if not isinstance(index["manifest"]["digest"], str) or not isinstance(index["documents"], list):
        raise ValueError("manifest.digest is no text, or documents is no list")
    if not isinstance(index["erased"], list) or not all(map(_is_erasure, index["erased"])):
        raise ValueError("erased is no list of erasures, each with erasure, at and rows")
    for entry in index["documents"]:
        if not isinstance(entry, dict) or not {"path", "bytes", "sha256"} <= entry.keys():
            raise ValueError("an entry of documents lacks path, bytes or sha256")
        if not isinstance(entry["path"], str):
            raise ValueError("the path of a document is no text")
    return index


def _is_erasure(entry: Any) -> bool:
    texts = isinstance(entry, dict) and all(isinstance(entry.get(name), str) for name in ("erasure", "at"))
    return texts and isinstance(entry.get("rows"), int)


def index_claims(index: Mapping[str, Any]) -> Claims:
    return Claims(
        name=index["name"],
        version=index["version"],
        created=index["created"],
        run=index["run"],
        digest=index["manifest"]["digest"],
        updated=index["updated"],
        erased={each["erasure"]: each["rows"] for each in index["erased"]},
    )


def index_findings(index: Mapping[str, Any], files: Mapping[str, bytes], folder: str) -> Iterator[Finding]:
    """`files` are all files of the bundle but the index; `folder` is the name of the folder it lies in."""
    if (index["kind"], index["bundle_version"]) != (KIND, BUNDLE_VERSION):
        yield Finding(INDEX, "kind", f"{index['kind']} {index['bundle_version']}", f"{KIND} {BUNDLE_VERSION}")
    if _release(index["written_by"]) is None:
        yield Finding(INDEX, "written_by", shown(index["written_by"]), "a version of factory, such as 0.1.0")
    times = Counter(entry["path"] for entry in index["documents"])
    yield from (
        Finding(INDEX, "documents", f"{path} is listed {n} times", "once") for path, n in times.items() if n > 1
    )
    listed = {entry["path"]: entry for entry in index["documents"]}
    for path, entry in listed.items():
        data = files.get(path)
        if data is None:
            yield Finding(path, "file", "is missing", "the one that bundle.json lists")
        elif sha256_hex(data) != entry["sha256"]:
            yield Finding(path, "sha256", sha256_hex(data), entry["sha256"])
        elif len(data) != entry["bytes"]:
            yield Finding(INDEX, f"bytes of {path}", shown(entry["bytes"]), shown(len(data)))
    for path in sorted(files.keys() - listed.keys()):
        yield Finding(path, "file", "is not listed in bundle.json")
    recipe = fingerprint(index["recipe"]["content"])
    if recipe != index["recipe"]["sha256"]:
        yield Finding(INDEX, "recipe sha256", shown(index["recipe"]["sha256"]), recipe)
    digits = fingerprint(index)[:DIGITS]
    if folder.startswith("bundle-") and folder != f"bundle-{digits}":
        yield Finding(INDEX, "digest", digits, f"{folder.removeprefix('bundle-')}, as the folder is called")


def index_against(index: Mapping[str, Any], facts: Facts, prompts: bytes) -> Iterator[Finding]:
    """Against the dataset: manifest, recipe, prompts. `prompts` are the bytes of its prompts.json."""
    writer, software = _release(index["written_by"]), _release(str(facts.software.get("factory")))
    if writer is not None and software is not None and writer < software:
        older = f"{index['written_by']}, which is older than the factory that published the dataset"
        yield Finding(INDEX, "written_by", older, f"{facts.software['factory']} or later")
    own = index["manifest"]
    if own["sha256"] != facts.manifest.sha256:
        yield Finding(INDEX, "manifest sha256", shown(own["sha256"]), facts.manifest.sha256)
    if index["dataset"] != facts.prefix:
        yield Finding(INDEX, "dataset", shown(index["dataset"]), facts.prefix)
    if index["recipe"]["content"] != facts.recipe:
        yield Finding(INDEX, "recipe", "another configuration", "the manifest's")
    if index["prompts"]["sha256"] != sha256_hex(prompts):
        yield Finding(INDEX, "prompts sha256", shown(index["prompts"]["sha256"]), sha256_hex(prompts))
    elif index["prompts"]["content"] != _read(prompts):
        yield Finding(INDEX, "prompts", "other texts", "those of prompts.json")


def _release(version: str) -> tuple[int, ...] | None:
    found = _RELEASE.match(version)
    return None if found is None else tuple(map(int, found.groups()))


def _read(prompts: bytes) -> Any:
    """None where the dataset's prompts.json was damaged: that it was is found with its other files."""
    try:
        return orjson.loads(prompts)
    except orjson.JSONDecodeError:
        return None
