"""Arrays, models and folders of models that were trained or downloaded elsewhere: opened, or refused by name."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import example

from factory.curate.benchmarks import Item
from factory.curate.decon.index import build_index, index_from_bytes, index_to_bytes
from factory.curate.decon.nearest import ItemVectors, vectors_from_bytes, vectors_to_bytes
from factory.engine.config import ModelConfig
from factory.engine.declared import chat_template_of
from factory.engine.hub import is_whole
from factory.engine.models import resolve
from factory.engine.smollm2 import read_manifest
from factory.engine.tokenizer import Tokenizer
from factory.errors import ConfigError, EngineError
from factory.select import forest
from factory.select.fasttext_scorer import FastTextScorer
from tests.fuzz.breaking import broken_bytes, json_bytes
from tests.fuzz.harness import fuzzed, refused

TREES = forest.Forest(
    2,
    np.array([0, 3]),
    np.array([0, -1, -1, 1, -1, -1], np.int32),
    np.array([0.5, 0, 0, 0.1, 0, 0]),
    np.array([1, 0, 0, 4, 0, 0], np.int32),
    np.array([2, 0, 0, 5, 0, 0], np.int32),
    np.array([0.0, 1, 10, 0, 2, 9]),
)
FOREST = forest.to_bytes(TREES)
QUESTION = "How many edges does a tree of n vertices have if every vertex but one has a parent?"
INDEX = index_to_bytes(
    build_index([Item("b", f"i{number}", "question", f"{QUESTION} {number}") for number in range(3)])
)
VECTORS = vectors_to_bytes(
    ItemVectors((("b", "i", "f"),), np.ones(1, np.int32), np.ones(1, np.int32), np.ones((1, 4), np.float32))
)


def saved(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


@fuzzed(
    "factory.select.forest.from_bytes",
    "factory.arrays.arrays_in",
    share=4,
    data=broken_bytes([FOREST, FOREST, saved(dimensions=2)], 2),
)
@example(data=FOREST.replace(b"roots.npy", b"roots.txt"))
@example(data=saved(dimensions=np.array([1, 2]), roots=np.zeros(1)))
@example(data=saved(dimensions=2, roots=np.array(["a"]), features=np.zeros(1)))
@example(data=saved(**{**{name: getattr(TREES, name) for name in forest.ARRAYS}, "dimensions": -1}))
@example(
    data=saved(
        **{**{name: getattr(TREES, name) for name in forest.ARRAYS}, "dimensions": 2, "left": np.full(6, np.nan)}
    )
)
@example(
    data=saved(
        **{**{name: getattr(TREES, name) for name in forest.ARRAYS}, "dimensions": 2, "thresholds": np.full(6, np.nan)}
    )
)
def test_a_forest_is_walked_to_its_end_or_refused(data: bytes) -> None:
    with refused(ConfigError):
        trees = forest.from_bytes(data)
        scores = trees.predict(np.ones((3, trees.dimensions), np.float32))
        assert np.isfinite(scores).all()


@fuzzed("factory.curate.decon.index.index_from_bytes", share=2, data=broken_bytes([INDEX], 2))
@example(data=saved(names=np.zeros(3, np.uint8)))
def test_an_index_of_benchmarks_is_whole_or_refused(data: bytes) -> None:
    with refused(ValueError):
        index_from_bytes(data)


@fuzzed("factory.curate.decon.nearest.vectors_from_bytes", share=2, data=broken_bytes([VECTORS], 2))
@example(data=saved(names=np.zeros(3, np.uint8)))
def test_vectors_are_whole_or_refused(data: bytes) -> None:
    with refused(ValueError):
        found = vectors_from_bytes(data)
        assert len(found.names) == len(found.vectors)


def test_a_bomb_of_an_array_is_refused() -> None:
    import zipfile

    sink = io.BytesIO()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 33,)})
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("dimensions", *forest.ARRAYS):
            archive.writestr(f"{name}.npy", header.getvalue())
    with pytest.raises(ConfigError):
        forest.from_bytes(sink.getvalue())


@fuzzed("factory.select.fasttext_scorer.load", data=broken_bytes([b"\xba\x16\x4f\x2f\x0c\x00\x00\x00" + b"\0" * 60]))
def test_bytes_that_are_no_fasttext_model_are_refused(data: bytes) -> None:
    # Only what the loader's own magic turns away: behind it the library trusts its files, which is why a model is never
    # opened before its digest was checked (select/selector_artefact.py).
    with refused(ConfigError):
        FastTextScorer(b"\0" + data)


CONFIG: dict[str, Any] = {"model_type": "llama", "hidden_size": 8}
TEMPLATE: dict[str, Any] = {"chat_template": [{"name": "default", "template": "{{ messages }}"}, {"name": "tool"}]}


@pytest.fixture(scope="module")
def folder(place: Path) -> Path:
    model = place / "model"
    model.mkdir()
    (model / "config.json").write_bytes(orjson.dumps(CONFIG))
    (model / "model.safetensors").write_bytes(b"\0" * 16)
    return model


@fuzzed("factory.engine.declared.chat_template_of", "factory.engine.models.resolve", share=2, data=json_bytes(TEMPLATE))
@example(data=b"[]")
@example(data=b'{"chat_template": ["x", {"name": "default"}]}')
@example(data=b'{"chat_template": [{"name": "default", "template": 5}]}')
def test_a_model_folder_is_resolved_or_refused(folder: Path, monkeypatch_cache: Path, data: bytes) -> None:
    for name in ("tokenizer_config.json", "chat_template.jinja"):
        path = folder / name
        path.write_bytes(data)
        try:
            with refused(ConfigError):
                template = chat_template_of(folder)
                assert template is None or isinstance(template, str)
                resolve(ModelConfig(id=str(folder), license="MIT", output_terms="none")).identity()
        finally:
            path.unlink()


@pytest.fixture(scope="module")
def monkeypatch_cache(place: Path) -> Any:
    """The sidecars of hashes in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_CACHE", str(place / "cache"))
        yield place / "cache"


