"""A trained selector as it is kept: a folder `selectors/<fingerprint>/` on any store.

    manifest.json    canonical JSON; names every other file with its SHA-256 and size
    model.bin        the model: a fastText file, or the trees of a forest (npz, no pickle)
    ratings.parquet  document ids, scores, raters and origins of all examples, without their texts
    report.html      how good it is, for people

Design: the folder is named by the fingerprint of the manifest without the report, so equal training gives the
same name and the report can print it. manifest.json is written last and never replaced: while it is missing
there is no selector. `select.selector.sha256` is the digest of manifest.json, which pins everything else.
A model file is never opened before its digest was checked: no loader of such files is hardened against forgeries.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from factory.errors import ConfigError
from factory.identity import canonical_json, fingerprint, sha256_hex
from factory.select.scoring import Scorer, Scoring, open_scorer
from factory.select.training.examples import Example, digest, ratings_table
from factory.store.base import Store
from factory.store.objects import typed
from factory.store.parquet import to_parquet

ARTEFACT_VERSION = 1
"""Raise when a reader of older manifests would misread newer ones."""

FOLDER = "selectors"
MANIFEST, MODEL, RATINGS, REPORT = "manifest.json", "model.bin", "ratings.parquet", "report.html"

LIBRARIES = ("numpy", "pyarrow", "fasttext-numpy2", "scikit-learn", "torch", "transformers")


@dataclass(frozen=True)
class Draft:
    """A selector before it is kept. `scoring` says how the model is to be used (`fasttext_scoring()`,
    `forest_scoring(...)`); `parameters` are the settings it was trained with; `iterations` the metrics of each
    round as JSON, the last one those of `model`; `raters` what each rater is (name -> model, endpoint or file);
    `training` and `held_out` the examples it learnt from and was measured on."""

    domain: str
    model: bytes
    scoring: Scoring
    parameters: Mapping[str, Any]
    seed: int
    threshold: float
    training: Sequence[Example]
    held_out: Sequence[Example] = ()
    iterations: Sequence[Mapping[str, Any]] = ()
    raters: Mapping[str, Any] = field(default_factory=dict)
    licence_notes: Sequence[str] = ()


@dataclass(frozen=True)
class Manifest:
    """manifest.json as read. `sha256` is the digest of its bytes, which `select.selector.sha256` names."""

    artefact_version: int
    domain: str
    threshold: float
    seed: int
    scoring: Scoring
    parameters: Mapping[str, Any]
    training: Mapping[str, Any]
    held_out: Mapping[str, Any]
    raters: Mapping[str, Any]
    iterations: Sequence[Mapping[str, Any]]
    licence_notes: Sequence[str]
    versions: Mapping[str, str]
    files: Mapping[str, Mapping[str, Any]]
    fingerprint: str
    sha256: str

    @property
    def kind(self) -> str:
        return self.scoring.kind

    @property
    def model_sha256(self) -> str:
        return str(self.files[MODEL]["sha256"])


@dataclass(frozen=True)
class Kept:
    """Where a selector lies: `prefix` is its folder below the store's root."""

    prefix: str
    manifest: Manifest


def save(store: Store, draft: Draft, report: Callable[[str], str]) -> Kept:
    """Keeps a selector; `report` makes the HTML page from the fingerprint. A selector with the same fingerprint
    that is there already stays as it is, with its own report."""
    ratings = to_parquet(ratings_table([*draft.training, *draft.held_out]), {"kind": "selector ratings"})
    files = {MODEL: draft.model, RATINGS: ratings}
    content: dict[str, Any] = {
        "artefact_version": ARTEFACT_VERSION,
        "domain": draft.domain,
        "threshold": draft.threshold,
        "seed": draft.seed,
        "scoring": draft.scoring.to_json(),
        "parameters": dict(draft.parameters),
        "training": _described(draft.training),
        "held_out": _described(draft.held_out),
        "raters": dict(draft.raters),
        "iterations": [dict(iteration) for iteration in draft.iterations],
        "licence_notes": list(draft.licence_notes),
        "versions": _versions(),
        "files": {name: _file(data) for name, data in files.items()},
    }
    name = fingerprint(content)
    prefix = f"{FOLDER}/{name}"
    if store.head(f"{prefix}/{MANIFEST}") is None:
        files[REPORT] = report(name).encode()
        content["files"][REPORT] = _file(files[REPORT])
        for file, data in files.items():
            store.put(f"{prefix}/{file}", data)
        store.put_if_absent(f"{prefix}/{MANIFEST}", canonical_json({**content, "fingerprint": name}))
    return Kept(prefix, read_manifest(store, prefix))


