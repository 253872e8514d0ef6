"""`--as generator`: the run's own prompts and the replies that led to published rows, to train a small generator.

Format: TRL's conversational prompt-completion type, a row a request: the prompt as asked, the reply accepted; and
`step`, so that steps can be trained together or apart.

Design: prompts are rendered again from the committed rows, as `factory replay` does, and proven by the hash that was
recorded when they were sent; replies are read again by the step itself, so that what counts as accepted is what the run
accepted. A reply is taken when the step turned away none of what it says, and a published row rests on it: of answers
the one that won, of questions those replies that lost nothing, of extractions those that a published question of level
2 or 3 was made from. Which rows are published, and meet --where, is a sorted list of hashes that workers map: 8 bytes
an id. Splits are those of documents: a request about a document that is held out is left out.
Cost: one read of the LLM steps' inputs and requests, and of three columns of the dataset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from factory.concepts.reply import text_of
from factory.engine.api import Completion, Message
from factory.export.carried import MELTED, melted_row
from factory.export.recipe import Recipe
from factory.export.run_of import require_run
from factory.export.shaped import Shaped
from factory.export.source import Source
from factory.identity import canonical_json
from factory.licences.duties import combined_duties
from factory.publish.samples import MESSAGES, split_of
from factory.publish.wording import wording_of
from factory.run.llm import Prepared, prepare, request_id
from factory.run.outputs import outputs_key, read_outputs, resolve
from factory.run.record import read_record
from factory.run.step import LlmStep, Parsed, Row
from factory.run.steps import rebuild_steps
from factory.run.units import Unit
from factory.store.base import Store
from factory.store.commits import Commit, read_commit
from factory.store.objects import read_mapping
from factory.store.parquet import read_parquet

COLUMNS = ("level", "lineage")
STEPS = ("extract", "question_", "answer")
"""Beginnings of the names of steps that a generator takes over. Judging is another model's work."""

ROWS_A_FILE = 4096
"""Rows that the units of a file gave: with prompts of 1,500 tokens some 25 MB."""

DIFFERS, FAILED, REMOVED = "prompt_not_proven", "request_failed", "requests_removed"
TURNED_AWAY, PARTLY, UNPUBLISHED, OTHER_SPLIT = "reply_rejected", "partly_rejected", "not_published", "other_split"

SCHEMA = pa.schema(
    [
        ("prompt", MESSAGES),
        ("completion", MESSAGES),
        ("step", pa.string()),
        ("response_schema", pa.string()),  # JSON schema that the engine held the reply to; null: free text
        ("request_id", pa.string()),  # the last, of several rounds
        ("item_id", pa.string()),
        ("published", pa.int32()),  # of what the reply gave: how many are published
        *(field for field in MELTED if field.name != "sample_ids"),
    ]
)


@dataclass(frozen=True)
class Requests:
    """The units of a step whose requests become one file."""

    step: str
    folder: str
    units: tuple[str, ...]
    index: str


def check(source: Source, recipe: Recipe) -> None:
    """Raises ConfigError for a dataset without a run, or one whose code is another by now."""
    rebuild_steps(require_run(source, recipe), source.manifest["run"], wording_of(source.dataset, source.manifest))


def plan(source: Source, recipe: Recipe, index: str) -> list[tuple[str, Requests]]:
    """(name of the file, its units), step by step. `index` is where the hashes of what is published will lie."""
    root, run = require_run(source, recipe), source.manifest["run"]
    record = read_record(root, run) or {}
    found = []
    for name, folder in record["steps"].items():
        if not name.startswith(STEPS):
            continue
        batches = list(_batches(root, run, name))
        for number, units in enumerate(batches):
            file = f"{name}-{number:05d}-of-{len(batches):05d}"
            found.append((file, Requests(name, folder, units, index)))
    return found


def _batches(root: Store, run: str, step: str) -> Iterator[tuple[str, ...]]:
    units: dict[str, None] = {}
    rows = 0
    for output in read_outputs(root, outputs_key(run, step)):
        if rows >= ROWS_A_FILE and output.unit not in units:
            yield tuple(units)
            units, rows = {}, 0
        units[output.unit] = None
        rows += output.file.rows
    if units:
        yield tuple(units)


def published_ids(rows: pa.Table) -> npt.NDArray[np.uint64]:
    """Hashes of what published rows rest on: questions, answers and, above level 1, passages whose concepts they
    use."""
    found = []
    for level, lineage in zip(rows.column("level").to_pylist(), rows.column("lineage").to_pylist(), strict=True):
        found += [_hash("question_id", lineage["question_id"]), _hash("answer_id", lineage["answer_id"])]
        found += [_hash("chunk_id", source["chunk_id"]) for source in lineage["sources"] if level > 1]
    return np.unique(np.array(found, np.uint64))


def _hash(column: str, value: str) -> int:
    return xxhash.xxh64_intdigest(f"{column}\0{value}".encode())


def write_index(parts: Iterable[npt.NDArray[np.uint64]], path: str) -> None:
    np.save(path, np.unique(np.concatenate([np.zeros(0, np.uint64), *parts])))


