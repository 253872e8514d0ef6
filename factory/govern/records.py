"""What people declare about a dataset or a document after it was published: numbered records, never changed.

Design: a log is a folder of small objects 000001.json, 000002.json, …, each written with put-if-absent under the next
number, so two people who write at once both stand, one after the other, and no clock decides. Each record carries a
digest over itself and names the SHA-256 of the one before it: one that is edited, or taken out of the middle, is found
by whoever reads the log. That finds accidents and careless edits; whoever can write the root can also write a
consistent log, and only signatures (signature.py) tell theirs apart. What a log means is folded elsewhere (state.py,
withdrawals.py). A record that is sent again because the answer got lost is known by its nonce, and stands once.
Cost: one listing and one put a record, one get a record to read.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from factory.errors import ConfigError
from factory.govern.erasure.records import require_finished
from factory.identity import canonical_json, sha256_hex
from factory.printable import one_line
from factory.publish.places import records_prefix
from factory.run.record import now
from factory.store.base import Store
from factory.store.objects import damaged, mapping_in, typed_in

SCHEMA_VERSION = 2
PARALLEL_READS = 16

Kind = Literal["approval", "revocation", "withdrawal", "reinstatement"]


@dataclass(frozen=True)
class Record:
    """`subject` is what it is about, so that a record copied elsewhere says nothing there: the SHA-256 of a dataset's
    manifest, or a document's id. `at` is UTC in ISO 8601, for people; `previous` the SHA-256 of the record before
    it, "" for the first; `digest` that of the record's canonical JSON without it."""

    kind: Kind
    subject: str
    by: str
    role: str = ""
    note: str = ""
    at: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    previous: str = ""
    nonce: str = ""
    schema_version: int = SCHEMA_VERSION
    digest: str = ""


def signoff_prefix(name: str, version: str) -> str:
    """Where approvals and withdrawals of a dataset are kept, below its root."""
    return f"{records_prefix(name, version)}/signoff"


def record_key(prefix: str, number: int) -> str:
    return f"{prefix}/{number:06d}.json"


def append(store: Store, prefix: str, record: Record) -> Record:
    """The record as it stands in the log, at its end. Raises StoreError where the log is damaged, ConfigError where the
    record lacks a name or a reason, or an erasure of the root is not finished: what is declared of files that are half
    switched is of nothing that stays."""
    require_said(record)
    require_finished(store)
    found = read_records(store, prefix)
    record = replace(record, at=record.at or now(), nonce=record.nonce or secrets.token_hex(8))
    number, previous = len(found), _digest(store, prefix, len(found))
    while True:
        number += 1
        numbered = sealed(replace(record, number=number, previous=previous))
        key = record_key(prefix, number)
        if store.put_if_absent(key, record_bytes(numbered)):
            return numbered
        data = store.get(key)
        there = _parsed(data, store.uri, key)
        # A store may carry out a put and lose the answer: then the record that is there is ours.
        if there.nonce == record.nonce:
            return there
        previous = sha256_hex(data)


def read_records(store: Store, prefix: str) -> list[Record]:
    """The log, oldest first. Raises StoreError naming the first record that is damaged, missing, or no longer what the
    next one says it was."""
    keys = sorted(info.key for info in store.list(f"{prefix}/") if info.key.endswith(".json"))
    keys = [key for key in keys if not _SIGNED.search(key)]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        bodies = list(pool.map(store.get, keys))
    found: list[Record] = []
    previous = ""
    for place, (key, data) in enumerate(zip(keys, bodies, strict=True), 1):
        if key != record_key(prefix, place):
            raise damaged(store.uri, record_key(prefix, place), f"it is gone, while {key} is there")
        record = _parsed(data, store.uri, key)
        if record.number != place:
            raise damaged(store.uri, key, f"it calls itself number {record.number}")
        if record.previous != previous:
            raise damaged(store.uri, key, "the record before it is not the one that it was written after")
        found.append(record)
        previous = sha256_hex(data)
    return found


def sealed(record: Record) -> Record:
    """The record with the digest of what it says."""
    body = {key: value for key, value in asdict(record).items() if key != "digest"}
    return replace(record, digest=sha256_hex(canonical_json(body)))


def record_bytes(record: Record) -> bytes:
    """What stands in the store of a record that is `sealed`."""
    return canonical_json(asdict(record))


def require_said(record: Record) -> None:
    """Raises ConfigError where a record has no name, or no reason where its kind asks for one, or where a text of it is
    more than one line: that could be printed as a line of somebody else's."""
    evidence = record.evidence
    conditions = [str(each) for each in evidence.get("conditions", ())]
    texts = {"name": [record.by], "role": [record.role], "reason or note": [record.note], "condition": conditions}
    texts["review board"] = [str(evidence.get("review_board") or "")]
    for what, given in texts.items():
        for text in given:
            require_one_line(what, text)
    require_words("name", record.by)
    if record.kind != "approval":
        require_words("reason", record.note)


def require_words(what: str, text: str) -> None:
    """Raises ConfigError where `text` says nothing, or is more than one line."""
    if not text.strip():
        raise ConfigError(f"the {what} is empty", cause="the record is there to say it", remedy="say it in a sentence")
    require_one_line(what, text)


def require_one_line(what: str, text: str) -> None:
    """Raises ConfigError where `text` is more than one line, or holds what a terminal obeys."""
    if one_line(text) != text:
        raise ConfigError(
            f"the {what} {text!r} holds a line break, a tab or a control character",
            cause="printed, it could pass for another line of a verification or a status",
            remedy="write it on one line",
        )


_SIGNED = re.compile(r"/\d{6}\.signed\.json$")


def signed_key(prefix: str, number: int) -> str:
    """Where the signature over a record is kept, beside it (signature.py)."""
    return f"{prefix}/{number:06d}.signed.json"


def _digest(store: Store, prefix: str, number: int) -> str:
    return sha256_hex(store.get(record_key(prefix, number))) if number else ""


def _parsed(data: bytes, uri: str, key: str) -> Record:
    value = mapping_in(data, uri, key, ("kind", "subject", "number", "nonce", "digest"))
    record = typed_in(Record, value, uri, key)
    body = {name: each for name, each in value.items() if name != "digest"}
    if sha256_hex(canonical_json(body)) != record.digest or canonical_json(value) != data:
        raise damaged(uri, key, "its bytes do not match the digest it carries: it was changed after it was written")
    return record
