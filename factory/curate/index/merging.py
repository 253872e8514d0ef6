"""Many small segments folded into few, so that a lookup opens fewer files.

Design: segments of one LSH identity that hold fewer questions than a part has room for are merged (build.py) and take
each other's place on the list in one swap; what they hold, and whose it is, stays as it was. A segment that was
taken off the list or changed while the merge was made is not put back: the merge is then made again.

Cost: reads and writes the segments concerned once; see build.py.
"""

from __future__ import annotations

from factory.curate.index import segment
from factory.curate.index.build import merge_segments
from factory.curate.index.listing import TRIES, Entry, Listed, entry_of, read_list, replace_list
from factory.curate.index.segment import Member, read_segment
from factory.errors import TransientStoreError
from factory.identity import fingerprint
from factory.store.base import Store


def merge(store: Store, *, everything: bool = False) -> dict[str, list[Member]]:
    """New segments and their datasets. `everything`: large segments too, which drops the rows of removed datasets.

    Raises TransientStoreError when the list changes every time."""
    made: dict[str, list[Member]] = {}
    for _ in range(TRIES):
        listed = read_list(store)
        groups = _groups(listed, everything)
        group = next(
            (group for group in groups if len(group) > 1 or (everything and _holds_more(store, group[0]))), None
        )
        if group is None:
            return made
        merged = entry_of(merge_segments(store, group))
        ids = {entry.segment for entry in group}
        if replace_list(store, listed, (*(entry for entry in listed.entries if entry.segment not in ids), merged)):
            made[merged.segment] = sorted(merged.members)
    raise TransientStoreError(
        f"the index of {store.uri} changed {TRIES} times while its segments were merged",
        cause="many runs finish at this moment",
        remedy="run the same command again",
    )


def _groups(listed: Listed, everything: bool) -> list[list[Entry]]:
    """Entries that may go into one segment, each at least one."""
    groups: dict[str, list[Entry]] = {}
    for entry in listed.entries:
        if everything or sum(entry.members.values()) < segment.PART_ROWS:
            groups.setdefault(fingerprint(dict(entry.lsh)), []).append(entry)
    return list(groups.values())


def _holds_more(store: Store, entry: Entry) -> bool:
    """Whether a segment has rows of datasets that are off the list."""
    return read_segment(store, entry.segment).members != dict(entry.members)
