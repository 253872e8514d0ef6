"""How an export comes about: claimed, killed, finished by the same command, and never over something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from factory.cli.main import main
from factory.errors import ConfigError, GateError, StoreError
from factory.export import pieces
from factory.govern.approval import Approver, approve
from factory.govern.facts import facts_of
from factory.govern.state import read_dataset
from factory.govern.withdrawals import withdraw_dataset
from factory.store.local import LocalStore
from tests.conftest import S3
from tests.export.conftest import Exports
from tests.publish.world import make_world

FILES = {"export.json", "README.md", "ATTRIBUTION.md"}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".~lock" not in path.parts
    }


def test_the_same_command_finds_its_export_and_another_is_refused(exports: Exports) -> None:
    made = exports("chat")
    before = contents(exports.folder / "export")
    assert {name for name in before if not name.startswith("data/")} == FILES
    assert exports("chat").already
    assert not made.already
    with pytest.raises(StoreError, match="holds another export: toy@v1 as chat"):
        exports("prompt_completion")
    assert contents(exports.folder / "export") == before


def test_data_files_have_the_same_bytes_wherever_and_by_however_many_they_are_made(exports: Exports) -> None:
    assert len(exports.source.manifest["shards"]) > 1
    exports("chat", "alone")
    exports("chat", "together", processes=2)
    alone, together = contents(exports.folder / "alone"), contents(exports.folder / "together")
    assert {name: data for name, data in alone.items() if name != "export.json"} == {
        name: data for name, data in together.items() if name != "export.json"
    }


def test_what_was_killed_is_finished_without_making_finished_files_again(
    exports: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, names = pieces.make, list[str]()

    def killed_at_the_second(work: pieces.Work, piece: pieces.Piece) -> dict[str, object]:
        names.append(piece.name)
        if len(names) == 2:
            raise KeyboardInterrupt
        return original(work, piece)

    monkeypatch.setattr(pieces, "make", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        exports("chat", splits=("train", "validation"))
    folder = exports.folder / "export"
    assert not (folder / "export.json").exists()
    (folder / "data" / ".~tmp.left").write_bytes(b"of a writer that was killed")
    with pytest.raises(StoreError, match=r"begun at .* and is not finished"):
        exports("prompt_completion")
    first = names[0]
    names.clear()
    names.append("")
    names.append("")
    made = exports("chat", splits=("train", "validation"))
    assert first not in names
    assert not made.already
    assert contents(folder).keys() - {entry["path"] for entry in made.manifest["files"]} == {"export.json"}


def test_a_folder_that_holds_something_else_is_left_alone(exports: Exports, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds other files \(thesis.txt\)"):
        exports("chat")
    assert [path.name for path in (tmp_path / "export").iterdir()] == ["thesis.txt"]


def test_nothing_is_written_among_datasets(exports: Exports, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(exports.dataset / "export")
    assert main(["export", str(exports.dataset), "--as", "chat", "--out", out, "--require", "any"]) == 2
    assert "lies among datasets" in capsys.readouterr().err
    assert not Path(out).exists()


def test_drafts_and_withdrawn_datasets_are_refused_until_it_is_said_that_they_are_enough(
    own: Callable[[], Exports], capsys: pytest.CaptureFixture[str]
) -> None:
    exports = own()
    command = ["export", str(exports.dataset), "--as", "chat", "--out", str(exports.folder / "chat")]
    assert main(command) == GateError.exit_code
    assert "toy@v1 is not exported: it is a draft" in capsys.readouterr().err
    assert not exports.folder.exists()
    root = LocalStore(str(exports.root))
    approve(root, facts_of(exports.source.manifest), Approver("ada"))
    assert main(command) == 0
    closing = orjson.loads(capsys.readouterr().out.splitlines()[-1])
    assert closing["rows"] == closing["used"] == closing["read"] > 0
    withdraw_dataset(root, read_dataset(root, "toy", "v1"), "ada", "", "a complaint")
    assert main([*command[:-1], str(exports.folder / "again"), "--require", "not_withdrawn"]) == GateError.exit_code
    assert main([*command[:-1], str(exports.folder / "again"), "--require", "any"]) == 0
    capsys.readouterr()


def test_an_export_from_and_to_an_object_store(s3: S3, capsys: pytest.CaptureFixture[str]) -> None:
    from factory.store.open import open_root

    root = s3.root()
    prefix = make_world(open_root(root, s3.endpoint_url), documents=6).publish().prefix
    out = f"{root}/exports/chat"
    assert main(["export", f"{root}/{prefix}", "--as", "chat", "--out", out, "--require", "any"]) == 0
    assert main(["verify", out]) == 0
    assert "toy@v1 below" in capsys.readouterr().err
