"""Every metric that a run exports: name, kind, labels, meaning. Endpoint, documentation, dashboard and tests share it.

Design: a label has a value out of a closed set, or one that is bounded here. Units, rows, prompts and hosts are never
labels. `run` has one value a process, `step` some thirty (factory/run/words.py), `model` one a role, `reason` at most
`REASONS_AT_MOST` a step and side (what comes beyond counts as `other`), `replica` at most `REPLICAS_AT_MOST`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REASONS_AT_MOST = 100
"""Reasons of rejects are words of the code, a few dozen; a domain pack of somebody else may make more of them."""

REPLICAS_AT_MOST = 64
"""Engine replicas that are looked into from the driver. Ray's own agents are for larger clusters."""

OTHER = "other"

UNIT_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
"""Upper bounds of the histogram of units: from an empty scripted unit to the deadline of an attempt."""

ROW_KINDS = ("inputs", "used", "rejected", "quarantined", "accepted", "output_rejected")
TOKEN_KINDS = ("prompt", "cached", "generated")
OUTCOMES = ("committed", "beaten", "found", "late")
STATES = ("running", "finished", "failed", "interrupted")
STARTS = ("first", "replacement")
RETRIES = ("engine", "store")

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """`name` as it is exported; a histogram has `_bucket`, `_sum` and `_count` behind it. A counter counts what this
    execution of the run did."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str


RUN_INFO = Metric(
    "factory_run_info", "gauge", ("run", "dataset", "domain", "engine", "version"), "1; what the run is, for joins"
)
RUN_STATE = Metric(
    "factory_run_state", "gauge", ("run", "state"), f"1 for the state the run is in, else 0: {', '.join(STATES)}"
)
RUN_STARTED = Metric(
    "factory_run_started_timestamp_seconds", "gauge", ("run",), "when this execution began, seconds since the epoch"
)
LAST_COMMIT = Metric(
    "factory_last_commit_timestamp_seconds",
    "gauge",
    ("run",),
    "when the driver last heard of a commit, or this execution began",
)
STEP_ACTIVE = Metric("factory_step_active", "gauge", ("run", "step"), "1 while the step is worked, else 0")
ROWS = Metric(
    "factory_rows_total", "counter", ("run", "step", "kind"), f"rows of committed units: {', '.join(ROW_KINDS)}"
)
REJECTS = Metric(
    "factory_rejects_total",
    "counter",
    ("run", "step", "side", "reason"),
    "rows turned away, by reason; side: input, output, quarantine",
)
REQUESTS = Metric(
    "factory_requests_total", "counter", ("run", "step", "model"), "LLM calls of attempts that ended, too late ones too"
)
TOKENS = Metric(
    "factory_tokens_total",
    "counter",
    ("run", "step", "model", "kind"),
    f"tokens of these calls: {', '.join(TOKEN_KINDS)} (cached ones are among the prompt's)",
)
COMMITS = Metric(
    "factory_commits_total",
    "counter",
    ("run", "step"),
    "units committed since they were planned, by whomever",
)
ATTEMPTS = Metric(
    "factory_attempts_total",
    "counter",
    ("run", "step", "outcome"),
    "attempts that ended: committed; beaten by another attempt; found committed before they began; too late to commit",
)
RETRIED = Metric(
    "factory_retries_total",
    "counter",
    ("run", "step", "kind"),
    "calls made again: of a model server (engine), of the store (store; the driver's own have the step `driver`)",
)
PHASE_SECONDS = Metric(
    "factory_phase_seconds_total",
    "counter",
    ("run", "step", "phase"),
    "seconds of units by phase, added over workers: read, wait, generate, parse, work, commit",
)
UNIT_TIME = Metric(
    "factory_unit_seconds", "histogram", ("run", "step"), "seconds from taking a unit to its commit, in its worker"
)
UNITS = Metric(
    "factory_units",
    "gauge",
    ("run", "step", "state"),
    "units of the step: planned; committed, by whomever; reused, committed before this execution",
)
COMMITTED_ROWS = Metric(
    "factory_committed_rows",
    "gauge",
    ("run", "step", "kind"),
    "rows of all committed units of the plan, also of earlier executions",
)
COMMITTED_TOKENS = Metric(
    "factory_committed_tokens", "gauge", ("run", "step", "kind"), "tokens of all committed units of the plan"
)
LOST_ATTEMPTS = Metric(
    "factory_lost_attempts",
    "gauge",
    ("run", "step"),
    "attempts that began and never became a commit, known when the step ends",
)
ENGINE_STARTS = Metric(
    "factory_engine_starts_total", "counter", ("run", "model", "kind"), f"engine starts: {', '.join(STARTS)}"
)
ENGINE_START_SECONDS = Metric(
    "factory_engine_start_seconds_total", "counter", ("run", "model"), "seconds engines took to start"
)
ENGINE_SECONDS = Metric(
    "factory_engine_seconds_total",
    "counter",
    ("run", "step", "model", "kind"),
    "seconds of engine replicas as the ledger has them: busy with requests; idle",
)
ENGINE_REPLICAS = Metric(
    "factory_engine_replicas",
    "gauge",
    ("run", "model", "state"),
    "engine replicas: configured; answering when last looked at",
)
OPEN_REQUESTS = Metric(
    "factory_engine_open_requests",
    "gauge",
    ("run", "model", "replica"),
    "requests in an engine, running or queued there, when last looked at",
)
OPEN_BATCHES = Metric(
    "factory_engine_open_batches",
    "gauge",
    ("run", "model", "replica"),
    "batches in an engine: units in flight of LLM steps, when last looked at",
)
SPENT = Metric(
    "factory_spent",
    "gauge",
    ("run", "step", "currency"),
    "what this execution has paid by `prices`, ended attempts only; absent where nothing that was used has a price",
)
UNPRICED = Metric(
    "factory_unpriced", "gauge", ("run", "step"), "1 where something used has no price, so that factory_spent is short"
)

METRICS: tuple[Metric, ...] = (
    *(RUN_INFO, RUN_STATE, RUN_STARTED, LAST_COMMIT, STEP_ACTIVE),
    *(ROWS, REJECTS, REQUESTS, TOKENS, COMMITS, ATTEMPTS, RETRIED, PHASE_SECONDS, UNIT_TIME),
    *(UNITS, COMMITTED_ROWS, COMMITTED_TOKENS, LOST_ATTEMPTS),
    *(ENGINE_STARTS, ENGINE_START_SECONDS, ENGINE_SECONDS, ENGINE_REPLICAS, OPEN_REQUESTS, OPEN_BATCHES),
    *(SPENT, UNPRICED),
)

RAY_METRICS: tuple[Metric, ...] = (
    Metric(
        "ray_factory_units_in_flight",
        "gauge",
        ("run", "step"),
        "observe.ray_metrics: 1 in a worker process that has a unit, on the endpoints of Ray's agents; sum it",
    ),
)


def table() -> str:
    """The metrics as docs/observability.md has them."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.meaning} |"
        for metric in (*METRICS, *RAY_METRICS)
    ]
    return "\n".join(("| metric | kind | labels | meaning |", "|---|---|---|---|", *rows))


if __name__ == "__main__":
    print(table())
