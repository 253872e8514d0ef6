from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from factory.identity import sha256_hex
from factory.publish.card import render_card
from factory.publish.finalise import encode_shard, uncompressed_bytes
from factory.publish.manifest import seal, shard_lineage
from factory.publish.verify import verify_bytes
from factory.store.base import Store
from factory.store.local import LocalStore
from factory.store.parquet import parquet_metadata
from tests.publish.world import World, make_world


@dataclass(frozen=True)
class Copy:
    """A copy of a published dataset, away from its root."""

    folder: Path

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file() and not path.name.startswith(".~"))

    def failed(self) -> list[str]:
        return [check.name for check in verify_bytes(LocalStore(str(self.folder))).checks if not check.ok]


@pytest.fixture(scope="module")
def published(worked: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert isinstance(worked.store, LocalStore)
    root = tmp_path_factory.mktemp("root") / "copy"
    shutil.copytree(worked.store.root, root)
    return root / World(LocalStore(str(root)), worked.dones).publish().prefix


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Copy:
    shutil.copytree(published, tmp_path / "copied")
    return Copy(tmp_path / "copied")


def test_a_copy_anywhere_verifies(copy: Copy) -> None:
    assert copy.failed() == []
    assert {path.name for path in copy.files} >= {"README.md", "ATTRIBUTION.md", "manifest.json"}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_single_byte_changed_in_any_file_is_found(copy: Copy, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(copy.files))
    original = path.read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    changed = bytearray(original)
    changed[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        assert copy.failed()
    finally:
        path.write_bytes(original)


def test_every_byte_of_the_manifest_counts(copy: Copy) -> None:
    path = copy.folder / "manifest.json"
    original = path.read_bytes()
    draw = random.Random(1)
    for place in [*draw.sample(range(len(original)), 30), *range(original.index(b'"digest":'), len(original), 11)]:
        path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
        assert copy.failed() == ["manifest"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b"\n",
        lambda data: b" " + data,
        lambda data: data.replace(b'":', b'": ', 1),
        lambda data: orjson.dumps(orjson.loads(data), option=orjson.OPT_INDENT_2),
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: b"[]",
        lambda data: b"null",
    ],
)
def test_white_space_and_wreckage_in_the_manifest_are_found(copy: Copy, spoil: Callable[[bytes], bytes]) -> None:
    path = copy.folder / "manifest.json"
    path.write_bytes(spoil(path.read_bytes()))
    assert copy.failed() == ["manifest"]


def test_each_missing_file_is_found(copy: Copy) -> None:
    for path in copy.files:
        data = path.read_bytes()
        path.unlink()
        assert copy.failed()
        path.write_bytes(data)
    assert copy.failed() == []


@pytest.mark.parametrize("name", ["new.txt", "data/extra.parquet", ".hidden", "data/.~tmp.00ff", "deep/er/.~lock"])
def test_an_added_file_is_found_wherever_and_however_it_is_named(copy: Copy, name: str) -> None:
    path = copy.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    assert copy.failed() == ["files"]


def test_an_empty_added_file_and_a_link_are_found(copy: Copy) -> None:
    (copy.folder / "empty").touch()
    assert copy.failed() == ["files"]
    (copy.folder / "empty").unlink()
    (copy.folder / "more").symlink_to(copy.folder / "data")
    assert copy.failed() == ["files"]


def test_something_in_the_stores_own_lock_file_is_found(copy: Copy) -> None:
    (copy.folder / ".~lock").write_bytes(b"x")
    assert copy.failed() == ["files"]


def test_a_missing_dataset_is_said_not_raised(tmp_path: Path) -> None:
    (check,) = verify_bytes(LocalStore(str(tmp_path / "nowhere"))).checks
    assert not check.ok
    assert "no manifest.json" in check.detail


def test_bytes_are_checked_on_any_store(store: Store) -> None:
    published = make_world(store, documents=6).publish()
    assert verify_bytes(store, published.prefix).ok
    store.put(f"{published.prefix}/data/extra", b"x")
    assert not verify_bytes(store, published.prefix).ok
    store.delete(f"{published.prefix}/data/extra")
    store.delete(f"{published.prefix}/ATTRIBUTION.md")
    assert not verify_bytes(store, published.prefix).ok


def forge(copy: Copy, change: Callable[[pa.Table], pa.Table], *, honest_lineage: bool = True) -> None:
    """Changes the rows of the first shard and rewrites hashes, sizes, card and digest to match."""
    manifest = orjson.loads((copy.folder / "manifest.json").read_bytes())
    shard = manifest["shards"][0]
    path = copy.folder / shard["path"]
    metadata = parquet_metadata(path.read_bytes())
    table = change(pq.read_table(path))
    data = encode_shard(table, metadata)
    path.write_bytes(data)
    size = uncompressed_bytes(pq.read_metadata(path))
    shard |= {"bytes": len(data), "sha256": sha256_hex(data), "rows": table.num_rows, "num_bytes": size}
    if honest_lineage:
        shard["lineage"] = orjson.loads(orjson.dumps(shard_lineage(table)))
    rewrite(copy, manifest)


def rewrite(copy: Copy, manifest: dict[str, Any]) -> None:
    """Makes every digest of a changed manifest agree again, as a forger would."""
    from factory.publish.manifest import Shard, file_entry, splits_of, totals_of

    shards = [Shard(**shard) for shard in manifest["shards"]]
    manifest |= {"splits": splits_of(shards), "totals": totals_of(shards)}
    card = render_card(manifest).encode()
    (copy.folder / "README.md").write_bytes(card)
    entries = {shard.path: file_entry(shard) for shard in shards}
    entries["README.md"] = {"path": "README.md", "bytes": len(card), "sha256": sha256_hex(card), "rows": None}
    manifest["files"] = [entries.get(entry["path"], entry) for entry in manifest["files"]]
    (copy.folder / "manifest.json").write_bytes(seal(manifest))


def put(table: pa.Table, name: str, values: Any) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))


