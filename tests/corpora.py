"""A small corpus of original sentences, written by code: enough different words for questions to differ."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

SUBJECTS = ("matrix", "polynomial", "graph", "integral", "vector", "sequence", "group", "function", "set", "tree")
VERBS = (
    "contains",
    "maps",
    "bounds",
    "divides",
    "approximates",
    "generates",
    "preserves",
    "orders",
    "covers",
    "splits",
)
OBJECTS = (
    "eigenvalue",
    "root",
    "edge",
    "limit",
    "basis",
    "term",
    "element",
    "domain",
    "subset",
    "leaf",
    "prime",
    "norm",
)
WAYS = (
    "uniquely",
    "slowly",
    "exactly",
    "in linear time",
    "almost surely",
    "up to isomorphism",
    "under mild conditions",
)


def text_of(number: int, sentences: int = 14) -> str:
    """The same text for the same number, on every machine."""
    draw = random.Random(number)
    lines = [
        f"Every {draw.choice(SUBJECTS)} number {draw.randint(2, 999)} {draw.choice(VERBS)} a {draw.choice(OBJECTS)} "
        f"{draw.choice(WAYS)} when its {draw.choice(OBJECTS)} has {draw.choice(SUBJECTS)} rank {draw.randint(2, 99)}."
        for _ in range(sentences)
    ]
    half = len(lines) // 2
    return " ".join(lines[:half]) + "\n\n" + " ".join(lines[half:])


def row_of(number: int) -> dict[str, str]:
    return {
        "text": text_of(number),
        "source": "original",
        "license": "CC-BY-4.0" if number % 3 else "MIT",
        "url": f"http://example.org/{number}",
    }


def write_corpus(folder: Path, documents: int, shards: int = 3) -> Path:
    """Shards in three formats (Parquet, JSONL.gz, JSONL.zst, in turn) below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        rows = [row_of(number) for number in range(shard, documents, shards)]
        write_shard(folder / f"shard-{shard:03d}", rows, shard % 3)
    return folder


def write_shard(stem: Path, rows: list[dict[str, str]], kind: int) -> None:
    if kind == 0:
        pq.write_table(pa.Table.from_pylist(rows), stem.with_suffix(".parquet"), row_group_size=32)
        return
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if kind == 1:
        stem.with_suffix(".jsonl.gz").write_bytes(gzip.compress(data, mtime=0))
    else:
        stem.with_suffix(".jsonl.zst").write_bytes(zstandard.compress(data))
