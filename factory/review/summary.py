"""What a review says: shares with intervals, agreement, reasons, and what the blinded one could tell apart.

Design: a pure function of the sheet and the decisions. An item that several reviewers decided counts once, with the
share of them that accepted it. In a stratified review strata are weighed by their rows in the dataset, so `accepted` is
an estimate for the dataset; of a lowest-agreement draw it is one for those rows only, and says so. Shares have Wilson
intervals (Wilson 1927; for weighted ones with Kish's effective size): a bootstrap of 50 acceptances out of 50 would be
the point 1. Agreement has bootstrap intervals over items.

Cost: 500 items with verdicts and scores of three reviewers took 0.2 s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from factory.evaluate.dataset.bootstrap import mean_interval
from factory.review.agreement import Agreement, cohen_kappa, krippendorff_alpha, raw_agreement
from factory.review.decisions import Decision, fold
from factory.review.sheet import Sheet

F64 = npt.NDArray[np.float64]

_Z = 1.959963984540054
"""Of the normal distribution at 97.5 %."""


@dataclass(frozen=True)
class Estimate:
    """A share or mean with its 95 % interval, and the number of items it rests on; None where there are none."""

    value: float | None
    low: float | None = None
    high: float | None = None
    items: int = 0
    why: str = ""


@dataclass(frozen=True)
class ReviewerCounts:
    """`share` is of what was accepted, in a blinded review of what was told right; `seconds` the median on an item."""

    reviewer: str
    decided: int
    share: Estimate
    skipped: int
    mean_score: float | None
    seconds: float | None


@dataclass(frozen=True)
class StratumResult:
    name: str
    rows: int
    reviewed: int
    accepted: Estimate


@dataclass(frozen=True)
class Comment:
    """What a reviewer wrote beside a verdict; `sample_id` is None for a real item of a blinded review."""

    sample_id: str | None
    reviewer: str
    verdict: str
    comment: str
    decided_at: str


COMMENTS = 20
"""The newest comments that a summary keeps; all of them stand in the decisions."""


@dataclass(frozen=True)
class Summary:
    """`agreement` is by name: kappa (exactly two reviewers), alpha (nominal, of verdicts), alpha_score (ordinal, of
    scores), observed (share of equal pairs). `rejected` and `disputed` are sample ids; `reasons` count decisions;
    `comments` are the newest COMMENTS of `commented`."""

    review: str
    kind: str
    draw: str
    by: str | None
    items: int
    reviewed: int
    reviewers: tuple[ReviewerCounts, ...]
    accepted: Estimate
    score: Estimate
    accuracy: Estimate
    agreement: Mapping[str, Estimate]
    strata: tuple[StratumResult, ...]
    reasons: Mapping[str, int]
    rejected: tuple[str, ...]
    disputed: tuple[str, ...]
    notes: tuple[str, ...]
    commented: int = 0
    comments: tuple[Comment, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def summarise(sheet: Sheet, decisions: Sequence[Decision], seed: int = 0) -> Summary:
    """What stands after every undo and change of mind. Skipped items count as not decided."""
    places = {item.item: place for place, item in enumerate(sheet.items)}
    standing = [each for each in fold(decisions).values() if each.item in places]
    names = sorted({decision.reviewer for decision in standing})
    verdicts = np.full((len(names), len(places)), np.nan)
    scores = verdicts.copy()
    for each in standing:
        place = names.index(each.reviewer), places[each.item]
        if each.verdict != "skip":
            verdicts[place] = each.verdict in ("accept", "human")
            if each.score is not None:
                scores[place] = each.score
    real = np.array([item.real for item in sheet.items], np.float64)
    blind = sheet.kind == "blind"
    positive = np.where(np.isnan(verdicts), np.nan, verdicts == real) if blind else verdicts
    shares = _means(positive)
    accepted = Estimate(None, why="a blinded review asks something else") if blind else _accepted(sheet, shares)
    accuracy = _told_apart(positive, shares) if blind else Estimate(None, why="not a blinded review")
    rated = [decision for decision in standing if decision.verdict != "skip"]
    ids = [item.sample_id for item in sheet.items]
    return Summary(
        review=sheet.review,
        kind=sheet.kind,
        draw=sheet.draw,
        by=sheet.by,
        items=len(sheet.items),
        reviewed=int((~np.isnan(shares)).sum()),
        reviewers=tuple(_counts(name, standing, positive[row]) for row, name in enumerate(names)),
        accepted=accepted,
        score=_mean(_means(scores)),
        accuracy=accuracy,
        agreement=_agreement(verdicts, scores, seed),
        strata=() if blind else _strata(sheet, shares),
        reasons=dict(Counter(reason for decision in rated for reason in decision.reasons).most_common()),
        rejected=() if blind else tuple(str(ids[place]) for place in np.flatnonzero(shares < 0.5)),
        disputed=tuple(str(ids[place]) for place in np.flatnonzero((shares > 0) & (shares < 1)) if ids[place]),
        notes=_notes(sheet, names),
        commented=sum(bool(decision.comment.strip()) for decision in standing),
        comments=_comments(standing, {item.item: item.sample_id for item in sheet.items}),
    )


def _comments(standing: Sequence[Decision], ids: Mapping[str, str | None]) -> tuple[Comment, ...]:
    """The newest first; skipped items as well, because a comment is what a skip leaves."""
    said = [decision for decision in standing if decision.comment.strip()]
    said.sort(key=lambda decision: (decision.decided_at, decision.reviewer, decision.number), reverse=True)
    return tuple(
        Comment(ids[each.item], each.reviewer, each.verdict, each.comment.strip(), each.decided_at)
        for each in said[:COMMENTS]
    )


def wilson(share: float, size: float) -> tuple[float, float]:
    """Ends of Wilson's 95 % score interval of a share seen on `size` items (which may be an effective size)."""
    middle = (share + _Z**2 / (2 * size)) / (1 + _Z**2 / size)
    half = _Z / (1 + _Z**2 / size) * math.sqrt(share * (1 - share) / size + _Z**2 / (4 * size**2))
    # At 0 and 1 an end is the share itself, but for the last bit.
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _share(values: F64) -> Estimate:
    held = values[~np.isnan(values)]
    if not len(held):
        return Estimate(None, why="nothing was decided")
    share = float(held.mean())
    return Estimate(share, *wilson(share, len(held)), len(held))


