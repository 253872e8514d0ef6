"""A review as a gate: `accepted>=0.9,kappa>=0.6,reviewed>=50` holds, or a pipeline stops.

Design: conditions compare figures of one review's summary with numbers. A figure that could not be computed does not
hold, and says why: a gate never passes because nobody looked. `_low` and `_high` are the ends of a figure's interval,
so that ten acceptances out of ten need not count as certainty.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from factory.conditions import Condition, Outcome, outcome, parse_condition
from factory.conditions import failed as failed_of
from factory.errors import ConfigError, GateError
from factory.review.summary import Estimate, Summary

_ESTIMATES = ("accepted", "score", "accuracy", "kappa", "alpha", "alpha_score", "observed")
FIGURES = ("reviewed", "complete", "reviewers", *_ESTIMATES)
"""`complete` is the share of the sample that somebody decided; each of the others that has an interval also exists with
_low and _high."""


def parse_conditions(text: str) -> list[Condition]:
    """Raises ConfigError naming the part that is not understood."""
    found = []
    for part in text.split(","):
        try:
            condition = parse_condition(part)
        except ValueError as error:
            raise ConfigError(
                f"--require: {error}",
                remedy="write FIGURE>=NUMBER, joined by commas: accepted>=0.9,kappa>=0.6,reviewed>=50",
            ) from None
        base = re.sub(r"_(low|high)$", "", condition.figure)
        if condition.figure not in FIGURES and base not in _ESTIMATES:
            raise ConfigError(
                f"--require: there is no figure {condition.figure!r}",
                remedy=f"there are {', '.join(FIGURES)}, and _low and _high for the ends of intervals",
            )
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
    return [outcome(condition, *_value(summary, condition.figure)) for condition in conditions]


def require(outcomes: Sequence[Outcome], review: str) -> None:
    """Raises GateError naming every condition that does not hold."""
    failed = failed_of(outcomes)
    if failed:
        said = "; ".join(each.in_words for each in failed)
        raise GateError(
            f"the review {review} does not meet what is required: {said}",
            cause=_causes(failed),
            remedy="look at the reasons and comments with --summary; go on reviewing, or publish a better version",
        )


def _causes(failed: Sequence[Outcome]) -> str:
    """By the figures that do not hold."""
    figures = {re.split("[<>]", each.condition)[0] for each in failed}
    bases = {re.sub(r"_(low|high)$", "", figure) for figure in figures}
    found = []
    if bases & {"reviewed", "complete"} or any(each.value is None for each in failed):
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
