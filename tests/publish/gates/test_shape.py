"""Lengths, target, drift and balance: planted shifts move each measure the right way."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.errors import ConfigError
from factory.publish.gates.config import BalanceConfig, DriftConfig, GateConfig, LengthConfig, ShareConfig, TargetConfig
from factory.publish.gates.divergence import divergence
from factory.publish.gates.reference import find_reference
from factory.publish.gates.results import GateResult
from factory.publish.gates.shape import BINS_AN_OCTAVE, GROUPS_A_COLUMN, Shape, bin_start, from_json, length_bin
from factory.publish.gates.shape_gates import Shaped
from factory.publish.gates.step import GateStep
from factory.store.local import LocalStore
from tests.publish.gates.samples import clean, measured
from tests.publish.world import World

COUNTS = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 500), min_size=1)


def judge(rows: list[dict[str, Any]], **config: Any) -> dict[str, GateResult]:
    return measured(rows, GateStep(GateConfig(**config)))


@given(st.integers(0, 2_000_000))
def test_a_length_lies_in_a_bin_that_begins_at_most_three_percent_below(characters: int) -> None:
    start, after = bin_start(length_bin(characters)), bin_start(length_bin(characters) + 1)
    assert start <= characters < after
    assert after - start <= max(1, math.ceil(start * (2 ** (1 / BINS_AN_OCTAVE) - 1)) + 1)


def test_lengths_are_bounded_at_the_quantiles_asked_for() -> None:
    rows = clean(100)
    for number, row in enumerate(rows):
        row["answer"] = "x" * (number + 1)
    bounds = (
        LengthConfig(field="answer", quantile=0.5, least=40, most=45),
        LengthConfig(field="answer", quantile=1, most=200),
    )
    results = judge(rows, lengths=bounds)
    assert (results["lengths.answer.0.5.least"].measured, results["lengths.answer.0.5.least"].passed) == (50, True)
    assert (results["lengths.answer.0.5.most"].passed, results["lengths.answer.0.5.most"].severity) == (False, "error")
    assert results["lengths.answer.1.most"].passed
    assert results["lengths.answer.1.most"].evidence[0].startswith("quantiles: 5% 5, 25% 25")


@given(COUNTS)
def test_a_distribution_does_not_diverge_from_itself(counts: dict[str, int]) -> None:
    found = divergence(counts, counts)
    assert found.raw_jensen_shannon == pytest.approx(0, abs=1e-9)
    assert found.raw_stability_index == pytest.approx(0, abs=1e-9)


@given(COUNTS, COUNTS)
def test_divergence_lies_between_nothing_and_one_bit_and_both_ways_alike(
    one: dict[str, int], other: dict[str, int]
) -> None:
    found, back = divergence(one, other), divergence(other, one)
    assert 0 <= found.jensen_shannon <= found.raw_jensen_shannon <= 1 + 1e-9
    assert found.raw_jensen_shannon == pytest.approx(back.raw_jensen_shannon)
    assert found.raw_stability_index == pytest.approx(back.raw_stability_index)
    assert sum(each.index for each in found.bins) == pytest.approx(found.raw_stability_index)
    assert sum(each.now for each in found.bins) == pytest.approx(1)


def test_known_figures() -> None:
    # Without smoothing: (0.2 - 0.5) ln(0.2 / 0.5) + (0.8 - 0.5) ln(0.8 / 0.5) = 0.4159
    found = divergence({"a": 500_000, "b": 500_000}, {"a": 200_000, "b": 800_000})
    assert found.stability_index == pytest.approx(0.41589, abs=1e-4)
    assert divergence({"a": 10}, {"b": 10}).raw_jensen_shannon == 1


def test_what_chance_gives_is_taken_off() -> None:
    """60 rows over ten groups of which every other has three and the rest nine: about what even draws do."""
    names = "abcdefghij"
    found = divergence(dict.fromkeys(names, 1000), {name: 3 if place % 2 else 9 for place, name in enumerate(names)})
    assert found.raw_stability_index > 0.1
    assert found.stability_index < found.raw_stability_index / 2


def test_many_groups_are_shown_as_the_largest_and_the_others() -> None:
    found = divergence({f"g{number:03d}": 1000 - number for number in range(300)}, {"g000": 5})
    assert len(found.bins) == 20
    assert found.bins[-1].name == "(others)"


def test_a_target_is_met_or_missed_with_every_bin_shown() -> None:
    wanted = zip((1, 2, 3), (0.34, 0.33, 0.33), strict=True)
    even = TargetConfig(column="level", shares=tuple(ShareConfig(group=group, share=part) for group, part in wanted))
    assert judge(clean(90), target=even)["target.level"].passed
    rows = [{**row, "level": 1} for row in clean(90)]
    gate = judge(rows, target=even)["target.level"]
    assert (gate.passed, gate.severity) == (False, "error")
    assert {line.split(" (")[0] for line in gate.evidence[1:]} == {
        "1 34.0% -> 100.0%", "2 33.0% -> 0.0%", "3 33.0% -> 0.0%",
    }  # fmt: skip


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="add up"):
        TargetConfig(shares=(ShareConfig(group=1, share=0.5), ShareConfig(group=2, share=0.3)))


def test_drift_from_an_earlier_version_is_measured_bin_by_bin_and_what_vanished_is_named(world: World) -> None:
    published = f"{world.store.uri}/{world.publish().prefix}"
    reference = find_reference(published, None)
    assert reference is not None
    reference.prepare(world.store)
    earlier = reference.load(world.store)
    drift = DriftConfig(against=published, columns=("level", "source"))
    step = GateStep(GateConfig(drift=drift), reference=reference)

    def like_it(sources: tuple[str, ...], length: int) -> list[dict[str, Any]]:
        rows = clean(300)
        for number, row in enumerate(rows):
            source = sources[number % len(sources)]
            row |= {"level": 1, "question": "q" * length, "answer": "a" * length}
            row["attribution"] = [{"source": source, "license": "MIT", "url": ""}]
        return rows

    length = bin_start(max(earlier.lengths["question"], key=lambda place: earlier.lengths["question"][place]))
    same = measured(like_it(("site-0", "site-1"), length), step, world.store)
    assert same["drift.source.stability_index"].passed
    assert same["drift.level.divergence"].measured == 0
    assert same["drift.source.vanished"].measured == 0
    moved = measured(like_it(("site-0", "elsewhere"), length * 20), step, world.store)
    assert not moved["drift.source.stability_index"].passed
    assert not moved["drift.question_length.divergence"].passed
    assert moved["drift.source.vanished"].evidence[0].startswith("'site-1' was")
    assert any("elsewhere 0.0% ->" in line for line in moved["drift.source.divergence"].evidence)
    assert all(result.severity == "warn" for name, result in moved.items() if name.startswith("drift."))


def test_of_more_sources_than_are_kept_none_is_called_gone_or_new_that_is_there() -> None:
    """10,000 sources, of which a shape keeps all, and then 80,000, of which it keeps some drawn by hash."""
    every = [f"site-{number}" for number in range(4 * GROUPS_A_COLUMN)]
    before, now = Shape(), Shape()
    for shape, names in ((before, every[: GROUPS_A_COLUMN // 2]), (now, every)):
        for name in names:
            shape.groups["source"].add(name, "sample")
        shape.rows = len(names)
    assert not now.groups["source"].complete
    gates = Shaped(GateConfig(drift=DriftConfig(columns=("source",), vanished_from=0.0)), None, now)
    earlier = from_json(orjson.loads(orjson.dumps(before.to_json())))
    found = {result.name: result for result in gates._drift(earlier)}
    assert found["drift.source.vanished"].measured == 0


def test_a_dataset_that_is_not_there_is_said_at_the_start(local_store: LocalStore) -> None:
    with pytest.raises(ConfigError, match=r"gate\.drift\.against") as error:
        find_reference(f"{local_store.uri}/datasets/none/v1", None)
    assert str(error.value).count("likely cause:") == str(error.value).count("what to do:") == 1
    assert find_reference(None, None) is None


def test_balance_is_bounded_by_smallest_largest_and_entropy() -> None:
    balance = BalanceConfig(
        column="edu_level", groups=("school", "college", "graduate"), min_share=0.1, max_share=0.6, min_entropy=0.9
    )
    results = judge(clean(100), balance=(balance,))
    assert results["balance.edu_level.min_share"].measured == 0
    assert "'graduate' 0.0%" in results["balance.edu_level.min_share"].evidence[0]
    assert results["balance.edu_level.max_share"].passed
    assert results["balance.edu_level.min_entropy"].measured == pytest.approx(math.log(2) / math.log(3))
    even = judge(clean(100), balance=(BalanceConfig(column="edu_level", min_share=0.4, min_entropy=0.99),))
    assert all(result.passed for result in even.values())
    tilted = [{**row, "edu_level": "college" if number else "school"} for number, row in enumerate(clean(100))]
    found = judge(tilted, balance=(BalanceConfig(column="edu_level", min_share=0.4, min_entropy=0.99),))
    assert (found["balance.edu_level.min_share"].measured, found["balance.edu_level.min_share"].passed) == (0.01, False)
    assert found["balance.edu_level.min_entropy"].measured < 0.1
