"""Documents of a bundle that somebody edited: read back, or refused by name; and Arrow types that nobody wrote."""

from __future__ import annotations

import orjson
from hypothesis import example

from factory.errors import StoreError
from factory.govern.check.bundle import bundle_findings
from factory.govern.check.erasures import tombstone_in
from factory.govern.check.fields import against, among
from factory.govern.check.index import index_claims, parsed_index
from factory.govern.check.rendered import rendered_findings
from factory.govern.claims import Claims
from factory.govern.columns import column
from factory.govern.config import GovernanceConfig, ModelStatementConfig, contradictions_in
from factory.govern.croissant.reading import claims, problems
from factory.govern.documents import card, markers
from tests.fuzz.breaking import json_bytes, texts
from tests.fuzz.harness import fuzzed, refused

CROISSANT = {
    "@context": {"@vocab": "https://schema.org/"},
    "@type": "sc:Dataset",
    "name": "n",
    "version": "v",
    "datePublished": "2026-01-01",
    "license": {"@type": "sc:CreativeWork", "name": "MIT"},
    "creator": [{"@type": "sc:Person", "name": "Ada"}],
    "inLanguage": ["en"],
    "identifier": [{"name": "run", "value": "r"}, {"name": "manifest digest", "value": "d"}],
    "additionalProperty": [{"name": "synthetic", "value": True}],
    "distribution": [
        {"@type": "cr:FileObject", "@id": "data/a.parquet", "contentSize": "3 B", "sha256": "0" * 64},
        {"@type": "cr:FileSet", "@id": "shards", "containedIn": {"@id": "dataset"}, "includes": ["*"]},
    ],
    "recordSet": [
        {"@id": "splits", "data": [{"splits/name": "train", "splits/rows": 3}], "field": [{"@id": "splits/name"}]},
        {
            "@id": "samples",
            "annotation": [{"value": 3}],
            "field": [{"@id": "a", "dataType": "sc:Text", "source": {"fileSet": {"@id": "shards"}}, "subField": []}],
        },
    ],
    "prov:wasDerivedFrom": [{"license": [{"name": "MIT"}]}],
    "prov:wasGeneratedBy": [{"@id": "steps/select-0"}],
    "prov:wasAttributedTo": [{"prov:label": "m", "softwareVersion": "r"}],
}


@fuzzed("factory.govern.croissant.reading.claims", share=2, data=json_bytes(CROISSANT))
@example(data=orjson.dumps(CROISSANT))
def test_a_croissant_document_is_read_back_or_refused(data: bytes) -> None:
    with refused(ValueError):
        assert isinstance(claims(data), Claims)


@fuzzed("factory.govern.croissant.reading.problems", share=2, data=json_bytes(CROISSANT))
def test_what_a_croissant_document_lacks_is_told_in_words(data: bytes) -> None:
    assert all(isinstance(problem, str) for problem in problems(data))


@fuzzed("factory.govern.columns.column", text=texts("list<item: struct<a: string, b: list<item: int8>>>", "double"))
@example(text="list<item: " * 5000)
def test_a_type_is_a_column_or_refused(text: str) -> None:
    with refused(ValueError):
        assert column("name", text).kind


@fuzzed("factory.govern.config.contradictions_in", text=texts("2025-01-31", "2024-02-30"))
def test_a_day_of_release_is_one_or_told(text: str) -> None:
    model = ModelStatementConfig.model_construct(name="m", released=text)
    assert len(list(contradictions_in(GovernanceConfig.model_construct(models=(model,))))) <= 1


TOMBSTONE = {"erasure": "e", "at": "2026-01-01", "rows": 3, "dataset": "n", "version": "v", "manifest_now": "d"}


@fuzzed("factory.govern.check.erasures.tombstone_in", data=json_bytes(TOMBSTONE))
@example(data=orjson.dumps(TOMBSTONE))
def test_what_an_erasure_left_in_the_records_is_read_or_refused(data: bytes) -> None:
    with refused(StoreError):
        assert tombstone_in(data, "root", "key").rows >= 0 or b"-" in data