@lru_cache(maxsize=1)
def _index(path: str) -> npt.NDArray[np.uint64]:
    found: npt.NDArray[np.uint64] = np.load(path, mmap_mode="r")
    return found


def _published(path: str, column: str, values: Sequence[str]) -> int:
    """How many of these ids are published."""
    index = _index(path)
    hashes = np.array([_hash(column, value) for value in values], np.uint64)
    places = np.searchsorted(index, hashes)
    return int(sum(place < len(index) and index[place] == own for place, own in zip(places, hashes, strict=True)))


def shape_requests(source: Source, recipe: Recipe, requests: Requests, split: str) -> tuple[Shaped, int]:
    """The rows of a file, and how many requests were read for it."""
    root = require_run(source, recipe)
    step = rebuild_steps(root, source.manifest["run"], wording_of(source.dataset, source.manifest))[requests.folder]
    identity = read_mapping(root, f"steps/{requests.folder}/step.json", ("model",))
    model = f"{_model_of(source, step.name)}@{identity['model']['revision']}"
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    read = 0
    for name in requests.units:
        commit = read_commit(root, requests.folder, name)
        unit = Unit(commit.unit, resolve(root, commit.parent), commit.picks)
        prepared = prepare(root, step, requests.folder, unit)
        records = _records(root, commit)
        read += len(prepared.asked)
        for place, index in enumerate(prepared.asked):
            told = _told(step, requests, prepared, index, prepared.requests[place].prompt_sha256(), records)
            row = told if isinstance(told, str) else _row(source, step, requests, told, split)
            if isinstance(row, str):
                left_out[row] += 1
                continue
            messages = prepared.requests[place].messages
            rows.append({**row, "prompt": [_turn(message) for message in messages], "models": [model]})
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    return Shaped(table, dict(left_out), {f"replies_of_{step.name}": len(rows)}), read


def _model_of(source: Source, step: str) -> str:
    role = step.split("_")[0]
    names = [each["model"] for each in source.manifest["generators"] if each["role"] == role]
    return str(names[0]) if names else "unknown"


def _records(root: Store, commit: Commit) -> dict[str, Mapping[str, Any]]:
    if "requests" not in commit.other_files:
        return {}
    columns = ["request_id", "prompt_sha256", "texts", "finish_reasons", "error"]
    table = read_parquet(root, commit.other_files["requests"]["key"], columns)
    return {str(row["request_id"]): row for row in table.to_pylist()}


@dataclass(frozen=True)
class _Reply:
    parsed: Parsed
    rounds: tuple[Completion, ...]
    input_row: Row
    item_id: str


def _told(
    step: LlmStep, requests: Requests, prepared: Prepared, index: int, sha256: str, records: Mapping[str, Any]
) -> _Reply | str:
    """What was replied about a row in all rounds, as the step reads it; or why it cannot be told."""
    row = prepared.rows[index]
    rounds: list[Completion] = []
    while (record := records.get(request_id(requests.folder, step.item_id(row), len(rounds)))) is not None:
        if record["prompt_sha256"] != sha256:
            return DIFFERS
        if record["error"]:
            return FAILED
        if not record["texts"]:
            return REMOVED
        own = Completion(record["request_id"], tuple(record["texts"]), tuple(record["finish_reasons"]), 0, ())
        rounds.append(own)
    if not rounds:
        return REMOVED
    return _Reply(step.parse(row, prepared.texts, rounds, requests.folder), tuple(rounds), row, step.item_id(row))


def _row(source: Source, step: LlmStep, requests: Requests, told: _Reply, split: str) -> Row | str:
    accepted = told.parsed.accepted
    if not accepted:
        return TURNED_AWAY
    if told.parsed.rejects:
        return PARTLY
    published = _published(requests.index, step.id_column, [row[step.id_column] for row in accepted])
    if not published:
        return UNPUBLISHED
    sources = told.input_row["sources"]
    doc_ids = sorted({each["doc_id"] for each in sources})
    rule = source.manifest["split_rule"]
    if split_of(doc_ids, rule["seed"], rule["validation"], rule["test"]) != split:
        return OTHER_SPLIT
    reply = accepted[0]["answer"] if "answer" in accepted[0] else text_of(told.rounds)[0]
    return {
        "completion": [{"role": "assistant", "content": reply}],
        "step": step.name,
        "response_schema": canonical_json(step.response_schema).decode() if step.response_schema else None,
        "request_id": told.rounds[-1].request_id,
        "item_id": told.item_id,
        "published": published,
        **_origin(sources, doc_ids),
    }


def _origin(sources: Sequence[Mapping[str, Any]], doc_ids: Sequence[str]) -> dict[str, Any]:
    """Licences, duties and attribution of a request's passages."""
    licenses = sorted({each["license"] or "" for each in sources})
    duties = {duty for each in sources for duty in each["duties"] or ()}
    places = [{name: each[name] or "" for name in ("source", "license", "url")} for each in sources]
    own = {
        "doc_ids": doc_ids,
        "licenses": licenses,
        "duties": sorted({*duties, *combined_duties(licenses)}),
        "attribution": places,
        "synthetic": True,
    }
    along = melted_row([own])
    return {field.name: along[field.name] for field in MELTED if field.name in SCHEMA.names and field.name != "models"}


def _turn(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}