def test_a_forger_who_changes_nothing_is_no_forger(copy: Copy) -> None:
    forge(copy, lambda table: table)
    assert copy.failed() == []


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda table: table.take(pa.array([1, 0, *range(2, table.num_rows)])), "rows"),
        (lambda table: pa.concat_tables([table.slice(0, 1), table]), "rows"),
        (lambda table: table.slice(1), "totals"),
        (lambda table: put(table, "synthetic", [False] * table.num_rows), "rows"),
        (lambda table: put(table, "license", ["MIT"] * table.num_rows), "rows"),
        (lambda table: put(table, "duties", [[]] * table.num_rows), "rows"),
        (lambda table: put(table, "answer", ["other"] * table.num_rows), "rows"),
        (lambda table: put(table, "sample_id", [f"{n:032x}" for n in range(table.num_rows)]), "rows"),
        (lambda table: put(table, "doc_ids", [[f"{n:032x}"] for n in range(table.num_rows)]), "rows"),
        (lambda table: table.drop_columns(["votes"]), "rows"),
        (lambda table: put(table, "attribution", [[]] * table.num_rows), "rows"),
    ],
)
def test_rows_that_contradict_themselves_are_found_behind_matching_hashes(
    copy: Copy, change: Callable[[pa.Table], pa.Table], check: str
) -> None:
    forge(copy, change)
    assert check in copy.failed()


def test_an_attribution_without_a_source_is_found(copy: Copy) -> None:
    manifest = orjson.loads((copy.folder / "manifest.json").read_bytes())
    text = (copy.folder / "ATTRIBUTION.md").read_bytes().replace(b"- https://site0.example/0/0\n", b"")
    (copy.folder / "ATTRIBUTION.md").write_bytes(text)
    for entry in manifest["files"]:
        if entry["path"] == "ATTRIBUTION.md":
            entry |= {"bytes": len(text), "sha256": sha256_hex(text)}
    (copy.folder / "manifest.json").write_bytes(seal(manifest))
    assert copy.failed() == ["card"]


def test_lineage_that_the_rows_do_not_bear_out_is_found(copy: Copy) -> None:
    forge(copy, lambda table: put(table, "level", [2] * table.num_rows), honest_lineage=False)
    assert copy.failed() == ["rows"]


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda manifest: manifest["steps"][3]["counts"].update(used=1), "totals"),
        (lambda manifest: manifest["license"].update(combined_sources="MIT"), "totals"),
        (lambda manifest: manifest["license"].update(duties={}), "totals"),
        (lambda manifest: manifest["gates"][0].update(passed=False), "gates"),
        (lambda manifest: manifest["split_rule"].update(seed=99), "rows"),
        (lambda manifest: manifest.update(version="v9"), "rows"),
        (lambda manifest: manifest.update(synthetic=False), "marks"),
        (lambda manifest: manifest.update(digital_source_type="http://example.org/digitalCapture"), "marks"),
        (lambda manifest: manifest.update(domain="maths"), "rows"),
        (lambda manifest: manifest.pop("gates"), "manifest"),
        (lambda manifest: manifest.update(files=[]), "files"),
    ],
)
def test_a_forged_manifest_with_a_right_digest_is_found(
    copy: Copy, change: Callable[[dict[str, Any]], Any], check: str
) -> None:
    path = copy.folder / "manifest.json"
    manifest = orjson.loads(path.read_bytes())
    change(manifest)
    path.write_bytes(seal(manifest))
    assert check in copy.failed()


def test_a_clock_that_was_set_back_while_the_run_worked_is_no_fault(copy: Copy) -> None:
    path = copy.folder / "manifest.json"
    manifest = orjson.loads(path.read_bytes())
    manifest.update(created="2026-01-01T00:00:00Z", clock={"started": "2026-01-02T00:00:00Z"})
    path.write_bytes(seal(manifest))
    assert "marks" not in copy.failed()


def test_a_card_edited_together_with_its_hash_is_found(copy: Copy) -> None:
    manifest = orjson.loads((copy.folder / "manifest.json").read_bytes())
    card = (copy.folder / "README.md").read_bytes().replace(b"machine-generated", b"expert-generated")
    (copy.folder / "README.md").write_bytes(card)
    for entry in manifest["files"]:
        if entry["path"] == "README.md":
            entry |= {"bytes": len(card), "sha256": sha256_hex(card)}
    (copy.folder / "manifest.json").write_bytes(seal(manifest))
    assert copy.failed() == ["card"]
