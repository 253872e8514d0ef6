from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from factory.run.outputs import _files_of
from factory.store.local import LocalStore
from tests.publish.world import World, make_world


@pytest.fixture(scope="session")
def worked(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run worked up to its shards, not published. Tests change copies of it (`world`)."""
    return make_world(LocalStore(str(tmp_path_factory.mktemp("worked"))), documents=12)


@pytest.fixture
def world(worked: World, local_store: LocalStore) -> World:
    """A copy of the worked run in a folder of the test's own."""
    assert isinstance(worked.store, LocalStore)
    shutil.copytree(worked.store.root, local_store.root)
    _files_of.cache_clear()
    return World(local_store, worked.dones, worked.steps)


@pytest.fixture
def root(world: World) -> Path:
    assert isinstance(world.store, LocalStore)
    return Path(world.store.root)
