"""What each step between the questions and the samples turned away: for the yield gate, and to explain a failed one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from factory.publish.gates.losses import SELECTION, Loss, loss_of
from factory.run.stage import Dones
from factory.run.strands import of_kind

SIFTING = ("curate", "semantic", "answer", "samples", "recheck")
"""Kinds of stages behind the questions that turn rows away."""


def passed_on(dones: Dones, questions: Sequence[str]) -> list[Loss]:
    """What each step on the way to samples turned away. Question steps have two: of their inputs (passages, walks),
    which give no question where they are turned away, and of the questions written. The selection is on the way where
    all that it left was taken: where `limit` took a part, more would have been there."""
    losses = []
    if SELECTION in dones and "outside_limit" not in dones.get("merge", {}).get("reasons", {}).get("input", {}):
        losses.append(_selected(dones[SELECTION]))
    sifting = [name for kind in SIFTING for name in of_kind(kind, dones)]
    for name in (*questions, *sifting):
        if name not in dones:
            continue
        counts, reasons = dones[name]["counts"], dones[name]["reasons"]
        if name in questions and (refused := reasons.get("input", {})):
            given = int(counts["inputs"])
            losses.append(loss_of(f"inputs of {name}", given, given - sum(refused.values()), [refused]))
        read, sides = ("produced", ["output"]) if name in questions else ("inputs", list(reasons))
        found = [reasons.get(side, {}) for side in sides]
        losses.append(loss_of(name, int(counts[read]), int(counts["accepted"]), found, _repeats(dones, name)))
    return losses


def _selected(done: Mapping[str, Any]) -> Loss:
    """In documents: one that stays may give several passages."""
    read, refused = int(done["counts"]["inputs"]), int(done["counts"]["rejected"])
    return loss_of(SELECTION, read, read - refused, done["reasons"].values())


def _repeats(dones: Dones, step: str) -> int:
    """Rows that `step` turned away because a published question asks the same."""
    if step == "recheck":
        return int(dones[step]["counts"]["rejected"])
    decided = dones.get({"curate": "decide", "semantic": "semantic_decide"}.get(step, ""))
    return int(decided["facts"].get("repeat_published", 0)) if decided is not None else 0


def produced(dones: Dones, questions: Iterable[str]) -> int:
    """Questions the models wrote, before any check: what the yield gate divides by."""
    return sum(int(dones[name]["counts"]["produced"]) for name in questions)
