from __future__ import annotations

from typing import Any

import pytest

from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.errors import GateError
from factory.publish.gates.config import GateConfig, SeverityConfig
from factory.publish.gates.losses import Loss, explained, from_json, loss_of
from factory.publish.gates.measure import Context
from factory.publish.gates.results import GateResult, at_most, read_gates, require_passed
from factory.publish.gates.rows import Rows
from factory.publish.gates.step import GateStep
from factory.run.losses import passed_on
from factory.store.base import Store
from tests.publish.gates.samples import clean, measured, sample
from tests.publish.world import make_world


def judge(rows: list[dict[str, Any]], questions: int = 100, **config: Any) -> dict[str, GateResult]:
    return measured(rows, GateStep(GateConfig(**config)), questions=questions)


def test_a_clean_set_passes_every_gate() -> None:
    step = GateStep(
        GateConfig(canaries=("NEVER-7f3a9c",)), refusals=load_pack(DomainConfig()).refusals, canaries=("never-7f3a9c",)
    )
    results = measured(clean(400), step)
    assert [name for name, result in results.items() if not result.passed] == []
    assert {"max_refusals", "max_personal_data", "max_canaries", "max_near_duplicates"} <= results.keys()
    require_passed(results.values())


@pytest.mark.parametrize(
    ("gate", "config", "rows", "value"),
    [
        ("min_samples", {"min_samples": 11}, clean(10), 10),
        ("min_yield", {"min_yield": 0.2}, clean(10), 0.1),
        ("max_copied_share", {"max_copied_share": 0.2},
         [sample(n, copied_share=0.9 if n < 3 else 0.79) for n in range(10)], 0.3),
        ("schema", {}, [sample(0), sample(1, answer="  "), sample(2, messages=[]), sample(3, license=None)], 3),
    ],
)  # fmt: skip
def test_each_gate_fails_alone_with_its_measure(gate: str, config: Any, rows: Any, value: float) -> None:
    results = judge(rows, **config)
    assert [name for name, result in results.items() if not result.passed] == [gate]
    assert results[gate].measured == pytest.approx(value)
    with pytest.raises(GateError, match=gate) as error:
        require_passed(results.values())
    assert error.value.exit_code == 7


def test_failures_name_rows() -> None:
    results = judge([sample(7, copied_share=0.95)] * 2, max_copied_share=0.0)
    assert f"{7:032x}" in results["max_copied_share"].evidence[0]


def test_a_gate_that_is_off_still_measures_and_says_so() -> None:
    gate = judge([sample(0, copied_share=1.0)], max_copied_share=None)["max_copied_share"]
    assert (gate.threshold, gate.severity, gate.passed, gate.measured) == (None, "off", True, 1.0)


def test_severity_decides_whether_a_failure_stops_or_is_told() -> None:
    rows = clean(10)
    warned = judge(rows, min_samples=11, severity=SeverityConfig(min_samples="warn"))
    assert (warned["min_samples"].passed, warned["min_samples"].severity) == (False, "warn")
    require_passed(warned.values())
    with pytest.raises(GateError, match="min_samples"):
        require_passed(judge(rows, min_samples=11).values())


def test_without_questions_there_is_no_yield_to_judge_and_the_other_gate_says_why() -> None:
    results = judge([], questions=0)
    assert results["min_yield"].passed
    assert not results["min_samples"].passed
    assert "no question was written" in results["min_samples"].evidence[0]


def test_no_samples_at_all_divide_by_nothing() -> None:
    results = judge([], questions=0)
    assert [name for name, result in results.items() if not result.passed] == ["min_samples"]
    assert results["max_copied_share"].measured == 0


def test_the_step_commits_results_whether_they_pass_or_not(store: Store) -> None:
    world = make_world(store, documents=6, gate=GateConfig(min_samples=10_000, max_duplicate_start=None))
    results = {result.name: result for result in read_gates(store, world.outputs("gate")[0].file.key)}
    assert not results["min_samples"].passed
    assert results["min_samples"].measured == world.dones["samples"]["counts"]["accepted"]
    assert world.dones["gate"]["facts"]["gates_failed"] == 1
    with pytest.raises(GateError, match="min_samples"):
        world.publish()
    assert not list(store.list("datasets/"))


ON_THE_WAY = loss_of("question_1", 320, 315, [{"malformed": 5}])


