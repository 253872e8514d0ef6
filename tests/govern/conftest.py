from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from factory.run.record import record_key
from factory.store.local import LocalStore
from tests.govern.signing_off import GOVERNANCE, Signed
from tests.publish.conftest import root as root
from tests.publish.conftest import worked as worked
from tests.publish.conftest import world as world
from tests.publish.world import RUN, World


@pytest.fixture
def signed(world: World, root: Path) -> Signed:
    world.store.put(record_key(RUN), orjson.dumps({"run": RUN, "state": "finished", "started": "2026", "steps": {}}))
    published = world.publish(governance=GOVERNANCE)
    assert isinstance(world.store, LocalStore)
    return Signed(world.store, published, root / published.prefix, root)