@fuzzed("factory.engine.models.file_hashes", data=json_bytes({"config.json": {"stamp": {}, "sha256": "0" * 64}}))
def test_a_sidecar_of_hashes_only_saves_work(folder: Path, monkeypatch_cache: Path, data: bytes) -> None:
    from factory.engine.models import file_hashes
    from factory.identity import sha256_hex

    right = file_hashes(folder, ["config.json"])
    for path in (monkeypatch_cache / "hashes").glob("*.json"):
        held = orjson.loads(path.read_bytes())
        try:
            broken = orjson.loads(data)
        except orjson.JSONDecodeError:
            broken = None
        if isinstance(broken, dict) and isinstance(broken.get("config.json"), dict):
            broken["config.json"]["stamp"] = held["config.json"]["stamp"]
            data = orjson.dumps(broken)
            if isinstance(broken["config.json"].get("sha256"), str):
                continue  # a sidecar that says another hash is believed: the cache is the user's own
        path.write_bytes(data)
        assert file_hashes(folder, ["config.json"]) == right
    assert right["config.json"] == sha256_hex((folder / "config.json").read_bytes())


@fuzzed(
    "factory.engine.hub.is_whole",
    data=json_bytes({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}),
)
@example(data=orjson.dumps({"weight_map": {"a": "x" * 300}}))
@example(data=orjson.dumps({"weight_map": {}}))
@example(data=orjson.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}}))
def test_a_snapshot_whose_index_cannot_be_followed_is_not_whole(place: Path, data: bytes) -> None:
    snapshot = place / "snapshot"
    snapshot.mkdir(exist_ok=True)
    for name in ("config.json", "model-00001-of-00002.safetensors"):
        (snapshot / name).touch()
    (snapshot / "model.safetensors.index.json").write_bytes(data)
    if is_whole(snapshot):
        named = {name for name in orjson.loads(data)["weight_map"].values() if isinstance(name, str)}
        assert named == {"model-00001-of-00002.safetensors"}


@fuzzed(
    "factory.engine.smollm2.read_manifest",
    data=json_bytes({"name": "smollm2", "files": [{"name": "a", "size": 1, "sha256": "0"}]}),
)
def test_the_manifest_of_a_prepared_model_is_read_or_refused(folder: Path, data: bytes) -> None:
    (folder / "factory-model.json").write_bytes(data)
    with refused(EngineError):
        read_manifest(folder)


WORDLEVEL = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"a": 0, "[UNK]": 1}, "unk_token": "[UNK]"},
}


@fuzzed("factory.engine.tokenizer.Tokenizer", share=2, data=json_bytes(WORDLEVEL))
def test_a_tokenizer_counts_or_is_refused(place: Path, data: bytes) -> None:
    path = place / f"tokenizer-{os.urandom(6).hex()}.json"  # loaded once a path
    path.write_bytes(data)
    try:
        with refused(ConfigError):
            counts = Tokenizer(str(path)).count(["a b a", "", "\0🙂"])
            assert all(count >= 0 for count in counts)
    finally:
        path.unlink()
