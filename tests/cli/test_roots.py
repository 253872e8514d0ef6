"""What is said of a root that holds no run, or is no root at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.cli.main import main


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_root_without_a_run_is_an_error(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(tmp_path / "nothing")]) == 2
    assert "there is no run under" in capsys.readouterr().err


def test_the_status_of_a_run_that_is_not_there_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path), "--run", "abc"]) == 2
    assert "there is no run abc" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["", "deeper/still"])
@pytest.mark.parametrize("command", [["status"], ["report"], ["show"], ["plan"]])
def test_a_file_as_root_is_said_to_be_one_and_nobody_is_told_to_remove_it(
    command: list[str], below: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "corpus.jsonl"
    file.write_text("{}")
    address = str(file / below)
    assert main([*command, f"store.root={address}" if command == ["plan"] else address]) == 2
    said = capsys.readouterr().err
    assert f"{file} is a file where a folder is needed" in said
    assert "name a folder" in said
    assert "remove" not in said


def test_gc_of_a_mistyped_root_is_refused_like_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("gc", "status"):
        assert main([command, str(tmp_path / "nowhere")]) == 2
        assert "a mistyped root" in capsys.readouterr().err
