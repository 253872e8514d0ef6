"""Names on the command line and in a manifest lead nowhere but where they belong, and what is printed is only shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.cli.main import main
from factory.printable import OBEYED
from factory.publish.manifest import MANIFEST, seal
from factory.run.record import record_key
from tests.publish.world import RUN, World

NAMES = ("../outside", "../../outside", "/etc/passwd", "..", "a/../../outside", "x" * 300, "a\nb", "\x1b[2J", "")


@pytest.fixture
def dataset(world: World, root: Path) -> Path:
    record = {
        "run": RUN,
        "state": "failed",
        "started": "2026",
        "steps": {},
        "error": "broken \x1b[2J\u202e by a document",
    }
    world.store.put(record_key(RUN), orjson.dumps(record))
    (root.parent / "outside.json").write_text('{"run": "outside", "state": "finished", "started": "1", "steps": {}}')
    return root / world.publish().prefix


@pytest.mark.parametrize("name", NAMES)
def test_names_on_the_command_line_stay_inside(
    dataset: Path, root: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path for path in root.parent.rglob("*") if root not in path.parents)
    for arguments in (
        ["status", str(root), "--run", name],
        ["doctor", str(root), "--run", name],
        ["report", str(root), "--run", name] if name else ["status", str(root), "--run", name],
        ["replay", str(dataset), name],
        ["review", str(dataset), "--summary", "--review", name],
        ["review", str(dataset), "--reviewer", name or "..", "--size", "1", "--port", "0"],
    ):
        assert main(arguments) in (1, 2, 4), arguments
        said = "".join(capsys.readouterr())
        assert "root:" not in said
        assert "Traceback" not in said
        assert not OBEYED.search(said)
    assert sorted(path for path in root.parent.rglob("*") if root not in path.parents) == before


@pytest.mark.parametrize("path", ["../../../../outside.json", "/etc/passwd", "data/../../../x"])
def test_paths_of_a_manifest_that_somebody_made_up_stay_inside(
    dataset: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    where = dataset / MANIFEST
    manifest: dict[str, Any] = orjson.loads(where.read_bytes())
    manifest["shards"][0]["path"] = path
    manifest["files"][0]["path"] = path
    manifest.pop("digest")
    where.write_bytes(seal(manifest))
    for command in (["show", str(dataset)], ["verify", str(dataset), "--bytes"], ["replay", str(dataset), "0" * 32]):
        assert main(command) in (1, 4)
        said = "".join(capsys.readouterr())
        assert "root:" not in said


def test_what_a_record_and_rows_hold_is_shown_on_a_terminal_and_not_obeyed(
    dataset: Path, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for command in (["status", str(root)], ["doctor", str(root)]):
        main(command)
        out = capsys.readouterr().out
        assert "broken \ufffd[2J\ufffd by a document" in out
        assert not OBEYED.search(out)
    assert main(["show", str(dataset), "-n", "3"]) == 0
    out = capsys.readouterr().out
    assert not OBEYED.search(out)
    assert "\ufffd" not in out  # nor are there colours of our own, which would be shown as well
