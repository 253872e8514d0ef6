"""Signatures over a dataset's manifest, and over the records that approve it: DSSE envelopes that any verifier of them
can check.

Design: the payload is an in-toto Statement (v1) whose subject is manifest.json with its SHA-256, and so, by the hashes
in there, every file of the dataset; or a record of its sign-off, and so, by the chain, every record before it. Signed
is DSSE's pre-authentication encoding with Ed25519. Envelopes are kept in the dataset's records,
`signatures/000001.json`, put only if absent, several beside each other where several people sign; nothing of the
dataset changes. Verifying needs the public key and nothing of the root.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from factory.errors import StoreError
from factory.govern.erasure.records import require_finished
from factory.govern.keys import key_id
from factory.govern.records import Record, read_records, record_bytes, record_key, signed_key, signoff_prefix
from factory.govern.state import Dataset, state_of
from factory.identity import canonical_json, sha256_hex
from factory.publish.intact import Data, faults_of_files, listed
from factory.publish.manifest import MANIFEST, seal
from factory.publish.places import records_prefix
from factory.store.base import Store
from factory.store.objects import mapping_in

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:factory:dataset:v1"
RECORD_PREDICATE_TYPE = "urn:factory:signoff:v1"

SHOWN = 10
"""Files that a refusal names."""


@dataclass(frozen=True)
class Subject:
    """What a signature is over: the key of a file below its root, and the SHA-256 of its bytes."""

    what: Literal["manifest", "record"]
    name: str
    sha256: str
    predicate_type: str


@dataclass(frozen=True)
class Verdict:
    """What one envelope comes to for a subject and a key. `ours`: this key is named in it, or its signature is good;
    `good`: it is a signature by this key over this very subject."""

    key: str
    ours: bool
    good: bool
    why: str


def signatures_prefix(name: str, version: str) -> str:
    return f"{records_prefix(name, version)}/signatures"


def manifest_of(dataset: Dataset) -> Subject:
    return Subject("manifest", f"{dataset.prefix}/{MANIFEST}", dataset.manifest_sha256, PREDICATE_TYPE)


def subject_of(prefix: str, record: Record) -> Subject:
    """A record as it stands in the log at `prefix`."""
    digest = sha256_hex(record_bytes(record))
    return Subject("record", record_key(prefix, record.number), digest, RECORD_PREDICATE_TYPE)


def statement_of(dataset: Dataset) -> bytes:
    """The payload: what is signed about a dataset."""
    said = {
        "name": dataset.name,
        "version": dataset.version,
        "kind": str(dataset.manifest["kind"]),
        "rows": dataset.rows,
        "digest": str(dataset.manifest.get("digest", "")),
    }
    return statement(manifest_of(dataset), said)


def statement(subject: Subject, said: dict[str, Any]) -> bytes:
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": subject.name, "digest": {"sha256": subject.sha256}}],
            "predicateType": subject.predicate_type,
            "predicate": said,
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


def sign(root: Store, dataset: Dataset, key: Ed25519PrivateKey, data: Data | None = None) -> str:
    """Writes an envelope to the dataset's records; its key below the root, also where it was signed so before. `data`
    None: the dataset lies below `root`. Raises ConfigError where an erasure of the root is not finished: it may write
    another manifest; StoreError where the files are not those of the manifest."""
    require_finished(root)
    _require_intact(dataset, data or Data(root, dataset.prefix))
    envelope = orjson.dumps(envelope_of(statement_of(dataset), key))
    prefix = signatures_prefix(dataset.name, dataset.version)
    number = 1
    while True:
        place = record_key(prefix, number)
        # Ed25519 signs the same to the same bytes: what is there and equal is this very signature.
        if root.put_if_absent(place, envelope) or root.get(place) == envelope:
            return place
        number += 1


def _require_intact(dataset: Dataset, data: Data) -> None:
    """Raises StoreError where the dataset's files, its manifest among them, are not as they were published."""
    files = listed(dataset.manifest)
    if files is None or sha256_hex(seal(dataset.manifest)) != dataset.manifest_sha256:
        faults = [f"{MANIFEST} lists no files, or does not match its own digest"]
    else:
        faults = faults_of_files(data, files)
    if faults:
        shown = "".join(f"\n  - {each}" for each in faults[:SHOWN])
        more = f"\n  - and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else ""
        raise StoreError(
            f"{dataset.title} is not signed, its files are not those that were published:{shown}{more}",
            cause="something was damaged, removed or edited since",
            remedy="`factory verify` says more; fetch the dataset again, or publish a new version, and sign that",
        )


