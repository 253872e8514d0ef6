"""One frame of `factory top`: a glimpse of a run as lines of text. Compute only.

Design: made for 80 columns; wider terminals get longer bars and nothing else. A number that is estimated has a `~`.
Names come from records that anybody may have written, so everything is `printable`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from factory.cost.words import said_money
from factory.observe.glimpse import Glimpse, StepLine
from factory.printable import printable

if TYPE_CHECKING:
    from rich.text import Text

NARROWEST = 60
BAR = 16
STEPS_SHOWN = 14
REASONS_SHOWN = 5


def frame(
    glimpse: Glimpse,
    width: int = 80,
    live: Mapping[str, float] | None = None,
    height: int = 0,
    live_problem: str = "",
) -> Text:
    """The lines of a frame, none wider than `width`. `live`: what the metrics endpoint says, by metric, and
    `live_problem` why it says nothing. `height`: lines there are at most; 0: as many as it takes."""
    from rich.text import Text

    width = max(width, NARROWEST)
    lines = [_head(glimpse), *_error(glimpse), _heading(width)]
    steps = glimpse.steps
    shown = max(1, min(STEPS_SHOWN, height - (11 if live_problem else 10))) if height else len(steps)
    if shown < len(steps):
        lines.append((f"  … {len(steps) - shown} steps before these are done", "dim"))
        steps = steps[-shown:]
    lines += [_step(step, width) for step in steps]
    working = next((step for step in reversed(glimpse.steps) if not step.done), None)
    if working is not None and glimpse.state == "running":
        lines += [("", ""), *_rates(working)]
    lines += _reasons(glimpse.steps)
    lines += _engines(glimpse, live or {})
    if live_problem:
        lines.append((f"metrics: {live_problem}", "yellow"))
    lines.append((f"cost of what is committed: {said_money(glimpse.spent)}", ""))
    text = Text()
    for line, style in lines:
        cut = printable(line).replace("\n", " ")
        text.append((cut if len(cut) <= width else cut[: width - 1] + "…") + "\n", style)
    return text


def _head(glimpse: Glimpse) -> tuple[str, str]:
    style = {"running": "bold green", "finished": "bold", "failed": "bold red"}.get(glimpse.state, "bold yellow")
    name = f"  dataset {glimpse.dataset}" if glimpse.dataset else ""
    others = f"  (+{glimpse.others} more running)" if glimpse.others else ""
    return f"run {glimpse.run}  {glimpse.state}  {duration(glimpse.seconds)}{name}{others}", style


def _error(glimpse: Glimpse) -> list[tuple[str, str]]:
    lines = []
    if glimpse.error:
        lines.append((f"  stopped by: {glimpse.error.splitlines()[0]}", "red"))
    if glimpse.state == "stopped":
        lines.append(("  killed: no sign of life; the same command goes on where it stopped", "yellow"))
    return lines


def _heading(width: int) -> tuple[str, str]:
    return f"{'step':<16} {'units':<{_bar(width)}} {'done/all':>13} {'rows in':>9} {'accepted':>9} {'time':>9}", "dim"


def _bar(width: int) -> int:
    return max(4, BAR + width - 80)


def _step(step: StepLine, width: int) -> tuple[str, str]:
    size = _bar(width)
    share = 1.0 if step.units == 0 else min(1.0, step.committed / step.units)
    full = int(share * size)
    bar = "█" * full + "░" * (size - full)
    about = "" if step.units_exact else "~"
    units = f"{about}{step.committed:,.0f}/{step.units:,}"
    rows = "" if step.exact else "~"
    time = duration(step.seconds) if step.seconds is not None else _left(step)
    name = printable(step.step)[:16]
    return (
        f"{name:<16} {bar} {units:>13} {rows + short(step.rows_in):>9} {rows + short(step.accepted):>9} {time:>9}",
        "" if step.done else "cyan",
    )


def _left(step: StepLine) -> str:
    return "" if step.seconds_left is None else f"-{duration(step.seconds_left)}"


def _rates(step: StepLine) -> list[tuple[str, str]]:
    units = f"{step.step}: {step.in_flight:,.0f} units in flight, {step.waiting:,.0f} waiting"
    if step.lost:
        units += f", {step.lost:,.0f} attempts lost"
    if step.units_s is None:
        return [(units, ""), ("  rates and time left come with the first units of this execution", "dim")]
    parts = [f"{step.units_s:,.2f} units/s", f"{step.rows_s or 0:,.1f} rows/s"]
    if step.tokens_s:
        parts.append(f"{step.tokens_s:,.0f} tokens/s")
    if step.seconds_left is not None:
        parts.append(f"this step: about {duration(step.seconds_left)} left")
    return [(units, ""), ("  " + ", ".join(parts), "")]


def _reasons(steps: Sequence[StepLine]) -> list[tuple[str, str]]:
    """What was turned away most, of the last step that turned anything away."""
    step = next((step for step in reversed(steps) if step.reasons), None)
    if step is None:
        return []
    about = "" if step.exact else "~"
    most = sorted(step.reasons.items(), key=lambda item: (-item[1], item[0]))
    told = [f"{reason} {about}{short(rows)}" for reason, rows in most[:REASONS_SHOWN]]
    if len(most) > REASONS_SHOWN:
        told.append(f"{len(most) - REASONS_SHOWN} more reasons")
    return [(f"turned away in {step.step}: {', '.join(told)}", "")]


def _engines(glimpse: Glimpse, live: Mapping[str, float]) -> list[tuple[str, str]]:
    if "factory_engine_replicas" in live:
        now = [
            f"{live['factory_engine_replicas']:.0f} answering",
            f"{live.get('factory_engine_open_requests', 0):,.0f} requests open",
        ]
        if "vllm:num_requests_waiting" in live:
            now.append(f"{live['vllm:num_requests_waiting']:,.0f} waiting in vLLM")
        if "vllm:kv_cache_usage_perc" in live:
            now.append(f"KV cache {live['vllm:kv_cache_usage_perc']:.0%}")
        return [(f"engines: {', '.join(now)}", "")]
    lines = []
    for model, starts in glimpse.engines.items():
        replaced = f", {starts.get('replacements', 0):g} replaced" if starts.get("replacements") else ""
        lines.append((f"engines of {model}: {starts.get('starts', 0):g} started{replaced}", ""))
    return lines


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} d"


def short(number: float) -> str:
    """Seven characters at most: 987,654 is 988k."""
    for limit, unit, divisor in ((100_000, "", 1), (10_000_000, "k", 1e3), (10_000_000_000, "M", 1e6)):
        if number < limit:
            return f"{number / divisor:,.0f}{unit}"
    return f"{number / 1e9:,.0f}G"
