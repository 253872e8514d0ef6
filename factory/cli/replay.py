"""`factory replay DATASET SAMPLE_ID`: the exact prompts, parameters, models and documents behind a row.

Design: everything is rebuilt from lineage and committed files, and each prompt is proven by the hash that
was recorded when it was sent. Exit code 0 when every request is proven, else 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from factory.publish.replay import Replayed, ReplayedRequest


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="rebuild the exact requests behind a row",
        description="Rebuilds prompts, parameters and documents of a row from its lineage, and proves each prompt "
        "by the hash recorded when it was sent. Exit code 0 when all are proven, else 1.",
    )
    parser.add_argument("dataset", metavar="DATASET", help="folder or s3://… of one version of a dataset")
    parser.add_argument("sample_id", metavar="SAMPLE_ID", help="as printed by `factory show`, 32 hexadecimal digits")
    parser.add_argument("--root", help="root of the run, where it is not above the dataset's datasets/ folder")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the report")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import orjson

    from factory.printable import json_printable
    from factory.publish.locate import open_dataset, open_root_of, read_manifest
    from factory.publish.replay import find_sample, replay
    from factory.publish.wording import wording_of
    from factory.run.steps import rebuild_steps

    dataset = open_dataset(args.dataset, args.endpoint_url)
    manifest = read_manifest(dataset)
    sample = find_sample(dataset, "", manifest, args.sample_id)
    root = open_root_of(dataset, manifest["run"], args.root, args.endpoint_url)
    steps = rebuild_steps(root, manifest["run"], wording_of(dataset, manifest))
    replayed = replay(root, manifest, sample, steps)
    if args.json:
        print(json_printable(orjson.dumps(replayed.to_json()).decode()))
    else:
        _report(replayed)
    return 0 if replayed.proven else 1


def _report(replayed: Replayed) -> None:
    from rich.console import Console
    from rich.rule import Rule

    console = Console(file=sys.stdout, color_system=None, highlight=False, markup=False, soft_wrap=True)
    sample = replayed.sample
    task = "" if sample.get("task") in (None, "open") else f", {sample['task']}"
    console.print(f"sample   {sample['sample_id']}  level {sample['level']}{task}")
    console.print(f"run      {sample['lineage']['run']}  seed {sample['lineage']['seed']}")
    for document in replayed.documents:
        console.print(Rule(f"passage {document['chunk_id']} of document {document['doc_id']}"))
        console.print(f"{document['source']}  {document['license'] or 'licence not stated'}  {document['url'] or ''}")
        console.print(document["text"])
    if replayed.walk is not None:
        _print_walk(console, replayed.walk, replayed.past)
    # Upwards from the answer in the data, downwards to it for a reader.
    for request in reversed(replayed.requests):
        _print_request(console, request)
    console.print(Rule("result"))
    proven = sum(request.proven for request in replayed.requests)
    console.print(f"{proven} of {len(replayed.requests)} prompts have the hash that was recorded when they were sent")


def _print_walk(console: Console, walk: Mapping[str, Any], past: Mapping[int, str]) -> None:
    from rich.rule import Rule

    console.print(Rule(f"walk {walk['walk_id']}, number {walk['number']} of epoch {walk['epoch']}"))
    console.print(f"topics   {'; '.join(walk['topics'])}")
    console.print(f"concepts {'; '.join(walk['concepts'])}")
    names = dict(zip(walk["topic_ids"] + walk["concept_ids"], walk["topics"] + walk["concepts"], strict=True))
    trace = walk["trace"]
    nodes = [
        f"{'concept' if kind else 'topic'} {names[node]} ({node:016x})"
        for node, kind in zip(trace["nodes"], trace["kinds"], strict=True)
    ]
    if trace["subject"] is not None:
        console.print(f"subject  {trace['subject']}")
    console.print(f"from {nodes[0]}")
    for node, via, probability in zip(nodes[1:], trace["via"][1:], walk["probabilities"], strict=True):
        way = "" if via is None else f" past {past[via]} ({via:016x})" if via in past else f" past {via:016x}"
        console.print(f"  to {node}{way} with probability {probability:.6g}")
    for document, score, overlap in zip(walk["doc_ids"], walk["scores"], walk["overlap"], strict=True):
        console.print(f"document {document}: {overlap} nodes shared, score {score:.4g}")


def _print_request(console: Console, request: ReplayedRequest) -> None:
    from rich.rule import Rule

    console.print(Rule(f"{request.step}  request {request.request_id}  round {request.round}"))
    console.print(f"model    {_pairs(request.model)}")
    console.print(f"sampling {_pairs(request.sampling)}")
    console.print(f"engine   {_pairs(request.engine)}")
    if request.response_schema is not None:
        console.print(f"schema   {dict(request.response_schema)}")
    verdict = "proven" if request.proven else f"NOT PROVEN, recorded {request.recorded_sha256}"
    console.print(f"prompt   sha256 {request.prompt_sha256} ({verdict})")
    for message in request.messages:
        console.print(Rule(message.role, style="dim", align="left"))
        console.print(message.content)
    if request.removed:
        console.print(Rule("completions", style="dim", align="left"))
        console.print(request.removed)
    for number, text in enumerate(request.texts):
        console.print(Rule(f"completion {number + 1} of {len(request.texts)}", style="dim", align="left"))
        console.print(text)


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
