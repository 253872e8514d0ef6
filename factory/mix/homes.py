"""The dataset that a file of a part is a shard of, however the part's path names it: by its folder, one inside, a
pattern, a link, or away from its root.

Design: a manifest above the file decides; where there is none the file's own Parquet metadata tell, which every shard
carries with it. Exports are not asked: they were made of a dataset by whoever might, and say so themselves.
Cost: one look at two folders above each folder with files, and of Parquet that lies in no dataset one footer a file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from factory.corpus.parquet_source import read_footer
from factory.corpus.places import S3_SCHEME, Found, find, open_source
from factory.corpus.ranges import SourceFile
from factory.corpus.streams import DamageError
from factory.mix.manifest import KIND as MIX
from factory.publish.manifest import KIND as DATASET
from factory.publish.manifest import MANIFEST, kind_of

FOLDERS_ABOVE = 2
"""A shard lies in `data/` of its dataset: its own folder, and the one above."""


class Homes:
    """Folders that were looked at, so that each is looked at once."""

    def __init__(self) -> None:
        self._known: dict[str, Found | None] = {}

    def of(self, uri: str) -> Found | None:
        """The manifest of the dataset or mix of ours that the file lies in; None where it lies in none."""
        for folder in _folders_above(uri):
            if folder not in self._known:
                self._known[folder] = _manifest_in(folder)
            if self._known[folder] is not None:
                return self._known[folder]
        return None


def real(uri: str) -> str:
    """Where a file lies, links followed."""
    return uri if uri.startswith(S3_SCHEME) else os.path.realpath(uri)


def inside(folder: str, uri: str) -> str:
    """What a file is called in a folder that it lies in, as named or with links followed."""
    return next((each.removeprefix(f"{folder}/") for each in (uri, real(uri)) if each.startswith(f"{folder}/")), uri)


def manifest_bytes(item: Found) -> bytes:
    source = open_source(SourceFile(item.uri, item.size, item.etag, "jsonl", MANIFEST))
    return source.read(0, item.size)


def stated_dataset(file: SourceFile) -> str | None:
    """`name@version` of the dataset or mix of which the file says that it is a shard; None where it says nothing.
    One that is damaged says nothing: reading it will tell."""
    if file.format != "parquet":
        return None
    try:
        stated = read_footer(open_source(file)).metadata.metadata or {}
    except DamageError:
        return None
    said = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in stated.items()}
    ours = said.get("kind") == MIX or ("kind" not in said and said.get("synthetic") == "true")
    return f"{said['dataset']}@{said['version']}" if ours and {"dataset", "version"} <= said.keys() else None


def _folders_above(uri: str) -> Iterator[str]:
    for folder in dict.fromkeys((uri, real(uri))):
        for _ in range(FOLDERS_ABOVE):
            folder = folder.rpartition("/")[0]
            if not folder or folder.endswith("/"):  # the root of the disk, or s3:// before a bucket
                break
            yield folder


def _manifest_in(folder: str) -> Found | None:
    uri = f"{folder}/{MANIFEST}"
    found = next((item for item in find(uri) if item.uri == uri), None)
    return found if found is not None and kind_of(manifest_bytes(found)) in (DATASET, MIX) else None
