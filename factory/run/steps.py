"""Every step of a run, built from its settings.

Design: the one place that knows all rooms. Steps are frozen dataclasses without connections, so building
them costs nothing but reading benchmark files; replaying a row builds the same LLM steps from the run's
recorded configuration and checks that prompts and code are still what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson

from factory.answers.check import CheckStep, check_step
from factory.answers.judge.rubric import Rubric, load_rubric
from factory.answers.judge.step import JudgeStep
from factory.answers.step import AnswerStep
from factory.concepts.extract import ExtractStep
from factory.config import FactoryConfig, load_config
from factory.curate.compare import CompareStep, Questions
from factory.curate.config import CurateConfig
from factory.curate.decide import DecideStep
from factory.curate.index.recheck import RecheckStep
from factory.curate.index.segment_step import SegmentStep
from factory.curate.index_store import BenchmarkIndex, answer_index
from factory.curate.match import MatchStep
from factory.curate.minhash import LshParameters
from factory.curate.semantic.sketch import SemanticSketchStep, read_vectors, semantic_sketch_step
from factory.curate.sketch import SketchStep, sketch_step
from factory.domains.pack import Pack, load_pack
from factory.domains.prompt import VOCABULARY
from factory.errors import ConfigError
from factory.identity import fingerprint
from factory.publish.gates.step import GateStep, gate_step
from factory.publish.shards import ShardStep
from factory.publish.wording import recorded_pack, recorded_rubric
from factory.questions.level1 import Level1Step
from factory.questions.level2 import Level2Step
from factory.questions.level3 import Level3Step
from factory.run.across import AcrossSteps, across_steps
from factory.run.plan import row_wise_folder
from factory.run.record import read_record
from factory.run.step import LlmStep
from factory.run.strands import of_kind
from factory.select.config import DocumentDuplicatesConfig
from factory.select.document_repeats import PAIRS_A_UNIT, DocumentDecideStep, Documents
from factory.select.document_sketch import DocumentSketchStep
from factory.select.erased import DenyList
from factory.select.merge import MergeStep
from factory.select.step import SelectStep, select_step
from factory.store.base import Store
from factory.store.objects import read_mapping
from factory.tasks.answer import TaskAnswerStep
from factory.tasks.kinds import task_types
from factory.tasks.question import TaskQuestionStep
from factory.tasks.task import TaskType
from factory.vocabulary.given import Vocabulary, read_vocabulary
from factory.vocabulary.use import require_use


@dataclass(frozen=True)
class DuplicateSteps:
    """The passes that say which rows repeat others (curate/)."""

    sketch: SketchStep | DocumentSketchStep | SemanticSketchStep
    match: MatchStep
    compare: CompareStep
    decide: DecideStep | DocumentDecideStep


@dataclass(frozen=True)
class Steps:
    """`llm` has the LLM steps this run takes, by name, in order. `documents` looks for near-duplicate documents,
    `questions_alike` for duplicate questions, `rephrased` for those that say the same in other words, `across` leads
    from concepts to level 3, `benchmark_answers` is what answers must not repeat, `recheck` and `segment` belong to the
    index of published questions; None where that is off. `tasks` are the task types beside open questions."""

    select: SelectStep
    documents: DuplicateSteps | None
    merge: MergeStep
    llm: Mapping[str, LlmStep]
    across: AcrossSteps | None
    sketch: SketchStep
    questions_alike: DuplicateSteps
    rephrased: DuplicateSteps | None
    check: CheckStep
    benchmark_answers: BenchmarkIndex | None
    recheck: RecheckStep | None
    gate: GateStep
    shards: ShardStep
    segment: SegmentStep | None
    tasks: tuple[TaskType, ...] = ()

    @property
    def questions(self) -> tuple[str, ...]:
        return tuple(name for name in self.llm if name.startswith("question_"))

    @property
    def answers(self) -> tuple[str, ...]:
        """The stages that answer: open questions, and those of each task type."""
        return of_kind("answer", self.llm)


def build_steps(config: FactoryConfig, pack: Pack, tokenizer: Any, erased: DenyList | None = None) -> Steps:
    """`erased` are documents that were taken out of the root. Raises ConfigError where a benchmark file is missing or
    lacks a field."""
    sketch = sketch_step(config.curate)
    answers = answer_index(config.curate.benchmarks, config.curate.decontamination)
    resemblance = document_parameters(config.select.duplicates)
    select = select_step(config, tokenizer, erased)
    before = row_wise_folder(replace(select, erased=None), None) if erased is not None else None
    tasks = task_types(config.tasks)
    vocabulary = read_vocabulary(config.domain.vocabulary)
    llm = llm_steps(config, pack, vocabulary)
    require_use(config.domain, pack, vocabulary, list(llm.values()))
    return Steps(
        select=select,
        documents=document_steps(resemblance) if resemblance else None,
        merge=MergeStep(config.limit, sampled_as=before),
        llm=llm,
        across=across_steps(config) if 3 in config.question.levels else None,
        sketch=sketch,
        questions_alike=DuplicateSteps(
            sketch,
            MatchStep(template_variants=config.curate.template_variants),
            CompareStep(sketch.parameters, Questions(sketch.parameters.shingling)),
            DecideStep(sketch.parameters),
        ),
        rephrased=semantic_steps(config.curate),
        check=check_step(config.answer, pack, tasks, vocabulary),
        benchmark_answers=answers,
        recheck=RecheckStep(sketch.parameters) if config.curate.index.use is not None else None,
        gate=gate_step(config, pack, sketch.index, answers, vocabulary),
        shards=ShardStep(with_tasks=bool(tasks), with_tags=bool(pack.tags)),
        segment=SegmentStep(sketch.parameters) if config.curate.index.register else None,
        tasks=tasks,
    )


def semantic_steps(config: CurateConfig) -> DuplicateSteps | None:
    """The passes that find rephrased questions among those that curation accepted; None where that is off."""
    sketch = semantic_sketch_step(config)
    if sketch is None:
        return None
    return DuplicateSteps(
        sketch,
        MatchStep("semantic_match"),
        CompareStep(sketch.parameters, read_vectors, "semantic_compare"),
        DecideStep(sketch.parameters, "semantic_decide", "semantic_duplicate"),
    )


def document_steps(parameters: LshParameters) -> DuplicateSteps:
    return DuplicateSteps(
        DocumentSketchStep(parameters),
        MatchStep("document_match"),
        CompareStep(parameters, Documents(parameters.shingling), "document_compare", PAIRS_A_UNIT),
        DocumentDecideStep(parameters),
    )


def document_parameters(config: DocumentDuplicatesConfig) -> LshParameters | None:
    if config.threshold is None:
        return None
    return LshParameters(config.shingle_words, config.permutations, config.threshold)


def llm_steps(
    config: FactoryConfig, pack: Pack, vocabulary: Vocabulary | None = None, rubric: Rubric | None = None
) -> dict[str, LlmStep]:
    """The LLM steps a configuration takes: extraction only where a level asks for concepts. `vocabulary` goes to those
    whose prompt asks for it; without `rubric` the judge has the one that the configuration names."""

    def words(prompt: str) -> Vocabulary | None:
        return vocabulary if VOCABULARY in pack.prompt(prompt).placeholders else None

    steps: dict[str, LlmStep] = {}
    if {2, 3} & set(config.question.levels):
        steps["extract"] = ExtractStep(config.extract, pack, config.seed, words("extract"))
    if 1 in config.question.levels:
        steps["question_1"] = Level1Step(config.question, pack, config.seed, words("question_level_1"))
    if 2 in config.question.levels:
        steps["question_2"] = Level2Step(config.question, pack, config.seed, words("question_level_2"))
    if 3 in config.question.levels:
        steps["question_3"] = Level3Step(config.question, pack, config.seed, words("question_level_3"))
    tasks = task_types(config.tasks)
    for task in tasks:
        asking = TaskQuestionStep(task, config.question, pack, config.seed)
        steps[asking.name] = asking
    if config.question.levels:
        steps["answer"] = AnswerStep(config.answer, pack, config.seed, words("answer"))
    for task in tasks:
        answering = TaskAnswerStep(task, config.answer, pack, config.seed)
        steps[answering.name] = answering
    if config.judge.rubric is not None:
        rubric = rubric or load_rubric(config.judge.rubric, config.domain)
        steps["judge"] = JudgeStep(config.judge, rubric, pack, config.seed)
    return steps


def rebuild_steps(store: Store, run: str, words: Mapping[str, Any] | None) -> dict[str, LlmStep]:
    """Step folder -> LLM step of a recorded run, as it was when its rows were made. `words` is the body of the
    dataset's prompts.json: with it the pack may have been changed, moved or deleted since.

    Raises ConfigError when the run is not recorded, or code (without `words`: prompts or pack) changed since.
    """
    record = read_record(store, run)
    if record is None:
        raise ConfigError(
            f"there is no run {run} under {store.uri}",
            cause="the dataset was copied without its root, or the run record was deleted",
            remedy="replay under the root that the dataset was made in",
        )
    config = load_config(record["config"])
    pack = recorded_pack(words, config.domain) if words else load_pack(config.domain)
    vocabulary = _recorded_vocabulary(store, record["steps"])
    steps = llm_steps(config, pack, vocabulary, recorded_rubric(words) if words else None)
    return {record["steps"][name]: _unchanged(store, record["steps"][name], step) for name, step in steps.items()}


def _recorded_vocabulary(store: Store, folders: Mapping[str, str]) -> Vocabulary | None:
    """The vocabulary of a recorded run, from what its steps are named by: its files may be gone since."""
    for folder in folders.values():
        with suppress(KeyError):
            own = read_mapping(store, f"steps/{folder}/step.json", ("own",))["own"]
            if "max_terms" in own.get("vocabulary", {}):
                return Vocabulary.recorded(own["vocabulary"])
    return None


def _unchanged(store: Store, folder: str, step: LlmStep) -> LlmStep:
    recorded = read_mapping(store, f"steps/{folder}/step.json", ("version", "own"))
    now = orjson.loads(orjson.dumps({"version": step.version, "own": step.identity()}))
    then = {"version": recorded["version"], "own": recorded["own"]}
    if fingerprint(now) != fingerprint(then):
        raise ConfigError(
            f"the prompts or the code of {folder} are not what they were when its rows were made",
            cause="a newer factory, or a domain pack that was edited since and a prompts.json that is gone",
            remedy="replay with the factory version and pack that the manifest names",
        )
    return step
