"""What rests on a document, a licence or a model: every published row below a root, by dataset and mix.

Design: each shard is asked by itself (scan.py), published datasets first. A row of a mix is found through the published
row that it was, by the hash of the shard, as the mix read it, and the row's id: an erasure since may have written the
shard again. Where that dataset is not below this root nothing can be told, and the mix is named as such instead of
being passed over. Licences stand on the rows of a mix themselves, models
in its manifest.
Cost: docs/benchmarks.md, `impact`; memory holds the answering columns of a few shards.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from factory.errors import ConfigError
from factory.govern.scan import OfDatasets, OfDocuments, OfSamples, Question, UnderLicence, WrittenBy, matching
from factory.govern.state import Dataset, State, datasets_below, mix_inputs, read_dataset, state_of
from factory.govern.withdrawals import check_document
from factory.licences.expression import parse, write
from factory.publish.places import first_path
from factory.store.base import Store

SHARDS_AT_ONCE = 4
"""Shards asked at once: decoding is Arrow's own threads, so more would only hold more in memory."""

ROWS = pa.schema(
    [
        ("dataset", pa.string()),
        ("version", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),  # in that file, from 0
        ("sample_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class Asked:
    """What an impact is asked of, one of `document`, `license` and `model`."""

    kind: str
    what: str

    @property
    def question(self) -> Question:
        """Of the shards of published datasets."""
        if self.kind == "document":
            return OfDocuments(frozenset({self.what}))
        if self.kind == "license":
            return UnderLicence(self.what)
        name, _, revision = self.what.partition("@")
        return WrittenBy(name, revision or None)


def asked(document: str | None, license: str | None, model: str | None) -> Asked:
    """Raises ConfigError unless it is exactly one of the three, and one that there can be."""
    given = [(kind, what) for kind, what in (("document", document), ("license", license), ("model", model)) if what]
    if len(given) != 1:
        raise ConfigError(
            "impact is asked of one thing at a time" if given else "nothing was asked",
            remedy="give a document's id, or --license EXPR, or --model ID",
        )
    kind, what = given[0]
    if kind == "document":
        check_document(what)
    return Asked(kind, write(parse(what)) if kind == "license" else what)


@dataclass(frozen=True)
class Hit:
    """A dataset or mix of which rows rest on what was asked. `shards` maps paths to rows; `tables` of those rows, and
    `ids` by the hash of their shard, are there where they were asked for. `roles` of a model that shaped all rows
    without having written them."""

    dataset: Dataset
    state: State
    rows: int
    shards: dict[str, int]
    roles: tuple[str, ...] = ()
    tables: tuple[pa.Table, ...] = ()
    ids: Mapping[str, pa.Array] = field(default_factory=dict)


@dataclass
class Impact:
    """`unresolved` are titles of mixes of which nothing can be told, with why; `licences` the rows under each
    licence of all that was searched, `models` those that their manifests name, with their revisions. Mutable, because
    it grows by dataset."""

    hits: list[Hit] = field(default_factory=list)
    searched: int = 0
    searched_rows: int = 0
    unresolved: dict[str, str] = field(default_factory=dict)
    licences: Counter[str] = field(default_factory=Counter)
    models: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(hit.rows for hit in self.hits)


def impact(root: Store, what: Asked, listing: bool = False) -> Impact:
    """What rests on it below `root`; with `listing` every row by name. Raises StoreError where a dataset is damaged."""
    found, mixes = Impact(), []
    samples: dict[str, pa.Array] = {}
    datasets = [read_dataset(root, *each) for each in datasets_below(root)]
    known = _known_to_mixes(datasets)
    for dataset in datasets:
        found.searched, found.searched_rows = found.searched + 1, found.searched_rows + dataset.rows
        found.licences.update(_licences(dataset))
        for name, revision in _models(dataset):
            found.models[name] = found.models.get(name, frozenset()) | {revision}
        if dataset.mix:
            mixes.append(dataset)
            continue
        roles = roles_of(dataset, what)
        wanted = listing or (what.kind == "document" and bool(_hashes(dataset) & known.keys()))
        hit = _hit(root, dataset, _Everything() if roles else what.question, listing, wanted, roles)
        for sha256, names in (hit.ids if hit else {}).items():
            samples |= dict.fromkeys(known.get(sha256, ()), names)
        found.hits.extend([hit] if hit else [])
    titles = {(each.name, each.version) for each in datasets}
    for mix in mixes:
        missing = [f"{name}@{version}" for name, version in mix_inputs(mix.manifest) if (name, version) not in titles]
        if what.kind == "document" and missing:
            found.unresolved[mix.title] = f"made of {', '.join(missing)}, not below this root"
        question = question_of_mix(mix, what, samples)
        hit = _hit(root, mix, question, listing, listing) if question is not None else None
        found.hits.extend([hit] if hit else [])
    return found


def listed_rows(found: Impact) -> Iterator[pa.Table]:
    """The rows by name, a table of ROWS a shard; `impact` was asked with `listing`."""
    for hit in found.hits:
        yield from hit.tables


@dataclass(frozen=True)
class _Everything:
    """Every row: of a model that shaped a dataset without having written its rows."""

    columns: tuple[str, ...] = ("synthetic",)

    def rows(self, table: pa.Table) -> Any:
        return np.ones(table.num_rows, np.bool_)


def _hit(
    root: Store, dataset: Dataset, question: Question, listing: bool, ids: bool, roles: Sequence[str] = ()
) -> Hit | None:
    """None where no row is concerned."""
    shards = [dict(shard) for shard in dataset.manifest["shards"]]
    ask: Callable[[dict[str, Any]], Any] = lambda shard: matching(  # noqa: E731
        root, f"{dataset.prefix}/{shard['path']}", question, ids
    )
    counts, tables, samples = {}, [], {}
    with ThreadPoolExecutor(SHARDS_AT_ONCE) as pool:
        for shard, (mask, names) in zip(shards, pool.map(ask, shards), strict=True):
            rows = int(mask.sum())
            if not rows:
                continue
            counts[shard["path"]] = rows
            if names is not None:
                samples[str(shard["sha256"])] = names
            if listing:
                tables.append(_listed(dataset, shard["path"], np.flatnonzero(mask), names))
    total = sum(counts.values())
    return Hit(dataset, state_of(root, dataset), total, counts, tuple(roles), tuple(tables), samples) if total else None


def _listed(dataset: Dataset, path: str, places: Any, names: pa.Array) -> pa.Table:
    shared = [pa.repeat(pa.scalar(value), len(places)) for value in (dataset.name, dataset.version, path)]
    return pa.table([*shared, pa.array(places, pa.int64()), names], schema=ROWS)


def roles_of(dataset: Dataset, what: Asked) -> list[str]:
    """Roles besides writing questions and answers in which a model worked on every row of a dataset."""
    if what.kind != "model":
        return []
    made = [each for each in dataset.manifest.get("generators", ()) if _is(what, each)]
    return sorted({str(each["role"]) for each in made} - {"question", "answer"})


def question_of_mix(mix: Dataset, what: Asked, samples: dict[str, pa.Array]) -> Question | None:
    """What is asked of a mix's shards; None where none of its rows can be concerned."""
    if what.kind == "license":
        return UnderLicence(what.what)
    if what.kind == "model":
        made = [each for each in mix.manifest.get("generators", ()) if _is(what, each)]
        datasets = frozenset((str(each["dataset"]), str(each["version"])) for each in made)
        return OfDatasets(datasets) if datasets else None
    files = frozenset(_input_hashes(mix) & samples.keys())
    if not files:
        return None
    return OfSamples(pa.concat_arrays([samples[sha256] for sha256 in sorted(files)]), files)


def _is(what: Asked, generator: Any) -> bool:
    name, _, revision = what.what.partition("@")
    return bool(generator.get("model") == name and revision in ("", generator.get("revision")))


def _licences(dataset: Dataset) -> dict[str, int]:
    """Rows by licence, as the manifest has them; none where it was built otherwise, which `factory verify` says."""
    stated = dataset.manifest["license"]
    rows = stated.get("rows") if isinstance(stated, Mapping) else None
    items = rows.items() if isinstance(rows, Mapping) else ()
    return {str(name): number for name, number in items if isinstance(number, int)}


def _models(dataset: Dataset) -> list[tuple[str, str]]:
    """(model, revision) of everybody who worked on a dataset, as its manifest has them."""
    made = [each for each in dataset.manifest.get("generators", ()) if isinstance(each, Mapping)]
    return [(str(each["model"]), str(each.get("revision") or "")) for each in made if each.get("model")]


def _hashes(dataset: Dataset) -> set[str]:
    return {str(shard["sha256"]) for shard in dataset.manifest["shards"]}


def _known_to_mixes(datasets: Sequence[Dataset]) -> dict[str, set[str]]:
    """Hash of a shard as it is -> the hashes under which mixes have read it."""
    now = {
        (each.name, each.version, first_path(str(shard["path"]))): str(shard["sha256"])
        for each in datasets
        if not each.mix
        for shard in each.manifest["shards"]
    }
    known: dict[str, set[str]] = defaultdict(set)
    for mix in datasets:
        for each in mix.manifest.get("inputs", ()) if mix.mix else ():
            read = str(each["sha256"])
            place = str(each.get("dataset")), str(each.get("version")), first_path(str(each.get("name")))
            for sha256 in {read, now.get(place, read)}:
                known[sha256].add(read)
    return known


def _input_hashes(mix: Dataset) -> set[str]:
    return {str(each["sha256"]) for each in mix.manifest.get("inputs", ())}
