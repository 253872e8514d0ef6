"""`factory plan preset=demo …`: what a run would do, what is done already, and about what it would ask for.

Design: stages whose inputs are committed are planned exactly, with the same code a run uses; from the first
stage that still has work on, requests and tokens are estimated from the corpus and the configuration, and
marked so. Nothing is written and no engine is started.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from factory.config import FactoryConfig
from factory.run.record import Record, read_done, read_record
from factory.store.base import Store

if TYPE_CHECKING:
    from factory.curate.index.pin import View
    from factory.run.chain import Chain
    from factory.run.stage import Stage

CHARACTERS_PER_TOKEN = 3.5
"""English prose and LaTeX under SmolLM2's and Llama's tokenizers: 3.3 to 4.2; lower means more tokens."""

PROMPT_OVERHEAD_TOKENS = 250
"""Instructions and chat template of the general pack."""

QUESTION_YIELD = 0.6
"""Share of the questions asked for that survive checks and deduplication; replaced by what a run measures."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "plan",
        help="what a run would do: units, folders, what is done, an estimate of requests and tokens",
        description="Takes the same overrides as `python -m jobs.run`.",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.run.chain import build_chain
    from factory.run.compose import compose
    from factory.run.registration import check_index, compared_with, pinned
    from factory.store.open import open_store

    config = compose(args.overrides)
    store = open_store(config.store)
    chain = build_chain(config)
    check_index(store, config, chain.run)
    rows = plan_run(config, chain, store)
    view = pinned(store, config, chain.run)
    if args.json:
        steps = [asdict(row) for row in rows]
        print(json.dumps({"run": chain.run, "root": store.uri, "index": compared_with(view), "steps": steps}))
    else:
        print(_table(chain, store, rows))
        print(_index(config, view))
        if chain.warning is not None:
            print(f"note: {chain.warning}")
    return 0


@dataclass(frozen=True)
class StagePlan:
    """One line of the plan. Numbers are exact where `exact`, else estimates; None where unknowable."""

    step: str
    folder: str
    exact: bool
    units: int | None
    units_done: int | None
    requests: int
    prompt_tokens: int
    generated_tokens_at_most: int


def plan_run(config: FactoryConfig, chain: Chain, store: Store) -> list[StagePlan]:
    """Plans every stage; writes nothing."""
    dones: dict[str, Record] = {}
    rows: list[StagePlan] = []
    documents = _documents(config, chain)
    record = read_record(store, chain.run) or {}
    chain.rounds.ends = [item["walks"] for item in record.get("rounds", [])]
    for stage in chain.stages:
        planned = _exact(stage, store, dones) if len(dones) == len(rows) else None
        asks = _requests(config, stage, documents)
        if planned is None:
            rows.append(_estimated(config, stage, asks))
            continue
        folder, units, pending = planned
        done = read_done(store, chain.run, stage.name)
        if done and done["folder"] == folder and not pending:
            dones[stage.name] = done
            asks = 0
            if stage.name == "merge":
                documents = done["facts"].get("documents", documents)
        rows.append(_row(config, stage, folder, True, units, units - pending, asks))
    return rows


def _exact(stage: Stage, store: Store, dones: Mapping[str, Record]) -> tuple[str, int, int] | None:
    planned = stage.plan(store, dones)
    return planned.folder, len(planned.plan.units), len(planned.plan.pending)


PASSAGES_SHOWN = {"question_3": 2, "answer": 0}
"""Passages in a prompt, where it is not one."""

TOPICS_A_PASSAGE = 0.36
"""Distinct topics a passage brings to the graph: SynthLLM's subsets of some 90,000 documents have 32,000 (section 5.1).
A small corpus has more of its own."""


def _estimated(config: FactoryConfig, stage: Stage, requests: int) -> StagePlan:
    return _row(config, stage, "", False, None, None, requests)


def _row(
    config: FactoryConfig, stage: Stage, folder: str, exact: bool, units: int | None, done: int | None, requests: int
) -> StagePlan:
    step = stage.llm_step
    generated = requests * step.sampling.max_tokens if step else 0
    per_prompt = PROMPT_OVERHEAD_TOKENS + PASSAGES_SHOWN.get(stage.name, 1) * config.select.chunk_tokens
    prompt = requests * per_prompt if step else 0
    return StagePlan(stage.name, folder, exact, units, done, requests, prompt, generated)


def _documents(config: FactoryConfig, chain: Chain) -> int:
    """Passages to ask about, from the bytes of the corpus: chunks of about chunk_tokens tokens each."""
    per_chunk = config.select.chunk_tokens * CHARACTERS_PER_TOKEN
    passages = max(1, round(chain.source_bytes / per_chunk)) if chain.source_bytes else 0
    return min(passages, config.limit) if config.limit is not None else passages


def _requests(config: FactoryConfig, stage: Stage, documents: int) -> int:
    if stage.model_role is None:
        return 0
    walks = _walks(config, documents)
    if stage.name != "answer":
        return walks if stage.name == "question_3" else documents
    asked = {1: documents * config.question.level_1_questions, 2: documents * config.question.level_2_questions}
    asked[3] = walks * config.question.level_3_questions
    questions = sum(asked[level] for level in config.question.levels) * QUESTION_YIELD
    return round(questions * config.answer.samples / min(config.answer.samples, config.answer.samples_per_round))


def _walks(config: FactoryConfig, documents: int) -> int:
    """Walks over a graph that is not there yet; fewer where a number of samples is asked for."""
    walks = round(documents * TOPICS_A_PASSAGE * config.walk.epochs)
    if config.target_samples is None:
        return walks
    return min(walks, round(config.target_samples / config.question.level_3_questions / QUESTION_YIELD))


def _table(chain: Chain, store: Store, rows: list[StagePlan]) -> str:
    lines = [
        f"run {chain.run} under {store.uri}",
        f"corpus: {len(chain.source_units)} source ranges, {chain.source_bytes / 2**20:,.1f} MiB",
        f"  {'step':<17}{'units done/all':>16}{'requests':>12}{'prompt tokens':>16}{'generated at most':>20}  folder",
    ]
    for row in rows:
        units = f"{row.units_done}/{row.units}" if row.units is not None else "later"
        asked = [_about(number) for number in (row.requests, row.prompt_tokens, row.generated_tokens_at_most)]
        folder = row.folder or "(named when its inputs are there)"
        lines.append(f"  {row.step:<17}{units:>16}{asked[0]:>12}{asked[1]:>16}{asked[2]:>20}  {folder}")
    total = sum(row.requests for row in rows)
    lines.append(f"estimate: about {total:,} requests, {sum(row.prompt_tokens for row in rows):,} prompt tokens")
    lines.append("units of later steps are known once the steps before them have committed")
    return "\n".join(lines)


def _index(config: FactoryConfig, view: View) -> str:
    """What the run is compared with, and whether later ones are compared with it."""
    from factory.run.registration import names_of

    index = config.curate.index
    if index.use is None:
        said = "not compared with published datasets (curate.index.use)"
    elif view.parts:
        said = f"compared with {view.rows:,} published questions: {names_of(view)}"
    else:
        said = "compared with published datasets, of which the index has none yet"
    return f"{said}; {'will be' if index.register else 'not'} registered for later runs (curate.index.register)"


def _about(number: int) -> str:
    return f"~{number:,}" if number else "0"
