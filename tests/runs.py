"""Real runs for tests: the command a user types, in a process of its own.

`run_factory`, `train_selector` and `factory_cli` share what all of them start with (resident.py); `alone=True` does
without, and so does whoever starts `command` by himself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from tests.resident import REPOSITORY, resident

SMALL = (
    "preset=demo",
    "engine=scripted",
    "limit=null",
    "corpus=files",
    "select.max_characters=null",
    "select.unit_rows=8",
    "curate.unit_rows=16",
    "question.levels=[1,2]",
    "gate.min_samples=1",
    "cluster.object_store_mib=100",
    "engine.units_in_flight=2",
)
"""Overrides for a scripted run over a small corpus, in units small enough that there are many. A unit in flight is a
process that imports what we import; two of them keep a scripted engine busy."""


@dataclass(frozen=True)
class Finished:
    code: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The closing JSON object of stdout."""
        last: dict[str, Any] = json.loads(self.stdout.strip().splitlines()[-1])
        return last


def command(corpus: Path, root: str, extra: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-m", "jobs.run", *_overrides(SMALL, corpus, root, extra)]


def _overrides(common: Sequence[str], corpus: Path, root: str, extra: Sequence[str]) -> list[str]:
    """A key given twice is refused, so what a test says itself replaces what all say."""
    items = (*common, f"corpus.paths=[{corpus}]", f"store.root={root}", *extra)
    return list({item.partition("=")[0]: item for item in items}.values())


def environment() -> dict[str, str]:
    return {"RAY_AUTH_MODE": "disabled", **os.environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONUNBUFFERED": "1"}


def run_factory(
    corpus: Path,
    root: str,
    extra: Sequence[str] = (),
    check: bool = True,
    alone: bool = False,
    ray: bool = False,
    variables: Mapping[str, str] | None = None,
) -> Finished:
    """A run to its end, in worker processes; `ray`: in the Ray that this process's tests share, `alone`: in one of its
    own. `variables` are added to its environment, and not to that of a Ray it joins.

    What a unit does is the same code under each, and most tests are about that; where the tests that stay with Ray are
    not enough, the fault suite tries every case with both.
    """
    return _finished("factory.run.command", command(corpus, root, extra), check, alone, ray, variables)


def _finished(
    module: str,
    typed: Sequence[str],
    check: bool,
    alone: bool,
    ray: bool,
    variables: Mapping[str, str] | None = None,
) -> Finished:
    """`typed` is the command line, `module` whose `main` it comes to."""
    if alone:
        finished = run_module(*typed[2:], variables=variables)
    else:
        shared = resident(environment())
        chosen = [f"cluster.address={shared.join()}"] if ray else ["cluster.executor=processes"]
        said = any(item.startswith(("cluster.address=", "cluster.executor=", "cluster=")) for item in typed)
        finished = Finished(*shared.run(module, [*typed[3:], *([] if said else chosen)], LONGEST_S, variables))
    assert not check or finished.code == 0, finished.stderr[-4000:]
    return finished


def run_module(module: str, *arguments: str, variables: Mapping[str, str] | None = None) -> Finished:
    """`python -m module …` in a process of its own; `variables` are added to its environment."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=environment() | dict(variables or {}),
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


LONGEST_S = 500
"""Less than pytest gives a test, so that what was said until then is seen."""


def factory_cli(*arguments: str) -> Finished:
    return Finished(*resident(environment()).run("factory.cli.main", arguments, 300))


def dataset_rows(dataset: str) -> dict[str, pa.Table]:
    """Split -> rows in the order of the shards, for a dataset in a local folder."""
    shards: dict[str, list[pa.Table]] = {}
    for path in sorted(Path(dataset, "data").glob("*.parquet")):
        shards.setdefault(path.name.split("-")[0], []).append(pq.read_table(path).replace_schema_metadata(None))
    return {split: pa.concat_tables(tables) for split, tables in shards.items()}


def done_of(root: Path, run: str, step: str) -> dict[str, Any]:
    done: dict[str, Any] = json.loads((root / "runs" / run / f"{step}.done.json").read_text())
    return done


def end_of_ray(processes: Sequence[psutil.Process]) -> None:
    """Waits until the workers of a killed driver have left (2-5 s): until then a unit in flight may commit.

    Ray's agents take a minute to notice and do no work of ours; they are ended here.
    """
    agents, workers = [], []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            (agents if "Agent" in "".join(process.cmdline()[:1]) else workers).append(process)
    _, left = psutil.wait_procs(workers, timeout=60)
    for process in [*agents, *left]:
        with contextlib.suppress(psutil.Error):
            process.kill()


LLM_STEPS = ("extract", "question_1", "question_2", "question_3", "answer")


def requests_spent(root: Path, run: str) -> int:
    """Requests the last execution of a run itself made, from the ledger."""
    steps = json.loads((root / "runs" / f"{run}.json").read_text())["steps"]
    return sum(int(done_of(root, run, step)["spent_now"].get("requests", 0)) for step in LLM_STEPS if step in steps)


SMALL_TRAINING = (
    "domain=maths",
    "engine=scripted",
    "corpus=files",
    "training.documents=40",
    "training.negatives=40",
    "training.sample=50",
    "training.write.unit_rows=8",
    "training.write.min_characters=50",
    "training.rate.unit_rows=8",
    "cluster.object_store_mib=100",
    "engine.units_in_flight=2",
)
"""Overrides for a scripted training job over some hundred documents: written texts are short there."""


def training_command(corpus: Path, root: str, extra: Sequence[str] = ()) -> list[str]:
    return [sys.executable, "-m", "jobs.train_selector", *_overrides(SMALL_TRAINING, corpus, root, extra)]


def train_selector(
    corpus: Path, root: str, extra: Sequence[str] = (), check: bool = True, alone: bool = False
) -> Finished:
    """A training job to its end, in the Ray that tests share or, `alone`, in its own."""
    return _finished("factory.select.training.command", training_command(corpus, root, extra), check, alone, ray=True)
