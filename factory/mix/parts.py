"""The files of a mix's parts, hashed, with what published datasets say of themselves.

Design: a file is named by what it holds. Inputs are sorted by part, name and hash, so the order in which paths are
given or folders are listed changes nothing. Of a published dataset the manifest is read and its shards are held against
the hashes there; its held-out splits stay out unless they are asked for. A path inside a dataset, or a pattern that
meets its shards, means the dataset (homes.py): else a draft would come in by its `data/`. Cost: one read of every byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.corpus.places import Found, find, open_source
from factory.corpus.ranges import SourceFile, format_of
from factory.errors import ConfigError, CorpusError, GateError, StoreError
from factory.govern.standing import Use, require_standing
from factory.mix.config import PartConfig, Require, Role
from factory.mix.homes import Homes, inside, manifest_bytes, stated_dataset
from factory.mix.manifest import KIND as MIX
from factory.publish.card import is_dry_run
from factory.publish.manifest import MANIFEST, Manifest, kind_of, unseal

BLOCK = 8 << 20


@dataclass(frozen=True)
class Input:
    """One file of a part; `dataset` and `version` are those of the published dataset it belongs to, or "";
    `generators` the models that it says wrote it."""

    part: str
    role: Role
    file: SourceFile
    sha256: str
    dataset: str = ""
    version: str = ""
    license: str = ""
    generators: tuple[Mapping[str, Any], ...] = ()

    def record(self) -> dict[str, Any]:
        """What the manifest says of it: nothing of this machine."""
        return {
            "part": self.part,
            "role": self.role,
            "name": self.file.name,
            "bytes": self.file.size,
            "sha256": self.sha256,
            "dataset": self.dataset or None,
            "version": self.version or None,
            "license": self.license or None,
        }


@dataclass(frozen=True)
class _Dataset:
    folder: str
    name: str
    version: str
    license: str
    hashes: dict[str, str]  # path of a shard -> sha256, of the splits that are wanted
    generators: tuple[Mapping[str, Any], ...]


def inputs_of(parts: Sequence[PartConfig], require: Require) -> list[Input]:
    """The files of all parts, in an order of their own. Raises CorpusError where there are none or one cannot be read,
    StoreError where a published one is not as its manifest says, GateError where it is not what `require` asks for,
    ConfigError where one file is in two parts."""
    found = [each for part in parts for each in _inputs(part, require)]
    held: dict[str, str] = {}
    for each in found:
        other = held.setdefault(each.sha256, each.part)
        if other != each.part:
            raise ConfigError(
                f"{each.file.name} is in part {each.part} and, byte for byte, in part {other}",
                cause="paths that overlap, or a copy",
                remedy="leave it out of one of them: every row of it would be a duplicate",
            )
    order = {part.name: place for place, part in enumerate(parts)}
    return sorted(found, key=lambda each: (order[each.part], each.file.name, each.sha256))


def _inputs(part: PartConfig, require: Require) -> list[Input]:
    files: dict[str, Input] = {}
    shelf = _Shelf(part, require)
    for path in part.paths:
        listed = sorted(find(path), key=lambda item: item.uri)
        whole = _dataset(part, listed, require)
        chosen = 0
        for item in listed:
            kind = format_of(item.uri)
            if kind not in ("parquet", "jsonl"):
                continue
            dataset = whole or shelf.dataset_of(item)
            name = inside(dataset.folder, item.uri) if dataset else _name(item)
            if dataset is not None and name not in dataset.hashes:
                continue
            chosen += 1
            file = SourceFile(item.uri, item.size, item.etag, kind, name)
            sha256 = _sha256(file)
            if dataset is not None and sha256 != dataset.hashes[name]:
                raise StoreError(
                    f"{item.uri} is not the shard that {dataset.name} {dataset.version} published",
                    cause="it was changed or damaged since",
                    remedy="run `factory verify` on that dataset, and fetch it again",
                )
            if dataset is None and require == "approved":
                _refuse_shard(part, file)
            facts = (dataset.name, dataset.version, dataset.license) if dataset else ("", "", part.license or "")
            generators = dataset.generators if dataset else ()
            files[item.uri] = Input(part.name, part.role, file, sha256, *facts, generators)
        if chosen and not any(item.size for item in listed if item.uri in files):
            raise CorpusError(
                f"part {part.name}: {path} has no rows",
                cause="the file is empty",
                remedy="name a file with rows, or take the part out of mix.parts",
            )
        if not chosen:
            raise CorpusError(
                f"part {part.name}: there is nothing to read at {path}",
                cause=_why_nothing(listed),
                remedy="correct mix.parts[].paths; of a published dataset the shards of the splits in "
                "mix.parts[].splits are taken, and no other file in its folder",
            )
    # The same content twice in one part: once is enough, whatever it is called.
    return list(
        {each.sha256: each for each in sorted(files.values(), key=lambda e: e.file.name, reverse=True)}.values()
    )


def _why_nothing(listed: Sequence[Found]) -> str:
    if not listed:
        return "no file of that name"
    if any(item.uri.lower().endswith((".csv", ".tsv")) for item in listed):
        return "CSV is not taken: convert it to .jsonl or .parquet"
    return "no .parquet or .jsonl (.gz, .zst), or no such split"


def _dataset(part: PartConfig, listed: Sequence[Found], require: Require) -> _Dataset | None:
    """The published dataset that a path names; None where it names other files."""
    sealed = [item for item in listed if not item.direct and item.uri == f"{item.base.rstrip('/')}/{MANIFEST}"]
    deeper = [item for item in listed if not item.direct and item.uri.endswith(f"/{MANIFEST}")]
    if not sealed and deeper:
        raise ConfigError(
            f"part {part.name}: {deeper[0].base} holds published datasets, and is none itself",
            cause="the folder of a dataset's name, or one above it; its held-out splits would be trained on",
            remedy=f"name one version: {deeper[-1].uri.removesuffix(f'/{MANIFEST}')}",
        )
    if not sealed:
        return None
    (item,) = sealed
    return _published(part, item, require)


class _Shelf:
    """The published datasets that files of a part lie in, each looked at once."""

    def __init__(self, part: PartConfig, require: Require) -> None:
        self._part, self._require = part, require
        self._homes = Homes()
        self._datasets: dict[str, _Dataset | None] = {}

    def dataset_of(self, item: Found) -> _Dataset | None:
        """None for a file that lies in none, and for one of a mix, which is held to what is required as a whole."""
        home = self._homes.of(item.uri)
        if home is None:
            return None
        if home.uri not in self._datasets:
            mix = kind_of(manifest_bytes(home)) == MIX
            if mix and self._require != "any":
                _require(self._part, _folder(home), self._require)
            self._datasets[home.uri] = None if mix else _published(self._part, home, self._require)
        return self._datasets[home.uri]


def _published(part: PartConfig, item: Found, require: Require) -> _Dataset:
    """The dataset of this manifest, which holds to what is required. Raises as `inputs_of`."""
    sealed = manifest_bytes(item)
    if kind_of(sealed) == MIX:
        raise ConfigError(
            f"part {part.name}: {_folder(item)} is a mix, and mixes are made of datasets and files",
            cause="its rows come from several makers, in shares of its own",
            remedy="name what it was made of, which stands in its manifest under inputs, in the shares you want",
        )
    manifest = unseal(sealed, item.uri)
    if part.role != "synthetic":
        raise ConfigError(
            f"part {part.name} is called {part.role}, but {item.uri} is a dataset that models wrote",
            cause="a wrong role or a wrong path",
            remedy=f"set role: synthetic for {part.name}",
        )
    if require != "any":
        _require(part, _folder(item), require)
    shards = {shard["path"]: shard["sha256"] for shard in manifest["shards"] if shard["split"] in part.splits}
    return _Dataset(
        _folder(item),
        manifest["name"],
        manifest["version"],
        manifest["license"]["dataset"],
        shards,
        dataset_generators(manifest),
    )


def _require(part: PartConfig, folder: str, require: Require) -> None:
    require_standing(folder, require, Use("taken into a mix", "mix.require=", f"part {part.name}: "))


def _folder(manifest: Found) -> str:
    return manifest.uri.removesuffix(f"/{MANIFEST}")


def _name(item: Found) -> str:
    return item.uri.rsplit("/", 1)[-1] if item.direct else item.uri.removeprefix(item.base).lstrip("/")


def _refuse_shard(part: PartConfig, file: SourceFile) -> None:
    """Raises GateError where a file that lies in no dataset says that it is a shard of one."""
    title = stated_dataset(file)
    if title is not None:
        raise GateError(
            f"part {part.name}: {file.uri} is not taken into a mix: it is a shard of {title}, and away from that "
            "nothing is known of its approval",
            cause="mix.require=approved asks for datasets that somebody answers for",
            remedy=f"name the dataset by its folder, ROOT/datasets/{title.replace('@', '/')}; "
            "mix.require=not_withdrawn takes the file as it is",
        )


def dataset_generators(manifest: Manifest) -> tuple[Mapping[str, Any], ...]:
    """Who wrote a published dataset: its models in their roles with their terms, and whether it is of a dry run."""
    dry_run = is_dry_run(manifest)
    return tuple({**generator, "dry_run": dry_run} for generator in manifest["generators"])


def generators_of(inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """The models behind the published datasets among the inputs, each named once a part and dataset."""
    datasets = {(each.part, each.dataset, each.version): each.generators for each in inputs if each.dataset}
    return [
        {"part": part, "dataset": dataset, "version": version, **generator}
        for (part, dataset, version), generators in datasets.items()
        for generator in generators
    ]


def _sha256(file: SourceFile) -> str:
    source, hasher = open_source(file), hashlib.sha256()
    for start in range(0, file.size, BLOCK):
        hasher.update(source.read(start, min(start + BLOCK, file.size)))
    return hasher.hexdigest()
