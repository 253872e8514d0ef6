"""The chain of a run: which step reads what, in the order data walks through them.

    select [-> document_sketch -> document_match -> document_compare -> document_decide] -> merge
    merge -> extract -> question_2 ---------> sketch -> match -> compare -> decide -> curate -> answer -> check
                                                              -> samples [-> recheck] -> gate -> shards [-> segment]
         |          \\-> (across.py) -> question_3 /
         \\-> question_1, question_<task> ----/

Design: one-way; the steps in square brackets are there when near-duplicate documents are looked for, when the run is
compared with what other runs published, and when its own questions are registered for them. A stage is
planned from the `done` records and outputs of earlier stages and from nothing else, so `factory plan` and a
run share this file. Row-wise folders are named by configuration, prompts and model alone; global ones also by
the set of units they read. `curate` and `samples` work row by row but depend on global decisions, so their
folders are named like global ones. Task types have stages of their own from question to answer (strands.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from factory.config import FactoryConfig
from factory.curate.index.pin import newer_key
from factory.curate.index.segment_step import sample_units
from factory.curate.step import CurateStep
from factory.govern.erasure.records import denied, require_finished
from factory.identity import fingerprint
from factory.publish.required import check_keys
from factory.publish.samples import STEP_VERSION as SAMPLES_VERSION
from factory.publish.samples import Generator, SamplesStep
from factory.publish.shards import plan_shards
from factory.run.across import AcrossSteps, WalkRounds, across_stages
from factory.run.deciding import deciding
from factory.run.first_notes import notes_of
from factory.run.losses import passed_on, produced
from factory.run.merged import merged_parts
from factory.run.outputs import outputs_key, read_outputs
from factory.run.plan import (
    Part,
    global_folder,
    plan_global,
    plan_rows,
    plan_units,
    row_wise_folder,
    step_identity,
)
from factory.run.record import planned_units
from factory.run.registration import newer, pinned
from factory.run.settings import Settings, load_settings
from factory.run.stage import Dones, Planned, Planner, Stage
from factory.run.step import LlmStep, WorkStep
from factory.run.steps import Steps, build_steps
from factory.run.strands import Strand, lineage_steps, strands_of
from factory.run.units import Unit
from factory.run.withdrawn import applied
from factory.select.step import plan_select, source_bytes
from factory.store.base import Store
from factory.store.commits import committed_units
from factory.store.open import open_store
from factory.tasks.chat import frames
from factory.vocabulary.use import vocabulary_of

Parts = Callable[[Store], Sequence[Part]]


@dataclass
class Chain:
    """A run before it runs. `ranges_taken` is how many source ranges are read: it grows until a `limit` is
    met; `rounds` is how many walks are drawn: it grows until a run has the samples it wants. Nothing else here
    changes. `notes` are for the user, before anything is paid for."""

    settings: Settings
    source_units: tuple[Unit, ...]
    source_bytes: int
    stages: tuple[Stage, ...] = ()
    ranges_taken: int = 0
    rounds: WalkRounds = field(default_factory=WalkRounds)
    across: AcrossSteps | None = None
    notes: tuple[str, ...] = ()

    @property
    def run(self) -> str:
        return self.settings.run

    @property
    def questions(self) -> tuple[str, ...]:
        """Names of the stages that write questions."""
        return tuple(stage.name for stage in self.stages if stage.name.startswith("question_"))

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def between(self, after: str, last: str) -> list[Stage]:
        """The stages behind `after`, up to and with `last`."""
        names = [stage.name for stage in self.stages]
        return list(self.stages[names.index(after) + 1 : names.index(last) + 1])

    def through(self, first: str, last: str) -> list[Stage]:
        """The stages from `first` to `last`, both included."""
        names = [stage.name for stage in self.stages]
        return list(self.stages[names.index(first) : names.index(last) + 1])

    def inputs_digest(self) -> str:
        """What a finished run must still agree with to have nothing to do: corpus, steps, prompts, models."""
        steps = [step_identity(stage.step, stage.model_identity) for stage in self.stages if stage.step is not None]
        ranges = [unit.unit_id for unit in self.source_units]
        return fingerprint({"ranges": ranges, "steps": steps, "samples": SAMPLES_VERSION})


def build_chain(config: FactoryConfig) -> Chain:
    """Checks everything that can be checked before work starts, and lists the corpus.

    Raises ConfigError or CorpusError.
    """
    settings = load_settings(config)
    store = open_store(config.store)
    require_finished(store)
    steps = build_steps(config, settings.pack, settings.tokenizer, denied(store))
    units = tuple(plan_select(config, settings.tokenizer))
    chain = Chain(
        settings,
        units,
        sum(source_bytes(unit) for unit in units),
        ranges_taken=len(units),
        notes=notes_of(config, settings.pack, steps, {model.id for model in settings.models.values()}),
    )
    chain.across = steps.across
    chain.stages = build_stages(settings, steps, units, lambda: chain.ranges_taken, chain.rounds)
    return chain


def build_stages(
    settings: Settings, steps: Steps, source_units: Sequence[Unit], taken: Callable[[], int], rounds: WalkRounds
) -> tuple[Stage, ...]:
    """Every stage of a run, in order. `taken` says how many of the source units are read (see `limit`), `rounds`
    which walks are drawn."""
    config, run = settings.config, settings.run
    questions = steps.questions
    question_generator, answer_generator = (
        Generator(settings.models[role].id, settings.models[role].revision) for role in ("generator", "answerer")
    )

    def key(step: str) -> str:
        return outputs_key(run, step)

    rechecked = steps.recheck is not None
    published = "recheck" if rechecked else "samples"
    strands = strands_of(steps)
    curated = "semantic" if steps.rephrased is not None else "curate"
    each_curated = tuple(strand.stage("curate") for strand in strands)
    without = {"without": key("recheck")} if rechecked else {}

    def gate_parameters(dones: Dones) -> dict[str, Any]:
        asked = produced(dones, questions)
        losses = [loss.to_json() for loss in passed_on(dones, questions)]
        return {"outputs": key("samples"), "questions": asked, "steps": losses, **without}

    def row_wise(step: LlmStep | WorkStep, role: str | None, parts: Parts) -> Planner:
        identity = settings.model_identity(role) if role else None

        def plan(store: Store, _dones: Dones) -> Planned:
            folder = row_wise_folder(step, identity)
            return Planned(step, folder, plan_rows(store, folder, parts(store), committed_units(store, folder)))

        return plan

    def llm_stage(step: LlmStep, role: str, reads: tuple[str, ...], parts: Parts) -> Stage:
        planner = row_wise(step, role, parts)
        given = vocabulary_of(step)
        prepare = given.prepare if given else None
        return Stage(step.name, planner, reads, role, settings.model_identity(role), step, prepare)

    def outputs_of(*steps: str) -> Parts:
        return lambda store: [Part(output.file) for step in steps for output in read_outputs(store, key(step))]

    def checked(store: Store) -> list[Part]:
        """Answer files, each with the files of what was found out about its rows."""
        checks = check_keys(read_outputs(store, key("check")))
        judged = check_keys(read_outputs(store, key("judge"))) if "judge" in steps.llm else {}
        answers = [output for name in steps.answers for output in read_outputs(store, key(name))]

        def found(name: str) -> dict[str, list[str]]:
            return {"checks": checks.get(name, []), **({"judged": judged.get(name, [])} if judged else {})}

        return [Part(output.file, parameters=found(output.file.name)) for output in answers]

    def merged(store: Store) -> list[Part]:
        return merged_parts(store, run)

    def plan_select(store: Store, _dones: Dones) -> Planned:
        folder = row_wise_folder(steps.select, None)
        return Planned(steps.select, folder, plan_units(source_units[: taken()], committed_units(store, folder)))

    def over_all(step: WorkStep, reads: str, parameters: Callable[[Dones], dict[str, Any]]) -> Planner:
        """One unit over everything the stage `reads` gave."""

        def plan(store: Store, dones: Dones) -> Planned:
            given = parameters(dones)
            folder = global_folder(
                step, planned_units(store, run, reads), [dones[reads]["folder"], given.get("questions")]
            )
            return Planned(step, folder, plan_global(folder, given, committed_units(store, folder)))

        return plan

    def resembling() -> Iterator[Stage]:
        """The stages that look for near-duplicate documents."""
        if steps.documents is not None:
            sketch = steps.documents.sketch
            planner = row_wise(sketch, None, outputs_of("select"))
            yield Stage("document_sketch", planner, ("select",), step=sketch)
            yield from deciding(run, steps.documents)

    def plan_merge(store: Store, dones: Dones) -> Planned:
        repeats = dones.get("document_decide")
        given = {"outputs": key("select")} | ({"repeats": key("document_decide")} if repeats else {})
        upstream = [dones["select"]["folder"], repeats["folder"] if repeats else None]
        folder = global_folder(steps.merge, planned_units(store, run, "select"), upstream)
        return Planned(steps.merge, folder, plan_global(folder, given, committed_units(store, folder)))

    def applying(kind: str, decide: str, strand: Strand, reads: tuple[str, ...]) -> Stage:
        """What the stage `decide` decided, applied to the questions that a strand's stages `reads` gave."""
        apply = CurateStep(strand.stage(kind))

        def plan(store: Store, dones: Dones) -> Planned:
            folder = global_folder(apply, planned_units(store, run, decide), dones[decide]["folder"])
            done = committed_units(store, folder)
            return Planned(
                apply, folder, plan_rows(store, folder, outputs_of(*reads)(store), done, {"decisions": key(decide)})
            )

        return Stage(apply.name, plan, reads, step=apply)

    def rephrased() -> Iterator[Stage]:
        """The stages that look for rephrased questions among those that curation accepted."""
        if steps.rephrased is None:
            return
        sketch = steps.rephrased.sketch
        yield Stage(sketch.name, row_wise(sketch, None, outputs_of(*each_curated)), each_curated, step=sketch)
        yield from deciding(run, steps.rephrased)
        for strand in strands:
            yield applying("semantic", "semantic_decide", strand, (strand.stage("curate"),))

    def plan_samples(store: Store, dones: Dones) -> Planned:
        origins = read_outputs(store, key("merge"))[1].file
        step = SamplesStep(
            run=run,
            seed=config.seed,
            domain=settings.pack.name,
            validation=config.publish.validation,
            test=config.publish.test,
            question_generator=question_generator,
            answer_generator=answer_generator,
            folders=tuple((name, dones[name]["folder"]) for name in lineage_steps(steps) if name in dones),
            tokenizer=settings.tokenizer,
            tokenizer_name=settings.tokenizer_name,
            origins=origins if origins.rows else None,
            benchmark_answers=steps.benchmark_answers,
            require=config.answer.require,
            withdrawn=applied(store, run),
            frames=frames(steps.tasks, settings.pack),
            with_tags=bool(settings.pack.tags),
        )
        return row_wise(step, None, checked)(store, dones)

    def plan_shard_units(store: Store, dones: Dones) -> Planned:
        planned = plan_shards(dones["samples"]["facts"], config.publish.shard_mib)
        units = [shard.unit(key("samples"), **without) for shard in planned]
        folder = global_folder(steps.shards, planned_units(store, run, published), dones[published]["folder"])
        return Planned(steps.shards, folder, plan_units(units, committed_units(store, folder)))

    def over_samples(step: WorkStep, reads: str, named: Callable[[Store, Dones], Any], **given: str) -> Stage:
        """Units over runs of sample files; `named` gives what else names the folder."""

        def plan(store: Store, dones: Dones) -> Planned:
            extra = [dones[reads]["folder"], named(store, dones)]
            folder = global_folder(step, planned_units(store, run, reads), extra)
            units = sample_units(step.name, folder, key("samples"), read_outputs(store, key("samples")), **given)
            return Planned(step, folder, plan_units(units, committed_units(store, folder)))

        return Stage(step.name, plan, (reads,), step=step)

    def index_stages() -> Iterator[Stage]:
        """What stands between samples and gates, and behind the shards."""
        if steps.recheck is not None:
            news = lambda store, dones: newer(store, config, run, dones["samples"]).digest  # noqa: E731
            yield over_samples(steps.recheck, "samples", news, newer=newer_key(run))
        yield Stage(
            "gate",
            over_all(steps.gate, published, gate_parameters),
            (published,),
            step=steps.gate,
            prepare=steps.gate.prepare,
        )
        yield Stage("shards", plan_shard_units, (published,), step=steps.shards)
        if steps.segment is not None:
            yield over_samples(steps.segment, published, lambda _store, _dones: None, **without)

    inputs: dict[str, tuple[tuple[str, ...], Parts]] = {
        "extract": (("merge",), merged),
        "question_2": (("extract",), outputs_of("extract")),
        "question_3": (("pair",), outputs_of("pair")),
        **{strand.stage("answer"): ((strand.stage(curated),), outputs_of(strand.stage(curated))) for strand in strands},
        "judge": (steps.answers, outputs_of(*steps.answers)),
    }
    roles = {**dict.fromkeys(steps.answers, "answerer"), "judge": "judge"}
    asking = {
        name: llm_stage(step, roles.get(name, "generator"), *inputs.get(name, (("merge",), merged)))
        for name, step in steps.llm.items()
    }
    return (
        Stage("select", plan_select, step=steps.select, prepare=steps.select.prepare),
        *resembling(),
        Stage("merge", plan_merge, ("select",), step=steps.merge),
        *(stage for name, stage in asking.items() if name not in ("question_3", "judge", *steps.answers)),
        *(across_stages(config, run, steps.across, rounds) if steps.across else ()),
        *(stage for name, stage in asking.items() if name == "question_3"),
        Stage(
            "sketch",
            row_wise(steps.sketch, None, outputs_of(*questions)),
            questions,
            step=steps.sketch,
            prepare=steps.sketch.prepare,
        ),
        *deciding(run, steps.questions_alike, lambda store: pinned(store, config, run)),
        *(applying("curate", "decide", strand, strand.questions) for strand in strands),
        *rephrased(),
        *(asking[name] for name in steps.answers),
        Stage(
            "check",
            row_wise(steps.check, None, outputs_of(*steps.answers)),
            steps.answers,
            step=steps.check,
            prepare=steps.check.vocabulary.prepare if steps.check.vocabulary else None,
        ),
        *(stage for name, stage in asking.items() if name == "judge"),
        Stage(
            "samples",
            plan_samples,
            ("check",),
            prepare=steps.benchmark_answers.prepare if steps.benchmark_answers else None,
        ),
        *index_stages(),
    )
