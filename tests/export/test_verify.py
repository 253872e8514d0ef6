"""What `factory verify` says of an export that was changed, and of one whose dataset was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.cli.main import main
from factory.export.manifest import EXPORT
from factory.export.verify import verify_export, verify_source
from factory.govern.state import read_dataset
from factory.govern.withdrawals import withdraw_dataset
from factory.publish.manifest import seal
from factory.store.local import LocalStore
from tests.export.conftest import Exports


def failed(folder: Path) -> dict[str, str]:
    verified = verify_export(LocalStore(str(folder)))
    return {check.name: check.detail for check in verified.checks if not check.ok}


def resealed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The manifest as a forger writes it: with the digest that fits."""
    manifest = orjson.loads((folder / EXPORT).read_bytes())
    change(manifest)
    (folder / EXPORT).write_bytes(seal(manifest))


@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "jsonl.zst"])
def test_any_changed_byte_of_any_file_is_found(exports: Exports, file_format: str) -> None:
    exports("chat", file_format=file_format)
    folder = exports.folder / "export"
    assert not failed(folder)
    for path in (*(folder / "data").iterdir(), folder / "README.md", folder / "ATTRIBUTION.md", folder / EXPORT):
        data = path.read_bytes()
        path.write_bytes(data[:30] + bytes([data[30] ^ 4]) + data[31:])
        assert failed(folder), path.name
        path.write_bytes(data)
    (folder / "data" / "more.parquet").write_bytes(b"x")
    assert failed(folder).keys() == {"files"}


def test_a_forged_manifest_does_not_pass(exports: Exports) -> None:
    exports("chat")
    folder = exports.folder / "export"
    sealed = (folder / EXPORT).read_bytes()

    def forge(change: Callable[[dict[str, Any]], None]) -> dict[str, str]:
        (folder / EXPORT).write_bytes(sealed)
        resealed(folder, change)
        return failed(folder)

    assert "conservation" in forge(lambda manifest: manifest["totals"].update(rows=1))
    assert "conservation" in forge(lambda manifest: manifest["pieces"][0]["counts"].update(read=10**6))
    assert "rows" in forge(lambda manifest: manifest["columns"].pop())
    assert "rows" in forge(lambda manifest: manifest["source"].update(version="v2"))
    assert "card" in forge(lambda manifest: manifest.update(standing="approved by the king"))
    assert "manifest" in forge(lambda manifest: manifest.pop("pieces"))
    assert "manifest" in forge(lambda manifest: manifest.update(pieces=[3]))


def test_an_export_is_held_against_its_dataset(own: Callable[[], Exports], capsys: pytest.CaptureFixture[str]) -> None:
    exports = own()
    manifest = exports("chat").manifest
    root = LocalStore(str(exports.root))
    folder = str(exports.folder / "export")
    assert main(["verify", folder]) == 0
    assert "toy@v1 below" in capsys.readouterr().err
    withdraw_dataset(root, read_dataset(root, "toy", "v1"), "ada", "", "a complaint")
    assert "withdrawn by ada" in verify_source(root, manifest).detail
    assert main(["verify", folder]) == 1
    assert main(["verify", folder, "--bytes"]) == 0
    sealed = exports.dataset / "manifest.json"
    changed = orjson.loads(sealed.read_bytes()) | {"erased": [{"rows": 1}]}
    sealed.write_bytes(orjson.dumps(changed))
    assert "rows were erased from it" in verify_source(root, manifest).detail
    sealed.unlink()
    assert "is not below" in verify_source(root, manifest).detail
    capsys.readouterr()


def test_impact_names_exports_below_the_root_of_datasets_that_it_finds(
    own: Callable[[], Exports], capsys: pytest.CaptureFixture[str]
) -> None:
    exports = own()
    exports("chat", "tutor/chat")
    exports("prompt_completion", "broken")
    (exports.folder / "broken" / EXPORT).write_bytes(b"{}")
    (doc_id,) = exports.rows("tutor/chat")[0]["doc_ids"]
    assert main(["impact", str(exports.root), doc_id, "--json"]) == 0
    told = orjson.loads(capsys.readouterr().out)["exports"]
    assert [(each["prefix"], each["dataset"]) for each in told] == [
        ("exports/broken", ""),
        ("exports/tutor/chat", "toy"),
    ]
    assert main(["impact", str(exports.root), doc_id]) == 0
    assert "copies of these rows may be among its" in capsys.readouterr().out
    assert main(["impact", str(exports.root), "0" * 32, "--json"]) == 0
    assert orjson.loads(capsys.readouterr().out)["exports"] == []
