"""The chain of a run: which step reads what, in the order data walks through them.

    select -> merge -> extract -> question_2 -> sketch -> match -> curate -> answer -> samples -> gate -> shards
                  \\-> question_1 ------------/

Design: one-way. A stage is planned from the `done` records and outputs of earlier stages and from nothing
else, so `factory plan` and a run share this file. Row-wise folders are named by configuration, prompts and
model alone; global ones also by the set of units they read. `curate` and `samples` work row by row but
depend on global decisions, so their folders are named like global ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from factory.config import FactoryConfig
from factory.corpus.merge import MergeStep
from factory.identity import fingerprint
from factory.run.outputs import Output, outputs_key, read_outputs
from factory.run.plan import Part, Plan, global_folder, plan_global, plan_rows, plan_units, row_wise_folder, step_identity
from factory.run.record import Record, plan_key
from factory.run.settings import Settings, load_settings
from factory.run.step import LlmStep, WorkStep
from factory.run.units import FileRef, Unit
from factory.store.base import Store
from factory.store.commits import committed_units
from factory.store.parquet import read_parquet

Dones = Mapping[str, Record]
Parts = Callable[[Store], Sequence[Part]]


@dataclass(frozen=True)
class Planned:
    """A step as this run executes it: its folder and units."""

    step: LlmStep | WorkStep
    folder: str
    plan: Plan


Planner = Callable[[Store, Dones], Planned]


@dataclass(frozen=True)
class Stage:
    """A step's place in the chain. `reads` names the stages whose accepted rows it must read exactly, or
    None for source stages. `step` is None where it can only be built from earlier stages' results; LLM steps
    have a `model_role`; `prepare` runs on the driver before any unit."""

    name: str
    plan: Planner
    reads: tuple[str, ...] | None = None
    model_role: str | None = None
    model_identity: Mapping[str, Any] | None = None
    step: LlmStep | WorkStep | None = None
    prepare: Callable[[Store], None] | None = None

    @property
    def llm_step(self) -> LlmStep | None:
        return cast("LlmStep", self.step) if self.model_role else None


@dataclass
class Chain:
    """A run before it runs. `ranges_taken` is how many source ranges are read: it grows until a `limit` is
    met, and is the only thing here that changes."""

    settings: Settings
    source_units: tuple[Unit, ...]
    source_bytes: int
    stages: tuple[Stage, ...] = ()
    ranges_taken: int = 0

    @property
    def run(self) -> str:
        return self.settings.run

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def inputs_digest(self) -> str:
        """What a finished run must still agree with to have nothing to do: corpus, steps, prompts, models."""
        from factory.publish.samples import STEP_VERSION as samples_version

        steps = [step_identity(stage.step, stage.model_identity) for stage in self.stages if stage.step is not None]
        ranges = [unit.unit_id for unit in self.source_units]
        return fingerprint({"ranges": ranges, "steps": steps, "samples": samples_version})


def build_chain(config: FactoryConfig) -> Chain:
    """Checks everything that can be checked before work starts, and lists the corpus.

    Raises ConfigError or CorpusError.
    """
    from factory.select.step import plan_select

    settings = load_settings(config)
    corpus = with_builtin(config.corpus)
    units = tuple(plan_select(corpus, config.select, settings.tokenizer))
    chain = Chain(settings, units, sum(range_bytes(unit) for unit in units), ranges_taken=len(units))
    chain.stages = build_stages(settings, units, lambda: chain.ranges_taken)
    return chain


def build_stages(settings: Settings, source_units: Sequence[Unit], taken: Callable[[], int]) -> tuple[Stage, ...]:
    """Every stage of a run, in order. `taken` says how many of the source units are read (see `limit`)."""
    from factory.answers.step import AnswerStep
    from factory.concepts.extract import ExtractStep
    from factory.curate.match import MatchStep
    from factory.curate.sketch import sketch_step
    from factory.curate.step import CurateStep
    from factory.publish.gates import GateStep
    from factory.publish.samples import Generator, SamplesStep
    from factory.publish.shards import ShardStep, plan_shards
    from factory.questions.level1 import Level1Step
    from factory.questions.level2 import Level2Step
    from factory.select.step import SelectStep

    config, pack, run, seed = settings.config, settings.pack, settings.run, settings.config.seed
    select = SelectStep(config.select, config.corpus, settings.tokenizer)
    merge = MergeStep(config.limit)
    extract = ExtractStep(config.extract, pack, seed)
    questions = tuple(f"question_{level}" for level in config.question.levels)
    sketch = sketch_step(config.curate)
    match = MatchStep(sketch.parameters)
    curate, gate, shards = CurateStep(), GateStep(config.gate), ShardStep()
    answer = AnswerStep(config.answer, pack, seed)
    generator, answerer = settings.models["generator"], settings.models["answerer"]

    def key(step: str) -> str:
        return outputs_key(run, step)

    def gate_parameters(dones: Dones) -> dict[str, Any]:
        return {"outputs": key("samples"), "questions": produced(dones, questions)}

    def row_wise(step: LlmStep | WorkStep, role: str | None, parts: Parts) -> Planner:
        identity = settings.model_identity(role) if role else None

        def plan(store: Store, _dones: Dones) -> Planned:
            folder = row_wise_folder(step, identity)
            return Planned(step, folder, plan_rows(store, folder, parts(store), committed_units(store, folder)))

        return plan

    def llm_stage(step: LlmStep, role: str, reads: str, parts: Parts) -> Stage:
        planner = row_wise(step, role, parts)
        return Stage(step.name, planner, (reads,), role, settings.model_identity(role), step)

    def outputs_of(*steps: str) -> Parts:
        return lambda store: [Part(output.file) for step in steps for output in read_outputs(store, key(step))]

    def merged(store: Store) -> list[Part]:
        return merged_parts(store, run)

    def plan_select(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(select, None)
        return Planned(select, folder, plan_units(source_units[: taken()], committed_units(store, folder)))

    def over_all(step: WorkStep, reads: str, parameters: Callable[[Dones], dict[str, Any]]) -> Planner:
        """One unit over everything the stage `reads` gave."""

        def plan(store: Store, dones: Dones) -> Planned:
            given = parameters(dones)
            folder = global_folder(step, planned_units(store, run, reads), [dones[reads]["folder"], given.get("questions")])
            return Planned(step, folder, plan_global(folder, given, committed_units(store, folder)))

        return plan

    def plan_curate(store: Store, dones: Dones) -> Planned:
        folder = global_folder(curate, planned_units(store, run, "match"), dones["match"]["folder"])
        done = committed_units(store, folder)
        parts = outputs_of(*questions)(store)
        return Planned(curate, folder, plan_rows(store, folder, parts, done, {"decisions": key("match")}))

    def plan_samples(store: Store, dones: Dones) -> Planned:
        origins = read_outputs(store, key("merge"))[1].file
        step = SamplesStep(
            run=run,
            seed=seed,
            domain=pack.name,
            validation=config.publish.validation,
            test=config.publish.test,
            question_generator=Generator(generator.id, generator.revision),
            answer_generator=Generator(answerer.id, answerer.revision),
            folders=tuple((name, dones[name]["folder"]) for name in ROW_WISE if name in dones),
            tokenizer=settings.tokenizer,
            tokenizer_name=settings.tokenizer_name,
            origins=origins if origins.rows else None,
        )
        return row_wise(step, None, outputs_of("answer"))(store, dones)

    def plan_shard_units(store: Store, dones: Dones) -> Planned:
        planned = plan_shards(dones["samples"]["facts"], config.publish.shard_mib)
        units = [shard.unit(key("samples")) for shard in planned]
        folder = global_folder(shards, planned_units(store, run, "samples"), dones["samples"]["folder"])
        return Planned(shards, folder, plan_units(units, committed_units(store, folder)))

    stages = [
        Stage("select", plan_select, step=select),
        Stage("merge", over_all(merge, "select", lambda _: {"outputs": key("select")}), ("select",), step=merge),
        llm_stage(extract, "generator", "merge", merged),  # left out where no level asks for concepts
        llm_stage(Level1Step(config.question, pack, seed), "generator", "merge", merged),
        llm_stage(Level2Step(config.question, pack, seed), "generator", "extract", outputs_of("extract")),
        Stage("sketch", row_wise(sketch, None, outputs_of(*questions)), questions, step=sketch, prepare=sketch.prepare),
        Stage("match", over_all(match, "sketch", lambda _: {"sketches": key("sketch")}), ("sketch",), step=match),
        Stage("curate", plan_curate, questions, step=curate),
        llm_stage(answer, "answerer", "curate", outputs_of("curate")),
        Stage("samples", plan_samples, ("answer",)),
        Stage("gate", over_all(gate, "samples", gate_parameters), ("samples",), step=gate),
        Stage("shards", plan_shard_units, ("samples",), step=shards),
    ]
    wanted = {*questions, *({"extract"} if "question_2" in questions else ())}
    return tuple(stage for stage in stages if stage.llm_step in (None, answer) or stage.name in wanted)


ROW_WISE = ("select", "extract", "question_1", "question_2", "answer")
"""The steps whose folders a row's lineage names."""


def produced(dones: Dones, questions: Iterable[str]) -> int:
    """Questions the models wrote, before any check: what the yield gate divides by."""
    return sum(int(dones[name]["counts"]["produced"]) for name in questions)


def planned_units(store: Store, run: str, step: str) -> list[str]:
    """Ids of the units a finished stage of this run covered."""
    units: list[str] = orjson.loads(store.get(plan_key(run, step)))["units"]
    return units


def merged_parts(store: Store, run: str) -> list[Part]:
    """The select files, with the rows `merge` kept of each."""
    files: dict[str, FileRef] = {
        output.file.name: output.file for output in read_outputs(store, outputs_key(run, "select"))
    }
    merged: list[Output] = read_outputs(store, outputs_key(run, "merge"))
    picks = read_parquet(store, merged[0].file.key)
    return [
        Part(files[row["file"]], None if row["picks"] is None else tuple(row["picks"])) for row in picks.to_pylist()
    ]
