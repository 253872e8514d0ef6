"""The `samples` step: committed answers become the rows that are published, each with its whole lineage.

Design: row-wise over answer files and column by column, so that text, votes and source references pass
through untouched; only ids, split, order key, licences and token counts are computed per row. The split is
chosen by document, and a row whose documents fall into different splits is a reject. Rows are ordered by
hash(seed, sample id), so neighbours in a shard are unrelated. Cost: about 45 microseconds a row beside the
tokenizer (tests/publish/test_samples.py holds it above 5,000 rows/s).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from factory.curate.index_store import BenchmarkIndex
from factory.identity import ids_digest, make_id
from factory.licences.duties import combined_duties
from factory.licences.expression import combine
from factory.publish.judged import JUDGE_COLUMNS, with_judgements
from factory.publish.leaked_answers import LeakedAnswers, leaked_answers
from factory.publish.origins import Origins, read_origins
from factory.publish.required import CHECKED, unmet, with_checks
from factory.publish.sample_facts import level_facts, split_facts, strata
from factory.publish.withdrawn import resting_on
from factory.run.reject import Reject
from factory.run.units import FileRef, Unit, UnitResult
from factory.store.base import Store
from factory.store.parquet import read_parquet
from factory.tables import JUDGE_SCORES, SOURCES, TAGS_COLUMN, TASK_COLUMNS, VOTES
from factory.tasks.chat import Frames, chats
from factory.tasks.task import OPEN

STEP_VERSION = 6

DIGITAL_SOURCE_TYPE = "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"
"""C2PA's term for data made by a trained model (C2PA 2.2, digital source types)."""

MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
ATTRIBUTIONS = pa.list_(pa.struct([("source", pa.string()), ("license", pa.string()), ("url", pa.string())]))

LINEAGE = pa.struct(
    [
        ("run", pa.string()),
        ("seed", pa.int64()),
        ("question_id", pa.string()),
        ("answer_id", pa.string()),
        ("question_prompt_id", pa.string()),
        ("answer_prompt_id", pa.string()),
        ("question_request_id", pa.string()),
        ("walk_id", pa.string()),  # level 3, else null: the walk, whose trace lies in the rows that question_step read
        ("answer_request_ids", pa.list_(pa.string())),
        ("question_step", pa.string()),  # folders below steps/
        ("answer_step", pa.string()),
        ("step_folders", pa.list_(pa.string())),
        ("answer_file", pa.string()),  # name of the committed answer file (FileRef.name), and the row in it
        ("answer_row", pa.int64()),
        ("sources", SOURCES),
    ]
)

SAMPLE = pa.schema(
    [
        ("sample_id", pa.string()),
        ("messages", MESSAGES),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("final_answer", pa.string()),
        ("domain", pa.string()),
        ("level", pa.int8()),
        ("origin", pa.string()),  # the question was "extracted" from the document, or "created"
        ("edu_level", pa.string()),
        ("subject", pa.string()),
        ("concepts", pa.list_(pa.string())),
        ("agreement", pa.float64()),
        ("votes", VOTES),
        ("samples", pa.int32()),
        ("verified", pa.string()),  # yes | no | unchecked
        ("verified_by", pa.string()),  # the verifier that said yes or no
        ("grounded_share", pa.float64()),  # of the answer's content words: with evidence in a source
        ("extracted_share", pa.float64()),  # of its words: in runs copied from a source
        ("longest_copied_words", pa.int32()),
        ("evidence_position", pa.float64()),  # mean place of the evidence, 0 the beginning of its source
        ("embedded_share", pa.float64()),  # of its sentences: near one of a source by embedding; null where that is off
        ("copied_share", pa.float64()),
        ("judge_score", pa.float64()),  # of a language model, in [0, 1]; null where nobody judged (docs/judge.md)
        ("judge_scores", JUDGE_SCORES),
        ("judge_reason", pa.string()),
        ("synthetic", pa.bool_()),
        ("digital_source_type", pa.string()),
        ("question_model", pa.string()),
        ("question_model_revision", pa.string()),
        ("answer_model", pa.string()),
        ("answer_model_revision", pa.string()),
        ("doc_ids", pa.list_(pa.string())),
        ("urls", pa.list_(pa.string())),
        ("licenses", pa.list_(pa.string())),  # as stated, of every document and every merged copy of it
        ("license", pa.string()),  # those combined into one SPDX expression
        ("duties", pa.list_(pa.string())),  # what those ask of whoever passes the row on: attribution, share-alike, ...
        ("attribution", ATTRIBUTIONS),
        ("question_tokens", pa.int32()),
        ("answer_tokens", pa.int32()),
        ("lineage", LINEAGE),
    ]
)

