"""Which segments count: one list, `curate/index/list.json`, changed by compare-and-swap alone.

Design: the list is the only thing of the index that ever changes. A segment's folder is written first and means
nothing until the list names it; whoever changes the list reads it with its entity tag, and writes only while it still
has that tag, so of two runs that finish at once one sees the other. An entry names a segment and those of its datasets
that count: taking a dataset off the list (`removed`) does not touch the folder, which unfinished runs may still read.

Cost: one read and one conditional put a change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from factory.curate.index.segment import Member, Segment
from factory.errors import StoreError, TransientStoreError
from factory.identity import canonical_json
from factory.store.base import Store
from factory.store.objects import damaged, mapping_in, typed

LIST = "curate/index/list.json"
KIND, FORMAT = "factory-index", 1

TRIES = 100
"""Changes by others that one of ours may meet: each takes milliseconds, so a hundred are a store that never agrees."""


@dataclass(frozen=True)
class Entry:
    """A segment and the questions of each of its datasets that count."""

    segment: str
    lsh: Mapping[str, Any]
    members: Mapping[Member, int]

    def without(self, members: frozenset[Member]) -> Entry:
        return Entry(self.segment, self.lsh, {key: rows for key, rows in self.members.items() if key not in members})


@dataclass(frozen=True)
class Listed:
    """The list as it was read; `etag` is None where there is none yet."""

    entries: tuple[Entry, ...] = ()
    etag: str | None = None

    @property
    def members(self) -> dict[Member, str]:
        """Dataset and version -> segment."""
        return {member: entry.segment for entry in self.entries for member in entry.members}

    @property
    def datasets(self) -> list[str]:
        return sorted({dataset for dataset, _ in self.members})


def entry_of(segment: Segment) -> Entry:
    return Entry(segment.segment_id, dict(segment.lsh), segment.members)


def read_list(store: Store) -> Listed:
    """Raises StoreError when it is damaged or of another format."""
    try:
        data, etag = store.get_tagged(LIST)
    except KeyError:
        return Listed()
    value = mapping_in(data, store.uri, LIST, ("kind", "format", "entries"))
    if (value["kind"], value["format"]) != (KIND, FORMAT):
        raise StoreError(
            f"{LIST} in {store.uri} is a {value['kind']} of format {value['format']}, not {KIND} of format {FORMAT}",
            cause="it was written by another version of the factory",
            remedy="use that version, or move the list away and add the datasets again (`factory index add`)",
        )
    try:
        return Listed(tuple(_entry(item) for item in value["entries"]), etag)
    except (TypeError, ValueError) as error:
        raise damaged(store.uri, LIST, f"an entry is not as it should be ({error})") from None


def _entry(value: Mapping[str, Any]) -> Entry:
    """Raises ValueError for what is no entry."""
    found = typed(_Written, value)
    return Entry(found.segment, found.lsh, {(dataset, version): rows for dataset, version, rows in found.members})


@dataclass(frozen=True)
class _Written:
    """An entry as it stands in the list: members are dataset, version, rows."""

    segment: str
    lsh: Mapping[str, Any]
    members: tuple[tuple[str, str, int], ...]


def replace_list(store: Store, listed: Listed, entries: tuple[Entry, ...]) -> bool:
    """Whether the list still was `listed` and now has `entries`. Entries without datasets are left out."""
    rows = [
        {
            "segment": entry.segment,
            "lsh": dict(entry.lsh),
            "members": [[*member, rows] for member, rows in sorted(entry.members.items())],
        }
        for entry in entries
        if entry.members
    ]
    data = canonical_json({"kind": KIND, "format": FORMAT, "entries": rows})
    if listed.etag is None:
        # Two first writers may have the same bytes: where a store lost an answer both would believe they won, and
        # nothing is lost by it, since the same bytes name the same segments.
        return store.put_if_absent(LIST, data)
    return store.put_if_match(LIST, data, listed.etag)


def change_list(store: Store, change: Callable[[Listed], tuple[Entry, ...] | None]) -> Listed:
    """Applies `change` until it goes through; it says None when nothing is to be changed. Gives the list it saw last.

    Raises TransientStoreError when others change the list every time.
    """
    for _ in range(TRIES):
        listed = read_list(store)
        entries = change(listed)
        if entries is None or replace_list(store, listed, entries):
            return listed
    raise TransientStoreError(
        f"{LIST} in {store.uri} was changed by others {TRIES} times while it was to be changed here",
        cause="very many runs finish at this moment, or the store does not honour conditional writes",
        remedy="run the same command again",
    )


def with_segment(listed: Listed, segment: Segment) -> tuple[Entry, ...]:
    """The entries with a segment more; its datasets stand in no other entry any longer."""
    taken = frozenset(segment.members)
    others = (entry.without(taken) for entry in listed.entries if entry.segment != segment.segment_id)
    return (*others, entry_of(segment))


def without_members(listed: Listed, members: frozenset[Member]) -> tuple[Entry, ...]:
    return tuple(entry.without(members) for entry in listed.entries)
