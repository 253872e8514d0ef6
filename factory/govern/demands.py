"""What a sealed manifest demands of an approval, and how a record of one contradicts it.

Design: asked twice, by whoever approves (approval.py) and by everybody who reads the record (state.py): a record that
was written around `factory approve` opens nothing that it would have refused. The manifest is the measure, because its
digest is over it and signatures are over its hash. Cost: nothing is read but what the reader has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from factory.conditions import outcome, parse_condition
from factory.errors import ConfigError
from factory.govern.config import GovernanceConfig
from factory.govern.facts import Facts, Gate, gate_of
from factory.govern.records import Record
from factory.section import checked

GROUPS = ("utility", "bias", "privacy")


@dataclass(frozen=True)
class Demands:
    """`approvers` empty: whoever can write the root; `unreadable` says why nothing can be held against the manifest, ""
    where it can."""

    governance: GovernanceConfig = field(default_factory=GovernanceConfig)
    gates: tuple[Gate, ...] = ()
    digest: str = ""
    unreadable: str = ""


def demands_of(facts: Facts) -> Demands:
    return Demands(facts.governance, facts.gates, facts.digest)


def demands_in(manifest: Mapping[str, Any]) -> Demands:
    """What a manifest that nobody has proven demands. Never raises: one that cannot be read demands what nothing
    fulfils."""
    try:
        governance = checked(GovernanceConfig, manifest.get("governance", {}))
        gates = tuple(gate_of(gate) for gate in manifest.get("gates", ()))
        return Demands(governance, gates, str(manifest.get("digest", "")))
    except (ConfigError, AttributeError, LookupError, TypeError, ValueError) as error:
        why = error.what if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
        return Demands(unreadable=f"its manifest's governance or gates cannot be read: {why}")


def may_not(demands: Demands, by: str) -> Iterator[str]:
    """Why `by` may not decide about this dataset; nothing where they may."""
    names = demands.governance.approvers
    if names and by not in names:
        yield f"{by!r} is not one of governance.approvers: {', '.join(names)}"


def failed_gates(demands: Demands, severity: str) -> Iterator[str]:
    for gate in demands.gates:
        if not gate.passed and gate.severity == severity:
            yield f"gate {gate.name} failed: {gate.meaning}: {gate.measured:.4g}, {gate.bound} {gate.threshold}"


def contradictions(demands: Demands, approval: Record) -> list[str]:
    """How a record of an approval is not one that `factory approve` would have written for this manifest."""
    if demands.unreadable:
        return [demands.unreadable]
    found = [*may_not(demands, approval.by), *failed_gates(demands, "error")]
    if approval.evidence.get("manifest_digest") != demands.digest:
        found.append("its evidence names another digest than the manifest carries")
    named = _named(approval)
    for group in GROUPS:
        for text in getattr(demands.governance.thresholds, group):
            condition = parse_condition(text)
            entry = named.get((group, str(condition)))
            value = entry.get("value") if entry else None
            number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
            if entry is None:
                found.append(f"its evidence does not name the threshold of {group} {condition}")
            elif entry.get("holds") is not True or not outcome(condition, number).holds:
                found.append(f"the threshold of {group} {condition} does not hold by its own evidence")
    return found


def _named(approval: Record) -> dict[tuple[str, str], Mapping[str, Any]]:
    listed = approval.evidence.get("thresholds")
    entries = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list | tuple) else []
    return {(str(each.get("group")), str(each.get("condition"))): each for each in entries}
