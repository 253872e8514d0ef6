"""Which published datasets are taken into a mix: what their records say of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factory.cli.main import main
from factory.errors import ConfigError, GateError
from factory.govern.approval import Approver, approve
from factory.govern.facts import facts_of
from factory.govern.state import read_dataset
from factory.govern.withdrawals import reinstate_dataset, withdraw_dataset, withdraw_document
from factory.mix.job import Made, make
from factory.publish.finalise import Published
from factory.publish.manifest import Manifest
from factory.store.local import LocalStore
from tests.mix.planted import config, pairs, write
from tests.publish.world import make_world

Mixes = Callable[..., Made]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    root = tmp_path_factory.mktemp("root")
    return root, make_world(LocalStore(str(root)), documents=12).publish()


@pytest.fixture
def root(made: tuple[Path, Published], tmp_path: Path) -> LocalStore:
    """A copy of the published dataset with its root: a draft."""
    return LocalStore(str(shutil.copytree(made[0], tmp_path / "root")))


@pytest.fixture
def manifest(made: tuple[Path, Published]) -> Manifest:
    return made[1].manifest


@pytest.fixture
def mixes(made: tuple[Path, Published], root: LocalStore, tmp_path: Path) -> Mixes:
    people = write(tmp_path / "h.jsonl", pairs(130, license="CC-BY-4.0"))

    def mix(address: Path | None = None, **keys: Any) -> Made:
        parts = [
            {"name": "synth", "role": "synthetic", "paths": [str(address or Path(root.root) / made[1].prefix)]},
            {"name": "people", "role": "human", "paths": [people]},
        ]
        return make(config(Path(root.root), parts, mix=keys), root)

    return mix


def test_a_draft_is_refused_until_it_is_approved_or_drafts_are_taken(
    mixes: Mixes, root: LocalStore, manifest: Manifest
) -> None:
    with pytest.raises(GateError, match=r"toy@v1 is not taken .* it is a draft: no approval is recorded"):
        mixes()
    taken = mixes(require="not_withdrawn")
    approve(root, facts_of(manifest), Approver("ada"))
    assert mixes().prefix == taken.prefix, "who approved a part changes no row of a mix"


def test_a_withdrawn_dataset_is_refused_unless_anything_is_taken(
    mixes: Mixes, root: LocalStore, manifest: Manifest
) -> None:
    approve(root, facts_of(manifest), Approver("ada"))
    dataset = read_dataset(root, "toy", "v1")
    withdraw_dataset(root, dataset, "ada", "", "a complaint")
    for require in ("approved", "not_withdrawn"):
        with pytest.raises(GateError, match=r"withdrawn by ada on .*: a complaint"):
            mixes(require=require)
    assert mixes(require="any").manifest["totals"]["rows"]
    reinstate_dataset(root, dataset, "ada", "", "settled")
    with pytest.raises(GateError, match=r"it is a draft: withdrawal taken back by ada"):
        mixes()
    approve(root, facts_of(manifest), Approver("ada"))
    assert mixes().already


def test_rows_of_a_withdrawn_document_are_refused(mixes: Mixes, root: LocalStore, manifest: Manifest) -> None:
    from factory.publish.places import dataset_prefix
    from factory.store.parquet import read_parquet

    approve(root, facts_of(manifest), Approver("ada"))
    shard = read_parquet(root, f"{dataset_prefix('toy', 'v1')}/{manifest['shards'][0]['path']}")
    doc_id = shard.column("doc_ids")[0].as_py()[0]
    withdraw_document(root, "0" * 32, "ada", "", "of another corpus")
    assert mixes().manifest["totals"]["rows"]
    withdraw_document(root, doc_id, "ada", "", "its author asked")
    with pytest.raises(GateError, match=rf"are withdrawn: {doc_id} \([0-9]+ rows\)"):
        mixes()


@pytest.mark.parametrize("runs", ["none", "damaged"])
def test_a_root_without_a_readable_run_tells_the_state_of_its_mixes(
    runs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = write(tmp_path / "h.jsonl", pairs(130, license="CC-BY-4.0"))
    store = LocalStore(str(tmp_path / "mixed"))
    make(config(Path(store.root), [{"name": "people", "role": "human", "paths": [people]}]), store)
    if runs == "damaged":
        store.put("runs/abc.json", b"{")
    assert main(["status", store.uri]) == (0 if runs == "none" else 4)
    told = capsys.readouterr().out
    assert "mix  130 rows  draft" in told
    assert main(["status", store.uri, "--json"]) == (0 if runs == "none" else 4)
    assert json.loads(capsys.readouterr().out)["datasets"][0]["state"] == "draft"
    assert main(["status", store.uri, "--run", "other"]) == 2


def test_of_a_copy_away_from_its_root_no_approval_is_known(
    mixes: Mixes, made: tuple[Path, Published], tmp_path: Path
) -> None:
    copy = shutil.copytree(made[0] / made[1].prefix, tmp_path / "elsewhere")
    with pytest.raises(GateError, match="nothing is known of its approval"):
        mixes(copy)
    assert mixes(copy, require="not_withdrawn").manifest["totals"]["rows"]


@pytest.mark.parametrize("inside", ["data", "data/*.parquet", "*/train-*.parquet", "linked", "folder"])
def test_a_path_inside_a_dataset_is_held_to_what_the_dataset_is(
    inside: str, mixes: Mixes, root: LocalStore, made: tuple[Path, Published], tmp_path: Path
) -> None:
    folder = Path(root.root) / made[1].prefix
    address = folder / inside
    if inside == "linked":
        address = tmp_path / "elsewhere"
        address.symlink_to(folder / "data")
    if inside == "folder":
        address = tmp_path / "of-links"
        address.mkdir()
        for shard in folder.glob("data/*.parquet"):
            (address / shard.name).symlink_to(shard)
    with pytest.raises(GateError, match=r"toy@v1 is not taken .* it is a draft"):
        mixes(address)
    taken = mixes(address, require="not_withdrawn")
    dataset = read_dataset(root, "toy", "v1")
    approve(root, facts_of(made[1].manifest), Approver("ada"))
    assert mixes().prefix == taken.prefix, "by whatever path, it is that dataset, without its held-out splits"
    withdraw_dataset(root, dataset, "ada", "", "a complaint")
    with pytest.raises(GateError, match="withdrawn by ada"):
        mixes(address, require="not_withdrawn")
    assert mixes(address, require="any").prefix == taken.prefix


def test_a_shard_away_from_its_dataset_is_refused_by_what_it_says_of_itself(
    mixes: Mixes, made: tuple[Path, Published], tmp_path: Path
) -> None:
    copy = shutil.copytree(made[0] / made[1].prefix / "data", tmp_path / "copied")
    with pytest.raises(GateError, match="it is a shard of toy@v1") as refused:
        mixes(copy)
    assert "ROOT/datasets/toy/v1" in str(refused.value.remedy)
    assert mixes(copy, require="not_withdrawn").manifest["totals"]["rows"]


def test_rows_of_a_mix_of_drafts_are_no_files_and_a_mix_is_no_part(mixes: Mixes, root: LocalStore) -> None:
    mix = Path(root.root) / mixes(require="not_withdrawn").prefix
    with pytest.raises(GateError, match=r"it is a draft: toy@v1, in it, is not approved"):
        mixes(mix / "data")
    with pytest.raises(ConfigError, match="is a mix"):
        mixes(mix, require="any")
