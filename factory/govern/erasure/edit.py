"""The whole root without what is erased, on a draft: steps, index, datasets, and all that names or quotes them.

Design: every kind of file is treated as files.py says, in an order in which later kinds know where earlier ones went.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import orjson

from factory.errors import StoreError
from factory.govern.erasure.datasets import edit_datasets
from factory.govern.erasure.files import FileKind, kind_of
from factory.govern.erasure.index import edit_index
from factory.govern.erasure.look import holds_erased
from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.records import ErasedDataset
from factory.govern.erasure.units import Edit, References, edit_references, edit_units, erasing
from factory.govern.erasure.views import outputs_followed
from factory.identity import canonical_json, sha256_hex
from factory.publish.manifest import MANIFEST
from factory.publish.places import dataset_prefix
from factory.store.base import Store


@dataclass
class Edited:
    """What became of a draft: mutable, because it is collected kind by kind."""

    rows: Counter[str] = field(default_factory=Counter)
    datasets: list[ErasedDataset] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def edit_root(draft: Store, erasure: str, at: str, matcher: Matcher) -> Edited:
    """Takes everything that `matcher` finds out of the draft."""
    done = Edited()
    done.rows, moved = edit_units(draft, erasure, erasing(matcher), matcher)
    rows, parts = edit_index(draft, erasure, matcher)
    done.rows.update(rows)
    moved.update(parts)
    done.datasets = edit_datasets(draft, erasure, at, matcher)
    done.rows.update({dataset.prefix: dataset.rows for dataset in done.datasets})
    digests = {dataset.old_digest: dataset.new_digest for dataset in done.datasets}
    folders = {key.split("/")[1] for key in moved if key.startswith("steps/")}
    touched = Touched(folders, {dataset.prefix for dataset in done.datasets}, _runs_of(draft, folders), digests)
    for info in sorted(draft.list(""), key=lambda info: info.key):
        kind = kind_of(info.key)
        if kind is None:
            done.unknown.append(info.key)
        elif _follow(draft, info.key, kind, touched, moved, matcher):
            done.rows[f"{kind.name}: {'deleted' if draft.head(info.key) is None else 'rewritten'}"] += 1
    return done


def edit_requests(draft: Store, erasure: str, edit: Edit) -> Edited:
    """Takes completions out of the draft, and lets everything follow that names their files."""
    done = Edited()
    done.rows, moved = edit_units(draft, erasure, edit)
    folders = {key.split("/")[1] for key in moved}
    touched = Touched(folders, set(), _runs_of(draft, folders), {}, completions=True)
    for info in sorted(draft.list(""), key=lambda info: info.key):
        kind = kind_of(info.key)
        if kind is not None and (kind.treatment == "refers" or kind.name in COPIES_OF_COMPLETIONS):
            _follow(draft, info.key, kind, touched, moved, None)
    return done


COPIES_OF_COMPLETIONS = ("index of commits", "report of a run")


@dataclass(frozen=True)
class Touched:
    """Step folders, dataset prefixes and runs that an erasure concerns; `digests` of manifests, before -> after."""

    folders: set[str]
    datasets: set[str]
    runs: set[str]
    digests: dict[str, str]
    completions: bool = False


def _runs_of(draft: Store, folders: set[str]) -> set[str]:
    """Runs that had one of these folders, by their records."""
    found = set()
    for info in draft.list("runs/"):
        if info.key.count("/") == 1 and info.key.endswith(".json"):
            record = _json(draft, info.key)
            steps = record.get("steps") if isinstance(record, dict) else None
            if isinstance(steps, dict) and not folders.isdisjoint(map(str, steps.values())):
                found.add(info.key.removeprefix("runs/").removesuffix(".json"))
    return found


def _follow(
    draft: Store, key: str, kind: FileKind, touched: Touched, moved: References, matcher: Matcher | None
) -> bool:
    """Treats one object as its kind asks; whether that changed it."""
    if kind.treatment == "refers":
        if ".outputs" in key:
            return outputs_followed(draft, key, moved)
        return edit_references(draft, key, moved, matcher)
    if kind.treatment == "dropped" and _concerned(draft, key, kind, touched, matcher):
        draft.delete(key)
        return True
    if matcher is None:
        return False
    if kind.treatment == "json":
        return _edit_json(draft, key, touched, matcher)
    if kind.treatment == "entry" and matcher.about_erased(_json(draft, key)):
        draft.delete(key)
        return True
    if kind.treatment == "entry":
        return _edit_json(draft, key, touched, matcher)
    return False


def _concerned(draft: Store, key: str, kind: FileKind, touched: Touched, matcher: Matcher | None) -> bool:
    """Whether a copy or a page was made of something that is erased."""
    parts = key.split("/")
    if parts[0] == "steps":
        return parts[1] in touched.folders
    if parts[0] == "runs":
        return parts[1] in touched.runs
    if parts[0] == "datasets":
        return dataset_prefix(parts[1], parts[3]) in touched.datasets
    if matcher is None:
        return False
    if matcher.named(key):
        return True
    return holds_erased(draft, key, matcher)


def _json(draft: Store, key: str) -> object:
    try:
        return orjson.loads(draft.get(key))
    except orjson.JSONDecodeError:
        raise StoreError(
            f"{key} in {draft.uri} is no JSON, so it cannot be told what it says of erased documents",
            cause="it was damaged or edited",
            remedy="restore it, or delete it if nobody needs it, and give the same command again",
        ) from None


def _edit_json(draft: Store, key: str, touched: Touched, matcher: Matcher) -> bool:
    found = _json(draft, key)
    new = matcher.value(found)
    if key.endswith("sheet.json") and isinstance(new, dict):
        # The rows that stay are those that were drawn: the sheet is of the dataset as it is now.
        new = _of_the_dataset_now(draft, key, new, touched)
    if new == found:
        return False
    draft.put(key, canonical_json(new))
    return True


def _of_the_dataset_now(draft: Store, key: str, sheet: dict[str, object], touched: Touched) -> dict[str, object]:
    _, name, _, version, *_ = key.split("/")
    prefix = dataset_prefix(name, version)
    if prefix not in touched.datasets:
        return sheet
    return {**sheet, "manifest_sha256": sha256_hex(draft.get(f"{prefix}/{MANIFEST}"))}
