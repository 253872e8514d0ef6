from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.config import GateConfig
from factory.errors import GateError
from factory.publish import gates
from factory.publish.gates import (
    GATE_COLUMNS,
    GateResult,
    Stats,
    evaluate_gates,
    gather_stats,
    read_gates,
    require_passed,
)
from factory.publish.samples import KEYED_SAMPLE
from factory.store.base import Store
from tests.publish.world import make_world

SCHEMA = pa.schema([KEYED_SAMPLE.field(name) for name in GATE_COLUMNS])


def sample(number: int, **changes: Any) -> dict[str, Any]:
    question, answer = f"Question {number} is about what {number}?", f"About {number}."
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    row = {"sample_id": f"{number:032x}", "messages": turns, "question": question, "answer": answer}
    return {**row, "doc_ids": ["d"], "license": "MIT", "copied_share": 0.0, **changes}


def judge(rows: list[dict[str, Any]], questions: int = 100, **config: Any) -> dict[str, GateResult]:
    limits = GateConfig(**config)
    half = len(rows) // 2
    tables = [pa.Table.from_pylist(part, schema=SCHEMA) for part in (rows[:half], rows[half:])]
    stats = gather_stats(tables, limits.copied_answer)
    return {result.name: result for result in evaluate_gates(stats, questions, limits)}


def test_good_samples_pass_every_gate() -> None:
    results = judge([sample(number) for number in range(20)])
    assert all(result.passed for result in results.values())
    require_passed(results.values())


@pytest.mark.parametrize(
    ("gate", "config", "rows", "measured"),
    [
        ("min_samples", {"min_samples": 11}, [sample(number) for number in range(10)], 10),
        ("min_yield", {"min_yield": 0.2}, [sample(number) for number in range(10)], 0.1),
        ("max_duplicate_start", {"max_duplicate_start": 0.3},
         [sample(n, question="What is the name of the " + str(n) if n < 4 else str(n)) for n in range(10)], 0.4),
        ("max_copied_share", {"max_copied_share": 0.2},
         [sample(n, copied_share=0.9 if n < 3 else 0.79) for n in range(10)], 0.3),
        ("schema", {}, [sample(0), sample(1, answer="  "), sample(2, messages=[]), sample(3, license=None)], 3),
    ],
)  # fmt: skip
def test_each_gate_fails_alone_with_its_measure(gate: str, config: Any, rows: Any, measured: float) -> None:
    results = judge(rows, **config)
    assert [name for name, result in results.items() if not result.passed] == [gate]
    assert results[gate].measured == pytest.approx(measured)
    with pytest.raises(GateError, match=gate) as error:
        require_passed(results.values())
    assert error.value.exit_code == 7


def test_failures_name_examples() -> None:
    results = judge([sample(7, copied_share=0.95)] * 2, max_copied_share=0.0, max_duplicate_start=0.0)
    assert f"{7:032x}" in results["max_copied_share"].evidence[0]
    assert "question 7 is about what" in results["max_duplicate_start"].evidence[0]


def test_a_gate_that_is_off_still_measures_and_says_so() -> None:
    results = judge([sample(0, copied_share=1.0)], max_copied_share=None)
    gate = results["max_copied_share"]
    assert (gate.threshold, gate.severity, gate.passed, gate.measured) == (None, "off", True, 1.0)


def test_one_question_alone_repeats_no_start() -> None:
    assert judge([sample(7)], max_duplicate_start=0.0)["max_duplicate_start"].measured == 0


def test_without_questions_there_is_no_yield_to_judge_and_the_other_gate_says_why() -> None:
    results = judge([], questions=0)
    assert results["min_yield"].passed
    assert not results["min_samples"].passed
    assert "no question was written" in results["min_samples"].evidence[0]


def test_no_samples_at_all_divide_by_nothing() -> None:
    results = judge([], questions=0)
    assert not results["min_samples"].passed
    assert results["max_copied_share"].measured == 0


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=300), st.integers(2, 10))
def test_the_summary_of_starts_never_understates_and_errs_within_its_bound(starts: list[str], kept: int) -> None:
    true = Counter(starts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "STARTS_KEPT", kept)
        stats = Stats()
        for start in starts:
            stats.add(pa.Table.from_pylist([sample(0, question=start)], schema=SCHEMA), 0.8)
            assert len(stats.starts) <= kept
    if starts:
        top, count = true.most_common(1)[0]
        measured = {r.name: r for r in evaluate_gates(stats, 1, GateConfig())}["max_duplicate_start"].measured
        least = count if count > 1 else 0
        assert least <= round(measured * len(starts)) <= count + stats.starts_dropped
        assert stats.starts_dropped <= len(starts) / (kept // 2 + 1)
        assert stats.starts[top] <= count


def test_the_step_commits_results_whether_they_pass_or_not(store: Store) -> None:
    world = make_world(store, documents=6, gate=GateConfig(min_samples=10_000, max_duplicate_start=None))
    results = {result.name: result for result in read_gates(store, world.outputs("gate")[0].file.key)}
    assert not results["min_samples"].passed
    assert results["min_samples"].measured == world.dones["samples"]["counts"]["accepted"]
    assert world.dones["gate"]["facts"]["gates_failed"] == 1
    with pytest.raises(GateError, match="min_samples"):
        world.publish()
    assert not list(store.list("datasets/"))