_PLACE = [pa.field("split", pa.string()), pa.field("key", pa.uint64())]

KEYED_SAMPLE = pa.schema([*SAMPLE, *_PLACE])
"""What the step commits: the published columns, and where the row goes."""


def sample_schema(with_tasks: bool, with_tags: bool = False) -> pa.Schema:
    """Columns of the published rows of a run with or without task types, and tags of its pack. Rows of runs without
    either stay as they are, and so do their files."""
    return pa.schema([*SAMPLE, *([TAGS_COLUMN] if with_tags else []), *(TASK_COLUMNS if with_tasks else [])])


def keyed_schema(with_tasks: bool, with_tags: bool = False) -> pa.Schema:
    """What the steps behind the answers commit of such rows."""
    return pa.schema([*sample_schema(with_tasks, with_tags), *_PLACE])


class TokenCounter(Protocol):
    def count(self, texts: list[str]) -> list[int]: ...


@dataclass(frozen=True)
class Generator:
    """A model as rows name it."""

    model: str
    revision: str


@dataclass(frozen=True)
class SamplesStep:
    """`folders` are (step name, step folder) of the row-wise steps before this one, in order; a question of level n
    comes from step `question_n`, the answer from `answer`, those of a task type from `question_<task>` and
    `answer_<task>`. `frames` are the task types of the run with the forms their chats have (tasks/chat.py); None in a
    run without any. `origins` is the table of documents met more than once (doc_id, origins), or None. `tokenizer`
    counts tokens and pickles cheaply; `tokenizer_name` is what identity and file metadata call it; `with_tags`:
    questions have tags. `benchmark_answers` is what answers must not repeat, or None; `require` which verdicts are
    published (required.py), `withdrawn` the documents whose rows are not (withdrawn.py). A unit's parameter `checks`
    names the files of the check step, `judged` those of the judge."""

    run: str
    seed: int
    domain: str
    validation: float
    test: float
    question_generator: Generator
    answer_generator: Generator
    folders: tuple[tuple[str, str], ...]
    tokenizer: TokenCounter
    tokenizer_name: str
    origins: FileRef | None = None
    benchmark_answers: BenchmarkIndex | None = None
    require: str = "any"
    withdrawn: tuple[str, ...] = ()
    frames: Frames | None = None
    with_tags: bool = False

    name = "samples"
    version = STEP_VERSION

    @property
    def schema(self) -> pa.Schema:
        return keyed_schema(self.frames is not None, self.with_tags)

    def identity(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "seed": self.seed,
            "domain": self.domain,
            "splits": [self.validation, self.test],
            "generators": [
                [generator.model, generator.revision] for generator in (self.question_generator, self.answer_generator)
            ],
            "folders": [list(pair) for pair in self.folders],
            "tokenizer": self.tokenizer_name,
            # An answer keeps its unit when its document turns up again under another licence.
            "origins": self.origins.content_sha256 if self.origins else None,
            "schema": str(self.schema),
            **({"frames": self.frames.identity()} if self.frames is not None else {}),
            **({"require": self.require} if self.require != "any" else {}),
            **({"withdrawn": list(self.withdrawn)} if self.withdrawn else {}),
            **({"benchmark_answers": self.benchmark_answers.identity} if self.benchmark_answers else {}),
        }

    def work(self, store: Store, unit: Unit) -> UnitResult:
        if unit.file is None:
            raise ValueError(f"unit {unit.unit_id} of the samples step has no answer file")
        answers = read_parquet(store, unit.file.key)
        rows = list(range(answers.num_rows)) if unit.picks is None else list(unit.picks)
        if unit.picks is not None:
            answers = answers.take(pa.array(rows, pa.int64()))
        answers = with_checks(store, answers, unit.parameters["checks"])
        answers = with_judgements(store, answers, unit.parameters.get("judged", ()))
        screen = self.benchmark_answers.screen(store) if self.benchmark_answers else None
        leaked = leaked_answers(screen, answers) if screen else LeakedAnswers()
        turned_away = {**unmet(answers, self.require), **leaked.rejects, **resting_on(answers, self.withdrawn)}
        kept = [place for place in range(answers.num_rows) if place not in turned_away]
        clean = answers.take(pa.array(kept, pa.int64())) if turned_away else answers
        doc_ids = {doc_id for docs in clean.column("doc_ids").to_pylist() for doc_id in docs}
        origins = read_origins(store, self.origins.key, doc_ids) if self.origins else {}
        texts = self.frames.texts(store, clean) if self.frames is not None else {}
        table, rejects = build_samples(self, clean, unit.file.name, [rows[place] for place in kept], origins, texts)
        return UnitResult(
            inputs=answers.num_rows,
            used=table.num_rows,
            tables=(table,) if table.num_rows else (),
            id_column="sample_id",
            rejects=(*turned_away.values(), *rejects),
            input_ids_digest=ids_digest(answers.column("answer_id").to_pylist()),
            facts={**split_facts(table), **level_facts(table), **leaked.facts},
        )


