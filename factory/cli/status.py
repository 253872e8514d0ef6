"""`factory status ROOT`: how far each run is, while it works or afterwards, and the state of every dataset, read
from the store alone.

Design: finished steps answer from their `done` record; the running one is counted from its plan and one
listing of commits, so a watcher costs the run nothing and needs no connection to it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from factory.cost.money import read_prices
from factory.cost.told import run_costs
from factory.errors import ConfigError, FactoryError, StoreError
from factory.run.diagnosis import is_alive
from factory.run.record import Record, finished_steps, plan_key, record_key, run_ids
from factory.store.base import AbsentObjectError, Store
from factory.store.commits import committed_units
from factory.store.lease import holder_of
from factory.store.objects import read_mapping


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "status",
        help="how far the runs under a root are, and which datasets are approved",
        description="Reads the store only; works while a run is going, after it, and from any machine.",
    )
    parser.add_argument("root", metavar="ROOT", help="folder or s3://bucket/prefix given to the run as store.root")
    parser.add_argument("--run", dest="run_id", help="only this run id")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--follow", action="store_true", help="print again every 5 seconds until every run has ended")
    parser.add_argument("--prices", metavar="FILE", help="prices instead of those the runs were given (docs/cost.md)")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from factory.store.open import open_root

    store = open_root(args.root, endpoint_url=args.endpoint_url)
    prices = read_prices(args.prices) if args.prices else None
    while True:
        records, damaged, nothing = _records(store, args.run_id)
        finished = [finished_steps(store, record) for record in records]
        runs = [run_status(store, record, dones) for record, dones in zip(records, finished, strict=True)]
        costs = [run_costs(store, record, dones, prices) for record, dones in zip(records, finished, strict=True)]
        datasets = dataset_states(store) if args.run_id is None else []
        erasures = unfinished_erasures(store) if args.run_id is None else []
        if nothing is not None and not datasets and not erasures:
            raise nothing
        if args.json:
            told = [status | {"cost": cost.to_json()} for status, cost in zip(runs, costs, strict=True)]
            whole = {"root": store.uri, "runs": told, "datasets": datasets, "unfinished_erasures": erasures}
            print(json.dumps(whole))
        else:
            tables = [_table(status, cost.lines()) for status, cost in zip(runs, costs, strict=True)]
            if told_of := [*tables, *_datasets(datasets), *_erasures(erasures)]:
                print("\n\n".join(told_of))
        if damaged:
            raise damaged[0]  # after the runs that can be told about
        if not args.follow or all(status["state"] != "running" for status in runs):
            return 0
        time.sleep(FOLLOW_INTERVAL_S)


FOLLOW_INTERVAL_S = 5.0


def _records(store: Store, run_id: str | None) -> tuple[list[Record], Sequence[FactoryError], ConfigError | None]:
    """As `all_records`, and what it says where there is none: a root of mixes alone has datasets to tell of, and
    damaged is one where runs left everything but their records."""
    try:
        return *all_records(store, run_id), None
    except ConfigError as error:
        if run_id is not None or next(iter(store.list("runs/")), None) is None:
            return [], [], error
        lost = ConfigError(
            f"there is no run under {store.uri} that has a record",
            cause="records were removed, or only a part of the root was copied here",
            remedy=f"`factory doctor {store.uri}` says which; a run's command given again writes its record anew",
        )
        return [], [lost], error


def recorded(store: Store, run_id: str | None = None) -> list[Record]:
    """The records of every run under a root, oldest first, or of the one named.

    Raises ConfigError where there is none, StoreError where one is damaged."""
    records, damaged = all_records(store, run_id)
    if damaged:
        raise damaged[0]
    return records


def all_records(store: Store, run_id: str | None = None) -> tuple[list[Record], list[StoreError]]:
    """The records that can be read, oldest first, and what is wrong with the others.

    Raises ConfigError where there is no record at all."""
    wanted = [run for run in run_ids(store) if run_id is None or run == run_id]
    if not wanted:
        raise ConfigError(
            f"there is no run {run_id} under {store.uri}" if run_id else f"there is no run under {store.uri}",
            cause="a mistyped root or run id, or nothing has been run there yet",
            remedy="give the folder or s3:// address that the run had as store.root",
        )
    records, damaged = [], []
    for run in wanted:
        try:
            records.append(read_mapping(store, record_key(run), ("run", "state", "started", "steps")))
        except StoreError as error:
            damaged.append(error)
    return sorted(records, key=lambda record: str(record["started"])), damaged


def run_status(store: Store, record: Record, dones: Mapping[str, Record]) -> dict[str, Any]:
    """State of a run and of each of its steps: units done and planned, rows in and accepted, tokens.

    A run whose record says `running` and that gave no sign of life is `stopped`: it was killed."""
    steps = [
        _step_done(name, dones[name]) if name in dones else _step_working(store, record["run"], name, folder)
        for name, folder in record["steps"].items()
    ]
    found = holder_of(store, f"run-{record['run']}") if record["state"] == "running" else None
    lives = record["state"] == "running" and is_alive(store, record["run"])
    return {
        "run": record["run"],
        "state": "stopped" if record["state"] == "running" and not lives else record["state"],
        "worked_by": str(found[0]) if found is not None else None,
        "seconds_since_sign_of_life": round(found[1], 1) if found is not None else None,
        "started": record["started"],
        "finished": record.get("finished"),
        "error": record.get("error"),
        "dataset": record.get("dataset"),
        "target_samples": record.get("config", {}).get("target_samples"),
        "rounds": record.get("rounds", []),
        "target_met": (record.get("target") or {}).get("met"),
        "steps": steps,
    }


def _step_done(name: str, done: Record) -> dict[str, Any]:
    return {
        "step": name,
        "state": "done",
        "units": done["units"],
        "units_done": done["units"],
        "rows_in": done["counts"]["inputs"],
        "accepted": done["counts"]["accepted"],
        "generated_tokens": done["ledger"].get("generated_tokens", 0),
        "seconds": round(done["wall_seconds"], 1),
    }


def _step_working(store: Store, run: str, name: str, folder: str) -> dict[str, Any]:
    try:
        planned = set(read_mapping(store, plan_key(run, name), ("units",))["units"])
    except AbsentObjectError:
        planned = set()
    committed = planned & committed_units(store, folder)
    return {"step": name, "state": "working", "units": len(planned), "units_done": len(committed)}


def _table(status: dict[str, Any], costs: Sequence[str] = ()) -> str:
    head = f"run {status['run']}  {status['state']}  started {status['started']}"
    if status["finished"]:
        head += f"  ended {status['finished']}"
    if status["state"] == "running":
        head += f"  last sign of life {status['seconds_since_sign_of_life']:.0f} s ago"
    lines = [
        head,
        f"  {'step':<17}{'state':<9}{'units':>11}{'rows in':>12}{'accepted':>12}{'tokens out':>13}{'seconds':>10}",
    ]
    for step in status["steps"]:
        units = f"{step['units_done']}/{step['units']}"
        lines.append(
            f"  {step['step']:<17}{step['state']:<9}{units:>11}{_number(step.get('rows_in')):>12}"
            f"{_number(step.get('accepted')):>12}{_number(step.get('generated_tokens')):>13}"
            f"{step.get('seconds', ''):>10}"
        )
    if status["target_samples"] is not None:
        lines += [f"  {line}" for line in round_lines(status["target_samples"], status["rounds"])]
        if status["target_met"] is False:
            lines.append("    not met: no walks are left")
    lines += [f"  {line}" for line in costs]
    if status["state"] == "stopped":
        lines.append("  killed: it gives no sign of life; the same command goes on where it stopped")
    if status["error"]:
        lines.append(f"  stopped by: {status['error']}")
    if status["dataset"]:
        lines.append(f"  dataset: {status['dataset']}")
    return "\n".join(lines)


def dataset_states(store: Store) -> list[dict[str, Any]]:
    """Every dataset and mix below a root, and whether it is a draft, approved or withdrawn; what is damaged is told
    as `unreadable`."""
    from factory.govern.resting import without_looking
    from factory.govern.state import datasets_below, read_dataset, state_of
    from factory.govern.withdrawals import withdrawn_documents

    told = []
    withdrawn: frozenset[str] | StoreError
    try:
        withdrawn = frozenset(withdrawn_documents(store))
    except StoreError as error:
        withdrawn = error
    for name, version in datasets_below(store):
        entry: dict[str, Any] = {"dataset": name, "version": version}
        try:
            if isinstance(withdrawn, StoreError):
                raise withdrawn
            dataset = read_dataset(store, name, version)
            entry |= {"kind": "mix" if dataset.mix else "dataset", "rows": dataset.rows, "license": dataset.license}
            entry |= without_looking(dataset, state_of(store, dataset), withdrawn).to_json()
        except StoreError as error:
            entry |= {"state": "unreadable", "why": f"unreadable: {error.what}"}
        told.append(entry)
    return told


def unfinished_erasures(store: Store) -> list[dict[str, Any]]:
    """Erasures and retentions that were begun below a root and are not finished: files of it may be half switched."""
    from factory.govern.erasure.records import unfinished

    return [{"erasure": each.erasure, "kind": each.kind, "at": each.at, "by": each.by} for each in unfinished(store)]


def _erasures(erasures: Sequence[Mapping[str, Any]]) -> list[str]:
    from factory.printable import one_line

    lines = [
        one_line(f"{each['kind']} {each['erasure']}, begun at {each['at']} by {each['by']}, is not finished")
        + ": it is at work, or was killed and its command has to be given again; runs, approvals and signatures wait"
        for each in erasures
    ]
    return ["\n".join(lines)] if lines else []


def _datasets(datasets: Sequence[Mapping[str, Any]]) -> list[str]:
    from factory.printable import one_line

    if not datasets:
        return []
    lines = [
        f"  {each['dataset']}@{each['version']}  {each.get('kind', '')}  {_number(each.get('rows'))} rows  "
        f"{one_line(each['why'])}"
        for each in datasets
    ]
    return ["\n".join(["datasets", *lines])]


def round_lines(target: int, rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    """What rounds of walks brought towards `target` accepted samples; a round that is going on has no samples yet."""
    lines = [f"target: {target:,} accepted samples (target_samples)"]
    for number, each in enumerate(rounds, 1):
        samples = each.get("samples")
        brought = "not ended" if samples is None else f"{samples:,} samples in all"
        lines.append(f"  round {number}: walks up to {each['walks']:,}, {brought}")
    return lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"
