"""Which rows are drawn: shares of parts, the human anchor, strata; arithmetic on arrays alone.

Design: within a part and a stratum rows are drawn in the order of their keys, which their content and the seed decide,
so a larger mix holds a smaller one of the same shares, but for what rounding moves. Amounts are rows or tokens;
the anchor is always rows. In tokens the rows of a part are taken up to the prefix whose sum is nearest to its target.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from factory.curate.words import I64, Mask
from factory.errors import ConfigError
from factory.mix.config import MixSettings
from factory.mix.spool import I32, Facts

ROUNDS = 40
"""Of the search for how many rows an anchor of a share needs: each adds at least one row or ends it."""


@dataclass(frozen=True)
class Drawn:
    """`chosen` bool[N]; `targets` what each part was to give, in the unit (of the size that was drawn); `required`
    human rows asked for."""

    chosen: Mask
    targets: tuple[float, ...]
    size: float
    required: int


@dataclass(frozen=True)
class _Pool:
    """What may be drawn: per part its rows in order of draw, by stratum."""

    settings: MixSettings
    amounts: I64  # [N] what a row counts, in the unit
    strata: tuple[tuple[I64, ...], ...]  # [part][stratum] rows
    totals: tuple[int, ...]  # [part] in the unit


def draw(settings: MixSettings, facts: Facts, parts: I32, eligible: Mask) -> Drawn:
    """`parts` int32[N]: the part of a row in settings.parts. Raises ConfigError where the mix cannot have its size."""
    pool = _pool(settings, facts, parts, eligible)
    stated = [part.share for part in settings.parts]
    if settings.size is None and all(share is None for share in stated):
        rows = eligible.copy()
        return Drawn(
            rows, tuple(map(float, pool.totals)), float(sum(pool.totals)), _required(settings, int(rows.sum()))
        )
    size = float(settings.size) if settings.size is not None else _largest(pool)
    chosen, targets, required = _drawn(pool, size)
    short = _short(pool, targets)
    if short and settings.shortage == "refuse" and settings.size is not None:
        listed = "; ".join(f"{name} has {have:,.0f} of {want:,.0f}" for name, have, want in short)
        raise ConfigError(
            f"the mix cannot have {settings.size:,} {settings.unit}: {listed}",
            cause="after unusable, contaminated and repeated rows were taken out, too few are left of these parts",
            remedy=f"set mix.size={math.floor(_largest(pool))} or other shares, or mix.shortage=shrink",
        )
    if short:
        size = _largest(pool)
        chosen, targets, required = _drawn(pool, size)
    mask = np.zeros(facts.rows, np.bool_)
    mask[chosen] = True
    return Drawn(mask, tuple(targets), size, required)


def _pool(settings: MixSettings, facts: Facts, parts: I32, eligible: Mask) -> _Pool:
    amounts = np.ones(facts.rows, np.int64) if settings.unit == "rows" else facts.tokens.astype(np.int64)
    strata, totals = [], []
    for code in range(len(settings.parts)):
        rows = np.flatnonzero(eligible & (parts == code))
        rows = rows[np.lexsort((rows, facts.keys[rows]))]
        own = facts.strata[rows]
        by_stratum = np.argsort(own, kind="stable")  # one comparison of all rows a stratum would be quadratic
        starts = np.flatnonzero(np.diff(own[by_stratum])) + 1
        strata.append(tuple(np.split(rows[by_stratum], starts)) if len(rows) else ())
        totals.append(int(amounts[rows].sum()))
    return _Pool(settings, amounts, tuple(strata), tuple(totals))


def _required(settings: MixSettings, rows: int) -> int:
    """Human rows that a mix of so many rows has to have; where every part is human, all its rows will do."""
    anchor = settings.anchor
    least = max(anchor.min_rows, math.ceil(anchor.min_share * rows - 1e-9))
    return min(rows, least) if all(part.role == "human" for part in settings.parts) else least


def _drawn(pool: _Pool, size: float) -> tuple[I64, list[float], int]:
    """Rows for a mix of that size, what each part was to give, and the human rows required of it."""
    parts = pool.settings.parts
    waiting = [code for code, part in enumerate(parts) if part.role == "human" and part.share is None]
    anchor = 0
    for _ in range(ROUNDS):
        held = {code: _taken_rows(pool, code, rows) for code, rows in _spread(pool, waiting, anchor)}
        given = {code: float(pool.amounts[rows].sum()) for code, rows in held.items()}
        targets = _targets(pool, size, given)
        chosen = [held[code] if _fixed(code, held, given, targets) else _taken(pool, code, targets[code])
                  for code in range(len(parts))]  # fmt: skip
        total = sum(len(rows) for rows in chosen)
        required = _required(pool.settings, total)
        stated = sum(len(rows) for rows, part in zip(chosen, parts, strict=True) if part.role == "human")
        missing = required - stated
        full = sum(targets) > 0 and any(targets[code] < given[code] for code in held)
        if (
            not waiting
            or missing <= 0
            or full
            or anchor >= sum(len(rows) for code in waiting for rows in pool.strata[code])
        ):
            break
        anchor += missing
    return np.concatenate([np.zeros(0, np.int64), *chosen]), targets, required


def _fixed(code: int, held: dict[int, I64], given: dict[int, float], targets: Sequence[float]) -> bool:
    """Whether a human part gives just its share of the anchor, and nothing of what the others leave."""
    return code in held and targets[code] == given[code]


def _spread(pool: _Pool, waiting: Sequence[int], anchor: int) -> list[tuple[int, int]]:
    """(part, rows) of an anchor over the parts it comes from, by what they have."""
    have = [sum(len(rows) for rows in pool.strata[code]) for code in waiting]
    return list(zip(waiting, _rounded([min(anchor, sum(have)) * one / max(1, sum(have)) for one in have]), strict=True))


def _targets(pool: _Pool, size: float, given: dict[int, float]) -> list[float]:
    """What each part is to give. What stated shares and the anchor leave goes to the parts without a share: to those
    that are not human by what they have, else to the human ones. Where the anchor asks for more than stated shares
    leave, it gets what they leave: a stated share is never changed (job.require_anchor says so)."""
    parts = pool.settings.parts
    targets = [given.get(code, (part.share or 0.0) * size) for code, part in enumerate(parts)]
    left = size - sum(targets)
    open_ = [code for code, part in enumerate(parts) if part.share is None and part.role != "human"]
    if left < 0:
        anchor = sum(given.values())
        scale = max(0.0, anchor + left) / anchor if anchor else 1.0
        return [target * scale if code in given else target for code, target in enumerate(targets)]
    takers = open_ or list(given)
    have = sum(pool.totals[code] for code in takers)
    for code in takers:
        targets[code] += left * (pool.totals[code] / have if have else 1 / len(takers))
    return targets


ROUNDING = 0.5
"""Of a row, or a token, that a part may lack of its target."""


def _short(pool: _Pool, targets: Sequence[float], slack: float = ROUNDING) -> list[tuple[str, float, float]]:
    """Parts that have less than they are to give: name, what they have, what they should."""
    found = zip(pool.settings.parts, pool.totals, targets, strict=True)
    return [(part.name, have, target) for part, have, target in found if target > have + slack]


def _largest(pool: _Pool) -> float:
    """The largest size, in whole units, of which no part is short."""
    low, high = 0, sum(pool.totals)
    while low < high:
        middle = (low + high + 1) // 2
        if _short(pool, _drawn(pool, middle)[1], 1e-6):
            high = middle - 1
        else:
            low = middle
    return float(low)


def _taken_rows(pool: _Pool, code: int, rows: int) -> I64:
    """So many rows of a part, strata in proportion or alike."""
    have = [len(stratum) for stratum in pool.strata[code]]
    wanted = _by_stratum(pool.settings, have, rows)
    taken = [stratum[:count] for stratum, count in zip(pool.strata[code], _rounded(wanted, have), strict=True)]
    return np.concatenate([np.zeros(0, np.int64), *taken])


def _taken(pool: _Pool, code: int, target: float) -> I64:
    """Rows of a part up to a target in the unit."""
    if pool.settings.unit == "rows":
        return _taken_rows(pool, code, round(target))
    have = [int(pool.amounts[stratum].sum()) for stratum in pool.strata[code]]
    taken = [np.zeros(0, np.int64)]
    for stratum, wanted in zip(pool.strata[code], _by_stratum(pool.settings, have, target), strict=True):
        sums = np.concatenate(([0], np.cumsum(pool.amounts[stratum])))
        taken.append(stratum[: int(np.abs(sums - wanted).argmin())])
    return np.concatenate(taken)


def _by_stratum(settings: MixSettings, have: Sequence[int], target: float) -> list[float]:
    """What each stratum is to give of a part's target."""
    total = sum(have)
    if target >= total:
        return [float(one) for one in have]
    if settings.stratify.rule == "proportional":
        return [target * one / total for one in have]
    # Alike: those that have less give all, and the others share what is left.
    wanted, left = [0.0] * len(have), target
    for rank, code in enumerate(sorted(range(len(have)), key=lambda code: have[code])):
        wanted[code] = min(float(have[code]), left / (len(have) - rank))
        left -= wanted[code]
    return wanted


def _rounded(wanted: Sequence[float], most: Sequence[int] | None = None) -> list[int]:
    """Whole numbers with the same sum, to the nearest, by largest remainder (Hamilton's method)."""
    whole = [math.floor(one + 1e-9) for one in wanted]
    over = [one - floor for one, floor in zip(wanted, whole, strict=True)]
    rest = round(sum(wanted)) - sum(whole)
    for code in sorted(range(len(wanted)), key=lambda code: (-over[code], code)):
        if rest > 0 and (most is None or whole[code] < most[code]):
            whole[code] += 1
            rest -= 1
    return whole
