from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from factory.publish.gates.collapse import Collapse
from factory.publish.gates.config import GateConfig
from factory.publish.gates.measure import Context
from factory.publish.gates.results import GateResult
from factory.publish.gates.step import GateStep
from factory.publish.gates.summaries import Commonest
from tests.publish.gates.samples import clean, measured, sample


def judge(rows: list[dict[str, Any]], **config: Any) -> dict[str, GateResult]:
    return measured(rows, GateStep(GateConfig(**config)))


def test_one_start_for_many_questions_is_seen_with_the_words() -> None:
    rows = clean(100)
    for row in rows[:40]:
        row["question"] = f"What is the name of {row['question']}"
    gate = judge(rows, max_duplicate_start=0.3)["max_duplicate_start"]
    assert (gate.measured, gate.passed) == (0.4, False)
    assert gate.evidence[0] == "40 x 'what is the name of'"


def test_one_question_alone_repeats_no_start() -> None:
    assert judge([sample(7)], max_duplicate_start=0.0)["max_duplicate_start"].measured == 0


def test_many_moulds_with_few_questions_each_are_collapse_too() -> None:
    rows = clean(60)
    for number, row in enumerate(rows[:30]):
        row["question"] = f"Given mould {'abcdefghij'[number // 3]} of things, what would follow for {row['question']}"
    before, after = judge(clean(60)), judge(rows)
    assert before["max_shared_start"].measured == 0
    assert after["max_shared_start"].measured == 0.5
    assert after["max_duplicate_start"].measured < 0.1
    assert after["max_shared_start"].evidence[0].startswith("3 begin alike: 0000")


def test_questions_that_differ_in_numbers_alone_are_one_template() -> None:
    rows = clean(40)
    for number, row in enumerate(rows[:20]):
        row["question"] = f"A train has {number + 3} cars with {number * 7 + 11} seats each. How many seats has it?"
    gate = judge(rows)["max_shared_template"]
    assert (gate.measured, gate.severity, gate.passed) == (0.5, "warn", False)
    assert gate.evidence[0].startswith("20 are of one template")


def test_equal_questions_count_but_for_the_first() -> None:
    rows = clean(50)
    rows[3]["question"] = rows[4]["question"] = rows[5]["question"].upper() + " "
    gate = judge(rows)["max_exact_duplicates"]
    assert gate.measured == 2 / 50
    assert not gate.passed
    assert gate.evidence == (f"3 are equal: {rows[3]['sample_id']}, {rows[4]['sample_id']}",)


def test_nearly_equal_questions_are_found_whatever_table_they_come_in() -> None:
    rows = clean(80)
    for number in range(10):
        rows[70 + number]["question"] = rows[number]["question"].replace("?", " then?")
    gate = judge(rows)["max_near_duplicates"]
    assert gate.measured == 20 / 80
    assert gate.evidence[0] == "of all 80 rows"
    assert "like 0000" in gate.evidence[1]
    assert judge(clean(80))["max_near_duplicates"].measured == 0


@given(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=300), st.integers(2, 10))
def test_the_summary_of_commonest_never_understates_and_errs_within_its_bound(keys: list[str], kept: int) -> None:
    true = Counter(keys)
    summary = Commonest(kept)
    for key in keys:
        summary.add([key])
        assert len(summary.held) <= kept
    if keys:
        best, count = true.most_common(1)[0]
        top = max((held for _, held in summary.top()), default=summary.dropped)
        assert count <= top <= count + summary.dropped
        assert summary.dropped <= len(keys) / (kept // 2 + 1)
        assert summary.held[best] <= count


def test_where_nothing_was_asked_nothing_is_shared() -> None:
    assert all(result.measured == 0 for result in Collapse(GateConfig()).results(Context(0, 0)))
