from __future__ import annotations

import dataclasses
import io

import orjson
import pyarrow.parquet as pq
import pytest

from factory.errors import ConfigError
from factory.identity import canonical_json, sha256_hex
from factory.select.preprocessing import PREPROCESSING_VERSION
from factory.select.selector_artefact import Draft, Kept, load_scorer, read_manifest, save
from factory.select.training.fasttext_training import fasttext_scoring
from factory.store.base import Store
from factory.store.local import LocalStore
from tests.corpora import text_of
from tests.select.training.fields import QUICK, trained, two_fields


def draft() -> Draft:
    return Draft(
        domain="maths",
        model=trained(),
        scoring=fasttext_scoring(),
        parameters=QUICK.model_dump(mode="json"),
        seed=1,
        threshold=6.5,
        training=two_fields(),
        held_out=two_fields(10, first=500),
        iterations=[{"precision": 1.0}],
        raters={"tester": "a person"},
        licence_notes=["none"],
    )


def kept_in(store: Store) -> Kept:
    return save(store, draft(), lambda fingerprint: f"<p>{fingerprint}</p>")


def test_a_selector_is_found_again_with_all_that_made_it(store: Store) -> None:
    kept = kept_in(store)
    manifest = read_manifest(store, kept.prefix, kept.manifest.sha256)
    assert manifest == kept.manifest
    assert kept.prefix == f"selectors/{manifest.fingerprint}"
    assert (manifest.kind, manifest.domain, manifest.threshold, manifest.seed) == ("fasttext", "maths", 6.5, 1)
    assert manifest.training["examples"] == 120
    assert manifest.training["by_origin"] == {"cold_start_positive": 60, "corpus_negative": 60}
    assert manifest.held_out["by_source"] == {"computing": 10, "mathematics": 10}
    assert manifest.parameters["dimension"] == 16
    assert manifest.versions["fasttext-numpy2"]
    for name, file in manifest.files.items():
        data = store.get(f"{kept.prefix}/{name}")
        assert (sha256_hex(data), len(data)) == (file["sha256"], file["bytes"])
    assert store.get(f"{kept.prefix}/report.html").decode() == f"<p>{manifest.fingerprint}</p>"
    assert load_scorer(store, kept.prefix).score([text_of(700)])[0] > 9


def test_ratings_are_kept_without_their_texts(local_store: Store) -> None:
    kept = kept_in(local_store)
    table = pq.read_table(io.BytesIO(local_store.get(f"{kept.prefix}/ratings.parquet")))
    assert table.num_rows == 140
    assert set(table.column_names) == {"score", "doc_id", "source", "origin", "rater"}


def test_the_same_training_has_the_same_name_and_other_training_another(local_store: Store) -> None:
    first = kept_in(local_store)
    again = save(local_store, draft(), lambda _: "another report")
    assert again == first
    other = save(local_store, dataclasses.replace(draft(), threshold=7.0), lambda _: "")
    assert other.prefix != first.prefix


def test_a_copied_folder_is_a_selector_too(local_store: Store) -> None:
    kept = kept_in(local_store)
    alone = LocalStore(f"{local_store.uri}/{kept.prefix}")
    assert read_manifest(alone, sha256=kept.manifest.sha256) == kept.manifest
    assert load_scorer(alone).score([text_of(701)])[0] > 9


def test_another_manifest_than_asked_for_is_refused(local_store: Store) -> None:
    kept = kept_in(local_store)
    with pytest.raises(ConfigError, match=r"select\.selector\.sha256 asks for 0000"):
        load_scorer(local_store, kept.prefix, "0" * 64)
    key = f"{kept.prefix}/manifest.json"
    edited = {**orjson.loads(local_store.get(key)), "threshold": 1.5}
    local_store.put(key, canonical_json(edited))
    with pytest.raises(ConfigError, match="its manifest was changed"):
        load_scorer(local_store, kept.prefix, kept.manifest.sha256)


def test_a_model_that_is_not_the_manifests_is_never_opened(local_store: Store) -> None:
    kept = kept_in(local_store)
    key = f"{kept.prefix}/model.bin"
    local_store.put(key, local_store.get(key)[:-1] + b"\x01")
    with pytest.raises(ConfigError, match="its manifest says"):
        load_scorer(local_store, kept.prefix)
    local_store.delete(key)
    with pytest.raises(ConfigError, match=r"model\.bin is missing"):
        load_scorer(local_store, kept.prefix)


def test_what_is_no_selector_is_said(local_store: Store) -> None:
    with pytest.raises(ConfigError, match=r"no selector at .*nowhere"):
        read_manifest(local_store, "nowhere")
    for content in (b"{", b"[]", b'{"artefact_version": 1}'):
        local_store.put("broken/manifest.json", content)
        with pytest.raises(ConfigError, match="no selector manifest"):
            read_manifest(local_store, "broken")
    local_store.put("broken/manifest.json", b'{"artefact_version": 99}')
    with pytest.raises(ConfigError, match="artefact version 99"):
        read_manifest(local_store, "broken")


def test_a_selector_of_another_preprocessing_is_refused(local_store: Store) -> None:
    older = dataclasses.replace(fasttext_scoring(), preprocessing=PREPROCESSING_VERSION + 1)
    kept = save(local_store, dataclasses.replace(draft(), scoring=older), lambda _: "")
    with pytest.raises(ConfigError, match="train it again"):
        load_scorer(local_store, kept.prefix)
