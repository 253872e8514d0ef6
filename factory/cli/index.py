"""`factory index list | add | remove | merge`: the index of published questions below a root.

Design: every change is one compare-and-swap of the list, so it may be made while runs go on; what a run has pinned it
goes on reading, since segments are never deleted here. The last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from factory.curate.config import CurateConfig
from factory.errors import ConfigError

if TYPE_CHECKING:
    from factory.curate.index.listing import Entry, Listed
    from factory.curate.index.segment import Member
    from factory.store.base import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "index",
        help="the index of published questions: list, add, remove, merge",
        description="Runs with curate.index.use leave out what is on the list. docs/index.md is the guide.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _action(actions, "list", "the datasets on the list", list_index)
    add = _action(actions, "add", "put a published dataset on the list", add_dataset, root=False)
    add.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    defaults = CurateConfig()
    add.add_argument("--shingles", choices=("by_length", "words"), default=defaults.shingles,
                     help="curate.shingles of runs")  # fmt: skip
    add.add_argument("--shingle-words", type=int, default=defaults.shingle_words, help="curate.shingle_words of runs")
    add.add_argument("--permutations", type=int, default=defaults.permutations, help="curate.permutations of runs")
    add.add_argument("--threshold", type=float, default=defaults.threshold, help="curate.threshold of runs")
    remove = _action(actions, "remove", "take a dataset off the list", remove_dataset)
    remove.add_argument("dataset", metavar="NAME[@VERSION]", help="every version of a name, or one")
    merge = _action(actions, "merge", "fold small segments into few", merge_index)
    merge.add_argument("--everything", action="store_true", help="large segments as well: drops what was removed")


def _action(actions: Any, name: str, says: str, run: Any, *, root: bool = True) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=says, description=says)
    where = "root of the index: folder or s3://bucket/prefix"
    parser.add_argument("--root", required=root, help=where if root else f"{where}; by default the dataset's own root")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)
    return parser


def list_index(args: argparse.Namespace) -> int:
    from factory.curate.index.listing import read_list

    store = _store(args.root, args.endpoint_url)
    listed = read_list(store)
    rows: list[dict[str, Any]] = [
        {
            "dataset": member[0],
            "version": member[1],
            "questions": questions,
            "segment": entry.segment,
            "published": store.head(f"datasets/{member[0]}/{member[1]}/manifest.json") is not None,
            "lsh": dict(entry.lsh),
        }
        for entry in listed.entries
        for member, questions in sorted(entry.members.items())
    ]
    for row in rows:
        here = "" if row["published"] else "  (no such dataset below this root)"
        _say(f"{row['dataset']}@{row['version']}  {row['questions']:,} questions  segment {row['segment']}{here}")
        _say(f"    {_settings(row['lsh'])}")
    if not rows:
        _say(f"the index of {store.uri} is empty")
    return _close(store, datasets=rows)


def add_dataset(args: argparse.Namespace) -> int:
    from factory.curate.index.build import build_segment, dataset_samples
    from factory.curate.index.listing import change_list, with_segment
    from factory.curate.index.segment import lsh_identity
    from factory.curate.minhash import LshParameters
    from factory.publish.locate import open_dataset, read_manifest, root_above

    dataset = open_dataset(args.dataset, args.endpoint_url)
    manifest = read_manifest(dataset)
    member = manifest["name"], manifest["version"]
    where = args.root or root_above(dataset.uri)
    if not where:
        raise ConfigError(
            f"{dataset.uri} does not lie below a root's datasets/",
            cause="the dataset was copied away from where it was made",
            remedy="say with --root which root's index it goes into",
        )
    store = _store(where, args.endpoint_url)
    parameters = LshParameters(args.shingle_words, args.permutations, args.threshold, args.shingles == "by_length")
    if _entry_of(store, member, lsh_identity(parameters)) is not None:
        _say(f"{_name(member)} is on the list already, with these settings")
        return _close(store, dataset=_name(member), added=0)
    _say(f"reading {manifest['totals']['rows']:,} questions of {_name(member)}")
    made = build_segment(store, dataset_samples(dataset, [shard["path"] for shard in manifest["shards"]]), member,
                         parameters)  # fmt: skip
    if made is None:
        raise ConfigError(f"{_name(member)} has no rows", remedy="an empty dataset needs no index")
    change_list(store, lambda listed: with_segment(listed, made))
    _say(f"{_name(member)}: segment {made.segment_id}, {_settings(made.lsh)}")
    return _close(store, dataset=_name(member), added=made.members[member], segment=made.segment_id)


def remove_dataset(args: argparse.Namespace) -> int:
    from factory.curate.index.listing import change_list, without_members

    store = _store(args.root, args.endpoint_url)
    name, _, version = args.dataset.partition("@")
    gone: list[Member] = []

    def change(listed: Listed) -> tuple[Entry, ...] | None:
        gone[:] = sorted(member for member in listed.members if member[0] == name and version in ("", member[1]))
        if not gone:
            raise ConfigError(
                f"the index of {store.uri} has no {args.dataset}; it has: "
                + (", ".join(map(_name, sorted(listed.members))) or "nothing"),
                cause="a slip in name or version, or it is off the list already",
                remedy=f"`factory index list --root {store.uri}` shows what is there",
            )
        return without_members(listed, frozenset(gone))

    change_list(store, change)
    for member in gone:
        _say(f"{_name(member)} is off the list: its questions may be published again")
    return _close(store, removed=[_name(member) for member in gone])


def merge_index(args: argparse.Namespace) -> int:
    """Folds the segments of each LSH identity that hold less than a part, or all of them. Says how many there were."""
    from factory.curate.index.listing import read_list
    from factory.curate.index.merging import merge

    store = _store(args.root, args.endpoint_url)
    before = len(read_list(store).entries)
    merged = merge(store, everything=args.everything)
    after = len(read_list(store).entries)
    for segment, members in merged.items():
        _say(f"segment {segment}: {', '.join(map(_name, members))}")
    _say(f"{before} segments before, {after} now")
    return _close(store, before=before, after=after, made=list(merged))


def _entry_of(store: Store, member: Member, lsh: Mapping[str, Any]) -> Entry | None:
    from factory.curate.index.listing import read_list

    found = (entry for entry in read_list(store).entries if member in entry.members and dict(entry.lsh) == dict(lsh))
    return next(found, None)


def _store(root: str, endpoint_url: str | None) -> Store:
    from factory.store.open import open_root

    return open_root(root, endpoint_url=endpoint_url)


def _settings(lsh: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(lsh.items()))


def _name(member: Member) -> str:
    return "@".join(member)


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _close(store: Store, **facts: Any) -> int:
    print(json.dumps({"root": store.uri, **facts}))
    return 0
