"""What is planted in a file of the dataset, with a manifest that fits its new hash, is found and named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from factory.cli.main import main
from factory.govern.bundle import INDEX
from factory.identity import canonical_json
from factory.publish.manifest import CARD, CROISSANT
from factory.publish.wording import PROMPTS
from factory.store.open import open_root
from tests.conftest import S3
from tests.govern.check.planted import Bundled, publish, with_file, with_shard, word_replaced
from tests.publish.world import World


@pytest.fixture(scope="module")
def found(worked: World) -> Bundled:
    return publish(worked)


METADATA = ("synthetic", "digital_source_type", "generator", "run", "dataset", "version", "split", "tokenizer")


def test_every_planted_marker_of_a_file_is_named(found: Bundled, tmp_path: Path) -> None:
    for number, key in enumerate(METADATA):
        planted, path = with_shard(
            found, str(tmp_path / str(number)), metadata=lambda pairs, key=key: pairs.update({key: "x"})
        )
        assert [(each.artefact, each.field) for each in planted.of_dataset()] == [(path, f"metadata {key}")]
        assert planted.findings() == []


def test_a_marker_that_is_missing_is_named(found: Bundled, tmp_path: Path) -> None:
    planted, path = with_shard(found, str(tmp_path / "x"), metadata=lambda pairs: pairs.pop("synthetic") and None)
    assert [each.in_words() for each in planted.of_dataset()] == [
        f"{path}: metadata synthetic: is missing instead of true"
    ]


def _set(column: str, value: pa.Scalar) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        first = pa.array([place == 0 for place in range(table.num_rows)])
        place = table.schema.get_field_index(column)
        return table.set_column(place, column, pc.if_else(first, value, table.column(column)))

    return change


def test_a_row_that_says_something_else_is_named(found: Bundled, tmp_path: Path) -> None:
    cases = {
        "column synthetic": ("synthetic", pa.scalar(False)),
        "column digital_source_type": ("digital_source_type", pa.scalar("http://example.org/digitalCapture")),
        "rows of license X11": ("license", pa.scalar("X11")),
        "rows of level 9": ("level", pa.scalar(9, pa.int8())),
        "rows of verified yes": ("verified", pa.scalar("yes")),
        "models": ("answer_model_revision", pa.scalar("r9")),
    }
    for number, (field, (column, value)) in enumerate(cases.items()):
        planted, _ = with_shard(found, str(tmp_path / str(number)), _set(column, value))
        assert field in {each.field for each in planted.of_dataset()}


def test_a_row_more_or_less_is_named(found: Bundled, tmp_path: Path) -> None:
    planted, path = with_shard(found, str(tmp_path / "x"), lambda table: table.slice(1))
    named = {(each.artefact, each.field) for each in planted.of_dataset()}
    assert {(path, "rows"), ("data/", "rows")} <= named


def test_a_column_that_is_missing_or_of_another_type_is_named(found: Bundled, tmp_path: Path) -> None:
    planted, path = with_shard(found, str(tmp_path / "x"), lambda table: table.drop_columns(["licenses"]))
    assert [(each.artefact, each.field) for each in planted.of_dataset()] == [(path, "column licenses")]
    planted, path = with_shard(
        found, str(tmp_path / "y"), lambda table: table.set_column(6, "level", table.column("level").cast(pa.int64()))
    )
    assert [(each.artefact, each.field) for each in planted.of_dataset()] == [(path, "column level")]


def test_a_shard_that_is_damaged_or_gone_is_named(found: Bundled, tmp_path: Path) -> None:
    path = found.whole.facts.splits[0].files[0]
    planted = with_file(found, str(tmp_path / "x"), path, b"PAR1 no more")
    assert (path, "file") in {(each.artefact, each.field) for each in planted.of_dataset()}
    (tmp_path / "x" / path).write_bytes(b"other")
    assert (path, "sha256") in {(each.artefact, each.field) for each in planted.of_dataset()}
    (tmp_path / "x" / path).unlink()
    assert [(each.artefact, each.field) for each in planted.of_dataset()] == [(path, "file")]


CARD_WORDS = {
    "name": ("pretty_name: toy", "pretty_name: t0y"),
    "languages": ("language:\n- en", "language:\n- de"),
    "synthetic": ("- synthetic\n", ""),
    "licenses": ("license_name: ", "license_name: GPL-3.0-only AND "),
    "version": ("version `planted`", "version `v0`"),
    "run": ("Run `0123456789abcdef`", "Run `fedcba9876543210`"),
    "required": ("task_categories:", "task_categorie:"),
    "models": ("| r1 |", "| r9 |"),
}


@pytest.mark.parametrize("field", CARD_WORDS)
def test_a_planted_change_of_the_card_is_named(found: Bundled, tmp_path: Path, field: str) -> None:
    old, new = CARD_WORDS[field]
    data = found.whole.store.get(CARD).replace(old.encode(), new.encode())
    planted = with_file(found, str(tmp_path / "x"), CARD, data)
    findings = planted.of_dataset()
    assert {each.artefact for each in findings} == {CARD}
    assert field in {each.field for each in findings}, [each.in_words() for each in findings]


def test_a_prompt_that_is_not_the_one_its_id_names_is_named(found: Bundled, tmp_path: Path) -> None:
    body = orjson.loads(found.whole.prompts)
    body["prompts"][0]["template"] = "Lie: {{question}}"
    planted = with_file(found, str(tmp_path / "x"), PROMPTS, canonical_json(body))
    assert [(each.artefact, each.field) for each in planted.of_dataset()] == [(PROMPTS, "texts")]
    planted = with_file(found, str(tmp_path / "y"), PROMPTS, canonical_json({**body, "prompts": []}))
    assert {(each.artefact, each.field) for each in planted.of_dataset()} == {(PROMPTS, "texts")}


def test_the_command_checks_a_dataset_and_the_folder_of_a_bundle(
    worked: World, found: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = found.whole.store.uri
    assert main(["bundle", dataset, "--check"]) == 2
    assert "write one: factory bundle DATASET" in capsys.readouterr().err
    main(["verify", dataset])
    assert "not looked at" not in capsys.readouterr().err
    assert main(["bundle", dataset]) == 0
    main(["verify", dataset])
    assert f"not looked at: the documents of its bundle; they are by `factory bundle {dataset} --check`" in (
        capsys.readouterr().err
    )
    assert main(["bundle", dataset, "--check"]) == 0
    assert "no disagreement" in capsys.readouterr().out
    (folder,) = Path(dataset).parent.glob("records/planted/bundle-*")
    assert main(["bundle", str(folder), "--check", "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["dataset"] == dataset
    away = tmp_path / "away"
    assert main(["bundle", dataset, "--out", str(away)]) == 0
    assert main(["bundle", str(away), "--check"]) == 0
    assert "against each other" in capsys.readouterr().out
    croissant = away / "croissant.json"
    croissant.write_bytes(word_replaced(croissant.read_bytes(), "r1", "r9"))
    for address in ([str(away)], [dataset, "--out", str(away)]):
        assert main(["bundle", *address, "--check"]) == 1
        said = capsys.readouterr().out
        assert "FAILED  croissant.json: models: " in said
        assert "FAILED  croissant.json: sha256: " in said
    (away / INDEX).unlink()
    assert main(["bundle", dataset, "--check", "--out", str(away)]) == 1
    said = capsys.readouterr().out
    assert f"FAILED  {INDEX}: file: is missing" in said
    assert "another version" not in said
    assert main(["bundle", dataset, "--check", "--out", str(tmp_path / "none")]) == 2
    assert "there is no bundle in" in capsys.readouterr().err
    copy = shutil.copytree(dataset, tmp_path / "copy")
    assert main(["bundle", str(copy), "--check"]) == 2
    assert "no bundle lies beside it" in capsys.readouterr().err


def test_a_bundle_that_names_another_writer_is_not_called_checked(
    worked: World, found: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, out = found.whole.store.uri, tmp_path / "out"
    assert main(["bundle", dataset, "--out", str(out)]) == 0
    index = orjson.loads((out / INDEX).read_bytes())
    (out / INDEX).write_bytes(canonical_json({**index, "written_by": "99.0.0"}))
    capsys.readouterr()
    assert main(["bundle", dataset, "--check", "--out", str(out)]) == 9
    said = capsys.readouterr().out
    assert "OPEN    " in said
    assert said.endswith("no disagreement, not fully checked\n")
    assert main(["bundle", dataset, "--check", "--out", str(out), "--json"]) == 9
    told = orjson.loads(capsys.readouterr().out)
    assert (told["ok"], told["findings"], len(told["unchecked"])) == (False, [], 1)
    assert main(["bundle", dataset, "--check", "--out", str(out), "--accept-other-version"]) == 0
    assert "note    " in capsys.readouterr().out
    (out / "spdx.json").unlink()
    assert main(["bundle", dataset, "--check", "--out", str(out), "--accept-other-version"]) == 1


def test_a_file_that_is_none_of_the_datasets_is_named(found: Bundled, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(found.whole.store.uri, tmp_path / "copy"))
    added = "data/train-00009-of-00010.parquet"
    shutil.copy(copy / found.whole.facts.splits[0].files[0], copy / added)
    planted = Bundled(replace(found.whole, store=open_root(str(copy))), found.files)
    assert [(each.artefact, each.field) for each in planted.of_dataset()] == [(added, "file")]


def test_the_croissant_document_may_be_copied_beside_the_data_and_is_held_against_the_manifest(
    found: Bundled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Path(shutil.copytree(found.whole.store.uri, tmp_path / "hub"))
    (copy / CROISSANT).write_bytes(found.files["beside-data/croissant.json"])
    planted = Bundled(replace(found.whole, store=open_root(str(copy))), found.files)
    assert planted.of_dataset() == []
    assert main(["verify", str(copy), "--bytes"]) == 0
    assert "copied beside the data" in capsys.readouterr().err
    for other in (found.files["croissant.json"], found.files["beside-data/croissant.json"] + b" "):
        (copy / CROISSANT).write_bytes(other)
        assert [(each.artefact, each.field) for each in planted.of_dataset()] == [(CROISSANT, "file")]
        assert main(["verify", str(copy), "--bytes"]) == 1
        assert "FAILED  croissant" in capsys.readouterr().err


def test_bundles_and_differences_are_read_from_s3(found: Bundled, s3: S3, capsys: pytest.CaptureFixture[str]) -> None:
    root, prefix = s3.root(), found.whole.facts.prefix
    store = open_root(root, s3.endpoint_url)
    for info in found.whole.store.list(""):
        store.put(f"{prefix}/{info.key}", found.whole.store.get(info.key))
    endpoint = ["--endpoint-url", s3.endpoint_url]
    assert main(["bundle", f"{root}/{prefix}", *endpoint]) == 0
    assert main(["bundle", f"{root}/{prefix}", "--check", *endpoint]) == 0
    assert "no disagreement" in capsys.readouterr().out
    assert main(["diff", found.whole.store.uri, f"{root}/{prefix}", "--exit-code", *endpoint]) == 0
    assert "the same rows, made in the same way" in capsys.readouterr().out
