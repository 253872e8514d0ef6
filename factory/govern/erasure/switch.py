"""From a draft to the root, so that it can be killed anywhere and finished by the same command.

Design: first what is new is put under names nobody reads, and what will replace an object is staged; then the record
names every change; only then are objects replaced and removed, each by itself and in any order, so a switch that was
killed is done again from its beginning. An object that is neither what the record found nor what it makes of it was
changed by somebody else, and stops the switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from factory.errors import StoreError
from factory.govern.erasure.draft import Spool
from factory.govern.erasure.files import kind_of
from factory.govern.erasure.records import (
    FOLDER,
    HIDDEN,
    Change,
    Hiding,
    Record,
    hidden,
    put,
    record_key,
    salt_of,
    staged_key,
)
from factory.identity import sha256_hex
from factory.store.base import AbsentObjectError, Store


def changes_in(store: Store, spool: Spool, hiding: Hiding) -> tuple[Change, ...]:
    """How the draft differs from the root, by key."""
    found = (_change(store, spool, key) for key in sorted(spool))
    return tuple(replace(change, key=hiding(change.key)) for change in found if change is not None)


def _change(store: Store, spool: Spool, key: str) -> Change | None:
    new = spool[key]
    try:
        old = sha256_hex(store.get(key))
    except AbsentObjectError:
        old = ""
    made = sha256_hex(new) if new is not None else ""
    kind = kind_of(key)
    return None if old == made else Change(key, old, made, kind.name if kind else "unknown")


def clear(store: Store, erasure: str) -> None:
    """Removes what an attempt that was killed before its record had put: files that nobody reads."""
    for info in list(store.list("")):
        folder, _, name = info.key.rpartition("/")
        if erasure[:12] in name and folder != FOLDER:
            store.delete(info.key)


def stage(store: Store, spool: Spool, record: Record) -> None:
    """Puts what is new and what will replace, and then the record: from here on the erasure is finished by `switch`."""
    for place, change in enumerate(record.changes):
        if change.removed:
            continue
        data = spool[change.key]
        assert data is not None
        store.put(change.key if change.added else staged_key(record.erasure, place), data)
    put(store, record_key(record.erasure), record)


def switch(store: Store, record: Record, say: Callable[[str], None] = lambda _line: None) -> None:
    """Replaces and removes what the record names; what was switched before is left as it is. Raises StoreError where
    an object was changed by somebody else since."""
    for place, change in _replaced(record.changes):
        try:
            data, tag = store.get_tagged(change.key)
        except AbsentObjectError:
            raise _changed(store, change.key, "it is gone") from None
        if sha256_hex(data) == change.new_sha256:
            continue
        if sha256_hex(data) != change.sha256:
            raise _changed(store, change.key, "it has other bytes")
        if not store.put_if_match(change.key, store.get(staged_key(record.erasure, place)), tag):
            raise _changed(store, change.key, "it was replaced at this moment")
    for key in list(_removed(store, record.changes)):
        store.delete(key)
    say(f"{len(record.changes):,} files added, replaced or removed")


def _replaced(changes: Sequence[Change]) -> Iterator[tuple[int, Change]]:
    for place, change in enumerate(changes):
        if not change.added and not change.removed:
            yield place, change


def _removed(store: Store, changes: Sequence[Change]) -> Iterator[str]:
    """Keys of what is to go; of those that the record does not name, the ones that are still there."""
    gone = {change.key for change in changes if change.removed}
    if any(key.startswith(HIDDEN) for key in gone):
        salt = salt_of(store)
        yield from (info.key for info in store.list("") if hidden(salt, info.key) in gone)
    yield from sorted(key for key in gone if not key.startswith(HIDDEN))


def unstage(store: Store, erasure: str) -> None:
    """Removes what was staged."""
    for info in list(store.list(f"{FOLDER}/{erasure}.staged/")):
        store.delete(info.key)


def _changed(store: Store, key: str, what: str) -> StoreError:
    return StoreError(
        f"{key} in {store.uri} is not as the erasure found it: {what}",
        cause="a run, a review or a person changed the root while documents were being erased from it",
        remedy="end what works in this root, restore that object from a copy, and give the same command again",
    )
