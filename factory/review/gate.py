"""A review as a gate: `accepted>=0.9,kappa>=0.6,reviewed>=50` holds, or a pipeline stops.

Design: conditions compare figures of one review's summary with numbers. A figure that could not be computed does not
hold, and says why: a gate never passes because nobody looked. `_low` and `_high` are the ends of a figure's interval,
so that ten acceptances out of ten need not count as certainty.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from factory.errors import ConfigError, GateError
from factory.review.summary import Estimate, Summary

_ESTIMATES = ("accepted", "score", "accuracy", "kappa", "alpha", "alpha_score", "observed")
FIGURES = ("reviewed", "complete", "reviewers", *_ESTIMATES)
"""`complete` is the share of the sample that somebody decided; each of the others that has an interval also exists with
_low and _high."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"\s*([a-z_]+)\s*(>=|<=|>|<)\s*([0-9.]+)\s*(%?)\s*")


@dataclass(frozen=True)
class Condition:
    figure: str
    comparison: str
    threshold: float

    def __str__(self) -> str:
        return f"{self.figure}{self.comparison}{self.threshold:g}"


@dataclass(frozen=True)
class Outcome:
    """`value` None: the figure could not be computed, and `why` says why; `holds` is False then."""

    condition: str
    value: float | None
    holds: bool
    why: str = ""


def parse_conditions(text: str) -> list[Condition]:
    """Raises ConfigError naming the part that is not understood."""
    found = []
    for part in text.split(","):
        match = _CONDITION.fullmatch(part)
        try:
            threshold = float(match[3]) if match else 0.0
        except ValueError:
            match = None
        if match is None:
            raise ConfigError(
                f"--require: {part.strip()!r} is no condition",
                remedy="write FIGURE>=NUMBER, joined by commas: accepted>=0.9,kappa>=0.6,reviewed>=50",
            )
        base = re.sub(r"_(low|high)$", "", match[1])
        if match[1] not in FIGURES and base not in _ESTIMATES:
            raise ConfigError(
                f"--require: there is no figure {match[1]!r}",
                remedy=f"there are {', '.join(FIGURES)}, and _low and _high for the ends of intervals",
            )
        condition = Condition(match[1], match[2], threshold / 100 if match[4] else threshold)
        _check_range(condition, base)
        found.append(condition)
    return found


_SHARES = ("complete", "accepted", "accuracy", "observed")
_COEFFICIENTS = ("kappa", "alpha", "alpha_score")


def _check_range(condition: Condition, base: str) -> None:
    """Raises ConfigError where no value of the figure decides: the condition would always or never hold."""
    low, high = (0, 1) if base in _SHARES else (-1, 1) if base in _COEFFICIENTS else (1, 5)
    if base in ("reviewed", "reviewers") or low <= condition.threshold <= high:
        return
    kind = "shares" if base in _SHARES else "coefficients" if base in _COEFFICIENTS else "scores"
    raise ConfigError(
        f"--require: {condition} can say nothing: {condition.figure} lies between {low} and {high}",
        cause=f"{condition.threshold:g} is outside of what {kind} can be",
        remedy=f"give a number from {low} to {high}" + (", or a share in percent: 90%" if base in _SHARES else ""),
    )


def check(summary: Summary, conditions: Sequence[Condition]) -> list[Outcome]:
    """What every condition comes to, in their order."""
    return [_outcome(summary, condition) for condition in conditions]


def require(outcomes: Sequence[Outcome], review: str) -> None:
    """Raises GateError naming every condition that does not hold."""
    failed = [outcome for outcome in outcomes if not outcome.holds]
    if failed:
        said = "; ".join(f"{outcome.condition} ({_measured(outcome)})" for outcome in failed)
        raise GateError(
            f"the review {review} does not meet what is required: {said}",
            cause=_causes(failed),
            remedy="look at the reasons and comments with --summary; go on reviewing, or publish a better version",
        )


def _causes(failed: Sequence[Outcome]) -> str:
    """By the figures that do not hold."""
    figures = {re.split("[<>]", outcome.condition)[0] for outcome in failed}
    bases = {re.sub(r"_(low|high)$", "", figure) for figure in figures}
    found = []
    if bases & {"reviewed", "complete"} or any(outcome.value is None for outcome in failed):
        found.append("too few rows were looked at yet")
    if "reviewers" in bases:
        found.append("too few people have reviewed")
    if bases & {"accepted", "score", "accuracy"}:
        found.append("rows were rejected, or reviewers thought little of them")
    if bases & {"kappa", "alpha", "alpha_score", "observed"}:
        found.append("reviewers disagree, or too few rows were decided by two of them")
    if figures - bases:
        found.append("an interval is wide where few rows were looked at")
    return "; ".join(found)


def _measured(outcome: Outcome) -> str:
    return f"no value: {outcome.why}" if outcome.value is None else f"it is {outcome.value:.4g}"


def _outcome(summary: Summary, condition: Condition) -> Outcome:
    value, why = _value(summary, condition.figure)
    holds = value is not None and _OPERATORS[condition.comparison](value, condition.threshold)
    return Outcome(str(condition), value, holds, why)


def _value(summary: Summary, figure: str) -> tuple[float | None, str]:
    plain = {
        "reviewed": float(summary.reviewed),
        "complete": summary.reviewed / summary.items if summary.items else 0.0,
        "reviewers": float(sum(each.decided > 0 for each in summary.reviewers)),
    }
    if figure in plain:
        return plain[figure], ""
    base, end = (figure, "value")
    if figure.endswith(("_low", "_high")):
        base, _, end = figure.rpartition("_")
    own: dict[str, Estimate] = {
        "accepted": summary.accepted,
        "score": summary.score,
        "accuracy": summary.accuracy,
        **summary.agreement,
    }
    estimate = own[base]
    value: float | None = getattr(estimate, end)
    return value, "" if value is not None else estimate.why or "it has no interval"
