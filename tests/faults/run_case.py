"""One trial of a case, from an empty root to a verdict.

Design: disturb; wait for what was left running; give the same command again until it ends with 0, at least once (a run
that healed itself must then have nothing to do) and at most `RERUNS` times; then compare what is there with the
reference and count attempts (outcome.py). `factory verify` proves the dataset on its own account. Whatever goes wrong
is a problem in the outcome, never a stack in the middle of a suite. Cost of a scripted trial: two or three small runs.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
import traceback
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from factory.store.objects import read_mapping
from tests.faults.case import REQUESTS_IN_FLIGHT, Case
from tests.faults.factory_here import factory_here
from tests.faults.observed import observe
from tests.faults.outcome import (
    Outcome,
    changed_commits,
    differing_prompts,
    differing_rows,
    lost_and_doubled,
    lost_attempts,
    repaid_attempts,
    requests_of,
    unconserved,
    unrecorded_losses,
)
from tests.faults.reference import Reference, download, key_of, place_for, prompts_of
from tests.faults.results import Result
from tests.faults.trial import Trial
from tests.runs import Finished, dataset_rows

RERUNS = 3

PROMPTS_WITHOUT_MODEL_TEXT = ("extract", "question_1")
"""Steps whose prompts hold text of documents alone: with any model they are the same in every run."""


def run_trial(case: Case, seed: int, reference: Reference, folder: Path) -> Result:
    """Works a trial in `folder`, which is emptied first and, where all held, removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with reference.held(case), place_for(case, folder) as (root, server):
        started = time.monotonic()
        trial = Trial(case, seed, folder, reference.corpus, root, reference, server)
        try:
            outcome = _worked(trial)
        except Exception as error:
            said = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
            outcome = replace(_counted(trial), problems=(said[-6000:],))
        finally:
            trial.clean()
    result = Result(
        case=case.name,
        seed=seed,
        engine=case.engine,
        executor=case.executor(seed),
        lost=outcome.lost,
        doubled=outcome.doubled,
        repaid=outcome.repaid,
        redone=outcome.redone,
        lost_attempts=outcome.lost_attempts,
        in_flight=outcome.in_flight,
        replacements=outcome.replacements,
        reruns=outcome.reruns,
        seconds=round(time.monotonic() - started, 1),
        moments=tuple(f"{moment.step} at {moment.commits}" for moment in trial.moments if moment.step),
        problems=outcome.problems,
        folder=str(folder) if outcome.problems else "",
    )
    if result.ok:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        (folder / "result.json").write_text(json.dumps(asdict(result), indent=2))
    return result


def _worked(trial: Trial) -> Outcome:
    case = trial.case
    case.disturb(trial)
    for execution in trial.executions:
        trial.finish(execution.process)
    healed = bool(trial.executions) and trial.executions[-1].finished.code == 0
    reruns = [trial.rerun()]
    while reruns[-1].code != 0 and len(reruns) < RERUNS:
        reruns.append(trial.rerun())
    last = reruns[-1]
    if last.code != 0:
        raise AssertionError(f"the same command failed {len(reruns)} times; the last said:\n{last.stderr[-3000:]}")
    outcome = replace(_counted(trial), result=last.result, reruns=len(reruns))
    problems = [*outcome.problems, *_compared(trial, last)]
    if healed and not last.result["already_finished"]:
        problems.append("a run that had ended well had something to do when its command was given again")
    outcome = replace(outcome, **_rows(trial, last), problems=tuple(problems))
    if outcome.lost or outcome.doubled:
        problems.append(f"{outcome.lost} rows lost, {outcome.doubled} doubled")
    if case.check is not None:
        try:
            case.check(trial, outcome)
        except AssertionError as error:
            problems.append(f"{case.name}: {error}" if str(error) else traceback.format_exc()[-2000:])
    return replace(outcome, problems=tuple(problems))


