"""A small run, worked step by step in this process with the real runner parts: enough to publish from.

Two toy LLM steps stand where extraction and questions do; everything below and behind them is the product.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pyarrow as pa

from factory.answers.check import CheckStep
from factory.answers.verify.config import VerifyConfig
from factory.corpus.documents import Span, chunk_id, document_id
from factory.engine.api import Batch, Completion, Message, Sampling
from factory.engine.tokenizer import Tokenizer
from factory.identity import canonical_json, fingerprint, ids_digest, make_id
from factory.publish.finalise import Published, finalise
from factory.publish.gates.config import GateConfig
from factory.publish.gates.results import read_gates
from factory.publish.gates.step import GateStep
from factory.publish.manifest import GeneratorTerms, Publication, step_record
from factory.publish.required import check_keys
from factory.publish.samples import Generator, SamplesStep
from factory.publish.shards import ShardPlan, ShardStep, plan_shards
from factory.run.attempt import Receipt, StepRun, begin, finish
from factory.run.ledger import Tally
from factory.run.llm import ask, prepare, settle
from factory.run.outputs import Output, outputs_key, read_outputs, write_outputs
from factory.run.plan import global_folder, row_wise_folder, step_identity
from factory.run.record import kept_plan_key, plan_key
from factory.run.step import LlmStep, Parsed, Row, Texts, WorkStep
from factory.run.units import Unit, UnitResult, unit_over
from factory.select.merge import MergeStep
from factory.store.base import Store
from factory.store.parquet import read_parquet
from factory.tables import ANSWER, DOCUMENT, QUESTION

MODEL = {"revision": "r1", "weights": "w", "tokenizer": "t", "chat_template": "c"}
ENGINE = {"kind": "openai", "model": "toy", "revision": "r1", "versions": {"toy": "1"}, "seed_per_request": True}
RUN, SEED = "0123456789abcdef", 17
LICENCES = ("MIT", "BSD-3-Clause", "CC-BY-SA-4.0", "MIT OR Apache-2.0", "")


@dataclass(frozen=True)
class ToyStep:
    """What both toy steps share."""

    name: str = "toy"
    version: int = 1
    sampling: Sampling = field(default_factory=lambda: Sampling(0.7, 0.9, 64, seed=SEED))
    response_schema: None = None
    max_rounds: int = 1
    wording: str = "Ask about:"

    def identity(self) -> dict[str, Any]:
        return {"asks": self.wording}

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False


@dataclass(frozen=True)
class ToyQuestions(ToyStep):
    name: str = "question_1"
    schema = QUESTION
    id_column = "question_id"

    def item_id(self, row: Row) -> str:
        return str(row["chunk_id"])

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return (Message("user", f"{self.wording} {texts[row['chunk_id']]}"),)

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        own = {"level": 1, "origin": "created", "edu_level": "school", "subject": "maths", "concepts": ["sum"]}
        shared = {"doc_ids": [row["doc_id"]], "sources": row["sources"], "request_id": rounds[0].request_id}
        return Parsed(
            [
                {
                    **own,
                    **shared,
                    "question_id": make_id("question", folder, row["chunk_id"], index),
                    "text": f"What, in case {index}, does {rounds[0].texts[0]} mean?",
                    "prompt_id": "p1",
                }
                for index in range(3)
            ]
        )


@dataclass(frozen=True)
class ToyAnswers(ToyStep):
    name: str = "answer"
    schema = ANSWER
    id_column = "answer_id"

    def item_id(self, row: Row) -> str:
        return str(row["question_id"])

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        passages = " ".join(texts[source["chunk_id"]] for source in row["sources"])
        return Message("system", passages), Message("user", f"{self.wording} {row['text']}")

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        answer = {
            "answer_id": make_id("answer", folder, row["question_id"]),
            "answer": f"Because of {rounds[0].texts[0]}.",
            "final_answer": rounds[0].texts[0],
            "votes": [{"final_answer": rounds[0].texts[0], "count": 1}],
            "samples": 1,
            "agreement": 1.0,
            "copied_share": 0.1,
            "answer_prompt_id": "p2",
            "answer_request_ids": [rounds[0].request_id],
        }
        return Parsed([{**row, **answer}])


async def generate(batch: Batch) -> list[Completion]:
    return [
        Completion(request.request_id, (f"thing {request.prompt_sha256()[:8]}",), ("stop",), 50, (9,))
        for request in batch.requests
    ]


@dataclass
class World:
    """A run in progress; `dones` holds a record a step, as the runner writes them."""

    store: Store
    dones: dict[str, dict[str, Any]] = field(default_factory=dict)
    steps: dict[str, LlmStep] = field(default_factory=dict)

    def outputs(self, step: str) -> list[Output]:
        return read_outputs(self.store, outputs_key(RUN, step))

    def stage(
        self,
        name: str,
        folder: str,
        identity: Mapping[str, Any],
        units: Sequence[Unit],
        work: Callable[[StepRun, Unit], Receipt],
    ) -> None:
        """Works and records a stage the way the runner does."""
        self.store.put_if_absent(f"steps/{folder}/step.json", canonical_json(dict(identity)))
        plan = {"step": name, "folder": folder, "units": [unit.unit_id for unit in units]}
        self.store.put(plan_key(RUN, name), canonical_json(plan))
        digest = fingerprint(sorted(unit.unit_id for unit in units))
        self.store.put(kept_plan_key(folder, digest), canonical_json(plan))
        tally = Tally()
        for unit in units:
            receipt = work(StepRun(folder, RUN), unit)
            assert receipt.commit is not None
            tally.add(receipt.commit)
        write_outputs(self.store, RUN, name, [output for unit in units for output in tally.outputs[unit.unit_id]])
        self.dones[name] = {
            "step": name,
            "folder": folder,
            "plan": digest,
            "units": len(units),
            "counts": tally.counts.to_json(),
            "reasons": tally.reasons,
            "facts": dict(tally.facts),
            "ledger": dict(tally.ledger),
            "engines": list(tally.engines.values()),
            "input_digest": tally.input_digest,
            "accepted_digest": tally.accepted_digest,
        }

    def work_stage(self, step: WorkStep, folder: str, units: Sequence[Unit]) -> None:
        def work(run: StepRun, unit: Unit) -> Receipt:
            return finish(self.store, run, begin(self.store, run, unit, {}), step.work(self.store, unit))

        self.stage(step.name, folder, step_identity(step, None), units, work)

    def llm_stage(self, step: LlmStep, units: Sequence[Unit]) -> None:
        folder = row_wise_folder(step, MODEL)
        self.steps[folder] = step

        def work(run: StepRun, unit: Unit) -> Receipt:
            prepared = prepare(self.store, step, folder, unit)
            result, requests = settle(step, folder, prepared, asyncio.run(ask(step, folder, prepared, generate)))
            return finish(self.store, run, begin(self.store, run, unit, {}), result, requests, ENGINE)

        self.stage(step.name, folder, step_identity(step, MODEL), units, work)

    def publication(self, **changes: Any) -> Publication:
        terms = tuple(
            GeneratorTerms(role, f"toy/{role}", "r1", "Apache-2.0", "outputs may be used for training")
            for role in ("question", "answer")
        )
        publication = Publication(
            name="toy",
            version="v1",
            run=RUN,
            seed=SEED,
            domain="general",
            validation=0.2,
            test=0.2,
            tokenizer="words",
            generators=terms,
            gates=tuple(read_gates(self.store, self.outputs("gate")[0].file.key)),
            steps=tuple(
                step_record(done, step_json(self.store, done["folder"]), READS[name])
                for name, done in self.dones.items()
            ),
            recipe={"seed": SEED},
            software={"factory": "0.1.0"},
        )
        return replace(publication, **changes)

    def publish(self, **changes: Any) -> Published:
        return finalise(self.store, self.publication(**changes), self.outputs("shards"))


READS = {
    "select": (),
    "merge": ("select",),
    "question_1": ("merge",),
    "answer": ("question_1",),
    "check": ("answer",),
    "samples": ("check",),
    "gate": ("samples",),
    "shards": ("samples",),
}


def step_json(store: Store, folder: str) -> dict[str, Any]:
    value: dict[str, Any] = orjson.loads(store.get(f"steps/{folder}/step.json"))
    return value


def document_rows(count: int) -> list[dict[str, Any]]:
    """`count` documents, each third one in two chunks, each fourth one met a second time under another licence."""
    rows: list[dict[str, Any]] = []
    for number in range(count):
        text = f"Document {number} says that {number} and {number} make {2 * number}, whatever is counted."
        doc_id = document_id(text)
        middle = len(text) // 2
        spans = [Span(0, middle), Span(middle, len(text))] if number % 3 == 2 else [Span(0, len(text))]
        for copy in range(2 if number % 4 == 3 else 1):
            for position, span in enumerate(spans):
                rows.append(
                    {
                        "chunk_id": chunk_id(doc_id, span),
                        "doc_id": doc_id,
                        "text": text[span.start : span.stop],
                        "span_start": span.start,
                        "span_end": span.stop,
                        "chunk": position,
                        "chunks": len(spans),
                        "source": f"site-{number % 2}",
                        "license": LICENCES[(number + copy) % len(LICENCES)],
                        "url": f"https://site{number % 2}.example/{number}/{copy}",
                        "shard": "docs.jsonl",
                        "shard_row": len(rows),
                    }
                )
    return rows


def make_world(store: Store, documents: int = 24, gate: GateConfig | None = None) -> World:
    """Works every stage up to the shards; `publish` is left to the test."""
    world = World(store)
    rows = document_rows(documents)
    half = len(rows) // 2
    parts = {"aa00": rows[:half], "bb00": rows[half:]}

    def select(run: StepRun, unit: Unit) -> Receipt:
        chosen = parts[unit.unit_id]
        ids = ids_digest(row["chunk_id"] for row in chosen)
        table = pa.Table.from_pylist(chosen, schema=DOCUMENT)
        result = UnitResult(len(chosen), len(chosen), (table,), "chunk_id", input_ids_digest=ids)
        return finish(store, run, begin(store, run, unit, {}), result)

    identity = {"name": "select", "version": 1, "own": {}}
    world.stage("select", "select-0000000000000000", identity, [Unit(unit) for unit in parts], select)
    merge = MergeStep(None)
    unit = Unit(make_id("unit", "merge"), parameters={"outputs": outputs_key(RUN, "select")})
    world.work_stage(merge, global_folder(merge, list(parts)), [unit])
    picks, origins = (output.file for output in world.outputs("merge"))
    files = {output.file.name: output.file for output in world.outputs("select")}
    kept = [
        unit_over(files[row["file"]], None if row["picks"] is None else tuple(row["picks"]))
        for row in read_parquet(store, picks.key).to_pylist()
    ]
    world.llm_stage(ToyQuestions(), kept)
    world.llm_stage(ToyAnswers(wording="Answer:"), [unit_over(output.file) for output in world.outputs("question_1")])
    check = CheckStep(VerifyConfig())
    world.work_stage(check, row_wise_folder(check, None), [unit_over(o.file) for o in world.outputs("answer")])
    samples = SamplesStep(
        run=RUN,
        seed=SEED,
        domain="general",
        validation=0.2,
        test=0.2,
        question_generator=Generator("toy/question", "r1"),
        answer_generator=Generator("toy/answer", "r1"),
        folders=tuple((name, world.dones[name]["folder"]) for name in ("select", "question_1", "answer", "check")),
        tokenizer=Tokenizer("words"),
        tokenizer_name="words",
        origins=origins,
    )
    checks = check_keys(world.outputs("check"))
    units = [unit_over(output.file, checks=checks[output.file.name]) for output in world.outputs("answer")]
    world.work_stage(samples, row_wise_folder(samples, None), units)
    gates = GateStep(gate or GateConfig(max_duplicate_start=None))
    produced = world.dones["question_1"]["counts"]["produced"]
    parameters = {"outputs": outputs_key(RUN, "samples"), "questions": produced}
    world.work_stage(gates, global_folder(gates, []), [Unit(make_id("unit", "gate"), parameters=parameters)])
    shards = ShardStep()
    units = [
        half.unit(outputs_key(RUN, "samples"))
        for plan in plan_shards(world.dones["samples"]["facts"], 1)
        for half in halves(plan)
    ]
    world.work_stage(shards, global_folder(shards, [unit.unit_id for unit in units]), units)
    return world


def halves(plan: ShardPlan) -> list[ShardPlan]:
    """A planned shard cut in two, so that small datasets have several of a split."""
    middle = (int(plan.lo, 16) + int(plan.hi, 16)) // 2
    return [replace(plan, hi=f"{middle:016x}"), replace(plan, lo=f"{middle + 1:016x}")]
