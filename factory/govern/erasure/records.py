"""Erasure records: what was taken out of a root, when, by whom and why; what verification accepts changed files by.

Design: an erasure is these objects below `erasures/`, each written once and never changed, in this order; the work
file and what was staged are deleted as the last act, all others stay:

    <id>.begun.json   who, why, and salted hashes of the ids: from here on no run may bring the documents back
    <id>.work.json    ids in the clear, needed to look for them when all is done
    <id>.staged/      what will stand in the place of objects that keep their names
    <id>.json         the record: every file that is added, replaced or removed, by its old and new hash. From here on
                      files are switched; until here nothing that anybody reads has changed
    <id>.done.json    what was done, and what could not be

Each holds a digest over itself, as a manifest does, so that one that was changed is found; it keeps out accidents and
hasty hands, not somebody who computes it anew.

Killed anywhere, the same command goes on where these say that it stopped. The id of an erasure is a hash of what it
erases, so that the same command finds it; salts are of the root (`salt.json`), so hashes of two roots cannot be joined.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import orjson

from factory.errors import ConfigError, StoreError, TransientStoreError
from factory.identity import canonical_json, fingerprint
from factory.printable import one_line
from factory.select.erased import DenyList, salted
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import damaged, read_mapping, typed_in

FOLDER = "erasures"
SALT = f"{FOLDER}/salt.json"

Kind = Literal["erasure", "retention"]


@dataclass(frozen=True)
class Begun:
    """`documents` are salted ids, empty for retention; `at` is UTC in ISO 8601, by the clock of whoever asked."""

    erasure: str
    kind: Kind
    documents: tuple[str, ...]
    reason: str
    by: str
    at: str
    days: float | None = None


@dataclass(frozen=True)
class Change:
    """One file, by the hash it had and the one it has afterwards: "" for none. `of` is its kind (files.py). A key that
    names what is erased (the log of a document's withdrawal) stands here as `Hiding` leaves it."""

    key: str
    sha256: str
    new_sha256: str
    of: str

    @property
    def added(self) -> bool:
        return not self.sha256

    @property
    def removed(self) -> bool:
        return not self.new_sha256


@dataclass(frozen=True)
class ErasedDataset:
    """A version whose shards lost `rows`. The digests are those of its manifest before and after."""

    prefix: str
    rows: int
    old_digest: str
    new_digest: str


@dataclass(frozen=True)
class Record:
    """What an erasure replaces and removes; written before the first of it is done. `rows` are those erased, by step
    and kind of file, and by dataset; `unknown` files of a kind that is not known."""

    erasure: str
    kind: Kind
    documents: tuple[str, ...]
    reason: str
    by: str
    at: str
    rows: Mapping[str, int]
    datasets: tuple[ErasedDataset, ...]
    changes: tuple[Change, ...]
    unknown: tuple[str, ...] = ()
    days: float | None = None
    schema_version: int = 2

    @property
    def in_words(self) -> str:
        what = f"documents erased: {len(self.documents)}" if self.kind == "erasure" else "raw requests removed"
        return one_line(f"{what} ({self.kind} {self.erasure}, {self.at}, by {self.by}: {self.reason})")

    def names(self, key: str, sha256: str) -> bool:
        """Whether this is how the record left that file."""
        return (key, sha256) in self._left

    @cached_property
    def _left(self) -> frozenset[tuple[str, str]]:
        return frozenset((change.key, change.new_sha256) for change in self.changes if not change.removed)


@dataclass(frozen=True)
class Work:
    """Everything that the erasure looks for, in the clear. `words` are strings that only erased extractions have (names
    of concepts), `normals` their normal forms, `subjects` those of erased rows alone, `texts` what nobody may quote,
    `pieces` those of them that no row which stays has, `alike` documents that nearly repeat an erased one."""

    ids: tuple[str, ...]
    words: tuple[str, ...] = ()
    normals: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()


def begun_key(erasure: str) -> str:
    return f"{FOLDER}/{erasure}.begun.json"


def work_key(erasure: str) -> str:
    return f"{FOLDER}/{erasure}.work.json"


def staged_key(erasure: str, place: int) -> str:
    """Where the bytes wait that are to replace the object of the record's change number `place`."""
    return f"{FOLDER}/{erasure}.staged/{place:06d}"


def record_key(erasure: str) -> str:
    return f"{FOLDER}/{erasure}.json"


def done_key(erasure: str) -> str:
    return f"{FOLDER}/{erasure}.done.json"


@dataclass(frozen=True)
class Hiding:
    """Keys as records may name them: whole, or where one of `ids` stands in them by a salted hash alone."""

    salt: str
    ids: frozenset[str]

    def __call__(self, key: str) -> str:
        return hidden(self.salt, key) if any(each in self.ids for each in ID.findall(key)) else key


ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
HIDDEN = "withheld/"


def hidden(salt: str, key: str) -> str:
    return f"{HIDDEN}{salted(salt, key)}"


def salt_of(store: Store) -> str:
    """The root's salt, made where there is none yet."""
    store.put_if_absent(SALT, canonical_json({"salt": secrets.token_hex(16)}))
    return _salt(store)


def denied(store: Store) -> DenyList | None:
    """The documents that runs in this root leave out; None where none was ever erased."""
    documents: set[str] = set()
    for begun in erasures(store):
        documents.update(begun.documents)
    if not documents:
        return None
    return DenyList(_salt(store), frozenset(documents))


def _salt(store: Store) -> str:
    return str(read_mapping(store, SALT, ("salt",))["salt"])


def erasures(store: Store) -> list[Begun]:
    """Every erasure that was ever begun in a root, in the order of their times."""
    keys = [info.key for info in store.list(f"{FOLDER}/") if info.key.endswith(".begun.json")]
    return sorted((read_begun(store, key) for key in keys), key=lambda begun: (begun.at, begun.erasure))


def read_begun(store: Store, key: str) -> Begun:
    return typed_in(Begun, _unchanged(store, key), store.uri, key)


def unfinished(store: Store) -> list[Begun]:
    """Erasures that were begun and not finished: without their last object, or with the one that has to go."""
    return [
        begun
        for begun in erasures(store)
        if store.head(done_key(begun.erasure)) is None or store.head(work_key(begun.erasure)) is not None
    ]


def require_finished(store: Store, but: Begun | None = None) -> None:
    """Raises ConfigError where an erasure (other than `but`) was begun and not finished: files are half switched."""
    for other in unfinished(store):
        if but is None or other.erasure != but.erasure:
            days = f" (factory retention ROOT --days {other.days})" if other.kind == "retention" else ""
            raise ConfigError(
                f"{other.kind} {other.erasure} of {store.uri} was begun at {other.at} and is not finished",
                cause="it was killed",
                remedy=f"give that command again first{days}",
            )


def read_record(store: Store, erasure: str) -> Record | None:
    """None where there is none (yet). Raises StoreError where it is damaged."""
    key = record_key(erasure)
    try:
        return typed_in(Record, _unchanged(store, key), store.uri, key)
    except AbsentObjectError:
        return None


def read_work(store: Store, erasure: str) -> Work:
    key = work_key(erasure)
    return typed_in(Work, _unchanged(store, key), store.uri, key)


def records(store: Store) -> list[Record]:
    """Every record of a root, in the order of their times."""
    found = (read_record(store, begun.erasure) for begun in erasures(store))
    return [record for record in found if record is not None]


def changed_records(store: Store) -> dict[str, str]:
    """What is wrong with each object of an erasure that cannot be believed, by key."""
    wrong: dict[str, str] = {}
    for info in store.list(f"{FOLDER}/"):
        if info.key.endswith(".json") and info.key != SALT:
            try:
                _unchanged(store, info.key)
            except TransientStoreError:
                raise
            except StoreError as error:
                wrong[info.key] = error.what
    return wrong


def put(store: Store, key: str, value: Any) -> None:
    """Writes one of the objects, once."""
    body = orjson.loads(canonical_json(asdict(value)))
    store.put_if_absent(key, canonical_json({**body, DIGEST: fingerprint(body)}))


DIGEST = "digest"
"""Field that holds the fingerprint of all others."""


def _unchanged(store: Store, key: str) -> dict[str, Any]:
    """One of the objects. Raises StoreError where it is not as it was written."""
    value = read_mapping(store, key)
    stated = value.pop(DIGEST, None)
    if stated is None and value.get("schema_version") != Record.schema_version:
        return value  # written before they had one
    if stated != fingerprint(value):
        raise damaged(store.uri, key, "it was changed after it was written: its digest is another")
    return value
