"""Input shards that are deleted or changed while a run goes on; a run killed in the middle of its rounds of walks."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from tests.corpora import row_of, write_shard
from tests.faults.case import Case
from tests.faults.outcome import Outcome
from tests.faults.trial import HangError, Trial

SHARDS = ("shard-000.parquet", "shard-001.jsonl.gz", "shard-002.jsonl.zst")
"""What tests.corpora writes: kinds of files in turn."""

CORPUS_ERROR_CODE = 3

PLANNED_S = 120.0


def shard_deleted(trial: Trial) -> None:
    """A shard is deleted once it is planned, before it is read: the run names it. It is put back."""
    process = trial.start()
    _wait_for_plan(trial)
    shard = trial.corpus / trial.rng.choice(SHARDS)
    aside = trial.folder / shard.name
    shutil.copy2(shard, aside)
    shard.unlink()
    trial.note()
    finished = trial.finish(process)
    assert finished.code == CORPUS_ERROR_CODE, f"exit code {finished.code}:\n{finished.stderr[-3000:]}"
    _named(shard, finished.stderr)
    shutil.copy2(aside, shard)


def shard_changed(trial: Trial) -> None:
    """A shard is replaced once it is planned, before it is read: the run names it, and given again works the new."""
    shard = trial.corpus / trial.rng.choice(SHARDS)
    published = trial.folder / shard.name
    shutil.copy2(shard, published)
    _other_rows(shard)
    process = trial.start()
    _wait_for_plan(trial)
    shutil.copy2(published, shard)
    trial.note()
    finished = trial.finish(process)
    assert finished.code == CORPUS_ERROR_CODE, f"exit code {finished.code}:\n{finished.stderr[-3000:]}"
    _named(shard, finished.stderr)


def shard_changed_later(trial: Trial) -> None:
    """A shard is replaced when it has been read: the run ends with what it read, and given again works the new."""
    shard = trial.corpus / trial.rng.choice(SHARDS)
    published = trial.folder / shard.name
    shutil.copy2(shard, published)
    _other_rows(shard)
    process = trial.start()
    trial.moment()
    shutil.copy2(published, shard)
    finished = trial.finish(process)
    assert finished.code == 0, finished.stderr[-3000:]
    again = trial.rerun()
    assert again.code == 0, again.stderr[-3000:]
    assert not again.result["already_finished"], "the changed shard was not noticed"
    assert again.result["dataset"] != finished.result["dataset"], "both corpora are one dataset"


def one_range_more(trial: Trial, outcome: Outcome) -> None:
    """The changed shard is a unit of its own: what was read of the others was not read again."""
    (select,) = {folder for folder, _ in outcome.after.commits if folder.startswith("select-")}
    read = sum(folder == select for folder, _ in outcome.after.commits)
    assert read == trial.reference.units["select"] + 1, f"{read} ranges were read"


def killed_in_a_round(trial: Trial) -> None:
    """SIGKILL to the driver in the second round of walks that `target_samples` asks for."""
    process = trial.start()
    until = time.monotonic() + PLANNED_S
    while len(rounds_of(trial.local)) < 2:
        if process.poll() is not None or time.monotonic() > until:
            raise HangError(f"there was no second round:\n{trial.execution(process).stderr[-3000:]}")
        time.sleep(0.05)
    time.sleep(trial.rng.uniform(0, 3))
    trial.note()
    trial.kill(wait=False)


def same_rounds(trial: Trial, _outcome: Outcome) -> None:
    assert rounds_of(trial.local) == rounds_of(trial.reference.folder / "root")


def rounds_of(root: Path) -> list[int]:
    """Where the rounds of the root's one run end, in walks."""
    found = list(root.glob("runs/*.json"))
    return [item["walks"] for item in json.loads(found[0].read_text()).get("rounds", [])] if found else []


def _wait_for_plan(trial: Trial) -> None:
    """Until the plan of `select` is written: the workers, which read the files, take seconds more to start."""
    until = time.monotonic() + PLANNED_S
    while not list(trial.local.glob("runs/*/select.plan.json")):
        if trial.executions[-1].process.poll() is not None or time.monotonic() > until:
            raise HangError(f"the run planned nothing:\n{trial.executions[-1].stderr[-3000:]}")
        time.sleep(0.02)


def _other_rows(shard: Path) -> None:
    """The same kind of file with other documents: of twice as many rows, so that its size differs too."""
    kind, number = SHARDS.index(shard.name), 1_000
    shard.unlink()
    write_shard(shard.with_name(shard.name.split(".")[0]), [row_of(number + row) for row in range(16)], kind)


def _named(shard: Path, said: str) -> None:
    assert shard.name in said, f"the error does not name {shard.name}:\n{said[-2000:]}"
    assert "what to do:" in said, said[-2000:]
    assert "Traceback" not in said, said[-3000:]


ROUNDS = (
    "question.levels=[1,2,3]",
    "question.level_3_questions=2",
    "walk.block_walks=64",
    "walk.epochs=40",
    "pair.unit_rows=8",
    "target_samples=600",
)

CASES = (
    Case("shard deleted after planning", shard_deleted, own_corpus=True),
    Case("shard changed after planning", shard_changed, own_corpus=True),
    Case("shard changed after reading", shard_changed_later, own_corpus=True, check=one_range_more),
    Case("driver killed in a round of walks", killed_in_a_round, settings=ROUNDS, documents=48, check=same_rounds),
)