def read_manifest(store: Store, prefix: str = "", sha256: str | None = None) -> Manifest:
    """The manifest of the selector in the folder `prefix` below the store's root ("": the root itself).

    Raises ConfigError when there is none, when it is not readable, or when its digest is not `sha256`.
    """
    where = f"{store.uri}/{prefix}".rstrip("/")
    try:
        data = store.get(_key(prefix, MANIFEST))
    except KeyError:
        raise ConfigError(
            f"there is no selector at {where}: {MANIFEST} is missing",
            cause="a misspelt address, or a training job that did not finish",
            remedy="set select.selector.path to the address that the training job printed",
        ) from None
    found = sha256_hex(data)
    if sha256 is not None and found != sha256:
        raise ConfigError(
            f"the selector at {where} has SHA-256 {found}, select.selector.sha256 asks for {sha256}",
            cause="another selector lies there, or its manifest was changed after training",
            remedy="point select.selector.path at the selector that was meant, or set select.selector.sha256 to the "
            "digest above if this is the one",
        )
    return _parsed(data, found, where)


def read_model(store: Store, prefix: str, manifest: Manifest) -> bytes:
    """The model file. Raises ConfigError when it is missing or is not the one that the manifest names."""
    where = f"{store.uri}/{_key(prefix, MODEL)}"
    try:
        data = store.get(_key(prefix, MODEL))
    except KeyError:
        raise ConfigError(
            f"{where} is missing, although a manifest names it",
            cause="the folder was copied in part",
            remedy="copy the whole folder, or train the selector again",
        ) from None
    check_model(data, manifest.model_sha256, where)
    return data


def check_files(store: Store, prefix: str, manifest: Manifest) -> None:
    """Raises ConfigError unless ratings and report are the ones that the manifest names: what a selector was taught
    and what its report says belong to it as much as its model does."""
    for name, stated in manifest.files.items():
        if name == MODEL:
            continue  # read_model checks it when it is read
        where = f"{store.uri}/{_key(prefix, name)}"
        try:
            found = sha256_hex(store.get(_key(prefix, name)))
        except KeyError:
            found = "nothing there"
        if found != stated["sha256"]:
            raise ConfigError(
                f"{where} is not the file that the selector's manifest names ({found[:16]}, not "
                f"{str(stated['sha256'])[:16]})",
                cause="it was removed or changed after training, or the folder was copied in part",
                remedy="copy the selector's folder again, or train it again",
            )


def check_model(data: bytes, sha256: str, where: str) -> None:
    """Raises ConfigError unless `data` is the model file with that digest."""
    found = sha256_hex(data)
    if found != sha256:
        raise ConfigError(
            f"{where} has SHA-256 {found}, its manifest says {sha256}",
            cause="the file was cut short, or changed after training",
            remedy="copy the selector's folder again, or train it again; do not use this file",
        )


def load_scorer(store: Store, prefix: str = "", sha256: str | None = None) -> Scorer:
    """The selector in that folder, ready to score. Raises ConfigError as read_manifest and read_model do."""
    manifest = read_manifest(store, prefix, sha256)
    return open_scorer(manifest.scoring, read_model(store, prefix, manifest))


def _key(prefix: str, name: str) -> str:
    return f"{prefix}/{name}" if prefix else name


def _parsed(data: bytes, sha256: str, where: str) -> Manifest:
    try:
        values: dict[str, Any] = orjson.loads(data)
        version = values["artefact_version"]
        if version == ARTEFACT_VERSION:
            names = [item.name for item in fields(Manifest) if item.name not in ("scoring", "sha256")]
            known = {name: values[name] for name in (*names, "scoring")}
            manifest = typed(Manifest, {**known, "sha256": sha256})
            if any(not isinstance(file.get("sha256"), str) for file in manifest.files.values()):
                raise ValueError("files: a digest is missing")
            manifest.model_sha256  # noqa: B018 - a manifest without a model file is none
            _check_fingerprint(values, where)
            return manifest
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{where}/{MANIFEST} is no selector manifest: {type(error).__name__}: {error}",
            cause="another file of that name, or one that was edited",
            remedy="set select.selector.path to the address that the training job printed",
        ) from None
    raise ConfigError(
        f"the selector at {where} is of artefact version {version}, this factory reads {ARTEFACT_VERSION}",
        cause="it was trained with another version of the factory",
        remedy="train it again, or use the factory it was trained with",
    )


def _check_fingerprint(values: Mapping[str, Any], where: str) -> None:
    """The fingerprint is of everything in the manifest but itself and the report, which prints it."""
    content = {name: value for name, value in values.items() if name != "fingerprint"}
    content["files"] = {name: file for name, file in values["files"].items() if name != REPORT}
    if fingerprint(content) != values["fingerprint"]:
        raise ConfigError(
            f"{where}/{MANIFEST} is not what training wrote: its content does not have the fingerprint it states",
            cause="it was edited, for example to another threshold",
            remedy="copy the selector's folder again; to keep documents from another score on, set "
            "select.selector.threshold",
        )


def _described(examples: Sequence[Example]) -> dict[str, Any]:
    return {
        "examples": len(examples),
        "sha256": digest(examples),
        "by_origin": dict(sorted(Counter(example.origin for example in examples).items())),
        "by_source": dict(sorted(Counter(example.source for example in examples).items())),
        "by_rater": dict(sorted(Counter(example.rater for example in examples if example.rater).items())),
    }


def _file(data: bytes) -> dict[str, Any]:
    return {"sha256": sha256_hex(data), "bytes": len(data)}


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
