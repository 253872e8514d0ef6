"""A published dataset whose governance asks for something, an evaluation of it, and the commands on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from factory.cli.main import main
from factory.evaluate.dataset.figures import Figure, Section, Table
from factory.evaluate.dataset.page import JSON, Evaluation, to_json
from factory.govern.state import read_dataset, state_of
from factory.identity import canonical_json, sha256_hex
from factory.publish.finalise import Published
from factory.store.base import Store
from factory.store.local import LocalStore

GOVERNANCE: dict[str, Any] = {
    "approvers": ["ada", "grace"],
    "review_board": "RB-7",
    "thresholds": {"privacy": ["membership_auc<=0.6"], "bias": ["accuracy_by_level.accuracy.min>=50%"]},
}


def evaluate(store: Store, published: Published, auc: float | None = 0.55, worst: float = 0.7, name: str = "e1") -> str:
    """Writes an evaluation as `python -m jobs.evaluate` does; its key."""
    manifest = published.manifest
    figure = Figure("membership: AUC", auc, "of members", 0.5, 0.59, 100, why="" if auc is not None else "no held-out")
    table = Table("accuracy by level", ("level", "rows", "accuracy"), (("1", 9, 0.8), ("2", 3, worst), ("3", 0, None)))
    digest = _digest(store, published)
    evaluation = Evaluation(
        manifest["name"], manifest["version"], "x", digest, 12, name, f"2026-01-0{name[-1]}", 1.0, 17, None, 0, {}, {},
        (Section("privacy", "Privacy", "", (figure,)), Section("utility", "Utility", "", (), (table,))),
    )  # fmt: skip
    key = f"datasets/{manifest['name']}/records/{manifest['version']}/evaluation-{name}/{JSON}"
    store.put(key, to_json(evaluation))
    return key


def _digest(store: Store, published: Published) -> str:
    return str(orjson.loads(store.get(f"{published.prefix}/manifest.json"))["digest"])


def resealed(record: dict[str, Any]) -> dict[str, Any]:
    """A record as somebody writes it who can write the root: with the digest that fits."""
    body = {key: value for key, value in record.items() if key != "digest"}
    return {**body, "digest": sha256_hex(canonical_json(body))}


def factory(*arguments: str | Path) -> int:
    """Exit code of `factory …`."""
    return main([str(argument) for argument in arguments])


@dataclass(frozen=True)
class Signed:
    """A dataset that asks for approvers and thresholds."""

    store: LocalStore
    published: Published
    dataset: Path
    root: Path

    @property
    def state(self) -> str:
        name, version = self.published.manifest["name"], self.published.manifest["version"]
        return state_of(self.store, read_dataset(self.store, name, version)).name