@pytest.mark.parametrize(
    ("losses", "evidence", "remedy"),
    [
        ([loss_of("curate", 315, 312, [{"near_duplicate": 3}]), loss_of("samples", 312, 0, [{"unverified": 312}])],
         "samples: 0 of 312 rows passed on (0.0%); turned away: unverified 312", "answer.require=not_wrong"),
        ([loss_of("curate", 315, 0, [{"near_duplicate": 4, "exact_duplicate": 311}], 315)],
         "turned away: exact_duplicate 311, near_duplicate 4; 315 of them repeat published questions "
         "(curate.index.use)", "curate.index.use=null"),
        ([loss_of("curate", 315, 0, [{"near_duplicate": 315}])], "near_duplicate 315", "question.sampling.temperature"),
        ([loss_of("answer", 315, 5, [{"truncated": 310}])], "truncated 310", "answer.sampling.max_tokens"),
        ([], "question_1: 315 of 320 rows passed on (98.4%); turned away: malformed 5", "more documents"),
        ([loss_of("answer", 315, 0, [{"new_reason": 315}])], "new_reason 315", "change the model, prompts"),
    ],
)  # fmt: skip
def test_where_rows_were_lost_gives_the_reasons_and_the_setting_that_did_it(
    losses: list[Loss], evidence: str, remedy: str
) -> None:
    way = [from_json(each.to_json()) for each in (ON_THE_WAY, *losses)]
    results = Rows(GateConfig(min_samples=10, min_yield=0.05)).results(Context(0, 320, way))
    with pytest.raises(GateError) as error:
        require_passed(results, explained(way))
    assert evidence in error.value.what
    assert remedy in error.value.remedy
    assert "gate.min_samples, gate.min_yield" in error.value.remedy


def test_a_failed_gate_of_a_pack_names_keys_that_there_are() -> None:
    own = at_most("pack.unfinished", 0.01, 0.5, "error", "share of answers with a part left to be filled in")
    with pytest.raises(GateError) as error:
        require_passed([own])
    assert "gate.pack.unfinished.threshold" in error.value.remedy
    assert "gate.pack.unfinished.severity=warn" in error.value.remedy
    assert "gate.severity" not in error.value.remedy
    assert "checks.py" in error.value.cause
    with pytest.raises(GateError) as error:
        require_passed([own, at_most("max_refusals", 0.0, 1.0, "error", "share of refusals")])
    assert "gate.severity.<name>=warn" in error.value.remedy
    assert "model or the prompts" in error.value.cause


def test_too_few_samples_alone_tell_the_way_as_well() -> None:
    few = {each.name: each for each in Rows(GateConfig(min_samples=50)).results(Context(0, 0))}
    assert len(few["min_samples"].evidence) == 1
    rows = Rows(GateConfig(min_samples=50), samples=8)
    told = {each.name: each for each in rows.results(Context(8, 8, [loss_of("answer", 8, 8, [])]))}
    assert (told["min_samples"].passed, told["min_yield"].passed) == (False, True)
    assert "answer: 8 of 8 rows passed on (100.0%)" in told["min_samples"].evidence


def test_a_step_that_lost_most_of_few_rows_explains_more_than_one_that_lost_some_of_many() -> None:
    losses = [
        loss_of("inputs of question_1", 100, 60, [{"unsuitable_document": 40}]),
        loss_of("answer", 30, 5, [{"truncated": 25}]),
    ]
    found = explained(losses)
    assert found is not None
    assert "answer.sampling.max_tokens" in found[1]


@pytest.mark.parametrize(
    ("reason", "behind", "said"),
    [
        ("too_long", [], "select.max_characters"),
        ("mixed_language", [], "docs/select.md"),
        ("too_long", [loss_of("answer", 8, 1, [{"truncated": 7}])], "answer.sampling.max_tokens"),
    ],
)
def test_a_selection_explains_too_few_samples_where_nothing_behind_it_does(
    reason: str, behind: list[Loss], said: str
) -> None:
    done = {"counts": {"inputs": 50, "rejected": 46}, "reasons": {"input": {reason: 46}}}
    losses = [*passed_on({"select": done, "merge": {"reasons": {}}}, []), *behind]
    assert losses[0].in_words() == f"select: 4 of 50 rows passed on (8.0%); turned away: {reason} 46"
    found = explained(losses)
    assert found is not None
    assert said in found[1]


def test_a_selection_of_which_a_part_was_taken_is_not_on_the_way() -> None:
    done = {"counts": {"inputs": 50, "rejected": 46}, "reasons": {"input": {"too_long": 46}}}
    assert passed_on({"select": done, "merge": {"reasons": {"input": {"outside_limit": 2}}}}, []) == []


def test_inputs_that_question_steps_turned_away_are_in_the_evidence() -> None:
    done = {
        "counts": {"inputs": 39, "produced": 37, "accepted": 36},
        "reasons": {"input": {"unsuitable_document": 17}, "output": {"malformed": 1}},
    }
    inputs, rows = passed_on({"question_1": done}, ["question_1"])
    assert inputs.in_words().startswith("inputs of question_1: 22 of 39 rows passed on (56.4%)")
    assert "unsuitable_document 17" in inputs.in_words()
    assert (rows.read, rows.accepted) == (37, 36)
