"""What people declared about datasets, in objects that somebody edited: read, or refused by name."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import example

from factory.conditions import outcome, parse_condition
from factory.errors import ConfigError, StoreError
from factory.govern.config import ThresholdsConfig
from factory.govern.demands import Demands, contradictions, demands_in
from factory.govern.figures import evaluation_in, held
from factory.govern.impact import Asked, question_of_mix, roles_of
from factory.govern.keys import key_id, public_in
from factory.govern.records import Record, read_records, record_key, sealed
from factory.govern.resting import left_out
from factory.govern.signature import envelope_of, manifest_of, statement_of, verdict_of
from factory.govern.state import dataset_in, folded, mix_inputs
from factory.identity import canonical_json, sha256_hex
from factory.run.withdrawn import pin_key, pinned
from factory.store.local import LocalStore
from tests.fuzz.breaking import broken_bytes, broken_json, json_bytes, texts
from tests.fuzz.harness import fuzzed, refused

RECORD = sealed(Record("approval", "a" * 64, "ada", "owner", "note", "2026-01-01", {"rows": 3}, 1, "", "nonce"))
RECORD_JSON = orjson.loads(canonical_json(asdict(RECORD)))
EVALUATION = {
    "kind": "factory-evaluation",
    "dataset_digest": "d",
    "created": "2026-01-01",
    "sections": [
        {
            "name": "privacy",
            "figures": [{"name": "AUC", "value": 0.5, "low": 0.4, "high": None, "why": ""}],
            "tables": [{"title": "by level", "columns": ["level", "share"], "rows": [["1", 0.5], ["2", None]]}],
        }
    ],
}
MANIFEST = {
    "kind": "factory-mix",
    "name": "n",
    "version": "v",
    "totals": {"rows": 3},
    "license": {"dataset": "MIT"},
    "shards": [{"path": "data/a.parquet", "sha256": "0" * 64}],
    "generators": [{"role": "answer", "model": "m", "revision": "r", "dataset": "d", "version": "v"}],
    "inputs": [{"dataset": "d", "version": "v", "sha256": "0" * 64}],
}


@pytest.fixture(scope="module")
def store(place: Path) -> LocalStore:
    return LocalStore(str(place))


@fuzzed("factory.govern.records.read_records", "factory.govern.state.folded", share=2, data=json_bytes(RECORD_JSON))
@example(data=orjson.dumps({**RECORD_JSON, "number": 2}))
def test_a_record_is_read_or_refused(store: LocalStore, data: bytes) -> None:
    prefix = "datasets/d/records/v/signoff"
    # Half of them with the digest that fits: others are refused before anything of them is looked at.
    store.put(record_key(prefix, 1), data if len(data) % 2 else resealed(data))
    with refused(StoreError):
        state = folded(read_records(store, prefix), "a" * 64, Demands(digest="d"))
        assert state.name in ("draft", "approved", "withdrawn")
        orjson.dumps(state.to_json())


def resealed(data: bytes) -> bytes:
    """A record as somebody writes it who can write the root."""
    try:
        value = orjson.loads(data)
        body = {key: each for key, each in value.items() if key != "digest"}
        return canonical_json({**body, "digest": sha256_hex(canonical_json(body))})
    except (AttributeError, TypeError, ValueError):
        return data


DEMANDING = {
    "governance": {"approvers": ["ada"], "thresholds": {"privacy": ["auc<=0.6"]}},
    "gates": [],
    "digest": "d",
    "steps": [{"identity": {"own": {"withdrawn": ["0" * 32]}}}],
}
EVIDENCE = {
    "manifest_digest": "d",
    "thresholds": [{"group": "privacy", "condition": "auc<=0.6", "value": 0.5, "holds": True}],
}


@fuzzed("factory.govern.demands.demands_in", "factory.govern.resting.left_out", manifest=broken_json(DEMANDING))
def test_what_a_forged_manifest_demands_is_told(manifest: Any) -> None:
    if isinstance(manifest, dict):
        for line in contradictions(demands_in(manifest), RECORD):
            line.encode("utf-8", "replace")
        assert all(isinstance(each, str) for each in left_out(manifest))


@fuzzed("factory.govern.demands.contradictions", evidence=broken_json(EVIDENCE))
def test_forged_evidence_contradicts_or_holds(evidence: Any) -> None:
    if isinstance(evidence, dict):
        found = contradictions(demands_in(DEMANDING), replace(RECORD, evidence=evidence))
        assert found or evidence["manifest_digest"] == "d"


@fuzzed("factory.govern.figures.evaluation_in", share=2, data=json_bytes(EVALUATION))
def test_an_evaluation_gives_figures_or_is_refused(data: bytes) -> None:
    with refused(StoreError):
        found = evaluation_in(data, "root", "key", "d")
        if found is not None:
            thresholds = ThresholdsConfig(privacy=("auc<=0.6",), bias=("by_level.share.min>=0.1",))
            assert len(held(thresholds, [found])) == 2


@fuzzed("factory.govern.state.dataset_in", data=json_bytes(MANIFEST))
def test_a_manifest_is_a_dataset_or_refused(data: bytes) -> None:
    with refused(StoreError):
        dataset = dataset_in(data, "root", "key")
        assert isinstance(dataset.rows, int)
        mix_inputs(dataset.manifest)
        for kind, what in (("model", "m"), ("document", "0" * 32), ("license", "MIT")):
            question_of_mix(dataset, Asked(kind, what), {"0" * 64: pa.array(["id"])})
            roles_of(dataset, Asked(kind, what))


DATASET = dataset_in(orjson.dumps(MANIFEST), "root", "key")
SIGNER = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
ENVELOPE = envelope_of(statement_of(DATASET), SIGNER)
PUBLIC = SIGNER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@fuzzed("factory.govern.signature.verdict_of", share=2, data=json_bytes(ENVELOPE))
def test_an_envelope_is_good_only_if_it_says_what_was_signed(data: bytes) -> None:
    verdict = verdict_of(data, "key", "root", manifest_of(DATASET), SIGNER.public_key())
    verdict.why.encode()
    if verdict.good:
        assert orjson.loads(data)["payload"] == ENVELOPE["payload"]


@fuzzed("factory.govern.signature.verdict_of", payload=json_bytes(orjson.loads(statement_of(DATASET))))
def test_whatever_is_signed_is_judged(payload: bytes) -> None:
    envelope = orjson.dumps(envelope_of(payload, SIGNER))
    verdict = verdict_of(envelope, "key", "root", manifest_of(DATASET), SIGNER.public_key())
    assert verdict.ours
    verdict.why.encode()


@fuzzed("factory.govern.keys.public_in", data=broken_bytes([PUBLIC]))
def test_a_public_key_is_read_or_refused(data: bytes) -> None:
    with refused(ConfigError):
        assert len(key_id(public_in(data, Path("key.pub")))) == 64


@fuzzed("factory.run.withdrawn.pinned", data=json_bytes({"documents": ["0" * 32]}))
def test_a_pin_is_a_list_of_documents_or_refused(store: LocalStore, data: bytes) -> None:
    store.put(pin_key("run"), data)
    with refused(StoreError):
        assert all(isinstance(each, str) for each in pinned(store, "run"))


@fuzzed("factory.conditions.parse_condition", text=texts("accepted>=0.9", "a.b.min<50%", "x>-1"))
@example(text="a>=" + "9" * 5000)
def test_a_condition_is_understood_or_refused(text: str) -> None:
    with refused(ValueError):
        assert outcome(parse_condition(text), 1.0).holds in (True, False)
