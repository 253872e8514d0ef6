"""A finished dataset as metrics read it: every row as a stream, a seeded sample, the passages behind its rows.

Design: rows are read from the published shards alone, in their own order (split, then the key that shuffled them), a
row group at a time, and only the columns asked for. A sample is the rows with the smallest hash of (seed, sample id):
uniform, the same however the rows are cut into shards, and nested, so that the 1,000 rows of one metric are among the
2,000 of another. A shard is held against the manifest's hash before it is read: one of other bytes is refused. Passages
lie under the root of the run and are looked up through each row's lineage; where that root is not at hand the answer
says so, and metrics leave out what needs them.

Cost: a shard is read whole each time one is opened; hashing it takes 0.6 s a GiB on one core.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from factory.errors import ConfigError, FactoryError
from factory.publish.locate import open_dataset, open_root_of, read_manifest, read_shard
from factory.publish.manifest import Manifest
from factory.run.merged import merged_parts
from factory.run.outputs import fetch_texts
from factory.store.base import Store
from factory.store.objects import damaged
from factory.store.parquet import read_rows

ID = "sample_id"


@dataclass(frozen=True)
class SourceTexts:
    """Passages behind rows: `texts` by chunk id, `chunks` (of each row, in its order) parallel to the rows.

    `note` says why passages are missing, and is empty where all are there; `whole`: none is."""

    texts: Mapping[str, str]
    chunks: tuple[tuple[str, ...], ...]
    note: str = ""
    whole: bool = False

    def of(self, row: int) -> tuple[str, ...]:
        """The passages of a row that are there."""
        return tuple(self.texts[chunk] for chunk in self.chunks[row] if chunk in self.texts)


@dataclass(frozen=True)
class Dataset:
    """`store` has the dataset itself as its root; `shards` are keys below it, in order. `root` is where the run's
    passages lie where that is not above the dataset."""

    store: Store
    manifest: Manifest
    shards: tuple[str, ...]
    root: str | None = None
    endpoint_url: str | None = None

    @property
    def name(self) -> str:
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        return str(self.manifest["version"])

    @property
    def rows(self) -> int:
        return int(self.manifest["totals"]["rows"])

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that rows have, by the first shard."""
        return tuple(self._file(self.shards[0]).schema_arrow.names) if self.shards else ()

    def tables(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Every row, some thousand at a time. Raises ConfigError for a column that is not there, StoreError for a
        shard that is gone or damaged."""
        self.require(columns)
        for key in self.shards:
            file = self._file(key)
            for group in range(file.num_row_groups):
                yield self._group(file, key, group, columns)

    def sample(self, count: int, seed: int, columns: Sequence[str]) -> pa.Table:
        """`count` rows (all, where there are no more), drawn uniformly without repeats, in the order of the dataset.

        Raises as `tables` does.
        """
        return self.take(self.places(count, seed), columns)

    def take(self, places: npt.NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """The rows at ascending places. Raises as `tables` does."""
        self.require(columns)
        found, start = [], 0
        for key in self.shards:
            file = self._file(key)
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                inside = places[(places >= start) & (places < start + rows)] - start
                if len(inside):
                    found.append(self._group(file, key, group, columns).take(pa.array(inside)))
                start += rows
        return pa.concat_tables(found or [self._empty(columns)])

    def places(self, count: int, seed: int) -> npt.NDArray[np.int64]:
        """Which rows `sample` takes: ascending places in the dataset, int64[min(count, rows)]."""
        hashes, places = np.zeros(0, np.uint64), np.zeros(0, np.int64)
        start = 0
        for own, _ in self.hashed(seed):
            hashes = np.concatenate([hashes, own])
            places = np.concatenate([places, np.arange(start, start + len(own))])
            start += len(own)
            if len(hashes) > count:
                kept = np.argsort(hashes, kind="stable")[:count]
                hashes, places = hashes[kept], places[kept]
        return np.sort(places)

    def hashed(self, seed: int, columns: Sequence[str] = ()) -> Iterator[tuple[npt.NDArray[np.uint64], pa.Table]]:
        """Every row's place in the order of sampling, with some columns: the rows with the smallest are a sample."""
        for table in self.tables([ID, *columns]):
            ids = table.column(ID).to_pylist()
            yield (
                np.fromiter((xxhash.xxh64_intdigest(each.encode(), seed=seed) for each in ids), np.uint64, len(ids)),
                table,
            )

    def sources(self, lineage: pa.ChunkedArray | pa.Array, at_most: int | None = None) -> SourceTexts:
        """The passages that rows came from; `lineage` is that column of them, `at_most` bounds how many are read:
        first come, first read."""
        listed = [[] if row is None else row["sources"] or [] for row in lineage.to_pylist()]
        chunks = tuple(tuple(str(source["chunk_id"]) for source in sources) for sources in listed)
        wanted = {str(source["chunk_id"]): source for sources in listed for source in sources}
        chosen = list(wanted.values())[:at_most]
        try:
            root = open_root_of(self.store, str(self.manifest["run"]), self.root, self.endpoint_url)
            texts = fetch_texts(root, chosen)
        except KeyError as error:
            return SourceTexts({}, chunks, f"passages of the run are gone: {error}")
        except FactoryError as error:
            return SourceTexts({}, chunks, f"passages are not at hand: {error.what}")
        note = "" if len(chosen) == len(wanted) else f"{len(chosen):,} of {len(wanted):,} passages were read"
        return SourceTexts(texts, chunks, note, not note)

    def corpus(self, count: int, seed: int) -> SourceTexts:
        """`count` passages (all, where there are no more) drawn uniformly from what the run selected, asked about or
        not; `chunks` is empty. The same passages whatever of them became rows."""
        try:
            root = open_root_of(self.store, str(self.manifest["run"]), self.root, self.endpoint_url)
            parts = merged_parts(root, str(self.manifest["run"]))
        except KeyError as error:
            return SourceTexts({}, (), f"the run's list of passages is gone: {error}")
        except FactoryError as error:
            return SourceTexts({}, (), f"passages are not at hand: {error.what}")
        sizes = np.array([part.file.rows if part.picks is None else len(part.picks) for part in parts], np.int64)
        ends = np.cumsum(sizes)
        total = int(sizes.sum())
        drawn = np.sort(np.random.default_rng(seed).choice(total, min(count, total), replace=False))
        texts: dict[str, str] = {}
        for place in np.unique(np.searchsorted(ends, drawn, side="right")).tolist():
            part, start = parts[place], int(ends[place] - sizes[place])
            own = [int(row) - start for row in drawn[(drawn >= start) & (drawn < ends[place])]]
            rows = own if part.picks is None else [part.picks[row] for row in own]
            table = read_rows(root, part.file.key, rows, ["chunk_id", "text"])
            texts |= zip(table.column("chunk_id").to_pylist(), table.column("text").to_pylist(), strict=True)
        note = "" if len(texts) == total else f"{len(texts):,} of {total:,} passages of the corpus"
        return SourceTexts(texts, (), note, not note)

    def check(self) -> None:
        """Reads every shard. Raises StoreError for the first that is gone or not as it was published."""
        for key in self.shards:
            read_shard(self.store, self.manifest, key)

    def require(self, columns: Sequence[str], keys: str = "columns or strata") -> None:
        """Raises ConfigError for a column that rows do not have; `keys` says where it was named."""
        missing = [name for name in columns if name not in self.columns]
        if missing and self.shards:
            raise ConfigError(
                f"the dataset {self.name} has no column {missing[0]!r}",
                cause=f"a misspelt column in {keys}",
                remedy=f"name some of: {', '.join(self.columns)}",
            )

    def _file(self, key: str) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(pa.BufferReader(read_shard(self.store, self.manifest, key)))
        except pa.ArrowException as error:
            raise damaged(self.store.uri, key, f"it is no whole Parquet file ({error})") from error

    def _group(self, file: pq.ParquetFile, key: str, group: int, columns: Sequence[str]) -> pa.Table:
        try:
            return file.read_row_group(group, list(columns)).select(list(columns)).replace_schema_metadata(None)
        except (pa.ArrowException, OSError) as error:
            raise damaged(self.store.uri, key, f"it cannot be decoded ({error})") from error

    def _empty(self, columns: Sequence[str]) -> pa.Table:
        return pa.table({name: pa.array([], pa.string()) for name in columns})


def read_dataset(address: str, root: str | None = None, endpoint_url: str | None = None) -> Dataset:
    """The dataset at a folder or s3:// address. Raises ConfigError where there is none, StoreError where its manifest
    is not intact."""
    store = open_dataset(address, endpoint_url)
    manifest = read_manifest(store)
    shards = tuple(str(shard["path"]) for shard in manifest["shards"])
    return Dataset(store, manifest, shards, root, endpoint_url)
