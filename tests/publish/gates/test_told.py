"""What a person is told of gates that warn: in the run's output, in the card, by `factory verify`."""

from __future__ import annotations

import io
from contextlib import ExitStack

from factory.cluster.config import ClusterConfig
from factory.publish.gates.config import GateConfig, SeverityConfig
from factory.run.progress import PlainProgress
from factory.run.runner import _require_gates
from factory.run.stage import Session
from factory.store.local import LocalStore
from tests.publish.world import RUN, make_world


def session_of(store: LocalStore, said: io.StringIO) -> Session:
    return Session(RUN, store, PlainProgress(said), {}, ExitStack(), ClusterConfig(), {}, 17)


def test_a_warning_is_said_and_the_dataset_published_with_it(local_store: LocalStore) -> None:
    warning = SeverityConfig(min_samples="warn")
    gate = GateConfig(min_samples=10_000, max_duplicate_start=None, severity=warning)
    world = make_world(local_store, documents=6, gate=gate)
    said = io.StringIO()
    _require_gates(session_of(local_store, said))
    assert "gate warning: min_samples: samples to publish is" in said.getvalue()
    assert world.dones["gate"]["facts"] == {"gates_failed": 0, "gates_warned": len(said.getvalue().splitlines())}
    published = world.publish()
    card = local_store.get(f"{published.prefix}/README.md").decode()
    assert any("min_samples" in line and "warning" in line for line in card.splitlines())
