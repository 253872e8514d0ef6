"""Summaries say the same however rows are cut, ordered and merged."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.publish.gates.canaries import read_canaries
from factory.publish.gates.config import BalanceConfig, GateConfig, LengthConfig
from factory.publish.gates.measure import Context, Measure
from factory.publish.gates.results import GateResult
from factory.publish.gates.step import GateStep, gather, judge
from factory.publish.gates.summaries import Examples, Groups, Sample
from factory.store.local import LocalStore
from tests.publish.gates.samples import clean, table

CANARY = "canary 4711 of the corpus"


def faulty(count: int) -> list[dict[str, object]]:
    """Rows in which every fault is planted that a merge could lose."""
    rows = clean(count)
    for number, row in enumerate(rows):
        if number % 7 == 0:
            row["question"] = rows[number // 14]["question"]
        if number % 11 == 0:
            row["answer"] = f"I'm sorry, but {CANARY} is at jane.roe@corp-mail.org."
        row["copied_share"] = (number % 13) / 12
    return rows


STEP = GateStep(
    GateConfig(
        canaries=(CANARY,),
        lengths=(LengthConfig(field="answer", quantile=0.9, least=10, most=500),),
        balance=(BalanceConfig(column="source", min_share=0.1, min_entropy=0.5),),
        sample_rows=100,
    ),
    canaries=read_canaries((CANARY,)),
    refusals=load_pack(DomainConfig()).refusals,
)
ROWS = faulty(160)


def fed(rows: list[dict[str, object]], pieces: int) -> tuple[Measure, ...]:
    measures = STEP.measures(LocalStore("/nowhere"))
    size = max(1, -(-len(rows) // pieces))
    gather(measures, [table(rows[start : start + size]) for start in range(0, len(rows), size)])
    return measures


@pytest.fixture(scope="module")
def at_once() -> list[GateResult]:
    return judge(fed(ROWS, 1), Context(len(ROWS), len(ROWS)))


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_every_gate_is_the_same_in_any_order_chunking_and_merging(
    at_once: list[GateResult], chosen: random.Random, pieces: list[int]
) -> None:
    rows = list(ROWS)
    chosen.shuffle(rows)
    bounds = sorted(chosen.randrange(len(rows)) for _ in pieces[1:])
    parts = [fed(rows[start:stop], pieces[0]) for start, stop in zip([0, *bounds], [*bounds, len(rows)], strict=True)]
    chosen.shuffle(parts)
    whole = parts[0]
    for part in parts[1:]:
        for measure, other in zip(whole, part, strict=True):
            measure.merge(other)
    assert judge(whole, Context(len(rows), len(rows))) == at_once


def test_the_faults_are_in_what_is_compared(at_once: list[GateResult]) -> None:
    found = {result.name: result.measured for result in at_once}
    for name in ("max_exact_duplicates", "max_canaries", "max_personal_data", "max_refusals", "max_copied_share"):
        assert found[name] > 0


@given(st.lists(st.integers(0, 60), max_size=200), st.integers(1, 12), st.integers(1, 4), st.randoms())
def test_groups_keep_the_same_groups_whole_whatever_the_order(
    keys: list[int], most: int, parts: int, chosen: random.Random
) -> None:
    def counted(order: list[int]) -> Groups:
        groups = Groups(most)
        for key in order:
            groups.add(key, f"{key:03d}")
        return groups

    shuffled = list(keys)
    chosen.shuffle(shuffled)
    merged = Groups(most)
    for part in range(parts):
        merged.merge(counted(shuffled[part::parts]))
    one = counted(keys)
    assert merged.counts() == one.counts()
    assert merged.bound == one.bound
    assert len(one.held) <= most
    assert all(Counter(keys)[int(key)] == count for key, count in one.counts().items())
    assert one.complete == (len(set(keys)) <= most)


def test_shares_of_repeated_groups_are_estimated_without_bias() -> None:
    groups = Groups(500)
    for key in range(20_000):
        for copy in range(2 if key % 10 == 0 else 1):
            groups.add(key, f"{key}-{copy}")
    assert not groups.complete
    # A tenth of 20,000 questions has a copy: 2,000 of 22,000 rows repeat another one.
    assert groups.beyond_first() == pytest.approx(2000 / 22_000, abs=0.03)


@given(st.sets(st.integers(0, 10_000), max_size=150), st.integers(1, 20), st.integers(1, 4), st.randoms())
def test_a_sample_is_the_same_rows_in_any_order(ids: set[int], most: int, parts: int, chosen: random.Random) -> None:
    def drawn(names: list[str]) -> Sample[str]:
        sample: Sample[str] = Sample(most, seed=3)
        for name in names:
            if sample.wants(name):
                sample.add(name, name.upper())
        return sample

    names = [str(number) for number in ids]
    shuffled = sorted(names, key=lambda _: chosen.random())
    merged: Sample[str] = Sample(most, seed=3)
    for part in range(parts):
        merged.merge(drawn(shuffled[part::parts]))
    assert list(merged.rows().items()) == list(drawn(names).rows().items())
    assert len(merged.rows()) == min(most, len(names))


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99)), max_size=60), st.randoms())
def test_examples_are_those_that_rank_highest(rows: list[tuple[int, int]], chosen: random.Random) -> None:
    first, second = Examples(), Examples()
    for rank, number in rows:
        (first if chosen.random() < 0.5 else second).add(f"{number:02d}", "found", rank)
    first.merge(second)
    best = sorted({(-rank, f"{number:02d}") for rank, number in rows})[:5]
    assert first.lines() == tuple(f"{name}: found" for _, name in best)
