"""Replaying a row: the exact prompts, parameters, model, seed and documents behind it, and the proof.

Design: lineage names the requests; the requests file a unit committed says which input row each came from
and the hash of the prompt that was sent. The step renders that input row again, and the hashes must be
equal. From an answer the way leads up through the parents of units: answer, question, extraction. Cost: a
handful of point reads; only where no parent is of the step that asked are a step's requests scanned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from factory.concepts.walks.reading import walked_graph
from factory.engine.api import Message, Request
from factory.errors import ConfigError, StoreError
from factory.govern.erasure.records import read_record as read_erasure
from factory.publish.manifest import Manifest
from factory.publish.samples import sort_key
from factory.run.llm import load_rows
from factory.run.outputs import fetch_passages, fetch_texts, resolve
from factory.run.record import kept_plan_key
from factory.run.reject import Reject
from factory.run.step import LlmStep, Row
from factory.run.units import Unit
from factory.store.base import AbsentObjectError, Store
from factory.store.commits import Commit, read_commit, read_commits
from factory.store.objects import read_mapping
from factory.store.parquet import read_parquet, read_rows
from factory.vocabulary.use import vocabulary_of


@dataclass(frozen=True)
class ReplayedRequest:
    """One request rebuilt: `proven` when the prompt's hash is the one recorded when it was sent.

    `model` is as the step's fingerprint holds it, `engine` as recorded by the unit; `texts` is what the
    model answered then, `removed` says by which record that was deleted since.
    """

    request_id: str
    step: str
    round: int
    item_id: str
    messages: tuple[Message, ...]
    prompt_sha256: str
    recorded_sha256: str
    proven: bool
    model: Mapping[str, Any]
    sampling: Mapping[str, Any]
    response_schema: Mapping[str, Any] | None
    engine: Mapping[str, Any]
    texts: tuple[str, ...]
    removed: str = ""


@dataclass(frozen=True)
class Replayed:
    """A row, its requests from the answer upwards, the passages it rests on, and the walk that led to them (level
    3: a row of concepts/walks/tables.PAIRED_WALK). `past` names the nodes that implicit steps of the walk went past,
    as far as the graph is still there."""

    sample: Mapping[str, Any]
    requests: tuple[ReplayedRequest, ...]
    documents: tuple[Mapping[str, Any], ...]
    walk: Mapping[str, Any] | None = None
    past: Mapping[int, str] = field(default_factory=dict)

    @property
    def proven(self) -> bool:
        return bool(self.requests) and all(request.proven for request in self.requests)

    def to_json(self) -> dict[str, Any]:
        return {
            "sample": dict(self.sample),
            "requests": [asdict(request) for request in self.requests],
            "documents": [dict(document) for document in self.documents],
            "walk": dict(self.walk) if self.walk else None,
            "past": {f"{node:016x}": name for node, name in self.past.items()},
            "proven": self.proven,
        }


def find_sample(dataset: Store, prefix: str, manifest: Manifest, sample_id: str) -> dict[str, Any]:
    """The published row. Raises ConfigError when no shard holds it."""
    shards = manifest["shards"]
    key = sort_key(manifest["seed"], sample_id)
    likely = []
    for split in manifest["splits"]:
        own = [shard for shard in shards if shard["split"] == split["name"]]
        # Shards are equal ranges of the order key, so the place is known unless one of them was empty.
        likely.append(own[key * len(own) >> 64])
    for shard in [*likely, *(shard for shard in shards if shard not in likely)]:
        name = f"{prefix}/{shard['path']}" if prefix else shard["path"]
        row = pc.index(read_parquet(dataset, name, ["sample_id"]).column("sample_id"), sample_id).as_py()
        if row >= 0:
            found: dict[str, Any] = read_rows(dataset, name, [row]).to_pylist()[0]
            return found
    raise ConfigError(
        f"no row of the dataset has the sample id {sample_id!r}",
        cause="the id was cut off or belongs to another version",
        remedy="`factory show DATASET` prints ids; they have 32 hexadecimal digits",
    )


def replay(root: Store, manifest: Manifest, sample: Mapping[str, Any], steps: Mapping[str, LlmStep]) -> Replayed:
    """Rebuilds every request behind `sample`. `steps` maps step folders to the steps that render them.

    Raises StoreError when something the lineage names is gone, ConfigError when a step is not given.
    """
    lineage = sample["lineage"]
    finder = _Finder(root, manifest)
    requests: list[ReplayedRequest] = []
    hint = lineage["answer_file"]
    parent = ""
    for request_id in lineage["answer_request_ids"]:
        request, _, parent = _rebuild(finder, steps, lineage["answer_step"], request_id, hint)
        requests.append(request)
    request, row, parent = _rebuild(finder, steps, lineage["question_step"], lineage["question_request_id"], parent)
    requests.append(request)
    if row.get("request_id"):
        # Questions that start from extracted concepts rest on the extraction's request as well.
        above = parent.split("/")[0]
        requests.append(_rebuild(finder, steps, above, row["request_id"], parent)[0])
    passages = fetch_passages(root, lineage["sources"], ("chunk_id", "doc_id", "text", "source", "license", "url"))
    walk = row if lineage["walk_id"] is not None else None
    past = _names_past(root, lineage["run"], walk["trace"]["via"]) if walk is not None else {}
    return Replayed(sample, tuple(requests), tuple(passages.to_pylist()), walk, past)


def _names_past(root: Store, run: str, nodes: Sequence[int | None]) -> dict[int, str]:
    ids = np.array(sorted({node for node in nodes if node is not None}), np.uint64)
    # A row is proven by its prompts; a graph that was cleared away since takes names from the trace, not proof.
    with suppress(AbsentObjectError, StoreError):
        graph = walked_graph(root, run) if len(ids) else None
        return graph.names(ids) if graph else {}
    return {}


def _rebuild(
    finder: _Finder, steps: Mapping[str, LlmStep], folder: str, request_id: str, hint: str
) -> tuple[ReplayedRequest, Row, str]:
    """The request rendered again, the input row it came from, and the name of the file that row lies in."""
    if folder not in steps:
        raise ConfigError(
            f"the step {folder} cannot be rebuilt from the run's configuration",
            cause="the domain pack or the code was changed since the run",
            remedy="check out the version of code and pack that the manifest names",
        )
    step = steps[folder]
    commit, record = finder.request(folder, request_id, hint)
    row = _input_row(finder.root, step, commit, record["item_id"])
    is_document = "text" in row and "chunk_id" in row
    texts = {row["chunk_id"]: row["text"]} if is_document else fetch_texts(finder.root, row["sources"])
    if (vocabulary := vocabulary_of(step)) is not None:
        vocabulary.load(finder.root)
    rendered = step.prompt(row, texts, folder)
    messages = () if isinstance(rendered, Reject) else rendered
    prompt_sha256 = Request(request_id, messages).prompt_sha256()
    identity = finder.identity(folder)
    samples = len(record["texts"]) or len(record["generated_tokens"]) or identity["sampling"]["samples"]
    request = ReplayedRequest(
        request_id=request_id,
        step=folder,
        round=record["round"],
        item_id=record["item_id"],
        messages=messages,
        prompt_sha256=prompt_sha256,
        recorded_sha256=record["prompt_sha256"],
        proven=prompt_sha256 == record["prompt_sha256"],
        model=identity["model"],
        sampling={**identity["sampling"], "samples": samples},
        response_schema=identity["response_schema"],
        engine=dict(commit.engine or {}),
        texts=tuple(record["texts"]),
        removed="" if record["texts"] else _removed(finder.root, commit),
    )
    return request, row, commit.parent


def _removed(root: Store, commit: Commit) -> str:
    """By which records completions of a unit were removed; "" where none were."""
    told = (read_erasure(root, name) for name, kinds in commit.erased.items() if "requests" in kinds)
    return "; ".join(record.in_words for record in told if record is not None)


def _input_row(root: Store, step: LlmStep, commit: Commit, item_id: str) -> Row:
    unit = Unit(commit.unit, resolve(root, commit.parent), commit.picks)
    for row in load_rows(root, unit):
        if step.item_id(row) == item_id:
            return row
    raise StoreError(
        f"unit {commit.unit} of {commit.step} did not read a row with id {item_id}",
        cause="the step's code was changed without raising its version, or the parent file was replaced",
        remedy="run `factory verify` on the dataset",
    )


@dataclass(frozen=True)
class _Finder:
    """Finds requests in the committed units of a run."""

    root: Store
    manifest: Manifest

    def identity(self, folder: str) -> dict[str, Any]:
        return read_mapping(self.root, f"steps/{folder}/step.json")

    def request(self, folder: str, request_id: str, hint: str) -> tuple[Commit, dict[str, Any]]:
        """The commit and the recorded request; `hint` names a file at or below what its unit wrote."""
        for commit in self._candidates(folder, hint):
            if "requests" not in commit.other_files:
                continue
            table = read_parquet(self.root, commit.other_files["requests"]["key"])
            row = pc.index(table.column("request_id"), request_id).as_py()
            if row >= 0:
                return commit, table.slice(row, 1).to_pylist()[0]
        raise StoreError(
            f"request {request_id} is in no requests file of {folder} under {self.root.uri}",
            cause="the root is not the one the dataset was made under, or files were removed from it",
            remedy="pass the right root with --root, or restore it",
        )

    def _candidates(self, folder: str, hint: str) -> Iterator[Commit]:
        """The unit of `folder` above `hint`, if there is one, then every unit of the run's plan."""
        while hint and not hint.startswith(f"{folder}/"):
            above, unit, _ = hint.split("/")
            hint = read_commit(self.root, above, unit).parent
        likely = hint.split("/")[1] if hint else None
        if likely:
            yield read_commit(self.root, folder, likely)
        plan = next((step["plan"] for step in self.manifest["steps"] if step["folder"] == folder), None)
        if plan is not None:
            units = read_mapping(self.root, kept_plan_key(folder, plan), ("units",))["units"]
            yield from read_commits(self.root, folder, [unit for unit in units if unit != likely])
