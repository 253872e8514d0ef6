"""The view of the index that a run was planned with: which rows of which files it is compared with.

Design: `runs/<run>/index.json`, put only if absent when a run first plans `match`, so that the run's decisions and the
names of its folders stay what they are however the list changes meanwhile. What was registered after it is looked at
once more before the run publishes; that second view is `runs/<run>/index.newer.json` and holds what the first lacks.
A view names parts and the spans of them that count: never those of the dataset that the run itself makes, nor those
of datasets that `curate.index.use` does not name. Workers read this one object, not the list.

Cost: one read of the list and one a segment, by the driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from factory.curate.config import IndexConfig
from factory.curate.index.listing import Entry, Listed, read_list
from factory.curate.index.segment import Member, Part, parts_in, read_segment
from factory.errors import ConfigError
from factory.identity import canonical_json, fingerprint
from factory.store.base import Store
from factory.store.objects import damaged, read_mapping

PARALLEL_READS = 16


@dataclass(frozen=True)
class View:
    """Parts to compare with. `segments` names the segments they belong to."""

    segments: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def members(self) -> dict[Member, int]:
        """Questions of every dataset in view."""
        found: dict[Member, int] = {}
        for span in (span for part in self.parts for span in part.spans):
            found[span.member] = found.get(span.member, 0) + span.stop - span.start
        return dict(sorted(found.items()))

    @property
    def rows(self) -> int:
        return sum(self.members.values())

    @property
    def digest(self) -> str:
        """Equal for views of the same rows in the same files."""
        return fingerprint([part.to_json() for part in self.parts])


def wanted_members(listed: Listed, own: str, index: IndexConfig) -> list[Member]:
    """The datasets on the list that a run which publishes the dataset `own` is compared with."""
    if index.use is None:
        return []
    return sorted(
        member for member in listed.members if member[0] != own and (index.use == "all" or member[0] in index.use)
    )


def check_names(listed: Listed, uri: str, own: str, index: IndexConfig) -> None:
    """Raises ConfigError where `curate.index.use` names what is not on the list, or the run's own dataset."""
    if index.use is None or index.use == "all":
        return
    if own in index.use:
        raise ConfigError(
            f"curate.index.use names {own}, the dataset that this run publishes itself",
            cause="a run is never compared with earlier versions of its own dataset",
            remedy="leave it out of curate.index.use, or choose another publish.name",
        )
    missing = sorted(set(index.use) - set(listed.datasets))
    if missing:
        known = ", ".join(listed.datasets) or "none"
        raise ConfigError(
            f"the index of {uri} has no dataset {missing[0]!r}, which curate.index.use names; it has: {known}",
            cause="a slip in the name, or the dataset was made without curate.index.register",
            remedy=f"`factory index add` puts a published dataset on the list; `factory index list --root {uri}` "
            "shows it",
        )


def check_comparable(listed: Listed, uri: str, members: frozenset[Member], lsh: Mapping[str, Any]) -> None:
    """Raises ConfigError where a segment of one of `members` was made with other settings than `lsh`."""
    for entry in listed.entries:
        concerned = sorted(members & entry.members.keys())
        if concerned and dict(entry.lsh) != dict(lsh):
            raise _incomparable(uri, entry, concerned[0], lsh)


def _incomparable(uri: str, entry: Entry, member: Member, lsh: Mapping[str, Any]) -> ConfigError:
    differing = sorted(name for name in {*lsh, *entry.lsh} if lsh.get(name) != entry.lsh.get(name))
    theirs = ", ".join(f"{name} {entry.lsh.get(name)}" for name in differing)
    ours = ", ".join(f"{name} {lsh.get(name)}" for name in differing)
    name = "@".join(member)
    return ConfigError(
        f"the index of {uri} holds {name} with {theirs}, this run has {ours}: the two cannot be compared",
        cause="curate.shingle_words, permutations or threshold differ, or the factory's normal form of texts changed",
        remedy=f"rebuild it with `factory index add datasets/{member[0]}/{member[1]}` and this run's settings, set the "
        "run's curate.* to those of the index, or leave the dataset out of curate.index.use",
    )


def view_of(store: Store, listed: Listed, members: frozenset[Member]) -> View:
    """The parts on the list that hold rows of `members`, in the order of the list."""
    chosen = [entry for entry in listed.entries if members & entry.members.keys()]
    with ThreadPoolExecutor(PARALLEL_READS) as pool:
        segments = list(pool.map(lambda entry: read_segment(store, entry.segment), chosen))
    parts = []
    for entry, segment in zip(chosen, segments, strict=True):
        counted = members & entry.members.keys()
        for part in segment.parts:
            spans = tuple(span for span in part.spans if span.member in counted)
            if spans:
                parts.append(replace(part, spans=spans))
    return View(tuple(entry.segment for entry in chosen), tuple(parts))


def current_view(
    store: Store, own: str, index: IndexConfig, lsh: Mapping[str, Any], without: frozenset[Member] = frozenset()
) -> View:
    """What a run that is planned now would be compared with, but for the members `without`.

    Raises ConfigError where a segment cannot be compared with."""
    if index.use is None:
        return View()
    listed = read_list(store)
    members = frozenset(wanted_members(listed, own, index)) - without
    check_comparable(listed, store.uri, members, lsh)
    return view_of(store, listed, members)


def pin_key(run: str) -> str:
    return f"runs/{run}/index.json"


def newer_key(run: str) -> str:
    return f"runs/{run}/index.newer.json"


def read_view(store: Store, key: str) -> View:
    """Raises AbsentObjectError where none was written, StoreError where it is damaged."""
    value = read_mapping(store, key, ("segments", "parts"))
    names = value["segments"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise damaged(store.uri, key, "segments: no list of names")
    return View(tuple(names), parts_in(value["parts"], store.uri, key))


def view_bytes(view: View, **about: str) -> bytes:
    parts = [part.to_json() for part in view.parts]
    return canonical_json({"segments": list(view.segments), "parts": parts, **about})
