from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.cli.main import main
from factory.errors import ConfigError, StoreError, TransientStoreError
from factory.govern import bundle as bundles
from factory.govern.bundle import INDEX, Bundle, bundle_of, write_bundle
from factory.govern.documents import DOCUMENTS, documents
from factory.publish.finalise import Published
from factory.publish.locate import read_manifest
from factory.publish.verify import verify_bytes
from factory.run import execute, publication
from factory.store.local import LocalStore
from factory.store.open import open_root
from tests.conftest import S3
from tests.publish.world import World, make_world

WORDING = {
    "schema_version": 1,
    "prompts": [{"name": "answer", "prompt_id": "p2", "steps": ["answer"], "system": "", "template": "Answer: {text}"}],
    "rubrics": [],
}


@pytest.fixture(scope="module")
def published(worked: World) -> Published:
    return worked.publish(version="bundled", wording=WORDING, recipe={"seed": 17, "answer": {"samples": 3}})


@pytest.fixture(scope="module")
def bundle(worked: World, published: Published) -> Bundle:
    return bundle_of(worked.store, published.manifest, published.prefix)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "records"))


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "on_worker", lambda call: call())


def test_every_document_of_the_list_is_in_the_bundle_and_lacks_nothing(bundle: Bundle) -> None:
    paths = [document.PATH for document in documents()]
    assert len(set(paths)) == len(DOCUMENTS)
    assert set(bundle.files) == set(paths)
    assert bundle.problems == {}


def test_the_index_names_each_file_by_its_bytes_and_holds_settings_and_prompts_in_full(
    bundle: Bundle, published: Published
) -> None:
    index = orjson.loads(bundle.index)
    hashes = {path: hashlib.sha256(data).hexdigest() for path, data in bundle.files.items()}
    assert {each["path"]: each["sha256"] for each in index["documents"]} == hashes
    assert {each["path"]: each["bytes"] for each in index["documents"]} == {p: len(d) for p, d in bundle.files.items()}
    assert index["manifest"]["digest"] == published.manifest["digest"]
    assert index["recipe"]["content"] == {"seed": 17, "answer": {"samples": 3}}
    assert index["prompts"]["content"] == WORDING
    entry = next(entry for entry in published.manifest["files"] if entry["path"] == "prompts.json")
    assert index["prompts"]["sha256"] == entry["sha256"]


def test_the_same_dataset_gives_the_same_bundle(worked: World, published: Published, bundle: Bundle) -> None:
    again = bundle_of(worked.store, read_manifest(worked.store, published.prefix), published.prefix)
    assert again == bundle


def test_it_is_written_once(store: LocalStore, bundle: Bundle) -> None:
    assert write_bundle(store, bundle)
    folder = Path(store.root) / bundle.prefix
    assert files_below(folder) == {**bundle.files, INDEX: bundle.index}
    inodes = {path: path.stat().st_ino for path in folder.rglob("*")}
    assert not write_bundle(store, bundle)
    assert {path: path.stat().st_ino for path in folder.rglob("*")} == inodes


@dataclass(frozen=True)
class Dying(LocalStore):
    """A store whose process is gone after so many puts."""

    puts: int = 0

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if sum(path.is_file() for path in Path(self.root).rglob("*")) >= self.puts:
            raise TransientStoreError("the process is gone")
        return super().put_if_absent(key, data)


def test_a_write_that_was_killed_anywhere_is_finished_by_the_next_and_the_index_comes_last(
    tmp_path: Path, bundle: Bundle
) -> None:
    for puts in range(len(bundle.files) + 1):
        root = str(tmp_path / str(puts))
        with pytest.raises(TransientStoreError):
            write_bundle(Dying(root, puts), bundle)
        folder = Path(root) / bundle.prefix
        assert not (folder / INDEX).exists()
        assert write_bundle(LocalStore(root), bundle)
        assert files_below(folder) == {**bundle.files, INDEX: bundle.index}


@pytest.mark.parametrize("path", ["croissant.json", INDEX])
def test_a_file_that_was_changed_is_named_and_not_replaced(store: LocalStore, bundle: Bundle, path: str) -> None:
    write_bundle(store, bundle)
    file = Path(store.root, bundle.prefix, path)
    file.write_bytes(b"{}")
    with pytest.raises(StoreError, match=f"{bundle.prefix}/{path}"):
        write_bundle(store, bundle)
    assert file.read_bytes() == b"{}"


