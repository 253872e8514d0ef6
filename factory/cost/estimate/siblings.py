"""Other runs below a root that say something about this one: over the same corpus, or with the same model."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from factory.cost.amounts import IDLE
from factory.cost.estimate.observed import Observed, observe
from factory.errors import StoreError
from factory.run.chain import Chain
from factory.run.record import Record, finished_steps, record_key, run_ids
from factory.run.stage import Stage
from factory.run.strands import of_kind
from factory.store.base import AbsentObjectError, Store
from factory.store.objects import read_mapping


@dataclass(frozen=True)
class Sibling:
    """The run over the same corpus that came furthest (one with a smaller `limit`, as a rule): passages it asked about,
    walks with two passages, questions written and the share of them that stayed after curation, core seconds of each of
    its steps without a model, and seconds an engine took to start. None where it did not come so far."""

    run: str
    passages: int
    pairs: int | None
    written: int
    curated_share: float | None
    core_seconds: Mapping[str, float]
    start_seconds: float | None
    waited: float = 0.0
    """Engine seconds without a request that this run was charged; of `largest_sibling`, the most that any run was."""


def readable_records(store: Store) -> list[Record]:
    """Records of runs, those that can be read; the run that began last comes first."""
    found = []
    for run in run_ids(store):
        try:
            record = read_mapping(store, record_key(run), ("run", "started", "steps"))
        except (StoreError, AbsentObjectError):
            continue
        if all(isinstance(record.get(name, {}), Mapping) for name in ("steps", "config", "models")):
            found.append(record)
    return sorted(found, key=lambda record: str(record["started"]), reverse=True)


def own_runs(records: Sequence[Record], chain: Chain) -> frozenset[str]:
    """Ids of runs over this very corpus, this one included; which of their steps this run shares, folders tell."""
    corpus = chain.settings.config.corpus.model_dump(mode="json")
    found = (record for record in records if record.get("config", {}).get("corpus") == corpus)
    return frozenset({chain.run, *(str(record["run"]) for record in found)})


def largest_sibling(store: Store, records: Sequence[Record], own: frozenset[str]) -> Sibling | None:
    found = [_sibling(store, record) for record in records if record["run"] in own]
    known = [sibling for sibling in found if sibling is not None]
    if not known:
        return None
    largest = max(known, key=lambda sibling: (sibling.curated_share is not None, sibling.passages))
    return replace(largest, waited=max(sibling.waited for sibling in known))


def _sibling(store: Store, record: Record) -> Sibling | None:
    dones = finished_steps(store, record, [])
    if "merge" not in dones:
        return None
    written = sum(_accepted(done) for name, done in dones.items() if name.startswith("question_"))
    left = of_kind("semantic", dones) or of_kind("curate", dones)
    begun = record.get("engine_starts")
    starts = [each for each in begun.values() if isinstance(each, Mapping)] if isinstance(begun, Mapping) else []
    number = sum(_number(each.get("starts")) + _number(each.get("replacements")) for each in starts)
    return Sibling(
        run=str(record["run"]),
        passages=_accepted(dones["merge"]),
        pairs=_accepted(dones["pair"]) if "pair" in dones else None,
        written=written,
        curated_share=sum(_accepted(dones[name]) for name in left) / written if left and written else None,
        core_seconds={
            name: _number(done["ledger"].get("seconds"))
            for name, done in dones.items()
            if "requests" not in done["ledger"]
        },
        start_seconds=sum(_number(each.get("seconds")) for each in starts) / number if number else None,
        waited=sum(_waited(done, str(record["run"])) for done in dones.values()),
    )


def _waited(done: Mapping[str, Any], run: str) -> float:
    payers = done.get("paid")
    own = payers.get(run) if isinstance(payers, Mapping) else None
    return _number(own.get(IDLE)) if isinstance(own, Mapping) else 0.0


def _number(value: Any) -> float:
    """As a record that somebody edited may hold anything, 0 where it is none."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _accepted(done: Mapping[str, Any]) -> int:
    return int(done["counts"]["accepted"])


def elsewhere(
    store: Store, records: Sequence[Record], chain: Chain, stage: Stage, own: frozenset[str]
) -> Observed | None:
    """What a step of the same name took with the same model, under other settings: of the run that began last."""
    model = chain.settings.models[stage.model_role or ""]
    for record in records:
        folder = record["steps"].get(stage.name)
        asked = record.get("models", {}).get(stage.model_role)
        if (
            isinstance(folder, str)
            and isinstance(asked, Mapping)
            and asked.get("id") == model.id
            and asked.get("revision") == model.revision
        ):
            observed = observe(store, folder, own, other_settings=True)
            if observed is not None:
                return observed
    return None
