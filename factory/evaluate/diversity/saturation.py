"""Saturation: how many questions a level's further requests still add that were not there before.

Design: of a group of duplicates curation keeps one, chosen by rules that know nothing of order, so counting kept
questions in order of requests would draw a straight line whatever the truth. A group is therefore credited to its
earliest question. A group whose kept question is of another level is new at that level only. Inside a unit, questions
are placed evenly over its requests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from factory.evaluate.diversity.facts import Curve, CurvePoint

F64 = npt.NDArray[np.float64]
U64 = npt.NDArray[np.uint64]

POINTS = 100
"""Points of a curve: more than a plot of a report's width can show."""


def positions(questions: Sequence[int], requests: Sequence[int]) -> F64:
    """When each question was asked for, in requests: of units in order, with so many questions and requests each."""
    ends = np.cumsum(np.asarray(requests, np.float64))
    parts = [
        end - asked + asked * (np.arange(count) + 1) / count
        for count, asked, end in zip(questions, requests, ends.tolist(), strict=True)
        if count
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def first_of_groups(ids: U64, at: F64, dropped: U64, kept: U64) -> F64:
    """When something new was first asked, sorted: one entry for every group whose kept question is among `ids`.

    ids: the level's questions, in order, asked at `at`. dropped, kept: parallel, which question was dropped for which;
    questions that were dropped for another reason have 0 as their kept one. Ids are hashes, never 0.
    """
    order = np.argsort(ids)
    own = ids[order]

    def places(wanted: U64) -> npt.NDArray[np.int64]:
        """Place of each in `ids`, -1 for those of another level."""
        if not len(own):
            return np.full(len(wanted), -1, np.int64)
        found = np.minimum(np.searchsorted(own, wanted), len(own) - 1)
        return np.where(own[found] == wanted, order[found], -1)

    earliest = at.copy()
    gone, into = places(dropped), places(kept)
    both = (gone >= 0) & (into >= 0)
    np.minimum.at(earliest, into[both], at[gone[both]])
    alive = np.ones(len(ids), np.bool_)
    alive[gone[gone >= 0]] = False
    return np.sort(earliest[alive])


def curve(
    level: int, at: F64, new_at: F64, requests: int, round_ends: Sequence[float] = (), questions_in_run: int = 0
) -> Curve:
    """`at`: when each question was asked, ascending; `new_at`: when each new one was, ascending."""
    steps = min(POINTS, max(1, requests))
    edges = np.linspace(0, requests, steps + 1)[1:]
    questions = np.searchsorted(at, edges, side="right")
    new = np.searchsorted(new_at, edges, side="right")
    points = tuple(
        CurvePoint(float(edge), int(asked), int(fresh))
        for edge, asked, fresh in zip(edges.tolist(), questions.tolist(), new.tolist(), strict=True)
    )
    return Curve(level, points, tuple(round_ends), questions_in_run or len(at))


def at_share(found: Curve, share: float) -> CurvePoint:
    """The curve after `share` of its requests, between points by interpolation."""
    requests, questions, new = _between_points(found, share)
    return CurvePoint(requests, round(questions), round(new))


def _between_points(found: Curve, share: float) -> tuple[float, float, float]:
    """Requests, questions and new questions after `share` of the requests. Not rounded: a rate over one request and a
    half is off by a third when its question is whole."""
    wanted = share * found.points[-1].requests
    axis = [0.0] + [point.requests for point in found.points]
    questions = np.interp(wanted, axis, [0, *(point.questions for point in found.points)])
    new = np.interp(wanted, axis, [0, *(point.new for point in found.points)])
    return wanted, float(questions), float(new)


def new_between(found: Curve, start: float, stop: float) -> tuple[float, float | None]:
    """New questions a request between two shares of a level's requests, and their share of the questions asked then
    (None without one)."""
    low, high = _between_points(found, start), _between_points(found, stop)
    requests, asked, new = (after - before for before, after in zip(low, high, strict=True))
    return (new / requests if requests else 0.0), (min(1.0, new / asked) if asked else None)
