"""`factory plan preset=demo …`: what a run would do, what is done already, and about what it would ask for.

Design: a rehearsal of the run (run/rehearsal.py) settles what is committed, also by other runs, and ends at the first
stage with work to do; from there on requests and tokens are estimated, from rows where they are known and else from the
bytes of the corpus and the configuration. Nothing is written and no engine is started.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from factory.config import FactoryConfig
from factory.run.record import Record
from factory.store.base import Store

if TYPE_CHECKING:
    from factory.curate.index.pin import View
    from factory.run.chain import Chain
    from factory.run.rehearsal import Rehearsed
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
    from factory.run.rehearsal import rehearse
    from factory.store.open import open_store

    config = compose(args.overrides)
    store = open_store(config.store)
    chain = build_chain(config)
    check_index(store, config, chain.run)
    rehearsed = rehearse(chain, store)
    rows = planned_rows(config, chain, rehearsed)
    view = pinned(store, config, chain.run)
    if args.json:
        steps = [asdict(row) for row in rows]
        said = {"run": chain.run, "root": store.uri, "index": compared_with(view), "steps": steps}
        print(json.dumps({**said, "target_samples": config.target_samples, "stopped_by": rehearsed.stopped_by}))
        return 0
    print(_table(chain, store, rows))
    if config.target_samples is not None:
        print(_target(config, rehearsed))
    print(_index(config, view))
    for line in (chain.warning, rehearsed.stopped_by):
        if line is not None:
            print(f"note: {line}")
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


def planned_rows(config: FactoryConfig, chain: Chain, rehearsed: Rehearsed) -> list[StagePlan]:
    """A line for every stage, and one for what is counted between rounds where that comes next."""
    known = _Known(config, chain, rehearsed.dones)
    rows: list[StagePlan] = []
    first = rehearsed.first
    for stage in chain.stages:
        done = rehearsed.dones.get(stage.name)
        if rehearsed.first_name == "visits" and stage.name == "walk" and first is not None:
            rows.append(StagePlan("visits", first.folder, True, 1, 0, 0, 0, 0))
        if rehearsed.first_name == stage.name and first is not None:
            units, pending = len(first.plan.units), len(first.plan.pending)
            asks = round(known.requests(stage) * pending / units) if units else 0
            rows.append(_row(config, stage, first.folder, True, units, units - pending, asks))
        elif done is not None:
            rows.append(_row(config, stage, done["folder"], True, done["units"], done["units"], 0))
        else:
            rows.append(_row(config, stage, "", False, None, None, known.requests(stage)))
    return rows


PASSAGES_SHOWN = {"question_3": 2, "answer": 0}
"""Passages in a prompt, where it is not one."""

TOPICS_A_PASSAGE = 0.36
"""Distinct topics a passage brings to the graph: SynthLLM's subsets of some 90,000 documents have 32,000 (section 5.1).
A small corpus has more of its own."""


def _row(
    config: FactoryConfig, stage: Stage, folder: str, exact: bool, units: int | None, done: int | None, requests: int
) -> StagePlan:
    step = stage.llm_step
    generated = requests * step.sampling.max_tokens if step else 0
    per_prompt = PROMPT_OVERHEAD_TOKENS + PASSAGES_SHOWN.get(stage.name, 1) * config.select.chunk_tokens
    prompt = requests * per_prompt if step else 0
    return StagePlan(stage.name, folder, exact, units, done, requests, prompt, generated)


@dataclass(frozen=True)
class _Known:
    """Rows that stages read, from records of finished stages where there are any, else estimated."""

    config: FactoryConfig
    chain: Chain
    dones: Mapping[str, Record]

    def requests(self, stage: Stage) -> int:
        """Requests of a stage that has none of its units done."""
        if stage.model_role is None:
            return 0
        if stage.name == "answer":
            answer = self.config.answer
            return round(self._questions() * answer.samples / min(answer.samples, answer.samples_per_round))
        return self._pairs() if stage.name == "question_3" else self._passages(stage.name)

    def _accepted(self, stage: str) -> int | None:
        done = self.dones.get(stage)
        return None if done is None else int(done["counts"]["accepted"])

    def _passages(self, stage: str) -> int:
        """Passages to ask about; from the bytes of the corpus, chunks of about chunk_tokens tokens each."""
        extracted = self._accepted("extract") if stage == "question_2" else None
        if extracted is not None:
            return extracted
        if "merge" in self.dones:
            return int(self.dones["merge"]["facts"].get("documents", 0))
        per_chunk = self.config.select.chunk_tokens * CHARACTERS_PER_TOKEN
        passages = max(1, round(self.chain.source_bytes / per_chunk)) if self.chain.source_bytes else 0
        return min(passages, self.config.limit) if self.config.limit is not None else passages

    def _pairs(self) -> int:
        """Walks with two passages; fewer than all epochs have where a number of samples is asked for."""
        target = self.config.target_samples
        paired, walked = self._accepted("pair"), self._accepted("walk")
        if paired is not None or walked is not None:
            return paired if paired is not None else int(walked or 0)
        graph = self.dones.get("graph_joined") or self.dones.get("graph_edges")
        passages = self._passages("extract")
        topics = int(graph["facts"].get("topics", 0)) if graph else round(passages * TOPICS_A_PASSAGE)
        walks = topics * self.config.walk.epochs
        if target is None:
            return walks
        return min(walks, round(target / self.config.question.level_3_questions / QUESTION_YIELD))

    def _questions(self) -> float:
        distinct = self._accepted("semantic")
        curated = self._accepted("curate") if distinct is None else distinct
        if curated is not None:
            return curated
        question = self.config.question
        asked = {
            1: self._passages("question_1") * question.level_1_questions,
            2: self._passages("question_2") * question.level_2_questions,
            3: self._pairs() * question.level_3_questions,
        }
        written = {level: self._accepted(f"question_{level}") for level in question.levels}
        return sum(
            asked[level] * QUESTION_YIELD if (found := written[level]) is None else found for level in question.levels
        )


def _table(chain: Chain, store: Store, rows: list[StagePlan]) -> str:
    lines = [
        f"run {chain.run} under {store.uri}",
        f"corpus: {_corpus(chain)}",
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


def _corpus(chain: Chain) -> str:
    said = f"{chain.source_bytes / 2**20:,.1f} MiB of text in {len(chain.source_units):,} source ranges"
    limit = chain.settings.config.limit
    return said if limit is None else f"{said}, read until {limit:,} documents are there (limit)"


def _target(config: FactoryConfig, rehearsed: Rehearsed) -> str:
    """What the run does about `target_samples`: the rounds drawn so far, and how many walks it may come to."""
    said = f"target: {config.target_samples:,} accepted samples (target_samples), walks drawn until they are there"
    samples = rehearsed.dones.get("samples")
    if samples is not None:
        said += f"; {int(samples['counts']['accepted']):,} after {rehearsed.rounds} rounds"
    return f"{said}; {config.walk.epochs} epochs at most (walk.epochs)"


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
