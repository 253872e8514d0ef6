"""`factory plan preset=demo …`: what a run would do, what is done already, and about what it would ask for.

Design: a rehearsal of the run (run/rehearsal.py) settles what is committed, also by other runs, and ends at the first
stage with work to do; from there on requests, tokens, hours and money are estimated, from units that were committed
below the root before where there are any (cost/estimate/), else by guesses. Nothing is written and no engine started,
unless asked for: `--measure N` works N documents first, as a run with limit=N would, and keeps the estimate; `--keep`
keeps it as it is. A kept estimate lies beside the run's record, and report and status say how far off it was.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from factory.config import FactoryConfig
from factory.store.base import Store

if TYPE_CHECKING:
    from factory.cost.estimate.estimate import Estimate
    from factory.curate.index.pin import View
    from factory.run.chain import Chain
    from factory.run.rehearsal import Rehearsed
    from factory.run.stage import Stage


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "plan",
        help="what a run would do: units, folders, what is done, an estimate of requests and tokens",
        description="Takes the same overrides as `python -m jobs.run`. Guide: docs/cost.md.",
    )
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument(
        "--measure",
        type=_documents,
        metavar="N",
        help="first work N documents up to their samples, in this root; a run finds them done. Keeps the estimate",
    )
    parser.add_argument("--keep", action="store_true", help="keep the estimate, to hold the run against it")
    parser.set_defaults(run=run)


def _documents(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of documents, such as 100")
    return int(text)


def run(args: argparse.Namespace) -> int:
    from factory.cost.estimate.kept import write_estimate
    from factory.cost.estimate.making import estimate
    from factory.cost.money import names_of_models, unknown_models
    from factory.cost.words import estimate_lines
    from factory.run.chain import build_chain
    from factory.run.compose import compose
    from factory.run.registration import check_index, compared_with, pinned
    from factory.run.rehearsal import rehearse
    from factory.store.open import open_store

    config = compose(args.overrides)
    store = open_store(config.store)
    if args.measure is not None:
        measure(config, store, args.measure)
    chain = build_chain(config)
    check_index(store, config, chain.run)
    rehearsed = rehearse(chain, store)
    view = pinned(store, config, chain.run)
    planned = estimate(config, chain, rehearsed, store, config.cluster.cpus or os.cpu_count() or 1)
    rows = planned_rows(chain, rehearsed, planned)
    kept = write_estimate(store, planned) if args.keep or args.measure is not None else None
    if args.json:
        steps = [asdict(row) for row in rows]
        said: dict[str, Any] = {"run": chain.run, "root": store.uri, "index": compared_with(view), "steps": steps}
        said["notes"] = list(chain.notes)
        said |= {"estimate": planned.to_json(), "kept": kept}
        print(json.dumps({**said, "target_samples": config.target_samples, "stopped_by": rehearsed.stopped_by}))
        return 0
    print(_table(chain, store, rows))
    if planned.steps:
        print("\n".join(estimate_lines(planned)))
    if config.target_samples is not None:
        print(_target(config, rehearsed))
    print(_index(config, view))
    for line in (*chain.notes, *([rehearsed.stopped_by] if rehearsed.stopped_by is not None else [])):
        print(f"note: {line}")
    known = {*names_of_models(config), *(model.id for model in chain.settings.models.values())}
    for name in unknown_models(config.prices, known):
        print(f"note: prices.models names {name!r}, which is no model of this run")
    if kept is not None:
        print(f"kept: {kept} (factory status and the report say how far off it was)")
    return 0


def measure(config: FactoryConfig, store: Store, documents: int) -> None:
    """Works `documents` documents of the corpus. Raises ConfigError where the run has no more than that itself."""
    from factory.errors import ConfigError
    from factory.run.partly import work_up_to
    from factory.run.progress import progress_for
    from factory.store.open import probe

    if config.limit is not None and documents >= config.limit:
        raise ConfigError(
            f"--measure {documents} is no part of limit={config.limit}",
            cause="a sample is smaller than the run",
            remedy=f"measure fewer documents than {config.limit:,}, or plan a larger run",
        )
    probe(store)
    progress = progress_for(sys.stderr)
    try:
        sample = config.model_copy(update={"limit": documents, "target_samples": None})
        run = work_up_to("samples", sample, store, progress)
        progress.say(f"{documents:,} documents measured as run {run}")
    finally:
        progress.close()


@dataclass(frozen=True)
class StagePlan:
    """One line of the plan. Units are exact where `exact`; None where unknowable. Requests and tokens are what is
    left to ask for, as the estimate's middles have it."""

    step: str
    folder: str
    exact: bool
    units: int | None
    units_done: int | None
    requests: int
    prompt_tokens: int
    generated_tokens_at_most: int


def planned_rows(chain: Chain, rehearsed: Rehearsed, planned: Estimate) -> list[StagePlan]:
    """A line for every stage, and one for what is counted between rounds where that comes next."""
    rows: list[StagePlan] = []
    first = rehearsed.first
    for stage in chain.stages:
        done = rehearsed.dones.get(stage.name)
        if rehearsed.first_name == "visits" and stage.name == "walk" and first is not None:
            rows.append(StagePlan("visits", first.folder, True, 1, 0, 0, 0, 0))
        if rehearsed.first_name == stage.name and first is not None:
            units, pending = len(first.plan.units), len(first.plan.pending)
            rows.append(_row(planned, stage, first.folder, True, units, units - pending))
        elif done is not None:
            rows.append(_row(planned, stage, done["folder"], True, done["units"], done["units"]))
        else:
            rows.append(_row(planned, stage, "", False, None, None))
    return rows


def _row(planned: Estimate, stage: Stage, folder: str, exact: bool, units: int | None, done: int | None) -> StagePlan:
    asked, step = planned.step(stage.name), stage.llm_step
    if asked is None or step is None:
        return StagePlan(stage.name, folder, exact, units, done, 0, 0, 0)
    requests = round(asked.requests.middle)
    at_most = requests * step.sampling.max_tokens * step.sampling.samples
    return StagePlan(stage.name, folder, exact, units, done, requests, round(asked.prompt_tokens.middle), at_most)


def _table(chain: Chain, store: Store, rows: list[StagePlan]) -> str:
    lines = [
        f"run {chain.run} under {store.uri}",
        f"corpus: {_corpus(chain)}",
        f"  {'step':<17}{'units done/all':>16}  folder",
    ]
    for row in rows:
        units = f"{row.units_done}/{row.units}" if row.units is not None else "later"
        folder = row.folder or "(named when its inputs are there)"
        lines.append(f"  {row.step:<17}{units:>16}  {folder}")
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
