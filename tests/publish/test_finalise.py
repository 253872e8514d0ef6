from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.errors import ConservationError, GateError, StoreError
from factory.publish.finalise import claim_key, finalise
from factory.publish.manifest import seal
from factory.publish.proof import verify_root
from factory.publish.verify import verify_bytes
from factory.store.base import Store
from factory.store.local import LocalStore
from tests.publish.world import World, make_world


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the code under test may catch it."""


@dataclass(frozen=True)
class DyingStore(LocalStore):
    """A local store whose process dies at the n-th write below datasets/."""

    writes_left: list[int] | None = None

    def put(self, key: str, data: bytes) -> None:
        self._live(key)
        super().put(key, data)

    def put_file(self, key: str, path: str) -> None:
        self._live(key)
        super().put_file(key, path)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        self._live(key)
        return super().put_if_absent(key, data)

    def _live(self, key: str) -> None:
        if self.writes_left is not None and key.startswith("datasets/"):
            if not self.writes_left[0]:
                raise KilledError
            self.writes_left[0] -= 1


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".~")
    }


def test_a_published_dataset_verifies_alone_and_against_its_root(store: Store) -> None:
    published = make_world(store).publish()
    verified = verify_bytes(store, published.prefix)
    assert verified.ok, verified.checks
    assert verified.manifest == published.manifest
    proof = list(verify_root(store, store, published.prefix, published.manifest))
    assert all(check.ok for check in proof), proof
    splits = {split["name"] for split in published.manifest["splits"]}
    assert splits == {"train", "validation", "test"}


def test_publishing_again_finds_the_dataset_and_changes_no_byte(world: World, root: Path) -> None:
    first = world.publish()
    before = contents(root / first.prefix)
    second = world.publish()
    assert (first.already, second.already) == (False, True)
    assert second.manifest == first.manifest
    assert contents(root / first.prefix) == before


def test_killed_at_any_write_the_next_attempt_finishes_the_same_dataset(world: World, root: Path) -> None:
    for writes in range(100):
        world.store = DyingStore(str(root), [writes])
        try:
            published = world.publish()
        except KilledError:
            assert world.store.head("datasets/toy/v1/manifest.json") is None
            continue
        break
    else:
        pytest.fail("it never finished")
    assert writes >= 6  # claim, shards, attribution, card, manifest: each was a place to die
    store = LocalStore(str(root))
    assert verify_bytes(store, published.prefix).ok
    survived = contents(root / published.prefix)
    for info in list(store.list("datasets/")):
        if info.key != claim_key("toy", "v1"):  # the claim says when the dataset was created
            store.delete(info.key)
    world.store = store
    world.publish()
    assert contents(root / published.prefix) == survived


def test_leftovers_of_a_lost_attempt_are_removed_before_the_manifest_stands(world: World, root: Path) -> None:
    world.store.put("datasets/toy/v1/data/train-00000-of-00009.parquet", b"from another plan")
    (root / "datasets/toy/v1/data/.~tmp.0123").write_bytes(b"half a shard")
    published = world.publish()
    verified = verify_bytes(world.store, published.prefix)
    assert verified.ok, verified.checks


def test_many_attempts_at_once_make_one_dataset(store: Store) -> None:
    world = make_world(store, documents=8)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: world.publish(), range(4)))
    assert len({seal(published.manifest) for published in done}) == 1
    verified = verify_bytes(store, done[0].prefix)
    assert verified.ok, verified.checks


@pytest.mark.parametrize("finished", [True, False])
def test_another_dataset_under_the_same_version_is_refused_naming_both(
    world: World, root: Path, finished: bool
) -> None:
    if finished:
        world.publish()
    else:
        world.store = DyingStore(str(root), [3])
        with pytest.raises(KilledError):
            world.publish()
        world.store = LocalStore(str(root))
    before = contents(root / "datasets/toy/v1")
    with pytest.raises(StoreError, match=r"already the dataset of run .* this is run") as error:
        world.publish(license="CC-BY-4.0")
    assert "publish.version" in error.value.remedy
    assert contents(root / "datasets/toy/v1") == before


def test_the_same_rows_under_another_version_are_another_dataset(world: World) -> None:
    first, second = world.publish(), world.publish(version="v2")
    assert verify_bytes(world.store, first.prefix).ok
    assert verify_bytes(world.store, second.prefix).ok
    assert first.manifest["shards"][0]["content_sha256"] == second.manifest["shards"][0]["content_sha256"]


def test_shards_can_be_written_by_other_workers(world: World) -> None:
    import pickle

    def elsewhere(function: Any, placements: Any) -> Iterator[Any]:
        for place in placements:
            yield pickle.loads(pickle.dumps(function))(pickle.loads(pickle.dumps(place)))

    published = finalise(world.store, world.publication(), world.outputs("shards"), each=elsewhere)
    assert verify_bytes(world.store, published.prefix).ok


def test_every_parquet_file_says_that_it_is_synthetic_and_by_whom(world: World, root: Path) -> None:
    published = world.publish()
    for shard in published.manifest["shards"]:
        metadata = pq.read_metadata(root / published.prefix / shard["path"]).metadata
        assert metadata[b"synthetic"] == b"true"
        assert metadata[b"generator"] == b"toy/answer@r1, toy/question@r1"
        assert metadata[b"split"].decode() == shard["split"]


def test_a_changed_committed_shard_is_not_published(world: World) -> None:
    key = world.outputs("shards")[0].file.key
    world.store.put(key, world.store.get(world.outputs("shards")[1].file.key))
    with pytest.raises(StoreError, match="not the file that was committed"):
        world.publish()
    assert world.store.head("datasets/toy/v1/manifest.json") is None


def test_a_missing_shard_is_not_overlooked(world: World) -> None:
    with pytest.raises(ConservationError, match="samples step accepted"):
        finalise(world.store, world.publication(), world.outputs("shards")[1:])
    assert world.store.head("datasets/toy/v1/manifest.json") is None


def test_nothing_to_publish_is_an_error_not_an_empty_dataset(world: World) -> None:
    with pytest.raises(GateError, match="not one sample"):
        finalise(world.store, world.publication(), [])


def test_the_dataset_has_the_licence_its_publisher_gives_it(world: World) -> None:
    manifest = world.publish(license="CC-BY-SA-4.0").manifest
    assert manifest["license"]["dataset"] == "CC-BY-SA-4.0"
    assert "LicenseRef-unknown" in manifest["license"]["combined_sources"]


def test_attribution_lists_the_copies_of_merged_documents(world: World) -> None:
    published = world.publish()
    text = world.store.get(f"{published.prefix}/ATTRIBUTION.md").decode()
    assert "https://site1.example/3/0" in text
    assert "https://site1.example/3/1" in text
    assert text.count("## site-0") == 1
