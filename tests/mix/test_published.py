from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.cli.main import main
from factory.errors import ConfigError, StoreError
from factory.govern.approval import Approver, approve
from factory.govern.facts import facts_of
from factory.mix.job import make
from factory.publish.card import is_dry_run
from factory.publish.manifest import Manifest
from factory.store.local import LocalStore
from tests.mix.planted import config, pairs, write
from tests.publish.world import make_world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    """A published dataset that somebody approved: its folder and manifest."""
    root = tmp_path_factory.mktemp("root")
    found = make_world(LocalStore(str(root)), documents=12).publish()
    approve(LocalStore(str(root)), facts_of(found.manifest), Approver("ada"))
    return root / found.prefix, found.manifest


def parts(published: Path, folder: Path, role: str = "synthetic", **keys: Any) -> list[dict[str, Any]]:
    people = write(folder / "h.jsonl", pairs(130, license="CC-BY-4.0"))
    return [
        {"name": "synth", "role": role, "paths": [str(published)], **keys},
        {"name": "people", "role": "human", "paths": [people]},
    ]


def test_of_a_published_dataset_the_training_rows_are_mixed_with_all_they_say_of_themselves(
    published: tuple[Path, Manifest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, manifest = published
    root = folder.parents[2]
    found = make(config(root, parts(folder, tmp_path)), LocalStore(str(root)))
    train = pq.read_table(sorted(folder.glob("data/train-*.parquet"))).to_pylist()
    source = {row["sample_id"]: row for row in train}
    mixed = pq.read_table(sorted((root / found.prefix).glob("data/*.parquet"))).to_pylist()
    own = [row for row in mixed if row["role"] == "synthetic"]
    assert own
    (part, _) = found.manifest["parts"]
    assert part["read"] == len(train) == len(own) + sum(part["reasons"].values())
    for row in own:
        lineage, origin = row["lineage"], source[row["lineage"]["sample_id"]]
        assert (lineage["dataset"], lineage["version"]) == (manifest["name"], manifest["version"])
        assert row["messages"] == origin["messages"]
        assert row["licenses"] == origin["licenses"]
        assert row["license"] == origin["license"]
        assert row["attribution"] == origin["attribution"]
        assert set(origin["duties"]) <= set(row["duties"])
    named = [(each["role"], each["model"], each["license"], each["output_terms"]) for each in manifest["generators"]]
    carried = found.manifest["generators"]
    assert [(each["role"], each["model"], each["license"], each["output_terms"]) for each in carried] == named
    card = (root / found.prefix / "README.md").read_text()
    for each in carried:
        assert (each["part"], each["dataset"], each["version"]) == ("synth", manifest["name"], manifest["version"])
        assert each["dry_run"] == is_dry_run(manifest)
        assert each["model"] in card
        assert each["output_terms"] in card
    assert ("scripted engine, which is no language model" in card) == is_dry_run(manifest)
    assert ("were written by language models" in card) != is_dry_run(manifest)
    assert main(["verify", str(root / found.prefix)]) == 0
    shards = {shard["path"] for shard in manifest["shards"] if shard["split"] == "train"}
    assert {each["name"] for each in found.manifest["inputs"] if each["dataset"]} == shards
    assert f"{len(shards)} of {len(shards) + 1} input files lie below this root" in capsys.readouterr().err


def test_a_published_dataset_cannot_be_the_human_anchor(published: tuple[Path, Manifest], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="models wrote"):
        make(config(tmp_path / "root", parts(published[0], tmp_path, "real")), LocalStore(str(tmp_path / "root")))


def test_the_folder_above_a_published_dataset_is_refused(published: tuple[Path, Manifest], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name one version"):
        make(config(tmp_path / "root", parts(published[0].parent, tmp_path)), LocalStore(str(tmp_path / "root")))


def test_a_shard_that_is_not_what_was_published_is_refused(published: tuple[Path, Manifest], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(published[0], tmp_path / "copy"))
    shard = next(copy.glob("data/train-*.parquet"))
    data = bytearray(shard.read_bytes())
    data[100] ^= 1
    shard.write_bytes(data)
    with pytest.raises(StoreError, match="is not the shard"):
        make(
            config(tmp_path / "root", parts(copy, tmp_path), mix={"require": "any"}), LocalStore(str(tmp_path / "root"))
        )


def test_away_from_its_root_a_mix_is_verified_alone_or_not_at_all(
    published: tuple[Path, Manifest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = published
    root = folder.parents[2]
    found = make(config(root, parts(folder, tmp_path)), LocalStore(str(root)))
    away = Path(shutil.copytree(root / found.prefix, tmp_path / "away"))
    assert main(["verify", str(away)]) == 1
    said = capsys.readouterr()
    assert "--bytes" in said.err
    assert json.loads(said.out.splitlines()[-1])["rows"] == found.manifest["totals"]["rows"]
    assert main(["verify", str(away), "--bytes"]) == 0
    assert main(["verify", str(away), "--root", str(root)]) == 0
    (away / "README.md").write_text("another card")
    capsys.readouterr()
    assert main(["verify", str(away), "--bytes"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["rows"] is None


def test_a_mix_is_no_dataset_to_review(
    published: tuple[Path, Manifest], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = published
    root = folder.parents[2]
    found = make(config(root, parts(folder, tmp_path)), LocalStore(str(root)))
    assert main(["review", str(root / found.prefix), "--summary"]) == ConfigError.exit_code
    assert "is a mix" in capsys.readouterr().err
