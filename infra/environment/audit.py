"""What is known against the pinned packages: `make audit`.

Design: three questions, each answered honestly. Are all packages pinned: every line of the compiled files one name and
one exact version, nothing from an address or a repository, and is what is installed here what is pinned? Then the
advisories: from a snapshot on this disk (--advisories: a folder or zip of OSV records, as OSV exports them for an
ecosystem), matched here; without one by pip-audit, pinned in audit.txt, in an environment of its own, which asks OSV
over the network. Where neither is to be had the answer is "not audited" and an exit code of its own: silence about
advisories that nobody asked for must not look like safety.

Exit code: 0 nothing known, 1 something known or something not pinned, 3 not audited.
Cost: the pins take no time; a snapshot of all of PyPI (some ten thousand records) a few seconds.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

HERE = Path(__file__).resolve().parent
TOOL = "audit.txt"
PINNED = ("cpu.txt", "torch-cpu.txt", "gpu.txt", "dev.txt", TOOL)
"""The compiled files: everything that set-up installs, and what this command itself installs."""

CLEAN, KNOWN, NOT_AUDITED = 0, 1, 3

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[\w,.-]+\])?==(?P<version>[^\s;*,]+)\s*(;[^#]*)?(#.*)?")


@dataclass(frozen=True)
class Pin:
    file: str
    name: str
    version: str


@dataclass(frozen=True)
class Known:
    """An advisory that holds for a pinned version."""

    pin: Pin
    advisory: str
    summary: str


def pins_of(path: Path) -> tuple[list[Pin], list[str]]:
    """The pins of a compiled file, and what in it is no pin, in words."""
    pins: list[Pin] = []
    faults: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _PIN.fullmatch(line.strip())
        if found is None:
            faults.append(f"{path.name} line {number}: {line.strip()!r} is no `name==version`")
        else:
            pins.append(Pin(path.name, canonicalize_name(found["name"]), found["version"]))
    return pins, faults


def clashes(pins: Sequence[Pin]) -> list[str]:
    """Packages that one file pins twice."""
    seen: dict[tuple[str, str], str] = {}
    faults = []
    for pin in pins:
        before = seen.setdefault((pin.file, pin.name), pin.version)
        if before != pin.version:
            faults.append(f"{pin.file} pins {pin.name} to {before} and to {pin.version}")
    return faults


def not_as_pinned(pins: Sequence[Pin]) -> list[str]:
    """Packages that are installed here in a version that no file of this environment pins."""
    allowed: dict[str, set[str]] = {}
    for pin in (pin for pin in pins if pin.file != TOOL):
        allowed.setdefault(pin.name, set()).add(pin.version)
    faults = []
    for found in metadata.distributions():
        name = canonicalize_name(found.metadata["Name"])
        if name in allowed and found.version not in allowed[name]:
            faults.append(f"{name} {found.version} is installed, pinned is {', '.join(sorted(allowed[name]))}")
    return sorted(faults)


def records_in(place: Path) -> Iterator[Mapping[str, Any]]:
    """OSV records (https://ossf.github.io/osv-schema/) of a folder or a zip. Raises ValueError where there are none."""
    found = False
    if place.is_dir():
        for path in sorted(place.rglob("*.json")):
            found = True
            yield json.loads(path.read_bytes())
    elif zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    found = True
                    yield json.loads(archive.read(name))
    if not found:
        raise ValueError(f"{place} holds no OSV records (*.json, in a folder or a zip)")


def known_in(records: Iterator[Mapping[str, Any]], pins: Sequence[Pin]) -> tuple[list[Known], int, str]:
    """Advisories that hold for pins, how many records were read, and when the youngest of them was changed."""
    by_name: dict[str, list[Pin]] = {}
    for pin in pins:
        by_name.setdefault(pin.name, []).append(pin)
    found: list[Known] = []
    count, youngest = 0, ""
    for record in records:
        count, youngest = count + 1, max(youngest, str(record.get("modified", "")))
        if record.get("withdrawn"):
            continue
        for affected in record.get("affected", ()):
            package = affected.get("package", {})
            if str(package.get("ecosystem", "")).partition(":")[0] != "PyPI":
                continue
            for pin in by_name.get(canonicalize_name(str(package.get("name", ""))), ()):
                if holds(affected, pin.version):
                    found.append(Known(pin, str(record["id"]), str(record.get("summary", "")).strip()))
    return sorted(set(found), key=lambda one: (one.pin.name, one.advisory, one.pin.file)), count, youngest


def holds(affected: Mapping[str, Any], version: str) -> bool:
    """Whether a version is affected: listed, or inside a range. A local build (2.13.0+cpu) counts as its release."""
    public = version.partition("+")[0]
    if public in affected.get("versions", ()):
        return True
    try:
        ours = Version(public)
    except InvalidVersion:
        return False
    return any(
        _inside(ours, one.get("events", ())) for one in affected.get("ranges", ()) if one.get("type") == "ECOSYSTEM"
    )


def _inside(ours: Version, events: Sequence[Mapping[str, str]]) -> bool:
    """OSV's evaluation: the last event at or before the version decides; `last_affected` ends behind its version."""
    inside = False
    for event in sorted(events, key=_place):
        ((kind, at),) = event.items()
        bound = Version("0") if at == "0" else _version(at)
        if bound is None:
            continue
        if kind == "introduced" and ours >= bound:
            inside = True
        elif (kind == "fixed" and ours >= bound) or (kind == "last_affected" and ours > bound):
            inside = False
    return inside


def _place(event: Mapping[str, str]) -> tuple[Version, bool]:
    ((kind, at),) = event.items()
    return (_version(at) or Version("0"), kind != "introduced")


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def by_pip_audit(pins: Sequence[Pin], environment: Path) -> int:
    """Asks OSV by pip-audit, which is installed into `environment` on first use; prints what it says."""
    tool = environment / "bin" / "pip-audit"
    try:
        if not tool.exists():
            subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, capture_output=True)
            python = str(environment / "bin" / "python")
            command = [python, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-qq", "--no-deps"]
            subprocess.run([*command, "-r", str(HERE / TOOL)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return _not_audited(f"pip-audit could not be installed: {_last_line(error)}")
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder, "said.json")
        files = []
        for name in sorted({pin.file for pin in pins}):  # the kinds of machines pin different versions of some
            lines = sorted({f"{pin.name}=={pin.version.partition('+')[0]}\n" for pin in pins if pin.file == name})
            Path(folder, name).write_text("".join(lines))
            files += ["-r", str(Path(folder, name))]
        command = [
            str(tool),
            "--no-deps",
            "--disable-pip",
            "--vulnerability-service",
            "osv",
            "--progress-spinner",
            "off",
        ]
        done = subprocess.run(
            [*command, "--format", "json", "--output", str(said), *files], capture_output=True, text=True
        )
        try:
            asked = json.loads(said.read_bytes())["dependencies"]
        except (OSError, ValueError, KeyError):
            return _not_audited(f"pip-audit ended with {done.returncode}: {_last_line(done)}")
    skipped = [one["name"] for one in asked if "skip_reason" in one]
    found = [(one["name"], one["version"], each["id"]) for one in asked for each in one.get("vulns", ())]
    for name, version, advisory in found:
        print(f"known    {name} {version}: {advisory}")
    if skipped:
        return KNOWN if found else _not_audited(f"pip-audit skipped {len(skipped)} packages: {', '.join(skipped)}")
    print(f"{len(asked)} packages asked about by pip-audit; with a known advisory: {len(found) or 'none'}")
    return KNOWN if found else CLEAN


def _last_line(ended: Any) -> str:
    said = getattr(ended, "stderr", None) or str(ended)
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return (text.strip().splitlines() or ["it said nothing"])[-1][:300]


def _not_audited(why: str) -> int:
    print(
        f"NOT AUDITED: {why}\n"
        "  likely cause: this machine has no way to the advisories (OSV), or to the package registry\n"
        "  what to do:   run it where there is a network; or download OSV's export for PyPI (all.zip) there,"
        " and give it here: make audit ADVISORIES=all.zip",
        file=sys.stderr,
    )
    return NOT_AUDITED


def by_snapshot(pins: Sequence[Pin], place: Path) -> int:
    try:
        found, count, youngest = known_in(records_in(place), pins)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        return _not_audited(f"the advisories cannot be read: {error}")
    for one in found:
        print(f"known    {one.pin.name} {one.pin.version} ({one.pin.file}): {one.advisory}  {one.summary}")
    names = len({pin.name for pin in pins})
    print(
        f"{names} packages held against {count:,} advisories, the youngest of {youngest or 'no date'}; "
        f"with a known advisory: {len({one.pin.name for one in found}) or 'none'}"
    )
    return KNOWN if found else CLEAN


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What is known against the pinned packages.")
    parser.add_argument("--advisories", type=Path, help="folder or zip of OSV records, instead of asking OSV")
    parser.add_argument("--pins-only", action="store_true", help="look at the pins alone, ask nobody")
    parser.add_argument("--environment", type=Path, default=HERE.parents[1] / ".venv" / "audit", help="of pip-audit")
    given = parser.parse_args(arguments)
    pins: list[Pin] = []
    faults: list[str] = []
    for name in PINNED:
        found, wrong = pins_of(HERE / name)
        pins, faults = pins + found, faults + wrong
    faults += clashes(pins) + not_as_pinned(pins)
    for fault in faults:
        print(f"unpinned {fault}")
    print(f"{len(pins)} pins in {len(PINNED)} files; faults: {len(faults) or 'none'}")
    if given.pins_only:
        return KNOWN if faults else CLEAN
    code = by_snapshot(pins, given.advisories) if given.advisories else by_pip_audit(pins, given.environment)
    return code or (KNOWN if faults else CLEAN)


if __name__ == "__main__":
    sys.exit(main())
