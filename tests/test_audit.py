"""The pins, and what is known against them: planted advisories are found, and nothing looks green unasked."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.runs import REPOSITORY

ENVIRONMENT = REPOSITORY / "infra" / "environment"


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_of_pins", ENVIRONMENT / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_every_requirement_is_one_exact_version(audit: ModuleType) -> None:
    for name in audit.PINNED:
        pins, faults = audit.pins_of(ENVIRONMENT / name)
        assert pins
        assert faults == []
        assert audit.clashes(pins) == []
    installed = {path.name for path in ENVIRONMENT.glob("*.txt")} - {"overrides.txt", "cpu-overrides.txt"}
    assert installed == set(audit.PINNED)


@pytest.mark.parametrize(
    "line",
    [
        "requests", "requests>=2", "requests==2.*", "requests==2,<3", "-e .", "-r other.txt", "--index-url https://x/simple",
        "requests @ https://example.org/requests.whl", "git+https://example.org/requests", "./requests.whl",
    ],
)  # fmt: skip
def test_what_is_no_pin_is_a_fault(audit: ModuleType, tmp_path: Path, line: str) -> None:
    path = tmp_path / "cpu.txt"
    path.write_text(
        "# a comment\ntorch==2.13.0+cpu\nrich==15.0.0  # via x\n"
        f"ray[data,serve]==2.60.0 ; python_version < '4'\n{line}\n"
    )
    pins, faults = audit.pins_of(path)
    assert [pin.name for pin in pins] == ["torch", "rich", "ray"]
    assert len(faults) == 1
    assert "line 5" in faults[0]


def record(**more: Any) -> dict[str, Any]:
    affected = {"package": {"ecosystem": "PyPI", "name": "Planted_Package"}, **more}
    return {"id": "PYSEC-0000-1", "modified": "2026-11-01T00:00:00Z", "summary": "planted", "affected": [affected]}


def events(*pairs: tuple[str, str]) -> dict[str, Any]:
    return record(ranges=[{"type": "ECOSYSTEM", "events": [{kind: at} for kind, at in pairs]}])


@pytest.mark.parametrize(
    ("advisory", "version", "known"),
    [
        (record(versions=["1.2.3"]), "1.2.3", True),
        (record(versions=["1.2.3"]), "1.2.3+cpu", True),
        (record(versions=["1.2.3"]), "1.2.4", False),
        (events(("introduced", "0"), ("fixed", "2.0")), "1.9", True),
        (events(("introduced", "0"), ("fixed", "2.0")), "2.0", False),
        (events(("introduced", "0"), ("fixed", "2.0")), "2.0rc1", True),
        (events(("introduced", "0"), ("fixed", "1.10")), "1.9", True),  # as versions, not as text
        (events(("introduced", "1.0"), ("last_affected", "1.5")), "1.5", True),
        (events(("introduced", "1.0"), ("last_affected", "1.5")), "1.5.1", False),
        (events(("introduced", "1.0"), ("last_affected", "1.5")), "0.9", False),
        (events(("introduced", "1"), ("fixed", "2"), ("introduced", "3")), "3.1", True),
        (events(("introduced", "1"), ("fixed", "2"), ("introduced", "3")), "2.5", False),
        ({**record(versions=["1"]), "withdrawn": "2026-01-01T00:00:00Z"}, "1", False),
    ],
)
def test_planted_advisories_are_matched_as_osv_defines_it(
    audit: ModuleType, advisory: dict[str, Any], version: str, known: bool
) -> None:
    pin = audit.Pin("cpu.txt", "planted-package", version)
    found, count, youngest = audit.known_in(iter([advisory]), [pin, audit.Pin("cpu.txt", "other", version)])
    assert [one.pin for one in found] == ([pin] if known else [])
    assert (count, youngest) == (1, "2026-11-01T00:00:00Z")


@pytest.mark.parametrize("packed", [False, True])
def test_a_snapshot_with_something_known_fails_and_one_without_says_what_was_held(
    audit: ModuleType, tmp_path: Path, packed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    numpy = next(pin.version for pin in audit.pins_of(ENVIRONMENT / "cpu.txt")[0] if pin.name == "numpy")
    for name, version, code in (("a", "0.0.1", 0), ("b", numpy, 1)):
        planted = record(versions=[version])
        planted["affected"][0]["package"]["name"] = "numpy"
        place = tmp_path / name
        place.mkdir()
        (place / "PYSEC-0000-1.json").write_text(json.dumps(planted))
        if packed:
            with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
                archive.write(place / "PYSEC-0000-1.json", "PYSEC-0000-1.json")
            place = tmp_path / f"{name}.zip"
        pins = [audit.Pin("cpu.txt", "numpy", numpy)]
        assert audit.by_snapshot(pins, place) == code
        out = capsys.readouterr().out
        assert "1 packages held against 1 advisories, the youngest of 2026-11-01" in out
        assert ("known    numpy" in out) == bool(code)


def test_without_advisories_it_says_so_and_does_not_look_green(
    audit: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.by_snapshot([], tmp_path) == audit.NOT_AUDITED
    tool = tmp_path / "environment" / "bin" / "pip-audit"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho 'ConnectionError: no way to the advisories' >&2\nexit 1\n")
    tool.chmod(0o755)
    assert audit.by_pip_audit([audit.Pin("cpu.txt", "rich", "15.0.0")], tmp_path / "environment") == audit.NOT_AUDITED
    err = capsys.readouterr().err
    assert "NOT AUDITED" in err
    assert "no way to the advisories" in err


SCRIPTS = [REPOSITORY / "Makefile", *sorted((REPOSITORY / "infra").rglob("*.sh")), REPOSITORY / ".ci" / "run"]
FETCHES = re.compile(
    r"\b(curl|wget|git clone|docker pull|npm|conda install|uvx|pipx)\b|https?://(?!\{HOST\}|127\.0\.0\.1)"
)


def test_scripts_fetch_nothing_but_pins_and_signed_packages() -> None:
    for path in SCRIPTS:
        for line in path.read_text().splitlines():
            command = line.split("#")[0]
            assert not FETCHES.search(command), f"{path.name}: {line}"
            if re.search(r"\bpip\b.* install|pip_install ", command) and "()" not in command:
                pinned = re.search(r"-r |==[0-9.]+'|--editable|\$wanted", command) or '--no-deps "$@"' in command
                assert pinned, f"{path.name}: {line}"
