"""`factory show DATASET`: a few samples, readable, with where each came from."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from factory.publish.manifest import Manifest
    from factory.store.base import Store


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "show", help="a few samples of a dataset, readable", description="Prints samples with their lineage."
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument("-n", "--number", type=_positive, default=5, help="samples to show (5)")
    parser.add_argument("--seed", type=int, default=0, help="which ones: another seed, another draw (0)")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is below 1")
    return value


def run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from factory.mix.manifest import KIND as MIX
    from factory.publish.locate import open_dataset, read_manifest
    from factory.publish.manifest import MANIFEST, kind_of

    dataset = open_dataset(args.dataset, args.endpoint_url)
    console = Console(file=sys.stdout, color_system=None, highlight=False, markup=False, soft_wrap=True)
    if dataset.head(MANIFEST) is not None and kind_of(dataset.get(MANIFEST)) == MIX:
        return _show_mix(console, dataset, args.number, args.seed)
    manifest = read_manifest(dataset)
    splits = ", ".join(f"{split['name']} {split['rows']:,}" for split in manifest["splits"])
    console.print(f"{manifest['name']} {manifest['version']}: {manifest['totals']['rows']:,} samples ({splits})")
    models = ", ".join(f"{item['role']}: {item['model']}" for item in manifest["generators"])
    console.print(f"written by {models}; licence {manifest['license']['dataset']}")
    for split, sample in draw(dataset, manifest, args.number, args.seed):
        _print_sample(console, split, sample)
    return 0


def _show_mix(console: Console, dataset: Store, number: int, seed: int) -> int:
    from rich.rule import Rule

    from factory.mix.manifest import KIND, MANIFEST_VERSION
    from factory.publish.manifest import MANIFEST, unseal

    manifest = unseal(dataset.get(MANIFEST), f"{dataset.uri}/{MANIFEST}", KIND, MANIFEST_VERSION)
    parts = ", ".join(f"{part['name']} ({part['role']}) {part['written']:,}" for part in manifest["parts"])
    console.print(f"{manifest['name']} {manifest['version']}: {manifest['totals']['rows']:,} rows: {parts}")
    console.print(f"licence {manifest['license']['dataset']}")
    for _, row in draw(dataset, manifest, number, seed):
        lineage = row["lineage"]
        console.print(Rule(f"{row['sample_id']}  {row['part']}, {row['role']}"))
        for turn in row["messages"]:
            console.print(f"{turn['role']:>9}  {turn['content']}\n")
        named = f"{lineage['dataset']} {lineage['version']}, " if lineage["dataset"] else ""
        console.print(
            f"from {named}{lineage['file']} row {lineage['row']}; {row['tokens']} tokens; licence {row['license']}"
        )
    return 0


def draw(dataset: Store, manifest: Manifest, number: int, seed: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """`number` samples (or all) with their splits: the same for the same seed. Opens only shards that hold one, each
    whole, since its hash is checked: up to 128 MiB by default.

    Raises StoreError for a shard that is gone or not as it was published.
    """
    import random

    import pyarrow as pa
    import pyarrow.parquet as pq

    from factory.publish.locate import read_shard

    total = manifest["totals"]["rows"]
    chosen = sorted(random.Random(seed).sample(range(total), min(number, total)))
    start = 0
    for shard in manifest["shards"]:
        rows = [row - start for row in chosen if start <= row < start + shard["rows"]]
        if rows:
            data = read_shard(dataset, manifest, shard["path"])
            for sample in pq.read_table(pa.BufferReader(data)).take(rows).to_pylist():
                yield shard["split"], sample
        start += shard["rows"]


def _print_sample(console: Console, split: str, sample: Mapping[str, Any]) -> None:
    from rich.rule import Rule

    lineage = sample["lineage"]
    kind = f"level {sample['level']}" if sample.get("task") in (None, "open") else sample["task"]
    console.print(Rule(f"{sample['sample_id']}  {split}, {kind}, {sample['origin']}"))
    console.print(f"Q  {sample['question']}\n")
    console.print(f"A  {sample['answer']}\n")
    concepts = f"; concepts: {', '.join(sample['concepts'])}" if sample["concepts"] else ""
    tags = "".join(f"; {tag['name']}={tag['value']}" for tag in sample.get("tags") or ())
    console.print(f"{sample['subject'] or 'no subject'}, {sample['edu_level'] or 'no level stated'}{tags}{concepts}")
    votes = f"{sample['agreement']:.0%} of {sample['samples']} samples agree, verified: {sample['verified']}"
    tokens = f"tokens {sample['question_tokens']} + {sample['answer_tokens']}"
    console.print(f"final answer {sample['final_answer']!r}; {votes}; {tokens}")
    for source in lineage["sources"]:
        where = source["url"] or f"{source['shard']} row {source['shard_row']}"
        span = f"characters {source['span_start']}-{source['span_end']}"
        console.print(f"from {source['source']}: {where}, {span}, document {source['doc_id']}")
    console.print(
        f"licence {sample['license']}; run {lineage['run']}, {lineage['question_step']}, {lineage['answer_step']}"
    )