def split_of(doc_ids: Iterable[str], seed: int, validation: float, test: float) -> str | None:
    """The split that all the documents fall into, or None when they fall into different ones. A document's place
    depends on (seed, document id) alone, so it is the same in every run and at every size of the corpus."""
    found = {_split_of_document(doc_id, seed, validation, test) for doc_id in doc_ids}
    return found.pop() if len(found) == 1 else None


def _split_of_document(doc_id: str, seed: int, validation: float, test: float) -> str:
    place = _hash64("split", seed, doc_id) / 2.0**64
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


def sort_key(seed: int, sample_id: str) -> int:
    """Position of a row in the shuffled order of its split: 64 bits, uniform."""
    return _hash64("order", seed, sample_id)


def _hash64(purpose: str, seed: int, item: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{purpose}\0{seed}\0{item}".encode()).digest()[:8])


def build_samples(
    step: SamplesStep,
    answers: pa.Table,
    file: str,
    rows: Sequence[int],
    origins: Mapping[str, Origins],
    texts: Mapping[str, str] | None = None,
) -> tuple[pa.Table, list[Reject]]:
    """Rows of `step.schema` sorted by (split, key, sample id), and the rejects. `answers` has the rows `rows` of the
    committed file named `file`; `origins` maps the id of a document met more than once to all places it was found,
    `texts` the ids of passages that chats show to their texts."""
    answer_ids: list[str] = answers.column("answer_id").to_pylist()
    doc_ids: list[list[str]] = answers.column("doc_ids").to_pylist()
    splits = [split_of(docs, step.seed, step.validation, step.test) for docs in doc_ids]
    rejects = [
        Reject(answer_id, "crosses_splits", evidence=_crossing(step, docs))
        for answer_id, docs, split in zip(answer_ids, doc_ids, splits, strict=True)
        if split is None
    ]
    sample_ids = [make_id("sample", answer_id) for answer_id in answer_ids]
    keys = [sort_key(step.seed, sample_id) for sample_id in sample_ids]
    order = sorted(
        (index for index, split in enumerate(splits) if split is not None),
        key=lambda index: (splits[index], keys[index], sample_ids[index]),
    )
    # One take over everything: columns made from `chosen` below are in the final order already.
    chosen = answers.take(pa.array(order, pa.int64())).combine_chunks()
    columns = _text_columns(step, chosen)
    if step.frames is not None:
        columns |= _task_columns(step.frames, chosen, texts or {})
    if step.with_tags:
        columns["tags"] = chosen.column("tags") if "tags" in chosen.column_names else [None] * chosen.num_rows
    columns |= _source_columns(chosen, origins)
    columns |= {
        "sample_id": [sample_ids[index] for index in order],
        "split": [splits[index] for index in order],
        "key": pa.array([keys[index] for index in order], pa.uint64()),
        "lineage": _lineage(step, chosen, file, [rows[index] for index in order]),
    }
    return pa.table([_array(columns[field.name], field.type) for field in step.schema], schema=step.schema), rejects


def _crossing(step: SamplesStep, doc_ids: Sequence[str]) -> dict[str, Any]:
    splits = {doc_id: _split_of_document(doc_id, step.seed, step.validation, step.test) for doc_id in doc_ids}
    return {"documents": splits}


def _text_columns(step: SamplesStep, answers: pa.Table) -> dict[str, Any]:
    questions: list[str] = answers.column("text").to_pylist()
    texts: list[str] = answers.column("answer").to_pylist()
    count = answers.num_rows
    passed = ("final_answer", "level", "origin", "edu_level", "subject", "concepts", "agreement", "votes", "samples")
    columns: dict[str, Any] = {
        name: answers.column(name) for name in (*passed, *CHECKED, *JUDGE_COLUMNS, "copied_share", "doc_ids")
    }
    return columns | {
        "question": answers.column("text"),
        "answer": answers.column("answer"),
        "messages": _messages(questions, texts),
        "domain": [step.domain] * count,
        "synthetic": [True] * count,
        "digital_source_type": [DIGITAL_SOURCE_TYPE] * count,
        "question_model": [step.question_generator.model] * count,
        "question_model_revision": [step.question_generator.revision] * count,
        "answer_model": [step.answer_generator.model] * count,
        "answer_model_revision": [step.answer_generator.revision] * count,
        "question_tokens": step.tokenizer.count([text or "" for text in questions]),
        "answer_tokens": step.tokenizer.count([text or "" for text in texts]),
    }


def _messages(questions: Sequence[str], answers: Sequence[str]) -> pa.ListArray:
    content = [text for pair in zip(questions, answers, strict=True) for text in pair]
    roles = ["user", "assistant"] * len(questions)
    turns = pa.StructArray.from_arrays(
        [pa.array(roles, pa.string()), pa.array(content, pa.string())], ["role", "content"]
    )
    return pa.ListArray.from_arrays(pa.array(range(0, len(content) + 1, 2), pa.int32()), turns)


def _task_columns(frames: Frames, answers: pa.Table, texts: Mapping[str, str]) -> dict[str, Any]:
    """Task and its data; of rows that are of a task type also their chat, in place of question and answer alone."""
    if "task" not in answers.column_names:
        return {"task": [OPEN] * answers.num_rows, "task_data": [None] * answers.num_rows}
    rows = answers.select(["text", "answer", "task", "task_data", "sources"]).to_pylist()
    return {
        "task": answers.column("task"),
        "task_data": answers.column("task_data"),
        "messages": chats(frames, rows, texts),
    }


def _source_columns(answers: pa.Table, origins: Mapping[str, Origins]) -> dict[str, Any]:
    """Licences, urls and attribution of each row, over its sources and every merged copy of their documents."""
    attribution: list[list[dict[str, str]]] = []
    marked: list[set[str]] = []
    for sources in answers.column("sources").to_pylist():
        places = {_place(source): None for source in sources}
        for source in sources:
            places |= {_place(origin): None for origin in origins.get(source["doc_id"], ())}
        attribution.append([{"source": name, "license": stated, "url": url} for name, stated, url in sorted(places)])
        marked.append({duty for source in sources for duty in source["duties"] or ()})
    licenses = [sorted({place["license"] for place in places}) for places in attribution]
    return {
        "attribution": attribution,
        "licenses": licenses,
        "license": [combine(stated) for stated in licenses],
        # Merged copies of a document brought no findings with them, only their licences.
        "duties": [sorted({*own, *combined_duties(stated)}) for own, stated in zip(marked, licenses, strict=True)],
        "urls": [sorted({place["url"] for place in places if place["url"]}) for places in attribution],
    }


def _place(origin: Mapping[str, Any]) -> tuple[str, str, str]:
    return origin["source"] or "", origin["license"] or "", origin["url"] or ""


def _lineage(step: SamplesStep, answers: pa.Table, file: str, rows: Sequence[int]) -> pa.StructArray:
    count = answers.num_rows
    folders = dict(step.folders)
    columns: dict[str, Any] = {
        "run": [step.run] * count,
        "seed": [step.seed] * count,
        "question_id": answers.column("question_id"),
        "answer_id": answers.column("answer_id"),
        "question_prompt_id": answers.column("prompt_id"),
        "answer_prompt_id": answers.column("answer_prompt_id"),
        "question_request_id": answers.column("request_id"),
        "walk_id": answers.column("walk_id"),
        "answer_request_ids": answers.column("answer_request_ids"),
        "question_step": [folders[f"question_{kind}"] for kind in strata(answers)],
        "answer_step": [folders[_answer_stage(kind)] for kind in strata(answers)],
        "step_folders": [[folder for _, folder in step.folders]] * count,
        "answer_file": [file] * count,
        "answer_row": list(rows),
        "sources": answers.column("sources"),
    }
    return pa.StructArray.from_arrays(
        [_array(columns[field.name], field.type) for field in LINEAGE], fields=list(LINEAGE)
    )


def _answer_stage(stratum: str) -> str:
    return "answer" if stratum.isdigit() else f"answer_{stratum}"


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
        if isinstance(values, pa.ChunkedArray):  # no chunks at all
            values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    if isinstance(values, pa.Array):
        return values if values.type.equals(kind) else values.cast(kind)
    return pa.array(values, kind)
