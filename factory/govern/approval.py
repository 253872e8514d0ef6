"""Approving a dataset, and taking an approval back: what must hold first, and the record that says so.

Design: everything that stands in the way is found and told together, so that nobody has to try five times. The record
names the hash of the manifest, and of every evaluation that a threshold was held against, so that an approval can be
proven to be of these bytes and these figures; the files are held against the manifest first. Who may approve stands in
the manifest, which nobody can change afterwards. A name is as good as the store's own access control; signatures
(signature.py) prove who it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from factory.errors import ConfigError, GateError
from factory.govern.demands import demands_of, failed_gates, may_not
from factory.govern.erasure.records import require_finished
from factory.govern.facts import Facts
from factory.govern.figures import Evaluated, Held, held, read_evaluations
from factory.govern.records import Record, append, read_records, signoff_prefix
from factory.govern.resting import withdrawn_rows
from factory.govern.state import State, folded
from factory.publish.intact import Data, faults_of_files
from factory.store.base import Store


@dataclass(frozen=True)
class Examined:
    """What was found about a dataset that somebody is to approve. `obstacles` is empty where nothing stands in the way;
    `warnings` are gates that only warn and did not pass."""

    state: State
    thresholds: tuple[Held, ...]
    evaluations: tuple[Evaluated, ...]
    obstacles: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Approver:
    """`conditions` are in words: what whoever uses the dataset has to keep to."""

    name: str
    role: str = ""
    note: str = ""
    conditions: tuple[str, ...] = ()
    review_board: str | None = None


def examine(root: Store, facts: Facts, by: str, data: Data | None = None) -> Examined:
    """What stands in the way of an approval by `by`; `data` None: the dataset lies below `root`. Raises StoreError
    where records or evaluations are damaged, ConfigError where an erasure of the root is not finished."""
    require_finished(root)
    data = data or Data(root, facts.prefix)
    demands = demands_of(facts)
    state = _state(root, facts)
    evaluations = read_evaluations(root, facts.name, facts.version, facts.digest)
    thresholds = held(facts.governance.thresholds, evaluations)
    damage = [f"{each}: `factory verify` says more" for each in _damage(facts, data)]
    obstacles = [
        *may_not(demands, by),
        *failed_gates(demands, "error"),
        *(f"the threshold of {each.group} {each.outcome.in_words} does not hold" for each in thresholds
          if not each.outcome.holds),
        *([f"it is {state.line}"] if state.name == "withdrawn" else []),
        *(damage or _withdrawn_rows(root, facts, data)),
    ]  # fmt: skip
    warnings = tuple(failed_gates(demands, "warn"))
    return Examined(state, tuple(thresholds), tuple(evaluations), tuple(obstacles), warnings)


def approve(root: Store, facts: Facts, approver: Approver, data: Data | None = None) -> tuple[Record, Examined]:
    """The record of the approval; `data` as of `examine`. Raises GateError naming everything that stands in its way."""
    found = examine(root, facts, approver.name, data)
    if found.obstacles:
        raise GateError(
            f"{facts.name}@{facts.version} cannot be approved:\n"
            + "\n".join(f"  - {each}" for each in found.obstacles),
            cause="governance.* of the run says what must hold, and its manifest keeps it",
            remedy="measure what is not measured (python -m jobs.evaluate), publish a version that holds, or let "
            "somebody approve who may; docs/approval.md",
        )
    used = {each.evaluation for each in found.thresholds if each.evaluation}
    evidence = {
        "manifest_digest": facts.digest,
        "rows": facts.rows,
        "gates": {gate.name: gate.passed for gate in facts.gates if gate.threshold is not None},
        "gates_that_warn": list(found.warnings),
        "thresholds": [{"group": each.group, **asdict(each.outcome)} for each in found.thresholds],
        "evaluations": {each.key: each.sha256 for each in found.evaluations if each.key in used},
        "review_board": approver.review_board or facts.governance.review_board,
        "conditions": list(approver.conditions),
    }
    record = Record("approval", facts.manifest.sha256, approver.name, approver.role, approver.note, evidence=evidence)
    return append(root, signoff_prefix(facts.name, facts.version), record), found


def revoke(root: Store, facts: Facts, approver: Approver) -> Record:
    """The record that takes the approval back: the dataset is a draft again. Raises ConfigError where none stands, or
    by somebody who may not approve."""
    state = _state(root, facts)
    if state.name != "approved":
        raise ConfigError(
            f"there is no approval of {facts.name}@{facts.version} to take back: it is {state.line}",
            remedy="`factory status ROOT` lists the state of every dataset",
        )
    refused = list(may_not(demands_of(facts), approver.name))
    if refused:
        raise ConfigError(refused[0], remedy="whoever may approve may take an approval back")
    record = Record("revocation", facts.manifest.sha256, approver.name, approver.role, approver.note)
    return append(root, signoff_prefix(facts.name, facts.version), record)


def _state(root: Store, facts: Facts) -> State:
    records = read_records(root, signoff_prefix(facts.name, facts.version))
    return folded(records, facts.manifest.sha256, demands_of(facts))


def _damage(facts: Facts, data: Data) -> list[str]:
    return faults_of_files(data, ((file.path, file.bytes, file.sha256) for file in facts.files))


def _withdrawn_rows(root: Store, facts: Facts, data: Data) -> Sequence[str]:
    rows = withdrawn_rows(root, data.store, [data.key(path) for split in facts.splits for path in split.files])
    return [f"{number:,} of its rows rest on document {doc_id}, which is withdrawn" for doc_id, number in rows.items()]
