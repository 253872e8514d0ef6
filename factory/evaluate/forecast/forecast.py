"""What a fitted law says about sizes nobody trained at, and how far to believe it.

Design: everything here is what SynthLLM's own extrapolation lacks. Its law has four parameters that the measured range
does not determine: fits that agree within 0.2 to 0.7 points there differ in every constant, and its published curves
for two model sizes cross beyond it. So: the largest size is held out and predicted from the smaller ones; intervals
come from a parametric bootstrap that carries the curve's own non-linearity; each parameter is called determined or
not; the power law (D_l = 0) is fitted beside it, since two laws that fit alike and forecast differently say that the
points do not choose; and a forecast beyond `FURTHEST` times the largest measured size is refused.

The bootstrap draws errors about the fitted law with a noise level that is itself drawn (scaled inverse chi-square with
as many degrees of freedom as points are left over), because three residuals say little about how points scatter.
Resampling the points, as usual, would leave fewer sizes than parameters. Two intervals come out of the draws: where
the law may lie, and where a model that is trained there will be measured, which scatters about the law as the points
do (a prediction interval: each drawn law with the noise it was drawn with).

On 30 planted laws (seven points, 1 % scatter) the 95 % intervals held B 25, D_l 28, beta 29, E 27 times, and the law at
twice the largest size 27 times: they are somewhat too narrow.

Cost, one core, seven points, 200 draws: 1 s a series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from factory.evaluate.dataset.bootstrap import LEVEL, ends
from factory.evaluate.forecast.law import NAMES, PARAMETERS, Fit, Law, fit, law_of
from factory.evaluate.forecast.points import F64, Points, points_of

FURTHEST = 4.0
"""Times the largest measured size up to which a forecast is given without being asked twice. SynthLLM's Table 1 goes
67 to 889 times beyond its largest point, and there its 3B model overtakes its 8B."""

LEAST_SIZES = 5
"""Different token counts for a fit: four parameters, and one that says how well they fit."""

DRAWS = 200
LARGEST_NOISE = 1.0
"""Relative scatter beyond which a draw says nothing more: with one point left over the drawn level has no mean."""

WIDE = {"B": 10.0, "D_l": 10.0, "beta": 2.0}
"""Ends of an interval that are so many times apart leave a parameter undetermined."""
WIDE_FLOOR = 0.25
"""Likewise the floor, where its interval is so wide, as a share of the least error measured."""


@dataclass(frozen=True)
class Parameter:
    """`low` and `high` are the ends of the 95 % interval, None where no point is left over to scatter; `why` says why
    it is not determined."""

    name: str
    value: float
    low: float | None
    high: float | None
    determined: bool
    why: str


@dataclass(frozen=True)
class Prediction:
    """The law at `tokens`; `ratio` is how many times the largest size it rests on. `low` and `high` are the ends of the
    95 % interval of the law, `measured_low` and `measured_high` of the one in which a point measured there lies.
    `power_law` is what the power law says of the same size."""

    tokens: float
    ratio: float
    error: float
    low: float | None
    high: float | None
    measured_low: float | None
    measured_high: float | None
    power_law: float


@dataclass(frozen=True)
class HeldOut:
    """The largest size, predicted from the smaller ones: `observed` is the mean of its points, `off` the relative
    deviation of the prediction from it; `inside`: whether the interval for a measured point holds it, None without
    an interval. `why` says why there is none of all this."""

    prediction: Prediction | None
    observed: float
    off: float | None
    inside: bool | None
    power_law_off: float | None
    why: str = ""


@dataclass(frozen=True)
class Drawn:
    """A law of the bootstrap, and the relative scatter of a point of weight 1 that its points were drawn with."""

    law: Law
    noise: float


@dataclass(frozen=True)
class Forecast:
    """All that is said of one series. `curve` are (tokens, error, low, high) for a picture; low and high may be NaN."""

    points: Points
    fitted: Fit
    parameters: tuple[Parameter, ...]
    held_out: HeldOut
    predictions: tuple[Prediction, ...]
    notes: tuple[str, ...]
    curve: tuple[tuple[float, float, float, float], ...]


def ratio_of(points: Points, tokens: float) -> float:
    """How many times the largest measured size."""
    return tokens / points.largest


def forecast(points: Points, at: Sequence[float], seed: int, draws: int = DRAWS) -> Forecast:
    """Fits a series and says what it knows. Raises ValueError for fewer than LEAST_SIZES different sizes."""
    if points.sizes < LEAST_SIZES:
        raise ValueError(f"{points.sizes} different token counts; {LEAST_SIZES} are needed")
    fitted, plain = fit(points), fit(points, power_law=True)
    drawn = drawn_laws(points, fitted, seed, draws)
    parameters = tuple(_parameter(name, fitted, drawn, points) for name in NAMES)
    reach = max([points.largest, *at])
    grid = np.geomspace(points.tokens[0], reach, CURVE_POINTS)
    low, high = _band(drawn, grid)
    curve = tuple(zip(grid.tolist(), fitted.law.at(grid).tolist(), low.tolist(), high.tolist(), strict=True))
    predictions = tuple(_prediction(points, fitted.law, drawn, plain.law, tokens, seed) for tokens in at)
    held_out = _held_out(points, seed, draws)
    return Forecast(points, fitted, parameters, held_out, predictions, _notes(points, fitted, plain, parameters), curve)


CURVE_POINTS = 60


def drawn_laws(points: Points, fitted: Fit, seed: int, draws: int) -> list[Drawn]:
    """Laws fitted to points drawn about `fitted`; none where no point is left over that says how they scatter."""
    left = len(points.tokens) - PARAMETERS
    if fitted.noise is None or draws < 1:
        return []
    random = np.random.default_rng(seed)
    expected = np.log(fitted.law.at(points.tokens))
    # A start beside the valley that the points chose: draws may lie in another one.
    middle = np.array([float(fitted.theta[0]), np.log(0.3), 0.5, 0.5])
    found = []
    for _ in range(draws):
        noise = min(fitted.noise * float(np.sqrt(left / random.chisquare(left))), LARGEST_NOISE)
        scatter = random.standard_normal(len(expected)) * noise / np.sqrt(points.weight)
        drawn = points_of(points.series, points.tokens, np.exp(expected + scatter), points.weight)
        again = fit(drawn, [fitted.theta, middle], quick=True)
        found.append(Drawn(law_of(again.theta, again.scale, again.least), noise))
    return found


def measured_interval(
    drawn: Sequence[Drawn], tokens: float, seed: int, weight: float = 1.0, level: float = LEVEL
) -> tuple[float, float]:
    """Ends of the interval in which a point of this weight, measured at so many tokens, lies with probability `level`:
    how far the law may be off and how points scatter about it, together. NaN without draws."""
    if not drawn:
        return float("nan"), float("nan")
    errors = np.array([float(each.law.at(tokens)) for each in drawn])
    noise = np.array([each.noise for each in drawn]) / np.sqrt(weight)
    scatter = np.random.default_rng([seed, 1]).standard_normal((POINTS_A_LAW, len(drawn))) * noise
    return ends(errors * np.exp(scatter), level)


POINTS_A_LAW = 25
"""Points drawn about each law: the ends of the interval would else hang on the scatter of five of 200 draws."""


def _band(drawn: Sequence[Drawn], tokens: F64) -> tuple[F64, F64]:
    """Ends of the 95 % interval of the law at each size; NaN without draws."""
    if not drawn:
        return np.full(len(tokens), np.nan), np.full(len(tokens), np.nan)
    errors = np.stack([each.law.at(tokens) for each in drawn])
    low, high = np.quantile(errors, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _prediction(
    points: Points, law: Law, drawn: Sequence[Drawn], plain: Law, tokens: float, seed: int, weight: float = 1.0
) -> Prediction:
    error, ratio, power_law = float(law.at(tokens)), ratio_of(points, tokens), float(plain.at(tokens))
    if not drawn:
        return Prediction(tokens, ratio, error, None, None, None, None, power_law)
    low, high = (float(end[0]) for end in _band(drawn, np.array([tokens])))
    return Prediction(tokens, ratio, error, low, high, *measured_interval(drawn, tokens, seed, weight), power_law)


def _held_out(points: Points, seed: int, draws: int) -> HeldOut:
    rest = points.without_largest
    largest = points.tokens == points.tokens[-1]
    observed = float(np.average(points.error[largest], weights=points.weight[largest]))
    if rest.sizes < LEAST_SIZES:
        why = f"the {rest.sizes} smaller sizes are too few to predict it from: {LEAST_SIZES} are needed"
        return HeldOut(None, observed, None, None, None, why)
    fitted, plain = fit(rest), fit(rest, power_law=True)
    weight = float(points.weight[largest].sum())
    drawn = drawn_laws(rest, fitted, seed, draws)
    found = _prediction(rest, fitted.law, drawn, plain.law, points.largest, seed, weight)
    low, high = found.measured_low, found.measured_high
    inside = None if low is None or high is None else low <= observed <= high
    return HeldOut(
        found, observed, found.error / observed - 1, inside, float(plain.law.at(points.largest)) / observed - 1
    )


def _parameter(name: str, fitted: Fit, drawn: Sequence[Drawn], points: Points) -> Parameter:
    value = _value(name, fitted.law)
    # With the value itself: where the fit ran into a bound the draws may all lie to one side of it.
    low, high = ends(np.array([_value(name, each.law) for each in drawn])) if drawn else (None, None)
    if low is not None and high is not None:
        low, high = min(low, value), max(high, value)
    why = ""
    if name in fitted.on_bound:
        why = _BOUNDS[name]
    elif low is None or high is None:
        why = "there are as many parameters as points: nothing says how far it could lie elsewhere"
    elif name == "E" and high - low > WIDE_FLOOR * points.error.min():
        why = f"its interval is wider than {WIDE_FLOOR:.0%} of the least error: the curve has not flattened"
    elif name != "E" and high > WIDE[name] * max(low, 0.0):
        why = f"the ends of its interval are more than {WIDE[name]:g} times apart"
    return Parameter(name, value, low, high, not why, why)


_BOUNDS = {
    "B": "the fit ran into the bound set for it",
    "D_l": "the fit ran into the bound set for it: the points show no bend that would tell it",
    "beta": "the fit ran into the bound set for it: the points do not have this law's shape",
    "E": "the fit ran into its bound (0, or the least error measured): the points do not show where the curve ends",
}


def _value(name: str, law: Law) -> float:
    return {"B": law.factor, "D_l": law.prelearned, "beta": law.beta, "E": law.floor}[name]


def _notes(points: Points, fitted: Fit, plain: Fit, parameters: Sequence[Parameter]) -> tuple[str, ...]:
    """What has to be said before anybody uses the figures."""
    notes = []
    first, last = float(fitted.law.at(points.tokens[0])), float(fitted.law.at(points.largest))
    scatter = fitted.noise
    rising = _rises(points)
    if rising:
        notes.append(
            f"The error rises with more tokens ({points.error[0]:.4g} at the fewest, {points.error[-1]:.4g} at the "
            "most): the law can only fall, so this fit and its forecasts say nothing. Look for what went wrong in "
            "training, or whether the column is an accuracy and no error."
        )
    elif last >= first:
        notes.append("The error does not fall over the measured range: these points say nothing about more data.")
    elif scatter is not None and np.log(first / last) < TELLING * scatter:
        notes.append(
            f"The error falls by {1 - last / first:.1%} over the measured range and a point scatters by {scatter:.1%}: "
            "these points say next to nothing about more data."
        )
    open_ = [parameter.name for parameter in parameters if not parameter.determined]
    if open_:
        notes.append(
            f"Not determined by these points: {', '.join(open_)}. Other values fit as well; the curve may be "
            "used where it was measured, its constants not."
        )
    span = points.largest / float(points.tokens[0])
    if span < NARROW:
        notes.append(f"The sizes span a factor of {span:.3g}; a law of four parameters wants {NARROW:g} and more.")
    if not rising and scatter is not None and plain.noise is not None and plain.noise <= ALIKE * scatter:
        notes.append("A power law (D_l = 0) fits as well; where the two forecasts differ, neither is known.")
    off = np.abs(fitted.residuals)
    if not rising and scatter is not None and len(off) and off.max() > OUTLIER * max(scatter, 1e-9):
        worst = int(off.argmax())
        notes.append(
            f"The point at {points.tokens[worst]:.4g} tokens lies {np.expm1(-fitted.residuals[worst]):+.1%} off the "
            "law and was given little weight: look at that run."
        )
    return tuple(notes)


def _rises(points: Points) -> bool:
    """Whether a straight line through the logarithms rises by more than it could by chance (two standard errors)."""
    x, y = np.log(points.tokens), np.log(points.error)
    x, y = x - np.average(x, weights=points.weight), y - np.average(y, weights=points.weight)
    spread = float((points.weight * x**2).sum())
    slope = float((points.weight * x * y).sum()) / spread
    left = float((points.weight * (y - slope * x) ** 2).sum()) / max(1, len(x) - 2)
    return slope > 2 * float(np.sqrt(left / spread)) and slope > 0


TELLING = 4.0
"""Times the scatter by which the error has to fall: with less, which of two ends is lower is hardly known."""
NARROW = 10.0
ALIKE = 1.1
OUTLIER = 4.0
