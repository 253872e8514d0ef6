"""Signatures over a dataset's manifest: DSSE envelopes that any verifier of them can check.

Design: the payload is an in-toto Statement (v1) whose subject is manifest.json with its SHA-256, and so, by the hashes
in there, every file of the dataset. Signed is DSSE's pre-authentication encoding with Ed25519. Envelopes are kept in
the dataset's records, `signatures/000001.json`, put only if absent, several beside each other where several people
sign; nothing of the dataset changes. Verifying needs the public key and nothing of the root.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from factory.errors import StoreError
from factory.govern.keys import key_id
from factory.govern.records import record_key
from factory.govern.state import Dataset
from factory.identity import canonical_json
from factory.publish.manifest import MANIFEST
from factory.store.base import Store
from factory.store.objects import mapping_in

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:factory:dataset:v1"


@dataclass(frozen=True)
class Verdict:
    """What one envelope comes to for a dataset and a key. `ours`: this key is named in it, or its signature is good;
    `good`: it is a signature by this key over this very manifest."""

    key: str
    ours: bool
    good: bool
    why: str


def signatures_prefix(name: str, version: str) -> str:
    return f"datasets/{name}/records/{version}/signatures"


def statement_of(dataset: Dataset) -> bytes:
    """The payload: what is signed about a dataset."""
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": f"{dataset.prefix}/{MANIFEST}", "digest": {"sha256": dataset.manifest_sha256}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "name": dataset.name,
                "version": dataset.version,
                "kind": str(dataset.manifest["kind"]),
                "rows": dataset.rows,
                "digest": str(dataset.manifest.get("digest", "")),
            },
        }
    )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSEv1: what a signature is over, so that type and payload cannot be told apart otherwise."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope_of(payload: bytes, key: Ed25519PrivateKey) -> dict[str, Any]:
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
    }


def sign(root: Store, dataset: Dataset, key: Ed25519PrivateKey) -> str:
    """Writes an envelope to the dataset's records; its key below the root, also where it was signed so before."""
    data = orjson.dumps(envelope_of(statement_of(dataset), key))
    prefix = signatures_prefix(dataset.name, dataset.version)
    number = 1
    while True:
        place = record_key(prefix, number)
        # Ed25519 signs the same to the same bytes: what is there and equal is this very signature.
        if root.put_if_absent(place, data) or root.get(place) == data:
            return place
        number += 1


def verdicts(root: Store, dataset: Dataset, key: Ed25519PublicKey) -> list[Verdict]:
    """What every envelope in the dataset's records comes to, in their order."""
    prefix = f"{signatures_prefix(dataset.name, dataset.version)}/"
    keys = sorted(info.key for info in root.list(prefix) if info.key.endswith(".json"))
    return [verdict_of(root.get(each), each, root.uri, dataset, key) for each in keys]


def verdict_of(data: bytes, place: str, uri: str, dataset: Dataset, key: Ed25519PublicKey) -> Verdict:
    """What the envelope `data` comes to. Never raises for what is in it."""
    try:
        envelope = mapping_in(data, uri, place, ("payload", "payloadType", "signatures"))
        payload = base64.b64decode(envelope["payload"], validate=True)
        found = [(each.get("keyid"), each["sig"]) for each in envelope["signatures"]]
        signatures = [(keyid, base64.b64decode(sig, validate=True)) for keyid, sig in found]
        kind = str(envelope["payloadType"])
        encoded = pre_authentication_encoding(kind, payload)
    except (StoreError, AttributeError, LookupError, TypeError, ValueError, binascii.Error) as error:
        why = error.what if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
        return Verdict(place, True, False, f"it is no DSSE envelope: {why}")
    named = [signature for keyid, signature in signatures if keyid in (None, "", key_id(key))]
    others = [str(keyid)[:12] for keyid, _ in signatures if keyid not in (None, "", key_id(key))]
    if not any(_holds(key, signature, encoded) for signature in (named or [signature for _, signature in signatures])):
        if not named:
            return Verdict(place, False, False, f"it is signed by another key: {', '.join(others) or 'nobody'}")
        return Verdict(place, True, False, "its signature does not fit its payload: one of them was changed")
    if kind != PAYLOAD_TYPE:
        return Verdict(place, True, False, f"its payload is of another type: {kind}")
    why = _unlike(payload, dataset)
    return Verdict(place, True, not why, why or f"signed by {key_id(key)[:12]}")


def _holds(key: Ed25519PublicKey, signature: bytes, encoded: bytes) -> bool:
    try:
        key.verify(signature, encoded)
    except InvalidSignature:
        return False
    return True


def _unlike(payload: bytes, dataset: Dataset) -> str:
    """How a signed payload is not about this dataset as it is; "" where it is."""
    try:
        statement = orjson.loads(payload)
        (subject,) = statement["subject"]
        named, digest = str(subject["name"]), str(subject["digest"]["sha256"])
        kinds = statement["_type"], statement["predicateType"]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return f"what it signs is no statement about one file: {error}"
    if kinds != (STATEMENT_TYPE, PREDICATE_TYPE):
        return f"what it signs is another statement: {kinds[0]}, {kinds[1]}"
    if named != f"{dataset.prefix}/{MANIFEST}":
        return f"it is of another dataset: {named}"
    if digest != dataset.manifest_sha256:
        there = dataset.manifest_sha256
        return f"the manifest was changed after it was signed: {digest[:12]} was signed, {there[:12]} is there"
    return ""


def told(found: list[Verdict]) -> tuple[bool, str]:
    """Whether the dataset is signed by the key, and one line about every envelope: one that names the key and is not
    good spoils it, those of other keys do not."""
    good = [each for each in found if each.good]
    bad = [each for each in found if each.ours and not each.good]
    others = [each for each in found if not each.ours]
    lines = [*(f"{each.key}: {each.why}" for each in [*bad, *good])]
    if not good and not bad:
        return False, "; ".join(f"{each.key}: {each.why}" for each in others) or "no signature is recorded"
    return bool(good) and not bad, "; ".join(lines) + (f"; {len(others)} by other keys" if others else "")