CARD_TEXT = """---
license: mit
pretty_name: n
tags: [synthetic, machine-generated]
size_categories: [n<1K]
task_categories: [question-answering]
annotations_creators: [machine-generated]
language_creators: [machine-generated]
source_datasets: [original]
configs: [{config_name: default, data_files: [{split: train, path: data/train-*.parquet}]}]
dataset_info: {features: [{name: a, dtype: string}], splits: [{name: train, num_bytes: 3, num_examples: 3}], \
download_size: 3, dataset_size: 3}
---

- version `v`, published 2026-01-01
- **select** (`select-0`, version 1)
Run `r`, seed 3; factory 1.

| gate | meaning | threshold | measured | result |
| --- | --- | --- | --- | --- |
| min_samples | samples | >= 1 | 3 | passed |

| role | model | revision | licence | terms |
| --- | --- | --- | --- | --- |
| answer | m | r | MIT | none |
"""
MARKERS = {
    "kind": "factory-markers",
    "name": "n",
    "version": "v",
    "created": "2026-01-01",
    "run": "r",
    "manifest": {"digest": "d"},
    "synthetic": True,
    "digital_source_type": "t",
    "generators": [{"name": "m", "revision": "r"}],
    "marked": {"rows": ["synthetic"]},
    "assets": [
        {
            "path": "data/a.parquet",
            "rows": 3,
            "assertions": [
                {"label": "c2pa.actions.v2", "data": {"actions": [{"digitalSourceType": "t"}]}},
                {"label": "c2pa.hash.data", "data": {"alg": "sha256", "hash": "0" * 64}},
            ],
        }
    ],
}


@fuzzed("factory.govern.documents.card.claims", share=2, text=texts(CARD_TEXT))
@example(text=CARD_TEXT)
def test_a_card_is_read_back_or_refused(text: str) -> None:
    data = text.encode(errors="surrogatepass")
    assert all(isinstance(problem, str) for problem in card.problems(data))
    with refused(ValueError):
        assert isinstance(card.claims(data), Claims)


@fuzzed("factory.govern.documents.markers.claims", share=2, data=json_bytes(MARKERS))
@example(data=orjson.dumps(MARKERS))
def test_markers_are_read_back_or_refused(data: bytes) -> None:
    assert all(isinstance(problem, str) for problem in markers.problems(data))
    with refused(ValueError):
        assert isinstance(markers.claims(data), Claims)


INDEX = {
    "kind": "factory-bundle",
    "bundle_version": 1,
    "written_by": "0.1.0",
    "name": "n",
    "version": "v",
    "created": "2026-01-01",
    "updated": "2026-01-01",
    "erased": [{"erasure": "e", "at": "2026-01-01", "rows": 3}],
    "run": "r",
    "dataset": "datasets/n/v",
    "manifest": {"path": "manifest.json", "sha256": "0" * 64, "digest": "0" * 64},
    "documents": [{"path": "croissant.json", "bytes": 3, "sha256": "0" * 64}],
    "recipe": {"sha256": "0" * 64, "content": {"seed": 17}},
    "prompts": {"path": "prompts.json", "sha256": "0" * 64, "content": {"prompts": []}},
}


@fuzzed("factory.govern.check.index.parsed_index", data=json_bytes(INDEX))
@example(data=orjson.dumps(INDEX))
def test_an_index_is_read_or_refused(data: bytes) -> None:
    with refused(ValueError):
        assert index_claims(parsed_index(data)).name is not None


@fuzzed("factory.govern.check.bundle.bundle_findings", share=2, data=json_bytes(INDEX), other=json_bytes(CROISSANT))
@example(data=orjson.dumps(INDEX), other=orjson.dumps(CROISSANT))
def test_whatever_lies_in_a_bundle_is_told_in_findings(data: bytes, other: bytes) -> None:
    files = {"bundle.json": data, "croissant.json": other, "beside-data/croissant.json": b"{}"}
    assert all(finding.in_words() for finding in bundle_findings(files, "bundle-0", None))


@fuzzed("factory.govern.check.fields.against", data=json_bytes(CROISSANT))
def test_claims_of_any_kind_are_compared(data: bytes) -> None:
    wanted = Claims(name="n", created="2026-01-01", splits={"train": 3}, files={"data/a.parquet": "0" * 64},
                    licenses=frozenset({"MIT"}), models=frozenset({("m", "r")}), synthetic=True)  # fmt: skip
    with refused(ValueError):
        found = claims(data)
        assert all(finding.in_words() for finding in against("croissant.json", found, wanted))
        assert all(finding.in_words() for finding in among({"a": found, "b": wanted}))


@fuzzed("factory.govern.check.rendered.rendered_findings", data=json_bytes(CROISSANT))
def test_whatever_differs_from_what_belongs_there_has_a_place(data: bytes) -> None:
    wanted = orjson.dumps(CROISSANT)
    for path in ("croissant.json", "openlineage.jsonl", "eu-ai-act.md"):
        found = list(rendered_findings(path, data, wanted))
        assert all(finding.in_words() for finding in found)
        assert bool(found) == (data != wanted)
