"""The table of cases in docs/reliability.md, written by the suite itself between two markers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.case import Case
from tests.faults.code_state import CodeState
from tests.faults.results import Row

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"

BEGIN, END = "<!-- faults: generated -->", "<!-- faults: end -->"

HEAD = (
    "| case | what is done | seeds | Ray / without | rows lost | rows doubled | requests re-paid "
    "| re-done / in flight, at most | engines replaced, at most | seconds a trial | code |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---|",
)


def table(
    rows: Sequence[Row],
    cases: Sequence[Case],
    state: CodeState,
    machine: str,
    left_out: Mapping[str, str] | None = None,
) -> str:
    """Markdown: the machine, the cases tried, those that were not, and of which states of the code the trials are.
    `left_out`: cases that this machine cannot try, and why."""
    lines = [machine, "", *HEAD]
    for row in rows:
        name = row.case.name + (f" ({row.case.engine})" if row.case.engine != "scripted" else "")
        name += f" **{row.failed} FAILED**" if row.failed else ""
        told = row.case.told or " ".join((row.case.disturb.__doc__ or "").strip().split("\n\n")[0].split()).rstrip(".")
        lines.append(
            f"| {name} | {told} | {row.seeds} | {row.executors.get('ray', 0)} / {row.executors.get('processes', 0)} | "
            f"{row.lost} | {row.doubled} | {row.repaid} | {row.redone} / {row.in_flight} | {row.replacements} | "
            f"{row.seconds:.0f} | {_codes(row)} |"
        )
    tried = {row.case.name for row in rows}
    if missing := [case.name for case in cases if case.name not in tried]:
        lines += ["", f"Not tried yet: {', '.join(missing)}."]
    for name, why in (left_out or {}).items():
        lines += ["", f"Cannot be tried on this machine: {name} ({why})."]
    return "\n".join([*lines, *_notes(rows, state)])


def rewrite(text: str, generated: str) -> str:
    """`text` with what is between the markers replaced. Raises ValueError where they are missing."""
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"docs/reliability.md has no markers {BEGIN} … {END}")
    return pattern.sub(lambda _: f"{BEGIN}\n{generated}\n{END}", text)


def _codes(row: Row) -> str:
    if len(row.states) == 1:
        return next(iter(row.states)).name
    return ", ".join(f"{state.name} × {trials}" for state, trials in row.states.items())


def _notes(rows: Sequence[Row], state: CodeState) -> list[str]:
    trials: Counter[str] = Counter()
    names: dict[str, str] = {}
    for row in rows:
        for each, count in row.states.items():
            trials[each.code] += count
            names[each.code] = each.name
    notes = []
    if set(trials) - {state.code}:
        told = ", ".join(f"{count} at {names[code]}" for code, count in trials.most_common())
        notes += ["", f"These trials are of several states of the code: {told}; the table was written at {state.name}."]
    if any("+" in name for name in names.values()):
        notes += ["", "A `+` marks files that were changed and not committed when a trial ran."]
    if failed := {row.case.name: row.failed_before for row in rows if row.failed_before}:
        told = ", ".join(f"{name} {count}" for name, count in failed.items())
        notes += ["", f"Failed with this very code and held when they were tried again: {told}."]
    return notes
