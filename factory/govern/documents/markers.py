"""Markers of machine-made data for every file: C2PA's digital source type in a sidecar, bound to each shard by hash.

Design: C2PA can mark text by characters nobody sees (annex A.8: U+FEFF and variation selectors). They would be learned
by whoever trains on the rows, and any cleaner strips them, so nothing is put into text: rows carry columns, Parquet
files key-value metadata, and this sidecar names the same per file in C2PA's words (hashes in hexadecimal digits). It
has no signature of its own: what signs the manifest signs the hashes that are listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from factory.govern.claims import Claims, sound
from factory.govern.facts import Facts, File
from factory.govern.json_document import document_bytes, in_our_form, need, parsed, problems_in
from factory.publish.manifest import CARD, MANIFEST

PATH = "markers.json"
KIND, MARKERS_VERSION = "factory-markers", 1

ROW_COLUMNS = ("synthetic", "digital_source_type", "question_model", "question_model_revision", "answer_model",
               "answer_model_revision", "lineage")  # fmt: skip
FILE_METADATA = ("synthetic", "digital_source_type", "generator", "run", "dataset", "version")
REQUIRED = (
    "kind",
    "name",
    "version",
    "created",
    "run",
    "manifest",
    "synthetic",
    "digital_source_type",
    "assets",
    "marked",
)


def render(facts: Facts) -> bytes:
    body = {
        "kind": KIND,
        "markers_version": MARKERS_VERSION,
        "name": facts.name,
        "version": facts.version,
        "created": facts.created,
        "run": facts.run,
        "manifest": {"path": MANIFEST, "alg": "sha256", "hash": facts.manifest.sha256, "digest": facts.digest},
        "synthetic": True,
        "digital_source_type": facts.digital_source_type,
        "generators": [{"role": model.role, "name": model.name, "revision": model.revision} for model in facts.models],
        "marked": {
            "rows": list(ROW_COLUMNS),
            "files": {"format": "Parquet key-value metadata", "keys": list(FILE_METADATA)},
            "package": [CARD, MANIFEST],
            "text": "nothing is inserted into text, visible or not",
        },
        "assets": [_asset(facts, file) for file in facts.files if file.rows is not None],
    }
    return document_bytes(body)


def _asset(facts: Facts, file: File) -> dict[str, Any]:
    """A shard with the assertions that C2PA has for how a file came about and which bytes it has."""
    agents = [{"name": model.name, "version": model.revision} for model in facts.models]
    made = {
        "action": "c2pa.created",
        "when": facts.created,
        "digitalSourceType": facts.digital_source_type,
    }
    return {
        "path": file.path,
        "bytes": file.bytes,
        "rows": file.rows,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [made], "softwareAgents": agents}},
            {"label": "c2pa.hash.data", "data": {"alg": "sha256", "hash": file.sha256}},
        ],
    }


def claims(data: bytes) -> Claims:
    """Raises ValueError naming what is missing."""
    if found := problems(data):
        raise ValueError(found[0])
    with in_our_form():
        return sound(_claims(parsed(data)))


def _claims(body: Mapping[str, Any]) -> Claims:
    assets = body["assets"]
    return Claims(
        name=body["name"],
        version=body["version"],
        created=body["created"],
        run=body["run"],
        digest=need(body, "manifest", "digest"),
        rows=sum(need(asset, "rows") for asset in assets),
        files={need(asset, "path"): need(_data(asset, "c2pa.hash.data"), "hash") for asset in assets},
        models=frozenset((need(model, "name"), need(model, "revision")) for model in need(body, "generators")),
        synthetic=body["synthetic"],
    )


def problems(data: bytes) -> list[str]:
    """What the sidecar lacks: a field, the source type of a file, its hash."""
    return problems_in(data, _problems)


def _problems(body: Mapping[str, Any]) -> list[str]:
    missing = [f"{name} is missing" for name in REQUIRED if body.get(name) in (None, "", [])]
    if missing:
        return missing
    return [fault for asset in body["assets"] for fault in _asset_problems(asset, body["digital_source_type"])]


def _asset_problems(asset: Mapping[str, Any], source_type: str) -> list[str]:
    made, hashed = _data(asset, "c2pa.actions.v2"), _data(asset, "c2pa.hash.data")
    faults = []
    if made["actions"][0]["digitalSourceType"] != source_type:
        faults.append(f"{asset['path']} has another digital source type than the dataset")
    if hashed["alg"] != "sha256" or len(hashed["hash"]) != 64:
        faults.append(f"{asset['path']} has no SHA-256")
    return faults


def _data(asset: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """What the assertion of that label says."""
    for assertion in need(asset, "assertions"):
        if need(assertion, "label") == label:
            found: Mapping[str, Any] = need(assertion, "data")
            return found
    raise ValueError(f"an asset lacks the assertion {label}")
