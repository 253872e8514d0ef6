from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.errors import ConfigError
from factory.evaluate.forecast.forecast import LEAST_SIZES, drawn_laws, forecast, measured_interval
from factory.evaluate.forecast.law import Law, fit
from factory.evaluate.forecast.points import Points, points_of, read_points

SIZES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 7.4)  # SynthLLM's subsets, in millions of examples
PLANTED = Law(factor=14.0, prelearned=0.25, beta=0.5, floor=22.0)

PUBLISHED = (4.5, 10, 50, 250, 300, 1000, 4000)  # billions of tokens, SynthLLM (arXiv 2503.19551), Table 1 and 4.5B
ERRORS_3B = (40.0, 35.4, 25.3, 19.5, 19.1, 16.9, 15.6)
ERRORS_8B = (28.7, 26.8, 21.4, 18.6, 18.4, 17.4, 16.8)


def measured(law: Law, noise: float, seed: int, sizes: tuple[float, ...] = SIZES) -> Points:
    scatter = np.random.default_rng(seed).standard_normal(len(sizes)) * noise
    return points_of("planted", sizes, law.at(np.array(sizes)) * np.exp(scatter))


@settings(max_examples=8)
@given(st.floats(0.3, 0.9), st.floats(0.05, 0.8), st.floats(5, 25), st.floats(5, 20))
def test_points_without_noise_give_the_law_back(beta: float, prelearned: float, floor: float, factor: float) -> None:
    law = Law(factor, prelearned, beta, floor)
    points = measured(law, 0.0, 0)
    assert fit(points).law.at(points.tokens) == pytest.approx(points.error, rel=1e-3)


def test_a_planted_law_lies_within_the_intervals_of_its_parameters_and_of_a_forecast() -> None:
    inside = {"B": 0, "D_l": 0, "beta": 0, "E": 0, "forecast": 0}
    truth = {"B": PLANTED.factor, "D_l": PLANTED.prelearned, "beta": PLANTED.beta, "E": PLANTED.floor}
    trials = 8
    for seed in range(trials):
        found = forecast(measured(PLANTED, 0.01, seed), [14.8], seed, draws=80)
        for parameter in found.parameters:
            assert parameter.low is not None
            assert parameter.high is not None
            inside[parameter.name] += parameter.low <= truth[parameter.name] <= parameter.high
        (one,) = found.predictions
        assert one.low is not None
        assert one.high is not None
        inside["forecast"] += one.low <= float(PLANTED.at(14.8)) <= one.high
    # Of 30 planted sets the intervals of 95 % held 25 (B) to 29 (beta) times.
    assert min(inside.values()) >= 5, inside
    assert sum(inside.values()) >= 0.8 * len(inside) * trials, inside


def test_an_interval_of_ninety_percent_for_a_measured_point_holds_nine_of_ten() -> None:
    """New points within the measured range and at twice the largest size. Within the range the law is known well, and
    nearly all that is open is the scatter of a point: an interval of the law alone holds half of them."""
    trials, within, beyond = 30, 1.6, 14.8
    held, by_law = {within: 0, beyond: 0}, 0
    random = np.random.default_rng(5)
    for seed in range(trials):
        points = measured(PLANTED, 0.01, seed + 100, (*SIZES, *SIZES))
        drawn = drawn_laws(points, fit(points), seed, 40)
        for at in held:
            new = float(PLANTED.at(at)) * float(np.exp(0.01 * random.standard_normal()))
            low, high = measured_interval(drawn, at, seed, level=0.9)
            held[at] += low <= new <= high
            if at == within:
                low, high = np.quantile([float(each.law.at(at)) for each in drawn], [0.05, 0.95])
                by_law += low <= new <= high
    deviation = (0.9 * 0.1 * trials) ** 0.5
    assert all(abs(count - 0.9 * trials) <= 2.6 * deviation for count in held.values()), held
    assert by_law < 0.9 * trials - 2.6 * deviation, by_law


