"""Whose cost a step's is: shares by level and by subject.

Design: a step that works one level only is that level's. In steps that ask about questions of several (answer, judge)
each request is charged to its question's level, by what the units' commits say (run/llm.py). What serves several levels
or subjects (reading, concepts, duplicates, gates) has no single cause; it is shared out by accepted samples, and where
there are none by the questions asked, else evenly. Lost attempts go the ways of their step. Shares add up to one, so
groups add up to the whole. Subjects are the models' own words; requests whose rows were all turned away before they had
one are shared out too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from factory.cost.amounts import Amounts, part_of, parts_in, total
from factory.run.strands import STAGES, kind_of

ACROSS = ("visits", "walk", "pair")
"""Steps beside `graph_…` that only questions across documents (level 3) need."""

NEED_CONCEPTS = ("2", "3")
"""Levels that read extracted concepts."""

EVERYTHING = "all"
"""The one group where nothing says what there are."""


def shared_out(
    kind: str,
    step: str,
    rows: Amounts,
    lost_share: float,
    dones: Mapping[str, Mapping[str, Any]],
    samples: Mapping[str, int],
) -> dict[str, Amounts]:
    """What a step took, by level or subject (`kind`): its `rows`, and `lost_share` of that once more for lost attempts.
    `samples`: accepted ones, by name of every group that may have a share."""
    if not samples:
        return {EVERYTHING: rows.scaled(1 + lost_share)}
    own = {name: part for name, part in _own(kind, dones[step], rows).items() if name in samples}
    rest = rows + total(own.values()).scaled(-1)
    served = [name for name in samples if kind != "level" or serves(step, name)] or list(samples)
    parts = {name: part.scaled(1 + lost_share) for name, part in own.items()}
    for name, share in _shares(served, samples, kind, dones).items():
        part = rest.scaled((1 + lost_share) * share)
        parts[name] = parts[name] + part if name in parts else part
    return parts


def serves(step: str, level: str) -> bool:
    """Whether questions of `level` need what `step` does."""
    if step.startswith("question_"):
        return step == f"question_{level}"
    if (kind := kind_of(step)) != step:
        return step == f"{kind}_{level}"
    if kind in STAGES:
        return level.isdigit()
    if step.startswith("graph_") or step in ACROSS:
        return level == "3"
    return step != "extract" or level in NEED_CONCEPTS


def _own(kind: str, done: Mapping[str, Any], rows: Amounts) -> dict[str, Amounts]:
    """What the step's own record charges to single groups."""
    groups = parts_in(done.get("split")).get(kind, {})
    return {name: part_of(rows, part) for name, part in groups.items()}


def _shares(
    served: Sequence[str], samples: Mapping[str, int], kind: str, dones: Mapping[str, Mapping[str, Any]]
) -> dict[str, float]:
    """The weight of each of `served`; together 1."""
    weights = {name: float(samples[name]) for name in served}
    if not sum(weights.values()) and kind == "level":
        asked = {name: dones.get(f"question_{name}") or {} for name in served}
        weights = {name: float((done.get("ledger") or {}).get("requests", 0)) for name, done in asked.items()}
    whole = sum(weights.values())
    return {name: weight / whole if whole else 1 / len(weights) for name, weight in weights.items()}
