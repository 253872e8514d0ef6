"""graph_pairs: what a group of extract files adds to the graph.

Design: a unit is a group of about 2,048 passages, named by their content (groups.py), so a grown corpus counts only
what is new, and what the graph is summed from stays valid for ever. Pairs are added up within a unit, or a block of it
where passages hold many nodes, before they are written. All files can be read by ranges of ids: PAIR and NAME are
sorted by id and cut into row groups at equal id ranges, whose statistics say what they hold, so a reducer fetches a
footer and its row groups and never a whole file (store/parquet.py, read_range). The number of ranges grows with the
file, so that a row group of pairs keeps some ten thousand rows.

Signatures are curation's MinHash over word shingles (curate/minhash.py): they let matching refuse two passages that
are nearly the same text.

Bytes of one pair of a unit (3.5 million distinct pairs of 65,000 nodes, zstd-3): dictionary-encoded as Parquet does by
itself 2.4 in one row group, 3.3 in 8, 4.3 in 16, 5.6 in 32, 7.0 in 64; any encoding without dictionaries takes 4 to 8.
Within a row group the same destinations come again and again, so few, large row groups it is: 32, as many as the
paper's subset has partitions.

Cost: 1.1 ms a passage of 45 nodes on a busy core, writing included; signatures 0.25 ms more a text of 1,500 characters.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from factory.concepts.graph.config import GraphConfig
from factory.concepts.graph.counting import Pairs, pair_blocks
from factory.concepts.graph.groups import files_of, holding
from factory.concepts.graph.names import NORMALISER_VERSION
from factory.concepts.graph.passages import NodeSets, node_sets
from factory.concepts.graph.tables import ID_BITS, PAIR, PASSAGE, U64
from factory.curate.minhash import SCHEME, SEED, shingle_hashes, signatures
from factory.curate.words import NORMALISER_VERSION as WORDS_VERSION
from factory.curate.words import tokenise
from factory.identity import ids_digest
from factory.run.outputs import fetch_texts
from factory.run.units import Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import Layout, read_parquet

STEP_VERSION = 3

COLUMNS = ["chunk_id", "doc_id", "subject", "topics", "sources"]

PASSAGES, NAMES, PAIRS = 0, 1, 2
"""Parts of a unit's output; pairs may go on in those that follow."""

PASSAGES_A_GROUP = 4096
MAX_RANGES = 256
PAIRS_A_RANGE = 1 << 16
"""Rows a row group has at least, where a file is cut at all: each repeats the dictionary of its destinations, which is
half of its bytes already."""
NAMES_A_RANGE = 1 << 11
"""Names hardly repeat within a file, so nothing is gained by reading more of them than are asked for."""
PARALLEL_READS = 8


@dataclass(frozen=True)
class GraphPairsStep:
    """Work step over extract files."""

    max_passage_nodes: int
    permutations: int
    shingle_words: int

    name = "graph_pairs"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        signature = {
            "permutations": self.permutations,
            "shingle_words": self.shingle_words,
            "scheme": SCHEME,
            "seed": SEED,
            "words": WORDS_VERSION,
        }
        return {
            "max_passage_nodes": self.max_passage_nodes,
            "signature": signature if self.permutations else None,
            "names": NORMALISER_VERSION,
        }

    def work(self, store: Store, unit: Unit) -> UnitResult:
        files = files_of(unit)
        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            tables = list(pool.map(lambda file: read_parquet(store, file.key, COLUMNS), files))
        table = pa.concat_tables(_placed(each, file.name) for each, file in zip(tables, files, strict=True))
        sets = node_sets(table, self.max_passage_nodes)
        kept = table.take(np.flatnonzero(sets.sizes))
        passages = passage_table(kept, sets, self._signatures(store, kept))
        pairs = tuple(pair_blocks(sets.ids, sets.starts, sets.members))
        accepted = passages.column("chunk_id").to_pylist()
        return UnitResult(
            inputs=table.num_rows,
            used=len(accepted),
            tables=(passages, sets.names, *map(pair_table, pairs)),
            layouts=(
                Layout(PASSAGES_A_GROUP),
                Layout(range_groups(sets.names.column("node_id").to_numpy(), NAMES_A_RANGE)),
                *(Layout(range_groups(block.src, PAIRS_A_RANGE)) for block in pairs),
            ),
            id_column="chunk_id",
            rejects=sets.rejects,
            input_ids_digest=ids_digest(table.column("chunk_id").to_pylist()),
            accepted=len(accepted),
            accepted_ids_digest=ids_digest(accepted),
            facts={"pairs": sum(len(block.src) for block in pairs), "files": [holding(file) for file in files]},
        )

    def _signatures(self, store: Store, table: pa.Table) -> pa.Array:
        """list<uint32> of each passage's text; null where it was not asked for or the passage names no text."""
        sources = table.column("sources").to_pylist() if self.permutations else []
        wanted = [row[0] for row in sources if row and row[0]["file"]]
        if not wanted:
            return pa.nulls(table.num_rows, pa.list_(pa.uint32()))
        texts = fetch_texts(store, wanted)
        present = [bool(row) and row[0]["chunk_id"] in texts for row in sources]
        held = [texts[row[0]["chunk_id"]] for row, here in zip(sources, present, strict=True) if here]
        hashes, offsets = shingle_hashes(tokenise(held), self.shingle_words)
        values = iter(signatures(hashes, offsets, self.permutations)) if held else iter(())
        return pa.array([next(values) if here else None for here in present], pa.list_(pa.uint32()))


def pairs_step(config: GraphConfig) -> GraphPairsStep:
    return GraphPairsStep(config.max_passage_nodes, config.signature_permutations, config.signature_shingle_words)


def _placed(table: pa.Table, name: str) -> pa.Table:
    """An extract file's rows, each with the file's name and its place in it."""
    names = pa.repeat(pa.scalar(name), table.num_rows)
    return table.append_column("extract_file", names).append_column("row", pa.array(np.arange(table.num_rows)))


def passage_table(table: pa.Table, sets: NodeSets, signature: pa.Array) -> pa.Table:
    """PASSAGE rows of the CONCEPTS rows that are kept, which say where they lie."""
    sizes = sets.sizes[sets.sizes > 0]
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)
    licences = [row[0]["license"] if row else None for row in table.column("sources").to_pylist()]
    columns = {
        **{name: table.column(name) for name in ("chunk_id", "doc_id", "subject", "extract_file", "row")},
        "license": pa.array(licences, pa.string()),
        "nodes": pa.ListArray.from_arrays(pa.array(offsets), pa.array(sets.ids[sets.members], pa.uint64())),
        "signature": signature,
    }
    return pa.table([columns[name] for name in PASSAGE.names], schema=PASSAGE)


def pair_table(pairs: Pairs) -> pa.Table:
    return pa.table([pa.array(column) for column in pairs], schema=PAIR)


def range_groups(ids: U64, least: int) -> tuple[int, ...]:
    """Rows of each row group of a table sorted by `ids`: the ids of one of up to MAX_RANGES equal ranges each, with
    about `least` rows or more."""
    ranges = 1
    while ranges < MAX_RANGES and len(ids) >= 2 * ranges * least:
        ranges *= 2
    if ranges == 1:
        return (len(ids),)
    shift = np.uint64(ID_BITS - (ranges.bit_length() - 1))
    counts = np.bincount((ids >> shift).astype(np.int64), minlength=ranges)
    return tuple(counts[counts > 0].tolist())