@pytest.mark.parametrize(
    ("errors", "constants"),
    [
        (ERRORS_3B, {"B": 193, "D_l": 4.98, "beta": 0.659, "E": 14.9}),
        (ERRORS_8B, {"B": 154, "D_l": 9.47, "beta": 0.788, "E": 16.7}),
    ],
)
def test_on_published_points_the_constants_fitted_elsewhere_lie_within(
    errors: tuple[float, ...], constants: dict[str, float]
) -> None:
    found = forecast(points_of("", PUBLISHED, errors), [], 17, draws=80)
    for parameter in found.parameters:
        assert parameter.low is not None
        assert parameter.high is not None
        assert parameter.low <= constants[parameter.name] <= parameter.high, parameter
    assert abs(found.held_out.off or 1) < 0.05
    assert found.held_out.inside


def test_the_published_range_does_not_determine_the_constants() -> None:
    found = forecast(points_of("8B", PUBLISHED, ERRORS_8B), [], 17, draws=80)
    assert "D_l" in {parameter.name for parameter in found.parameters if not parameter.determined}
    assert any("Not determined" in note for note in found.notes)


def test_one_failed_run_hardly_bends_the_curve_and_is_named() -> None:
    points = measured(PLANTED, 0.002, 3)
    broken = points.error.copy()
    broken[3] *= 1.3
    fitted = fit(points_of("", points.tokens, broken))
    others = np.arange(len(points.tokens)) != 3
    assert fitted.law.at(points.tokens)[others] == pytest.approx(points.error[others], rel=0.02)
    assert any("look at that run" in note for note in forecast(points_of("", points.tokens, broken), [], 1, 40).notes)


def test_points_that_do_not_fall_are_said_to_say_nothing() -> None:
    flat = points_of("", SIZES, 40 * np.exp(np.random.default_rng(1).standard_normal(7) * 0.01))
    assert any("say nothing" in note or "next to nothing" in note for note in forecast(flat, [], 1, 40).notes)
    found = forecast(points_of("", SIZES, np.linspace(0.1, 0.7, 7)), [], 1, 40)
    assert "The error rises" in found.notes[0]
    assert not any("falls by" in note or "look at that run" in note for note in found.notes)
    for one in found.parameters:
        assert one.low is not None
        assert one.high is not None
        assert one.low <= one.value <= one.high


def test_percent_signs_are_read_and_a_bad_line_is_named_as_an_editor_counts_it(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text("tokens,error\n1B,50%\n2B,25.5 %\n")
    (points,) = read_points(str(file))
    assert points.error.tolist() == [0.5, 0.255]
    file.write_text("tokens,error\n1B,50%\n2B,none\n")
    with pytest.raises(ConfigError, match="line 3: error is 'none'"):
        read_points(str(file))


def test_a_pure_power_law_leaves_what_is_known_beforehand_open() -> None:
    found = forecast(measured(Law(14.0, 0.0, 0.5, 5.0), 0.005, 2), [], 1, 80)
    prelearned = next(parameter for parameter in found.parameters if parameter.name == "D_l")
    assert not prelearned.determined
    assert any("power law" in note for note in found.notes)


def test_with_as_many_points_as_parameters_there_is_no_fit_and_with_one_more_nothing_is_held_out() -> None:
    four = measured(PLANTED, 0.0, 0, SIZES[:4])
    with pytest.raises(ValueError, match=str(LEAST_SIZES)):
        forecast(four, [], 1)
    repeated = points_of("", [*SIZES[:4]] * 2, [*four.error] * 2)
    with pytest.raises(ValueError, match="4 different"):
        forecast(repeated, [], 1)
    five = forecast(measured(PLANTED, 0.0, 0, SIZES[:5]), [], 1, 40)
    assert five.held_out.prediction is None
    assert "too few" in five.held_out.why


def test_a_heavier_point_pulls_harder() -> None:
    points = measured(PLANTED, 0.03, 5)
    weight = np.ones(7)
    weight[-1] = 400
    plain = abs(np.log(float(fit(points).law.at(7.4)) / points.error[-1]))
    heavy = abs(np.log(float(fit(points_of("", SIZES, points.error, weight)).law.at(7.4)) / points.error[-1]))
    assert heavy < plain


def test_equal_seeds_give_equal_intervals() -> None:
    points = measured(PLANTED, 0.01, 7)
    assert forecast(points, [9.0], 3, 40).parameters == forecast(points, [9.0], 3, 40).parameters
