"""The estimate of a run that has not been worked yet, or not to its end.

Design: a rehearsal (run/rehearsal.py) says what is committed and where work begins; from there rows are followed from
step to step, each with the figures that its own units showed before (observed.py), so that rejects, requests a row and
tokens a request are measured where anything was. What nothing measured is guessed, said to be, and has no interval.

Cost: the records of the root's runs once, and one listing and the commits of every folder that asks a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from factory.config import FactoryConfig
from factory.cost.estimate.draws import NOTHING, Quantity, guess, known, predicted, share_of
from factory.cost.estimate.estimate import Estimate, StepEstimate
from factory.cost.estimate.guesses import QUESTION_YIELD, TOPICS_A_PASSAGE, Guesses
from factory.cost.estimate.observed import (
    ACCEPTED,
    BUSY_SECONDS,
    GENERATED,
    PROMPT,
    REQUESTS,
    Done,
    Observed,
    done_by,
    observe,
)
from factory.cost.estimate.part import Part
from factory.cost.estimate.pricing import Priced, priced
from factory.cost.estimate.siblings import Sibling, elsewhere, largest_sibling, own_runs, readable_records
from factory.run.chain import Chain
from factory.run.plan import row_wise_folder
from factory.run.record import Record, now
from factory.run.rehearsal import Rehearsed
from factory.run.stage import Stage
from factory.run.strands import kind_of
from factory.select.step import source_bytes
from factory.store.base import Store
from factory.store.commit_index import each_commit
from factory.store.commits import committed_units

SEED = 17
"""Of the bootstrap: the same root gives the same estimate."""


def estimate(config: FactoryConfig, chain: Chain, rehearsed: Rehearsed, store: Store, cores: int) -> Estimate:
    """What is left to pay of a run. `cores`: of the machine or cluster that will work it.

    Raises StoreError where a record or commit that it rests on is damaged.
    """
    making = _Making(config, chain, rehearsed, store)
    for stage in chain.stages:
        making.follow(stage)
    whole = priced(config, making.parts, making.sibling, making.growth, cores, rehearsed.dones, making.rng)
    return Estimate(
        run=chain.run,
        made=now(),
        steps=tuple(making.line(step, whole) for step in making.parts),
        requests=_sum(making.parts, REQUESTS).range,
        prompt_tokens=_sum(making.parts, PROMPT).range,
        generated_tokens=_sum(making.parts, GENERATED).range,
        hours=whole.hours.range if whole.hours is not None else None,
        money=whole.money.range if whole.money is not None else None,
        currency=config.prices.currency,
        missing=whole.missing,
        assumptions=(*making.assumptions, *whole.assumptions),
        unmeasured=whole.unmeasured,
    )


def _sum(parts: Mapping[str, Part], column: int) -> Quantity:
    return sum((part.taken[column] for part in parts.values()), NOTHING)


@dataclass
class _Making:
    """Rows on their way through the chain; `accepted` by stage, of all its rows, done ones included."""

    config: FactoryConfig
    chain: Chain
    rehearsed: Rehearsed
    store: Store
    parts: dict[str, Part] = field(default_factory=dict)
    accepted: dict[str, Quantity] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)

    @cached_property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(SEED)

    @cached_property
    def guesses(self) -> Guesses:
        return Guesses(self.config, self.chain.source_bytes)

    @cached_property
    def records(self) -> list[Record]:
        return readable_records(self.store)

    @cached_property
    def own(self) -> frozenset[str]:
        return own_runs(self.records, self.chain)

    @cached_property
    def sibling(self) -> Sibling | None:
        return largest_sibling(self.store, self.records, self.own)

    @property
    def growth(self) -> float | None:
        """How many times the passages of the largest finished run over this corpus this one has."""
        if self.sibling is None or not self.sibling.passages:
            return None
        return self.accepted["merge"].middle / self.sibling.passages

    def follow(self, stage: Stage) -> None:
        done = self.rehearsed.dones.get(stage.name)
        if done is not None:
            self.accepted[stage.name] = known(float(done["counts"]["accepted"]))
        elif stage.model_role is not None:
            self._asks(stage)
        elif stage.name == "merge":
            self.accepted["merge"] = self._passages()
        elif stage.name == "pair":
            self.accepted["pair"] = self._pairs()
        elif kind_of(stage.name) in ("curate", "semantic"):
            self.accepted[stage.name] = self._curated(stage)

    def line(self, step: str, whole: Priced) -> StepEstimate:
        part = self.parts[step]
        money = whole.by_step.get(step)
        return StepEstimate(
            step=step,
            basis=part.basis,
            measured=part.observed is not None,
            already=part.already,
            requests=part.taken[REQUESTS].range,
            prompt_tokens=part.taken[PROMPT].range,
            generated_tokens=part.taken[GENERATED].range,
            engine_seconds=part.taken[BUSY_SECONDS].range if part.observed is not None else None,
            money=money.range if money is not None else None,
        )

    def _asks(self, stage: Stage) -> None:
        """A step that asks a model: what is left of its rows, predicted from units of its own or of its likes."""
        step = stage.llm_step
        assert step is not None
        folder = row_wise_folder(step, stage.model_identity)
        observed = observe(self.store, folder, self.own)
        if observed is None:
            observed = elsewhere(self.store, self.records, self.chain, stage, self.own)
        done = self._done(stage, observed)
        rows = self._rows(stage).less(done.inputs)
        if observed is not None:
            taken = predicted(observed.clusters, rows, self.rng)
            basis = f"measured on {observed.in_words}"
        else:
            taken = self._guessed(stage, rows)
            basis = "a guess"
        self.accepted[stage.name] = taken[ACCEPTED] + known(done.accepted)
        model = self.chain.settings.models[stage.model_role or ""]
        names = (model.config.id, model.id)
        self.parts[stage.name] = Part(tuple(taken), basis, observed, done.requests, names)

    def _done(self, stage: Stage, observed: Observed | None) -> Done:
        """What is committed of the step's rows: exact where its units are known, else what runs over the same corpus
        have in its folder. Walks of a larger graph are others."""
        first = self.rehearsed.first
        if self.rehearsed.first_name == stage.name and first is not None:
            commits = each_commit(self.store, first.folder, first.plan.done)
            return sum((done_by(commit) for commit in commits), Done())
        if observed is None or observed.other_settings or stage.name == "question_3":
            return Done()
        return observed.own

    def _rows(self, stage: Stage) -> Quantity:
        """Rows that a step reads in all."""
        first = self.rehearsed.first
        if self.rehearsed.first_name == stage.name and first is not None:
            return known(sum(unit.rows or 0 for unit in first.plan.units))
        return sum((self.accepted[name] for name in stage.reads or ()), NOTHING)

    def _guessed(self, stage: Stage, rows: Quantity) -> list[Quantity]:
        step = stage.llm_step
        assert step is not None
        requests = rows.middle * self.guesses.rounds(stage)
        outputs = self.guesses.questions_of(stage)
        self.assumptions.append(
            f"{stage.name}: no unit of it below this root; {self.guesses.prompt_tokens(stage):,} tokens a prompt and "
            f"{step.sampling.max_tokens * step.sampling.samples:,} generated a request, the most there can be"
        )
        taken = [0.0] * 7
        taken[REQUESTS], taken[ACCEPTED] = requests, rows.middle * outputs
        taken[PROMPT] = requests * self.guesses.prompt_tokens(stage)
        taken[GENERATED] = requests * step.sampling.max_tokens * step.sampling.samples
        return [guess(value) for value in taken]

    def _passages(self) -> Quantity:
        """Passages that selection gives, from the ranges of the corpus that were read before."""
        select = self.chain.stage("select")
        assert select.step is not None
        folder = row_wise_folder(select.step, None)
        sizes = {unit.unit_id: float(source_bytes(unit)) for unit in self.chain.source_units}
        read = sorted(committed_units(self.store, folder) & sizes.keys())
        commits = list(each_commit(self.store, folder, read))
        if not commits:
            self.assumptions.append("passages are guessed from the bytes of the corpus: none of it was read yet")
            return guess(self.guesses.passages())
        accepted = sum(commit.counts.accepted for commit in commits)
        clusters = np.array([[sizes[commit.unit], float(commit.counts.accepted)] for commit in commits])
        rest = sum(sizes.values()) - sum(sizes[unit] for unit in read)
        found = known(accepted)
        if rest:
            found += predicted(clusters, known(rest), self.rng)[1]
        if self.config.limit is not None:
            documents = max(1, sum(commit.counts.used for commit in commits))
            return found.at_most(self.config.limit * accepted / documents)
        self.assumptions.append("passages that are equal to others are not taken off")
        return found

    def _pairs(self) -> Quantity:
        """Walks with two passages. Topics grow slower than passages, so growth by passages is an upper bound."""
        epochs = self.config.walk.epochs
        passages = self.accepted["merge"].middle
        if self.sibling is not None and self.sibling.pairs and self.growth is not None:
            pairs = self.sibling.pairs * self.growth
            self.assumptions.append(
                f"walks grow as passages do ({self.sibling.pairs:,} of {self.sibling.passages:,} passages in run "
                f"{self.sibling.run}): an upper bound, topics repeat in a larger corpus"
            )
        else:
            pairs = passages * TOPICS_A_PASSAGE * epochs
            self.assumptions.append(f"walks are guessed: {TOPICS_A_PASSAGE} topics a passage, {epochs} epochs of them")
        return guess(self.guesses.asked_for(pairs))

    def _curated(self, stage: Stage) -> Quantity:
        """Questions of the stage's strand that are left to answer."""
        task = stage.name.removeprefix(kind_of(stage.name))
        of_tasks = {f"question_{name}" for name in self.config.tasks.on()}
        asked = [f"question{task}"] if task else [name for name in self.chain.questions if name not in of_tasks]
        written = sum((self.accepted[name] for name in asked), NOTHING)
        if self.sibling is not None and self.sibling.curated_share is not None:
            share = self.sibling.curated_share
            self.assumptions.append(
                f"{share:.0%} of the questions stay after curation, as in run {self.sibling.run}; a larger corpus has "
                "more duplicates"
            )
            return share_of(written, share, self.sibling.written, self.rng)
        self.assumptions.append(f"{QUESTION_YIELD:.0%} of the questions stay after curation: a guess")
        return guess(written.middle * QUESTION_YIELD)