def sign_record(root: Store, prefix: str, record: Record, key: Ed25519PrivateKey) -> str:
    """Writes the envelope over a record of the log at `prefix`, beside it; its key below the root."""
    said = {"kind": record.kind, "by": record.by, "at": record.at, "subject": record.subject}
    data = orjson.dumps(envelope_of(statement(subject_of(prefix, record), said), key))
    place = signed_key(prefix, record.number)
    root.put_if_absent(place, data)
    return place


def verdicts_of_approvals(root: Store, dataset: Dataset, keys: Sequence[Ed25519PublicKey]) -> dict[int, Verdict]:
    """Number of a record of the dataset's sign-off -> what the envelope beside it comes to, of those that have one.
    Raises StoreError where the records are damaged."""
    prefix = signoff_prefix(dataset.name, dataset.version)
    there = {info.key for info in root.list(f"{prefix}/")}
    found = {}
    for record in read_records(root, prefix):
        place = signed_key(prefix, record.number)
        if place in there:
            subject = subject_of(prefix, record)
            found[record.number] = _best([verdict_of(root.get(place), place, root.uri, subject, key) for key in keys])
    return found


def told_of_approvals(root: Store, dataset: Dataset, keys: Sequence[Ed25519PublicKey]) -> tuple[bool, str]:
    """Whether one of the keys has signed what makes the dataset approved, and one line: no approval that stands has to
    be signed, and none of the keys may be named by an envelope that is not good. Of a mix, whose approvals are those of
    its parts, only that is said."""
    if dataset.mix:
        return True, "a mix has no approval of its own: ask for those of its parts"
    found = verdicts_of_approvals(root, dataset, keys)
    bad = [each for each in found.values() if each.ours and not each.good]
    if bad:
        return False, "; ".join(f"{each.key}: {each.why}" for each in bad)
    state = state_of(root, dataset)
    if state.name != "approved" or state.record is None:
        return True, f"there is no approval to be signed; {len(found)} of its records have signatures"
    verdict = found.get(state.record.number)
    if verdict is None:
        return False, f"record {state.record.number}, the approval, has no signature (factory approve … --key FILE)"
    return verdict.good, f"{verdict.key}: {verdict.why}"


def _best(found: Sequence[Verdict]) -> Verdict:
    """What an envelope comes to for several keys: good for one of them, or what is wrong by one that it names."""
    return min(found, key=lambda each: (not each.good, not each.ours))


def verdicts(root: Store, dataset: Dataset, keys: Sequence[Ed25519PublicKey]) -> list[Verdict]:
    """What every envelope in the dataset's records comes to for whichever of the keys it fits, in their order."""
    prefix = f"{signatures_prefix(dataset.name, dataset.version)}/"
    places = sorted(info.key for info in root.list(prefix) if info.key.endswith(".json"))
    subject = manifest_of(dataset)
    return [_best([verdict_of(root.get(at), at, root.uri, subject, key) for key in keys]) for at in places]


def verdict_of(data: bytes, place: str, uri: str, subject: Subject, key: Ed25519PublicKey) -> Verdict:
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
    why = _unlike(payload, subject)
    return Verdict(place, True, not why, why or f"signed by {key_id(key)[:12]}")


def _holds(key: Ed25519PublicKey, signature: bytes, encoded: bytes) -> bool:
    try:
        key.verify(signature, encoded)
    except InvalidSignature:
        return False
    return True


def _unlike(payload: bytes, subject: Subject) -> str:
    """How a signed payload is not about this subject as it is; "" where it is."""
    try:
        said = orjson.loads(payload)
        (signed,) = said["subject"]
        named, digest = str(signed["name"]), str(signed["digest"]["sha256"])
        kinds = said["_type"], said["predicateType"]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return f"what it signs is no statement about one file: {error}"
    if kinds != (STATEMENT_TYPE, subject.predicate_type):
        return f"what it signs is another statement: {kinds[0]}, {kinds[1]}"
    if named != subject.name:
        return f"it is of another {'dataset' if subject.what == 'manifest' else 'record'}: {named}"
    if digest != subject.sha256:
        was = f"{digest[:12]} was signed, {subject.sha256[:12]} is there"
        return f"the {subject.what} was changed after it was signed: {was}"
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