def _counted(trial: Trial) -> Outcome:
    """Attempts and commits, without a look at the dataset; also of a trial that failed, as far as it came."""
    with contextlib.suppress(Exception):
        after, seen = observe(trial.store), [moment.seen for moment in trial.moments]
        lost, repaid = lost_attempts(after, trial.destroyed), repaid_attempts(seen, after, trial.destroyed)
        redone = [each for each in lost if each not in repaid]
        spent = requests_of(redone, after)
        problems = changed_commits(seen, after, trial.destroyed)
        if repaid:
            named = ", ".join(each.key for each in repaid[:3])
            problems.append(f"{len(repaid)} attempts began at units that were committed: {named}")
        if spent > (allowed := REQUESTS_IN_FLIGHT * _faults(trial)):
            problems.append(f"{spent} requests redone, where {allowed} can have been in flight")
        return Outcome(
            repaid=requests_of(repaid, after),
            redone=spent,
            lost_attempts=len(lost),
            in_flight=max((requests_of(each.in_flight(), after) for each in seen), default=0),
            problems=tuple(problems),
            after=after,
        )
    return Outcome(problems=("the root could not be read",))


def _faults(trial: Trial) -> int:
    """How often something may have been in flight and lost: at each moment, and whenever a run ended unwell."""
    unwell = sum(each.process.poll() not in (0, None) for each in trial.executions)
    return max(1, len(trial.moments), unwell)


def _rows(trial: Trial, last: Finished) -> dict[str, Any]:
    """Figures of the dataset and of the run's record."""
    record = read_mapping(trial.store, f"runs/{last.result['run']}.json")
    figures: dict[str, Any] = {
        "replacements": sum(starts["replacements"] for starts in record["engine_starts"].values())
    }
    if trial.case.engine == "scripted":
        lost, doubled = lost_and_doubled(trial.reference.tables, _tables(trial, last), trial.case.may_lose)
        return {**figures, "lost": len(lost), "doubled": sum(doubled.values())}
    found = _tables(trial, last)
    ids = [row for table in found.values() for row in table.column("sample_id").to_pylist()]
    return {**figures, "lost": last.result["samples"] - len(set(ids)), "doubled": len(ids) - len(set(ids))}


def _compared(trial: Trial, last: Finished) -> list[str]:
    case, reference, store = trial.case, trial.reference, trial.store
    problems = []
    if last.result["run"] != reference.run:
        problems.append(f"another run: {last.result['run']} instead of {reference.run}")
    dones = _dones(trial, str(last.result["run"]))
    problems += unconserved(dones)
    after = observe(store)
    # an attempt at a unit that nobody needs any more (its file was replaced) is in no run's ledger
    needed = [each for each in lost_attempts(after, set()) if after.winner((each.folder, each.unit)) is not None]
    problems += unrecorded_losses(dones, needed)
    if case.engine == "scripted":
        problems += differing_rows(reference.tables, _tables(trial, last), case.may_lose)
    else:
        problems += differing_prompts(reference.prompts, prompts_of(store, after), PROMPTS_WITHOUT_MODEL_TEXT)
    endpoint = ["--endpoint-url", trial.server.endpoint_url] if trial.server else []
    verified = factory_here("verify", last.result["dataset"], *endpoint)
    if verified.code != 0:
        problems.append(f"factory verify ended with {verified.code}:\n{verified.stderr[-2000:]}")
    return problems


def _tables(trial: Trial, last: Finished) -> Mapping[str, Any]:
    copy = trial.folder / "dataset"
    download(trial.store, key_of(trial.store, last.result["dataset"]), copy)
    return dataset_rows(str(copy))


def _dones(trial: Trial, run: str) -> list[dict[str, Any]]:
    """The done records of the run's LLM steps and of all others."""
    infos = list(trial.store.list(f"runs/{run}/"))
    return [dict(read_mapping(trial.store, info.key)) for info in infos if info.key.endswith(".done.json")]