def test_publishing_writes_it_beside_the_dataset_which_stays_as_it_was(
    world: World, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_this_process(monkeypatch)
    done = world.publish()
    before = files_below(root / done.prefix)
    said = publication.write_records(world.store, done.prefix)
    [folder] = (root / "datasets/toy/records/v1").glob("bundle-*")
    assert said == f"bundle: {folder}"
    assert files_below(root / done.prefix) == before
    assert verify_bytes(world.store, done.prefix).ok
    assert publication.write_records(world.store, done.prefix) == said


def test_a_licence_that_asks_for_less_than_the_sources_is_told_when_it_is_published_and_checked(
    world: World, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_this_process(monkeypatch)
    done = world.publish(license="CC0-1.0")
    assert "note: publish.license=CC0-1.0 does not ask for" in publication.write_records(world.store, done.prefix)
    assert main(["bundle", str(root / done.prefix), "--check"]) == 0
    assert "note    publish.license=CC0-1.0 does not ask for" in capsys.readouterr().out


def test_a_bundle_that_fails_leaves_the_dataset_and_the_command_that_makes_it(
    world: World, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_this_process(monkeypatch)
    done = world.publish()

    def broken(facts: Any) -> bytes:
        raise RuntimeError("a document nobody can write")

    with monkeypatch.context() as patch:
        patch.setattr("factory.govern.documents.croissant.render", broken)
        said = publication.write_records(world.store, done.prefix)
    assert "a document nobody can write" in said
    assert said.endswith(f"factory bundle {root / done.prefix}")
    assert verify_bytes(world.store, done.prefix).ok
    assert main(said.rpartition("factory ")[2].split()) == 0
    assert "croissant.json" in capsys.readouterr().out
    assert list((root / "datasets/toy/records/v1").glob(f"bundle-*/{INDEX}"))


def test_what_a_document_lacks_is_said_and_ends_the_command_with_1(
    world: World, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = world.publish()
    monkeypatch.setattr("factory.govern.documents.croissant.problems", lambda data: ["license is missing"])
    assert main(["bundle", str(root / done.prefix)]) == 1
    assert "license is missing" in capsys.readouterr().out


def test_the_command_writes_the_same_elsewhere_and_says_so_in_json(
    world: World, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, out = root / world.publish().prefix, tmp_path / "out"
    assert main(["bundle", str(dataset), "--out", str(out), "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert (told["bundle"], told["written"], told["problems"]) == (str(out), True, {})
    assert not (root / "datasets/toy/records/v1").joinpath(INDEX).exists()
    assert main(["bundle", str(dataset), "--json"]) == 0
    beside = orjson.loads(capsys.readouterr().out)
    assert beside["digest"] == told["digest"]
    assert files_below(Path(beside["bundle"])) == files_below(out)
    assert main(["bundle", str(dataset)]) == 0
    assert "was there already" in capsys.readouterr().out


def test_a_copied_dataset_asks_where_to_and_a_changed_one_is_refused(
    world: World, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / "elsewhere"
    shutil.copytree(root / world.publish().prefix, copied)
    assert main(["bundle", str(copied)]) == ConfigError.exit_code
    assert "--out" in capsys.readouterr().err
    assert main(["bundle", str(copied), "--out", str(tmp_path / "out")]) == 0
    (copied / "prompts.json").write_bytes(b'{"prompts": []}')
    assert main(["bundle", str(copied), "--out", str(tmp_path / "other")]) == StoreError.exit_code
    assert "prompts.json" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_a_folder_with_another_datasets_bundle_is_not_overwritten(
    worked: World, published: Published, bundle: Bundle, tmp_path: Path
) -> None:
    other = worked.publish(version="other")
    out = LocalStore(str(tmp_path))
    write_bundle(out, bundle, "")
    before = files_below(tmp_path)
    with pytest.raises(StoreError, match="name an empty folder"):
        write_bundle(out, bundle_of(worked.store, other.manifest, other.prefix), "")
    assert files_below(tmp_path) == before


def test_it_is_written_to_s3(s3: S3, capsys: pytest.CaptureFixture[str]) -> None:
    where = s3.root()
    root = open_root(where, s3.endpoint_url)
    done = make_world(root, documents=6).publish()
    arguments = ["bundle", f"{where}/{done.prefix}", "--endpoint-url", s3.endpoint_url, "--json"]
    assert main(arguments) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["written"]
    key = told["bundle"].removeprefix(f"{root.uri.rstrip('/')}/")
    assert orjson.loads(root.get(f"{key}/{INDEX}"))["documents"] == told["documents"]
    assert main(arguments) == 0
    assert not orjson.loads(capsys.readouterr().out)["written"]


def test_adding_a_document_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factory.govern.documents.DOCUMENTS", ("croissant", "card"))
    assert [document.PATH for document in bundles.documents()] == ["croissant.json", "README.md"]