def _accepted(sheet: Sheet, shares: F64) -> Estimate:
    if not sheet.strata:
        return _share(shares)
    held = [(stratum.rows, values[~np.isnan(values)]) for stratum, values in _by_stratum(sheet, shares)]
    held = [(rows, values) for rows, values in held if len(values)]
    if not held:
        return Estimate(None, why="nothing was decided")
    covered = sum(rows for rows, _ in held)
    share = sum(rows / covered * float(values.mean()) for rows, values in held)
    size = 1 / sum((rows / covered) ** 2 / len(values) for rows, values in held)
    missing = sheet.population - covered
    why = f"strata with {missing:,} of {sheet.population:,} rows have no decision yet" if missing else ""
    return Estimate(share, *wilson(share, size), sum(len(values) for _, values in held), why)


def _by_stratum(sheet: Sheet, shares: F64) -> list[tuple[Any, F64]]:
    labels = np.array([item.stratum for item in sheet.items])
    return [(stratum, shares[labels == stratum.name]) for stratum in sheet.strata]


def _strata(sheet: Sheet, shares: F64) -> tuple[StratumResult, ...]:
    return tuple(
        StratumResult(stratum.name, stratum.rows, int((~np.isnan(values)).sum()), _share(values))
        for stratum, values in _by_stratum(sheet, shares)
    )


def _told_apart(right: F64, shares: F64) -> Estimate:
    """Share told right, reviewers averaged within an item first: their judgements of one item are not independent."""
    return _share(shares) if right.size else Estimate(None, why="nothing was decided")


def _mean(values: F64) -> Estimate:
    held = values[~np.isnan(values)]
    if not len(held):
        return Estimate(None, why="no scores were given")
    return Estimate(float(held.mean()), *mean_interval(held, 0), len(held))


def _means(ratings: F64) -> F64:
    """float[items]: mean over reviewers who decided, NaN where none did."""
    decided = (~np.isnan(ratings)).sum(axis=0)
    found: F64 = np.full(ratings.shape[1], np.nan)
    np.divide(np.nansum(ratings, axis=0), decided, out=found, where=decided > 0)
    return found


def _agreement(verdicts: F64, scores: F64, seed: int) -> dict[str, Estimate]:
    found = {"alpha": krippendorff_alpha(verdicts, "nominal", seed)}
    if len(verdicts) == 2:
        found["kappa"] = cohen_kappa(verdicts[0], verdicts[1], seed)
    found["alpha_score"] = krippendorff_alpha(scores, "ordinal", seed)
    estimates = {name: _coefficient(each) for name, each in found.items()}
    if len(verdicts) != 2:
        estimates["kappa"] = Estimate(None, why="kappa is for exactly two reviewers; alpha is for any number")
    observed = raw_agreement(verdicts) if len(verdicts) else math.nan
    both = found["alpha"].items
    estimates["observed"] = Estimate(None if math.isnan(observed) else observed, items=both, why=_why(both, observed))
    return estimates


def _coefficient(found: Agreement) -> Estimate:
    if math.isnan(found.value):
        return Estimate(None, items=found.items, why=_why(found.items, found.value))
    low, high = (None if math.isnan(end) else end for end in (found.low, found.high))
    return Estimate(found.value, low, high, found.items)


def _why(items: int, value: float) -> str:
    if not math.isnan(value):
        return ""
    if not items:
        return "no item was decided by two reviewers"
    return "every decision is the same, so agreement beyond chance is undefined"


def _counts(name: str, standing: Sequence[Decision], positive: F64) -> ReviewerCounts:
    own = [decision for decision in standing if decision.reviewer == name]
    decided = [decision for decision in own if decision.verdict != "skip"]
    scores = [decision.score for decision in decided if decision.score is not None]
    return ReviewerCounts(
        name,
        len(decided),
        _share(positive),
        len(own) - len(decided),
        sum(scores) / len(scores) if scores else None,
        float(np.median([decision.seconds for decision in decided])) if decided else None,
    )


def _notes(sheet: Sheet, names: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if sheet.draw == "lowest-agreement":
        notes.append("The rows whose samples agreed least: their share says nothing about the dataset as a whole.")
    if sheet.strata:
        notes.append(f"Strata by {sheet.by} are weighed by their rows in the dataset.")
    if sheet.kind == "blind" and sheet.real is not None:
        what = "questions and answers" if sheet.real.answers else "questions alone"
        notes.append(f"{what} of {sheet.real.name}, as many real as synthetic; guessing is right in 50 %.")
    if len(names) == 1:
        notes.append("One reviewer: nothing shows whether another would agree.")
    return tuple(notes)
