"""The table of cases in docs/reliability.md, written by the suite itself between two markers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.case import Case
from tests.faults.code_state import CodeState
from tests.faults.results import Row

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"

BEGIN, END = "<!-- faults: generated -->", "<!-- faults: end -->"

HEAD = (
    "| case | what is done | seeds | rows lost | rows doubled | requests re-paid | re-done / in flight, at most "
    "| engines replaced, at most | seconds a trial | code |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
)


def table(
    rows: Sequence[Row],
    cases: Sequence[Case],
    state: CodeState,
    machine: str,
    left_out: Mapping[str, str] | None = None,
) -> str:
    """Markdown: the machine, the cases tried, those that were not, and of which states of the code the rows are.
    `left_out`: cases that this machine cannot try, and why."""
    lines = [machine, "", *HEAD]
    for row in rows:
        name = row.case.name + (f" ({row.case.engine})" if row.case.engine != "scripted" else "")
        name += f" **{row.failed} FAILED**" if row.failed else ""
        told = row.case.told or (row.case.disturb.__doc__ or "").strip().split("\n")[0].rstrip(".")
        lines.append(
            f"| {name} | {told} | {row.seeds} | {row.lost} | {row.doubled} | {row.repaid} | "
            f"{row.redone} / {row.in_flight} | {row.replacements} | {row.seconds:.0f} | {row.key} |"
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


def _notes(rows: Sequence[Row], state: CodeState) -> list[str]:
    notes = []
    keys = sorted({row.key for row in rows})
    if len(keys) > 1:
        notes += ["", f"These rows are of several states of the code: {', '.join(keys)}; the suite ran at {state.key}."]
    if any("+" in key for key in keys):
        notes += ["", "A `+` marks files that were changed and not committed when the suite ran."]
    return notes
