"""What a case of the fault suite is: one fault, how it is brought about, and what the run is given.

Design: a case is data. Its `disturb` starts the run through the trial (tests/faults/trial.py), waits for the seeded
moment and injects; everything that is the same for all (the undisturbed reference, re-running the same command, the
comparison, the counting) is done by run_case.py. Cases live in tests/faults/cases_<kind>.py, each with a tuple CASES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.corpora import write_corpus

if TYPE_CHECKING:
    from tests.faults.outcome import Outcome
    from tests.faults.trial import Trial

REQUESTS_IN_FLIGHT = 16
"""Bound of requests begun and not committed in any fault run: two units of at most eight."""

UNITS_IN_FLIGHT = 2

LATENCY_S = 0.3
"""Of a batch of the scripted engine: long enough that a moment finds units at the engine, short enough that a run
takes no more than a few seconds of it."""

COMMON = ("select.unit_rows=4", "curate.unit_rows=8", f"engine.units_in_flight={UNITS_IN_FLIGHT}")
"""Beyond tests.runs.SMALL: small units, so that there are many, and no more in flight than is promised."""

SCRIPTED = (*COMMON, f"engine.scripted_latency_s={LATENCY_S}")

VLLM = (
    *COMMON,
    "engine=vllm",
    "engine.max_num_seqs=16",
    "engine.kv_cache_gib=1",
    "question.level_1_questions=1",
    "extract.sampling.max_tokens=64",
    "question.sampling.max_tokens=48",
    "answer.sampling.max_tokens=32",
)
"""SmolLM2-135M on the cores there are, short outputs. It writes few questions: `documents` should not be below 12."""

Row = Mapping[str, Any]

Executor = Literal["processes", "ray"]

BOTH: tuple[Executor, ...] = ("processes", "ray")
RAY_ALONE: tuple[Executor, ...] = ("ray",)
"""Of faults that befall Ray itself."""

WITHOUT_RAY = ("cluster=indexed",)
"""Overrides of a run in worker processes of its own (docs/kubernetes.md)."""


def plain_corpus(folder: Path, documents: int) -> None:
    """Three shards, in three formats."""
    write_corpus(folder, documents)


@dataclass(frozen=True)
class Case:
    """`name`: words as they stand in the table, such as "driver killed".

    `settings` are overrides beyond COMMON for the disturbed run and for its reference, which is made once for each
    (engine, store, settings, corpus, documents) and shared by cases and seeds; `disturbing` are overrides of the
    disturbed run and its re-runs alone, for example `+engine.extra.die_on=…`: keys of engine, cluster and store, which
    are not part of a run's id. `executors` take turns, seed by seed. `own_corpus`: the case changes its corpus, which
    it shares with no other; `alone`: no other trial may run beside it. `may_lose` says of a published row of the
    reference whether the fault is allowed to take it (its document is quarantined, with evidence). `check` looks at
    what is special to the case, and raises AssertionError.
    """

    name: str
    disturb: Callable[[Trial], None]
    store: Literal["folder", "s3"] = "folder"
    engine: Literal["scripted", "vllm"] = "scripted"
    settings: tuple[str, ...] = ()
    disturbing: tuple[str, ...] = ()
    documents: int = 24
    corpus: Callable[[Path, int], None] = plain_corpus
    executors: tuple[Executor, ...] = BOTH
    own_corpus: bool = False
    alone: bool = False
    quick: bool = False
    may_lose: Callable[[Row], bool] | None = None
    check: Callable[[Trial, Outcome], None] | None = None
    told: str = ""
    """What is done to the run, as the table in docs/reliability.md says it; by default the first line of `disturb`."""
    needs: Callable[[], str | None] | None = None
    """Why the case cannot be tried on this machine, and what to install; None where it can."""

    @property
    def slug(self) -> str:
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def executor(self, seed: int) -> Executor:
        return self.executors[seed % len(self.executors)]

    @property
    def overrides(self) -> tuple[str, ...]:
        """Of the reference run."""
        return (*(VLLM if self.engine == "vllm" else SCRIPTED), *self.settings)
