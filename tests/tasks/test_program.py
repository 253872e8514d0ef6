"""Programs: tasks that tests can decide, and k programs judged by tests that none of their authors wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from factory.answers.verify.config import CodeConfig
from factory.answers.verify.sandbox import run_program
from factory.run.first_notes import languages_left_out
from factory.tasks.config import ProgramConfig
from factory.tasks.program import Program
from tests.answers.programs.planted import LIMITS
from tests.tasks.planted import answered, drafted, problem, verdict

SANDBOX = CodeConfig(cpu_seconds=2)
TASK = Program(ProgramConfig(questions=3, tests=4, sandbox=SANDBOX))
SHELL = Program(ProgramConfig(questions=3, tests=3, languages=("python", "sh"), sandbox=SANDBOX))


def written(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"call": call, "expected": expected} for call, expected in pairs]


GOOD: dict[str, Any] = {
    "task": "Add up the squares of whole numbers; of none the sum is 0.",
    "language": "python",
    "signature": "def squares(values: list[int]) -> int:",
    "tests": written(("squares([3])", "9"), ("squares([1, -2])", "5"), ("squares([])", "0"), ("squares([0, 4])", "16")),
}


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    ran = run_program("print('hello')", LIMITS)
    if not ran.started:
        pytest.skip(f"no namespaces here: {ran.problem}")


def item(**changes: Any) -> dict[str, Any]:
    return {**GOOD, **changes}


def fenced(program: str, fence: str = "python") -> str:
    return f"```{fence}\n{program}\n```\nIt adds them up."


RIGHT = fenced("def squares(values):\n    return sum(value * value for value in values)")
ALSO_RIGHT = fenced(
    "def squares(values):\n    total = 0\n    for value in values:\n        total += value ** 2\n    return total"
)
WRONG = fenced("def squares(values):\n    return sum(values) ** 2")
PRINTS = fenced("def squares(values):\n    print(sum(value * value for value in values))")


def test_a_task_is_laid_out_with_language_signature_and_its_first_tests_as_examples() -> None:
    found = drafted(TASK, GOOD)
    assert found.text == (
        f"{GOOD['task']}\n\nWrite it in Python, with this signature:\n\n```python\n{GOOD['signature']}\n```\n\n"
        "Examples:\n- `squares([3])` gives `9`"
    )
    assert found.asks == GOOD["task"]
    assert [test["shown"] for test in found.data["tests"]] == [True, False, False, False]
    assert "squares([0, 4])" not in found.text


@pytest.mark.parametrize("signature", ["def squares(values)", "`def squares(values):`", "def squares(values): ..."])
def test_what_models_add_to_a_signature_is_taken_off(signature: str) -> None:
    assert drafted(TASK, item(signature=signature)).data["signature"] == "def squares(values):"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"language": "sh"}, "unknown_language"),
        ({"signature": "squares of values"}, "no_signature"),
        ({"signature": "def squares(values:"}, "no_signature"),
        ({"signature": "def squares(values):\n    return sum(values)"}, "no_signature"),
        ({"task": "Do as here:\n```python\ndef squares(v):\n    return sum(v)\n```"}, "solution_in_task"),
        ({"tests": written(("squares([3])", "9"), ("squares([", "0"), ("squares([2])", "four"))}, "too_few_tests"),
        ({"tests": written(("squares([3])", "9"), ("sum([3])", "3"), ("1 + 1", "2"))}, "too_few_tests"),
        ({"tests": written(*[("squares([3])", "9")] * 4)}, "too_few_tests"),
        ({"tests": written(("squares([1])", "1"), ("squares([3])", "9"), ("squares([3])", "8"))}, "too_few_tests"),
        ({"tests": written(("squares([1])", 1), ("squares([3])", 9), ("squares([])", 0))}, "too_few_tests"),
        ({"tests": "none"}, "schema_mismatch"),
        ({"task": None}, "schema_mismatch"),
        ({"signature": 3}, "schema_mismatch"),
    ],
)
def test_a_task_that_tests_cannot_decide_is_a_reject(changes: dict[str, Any], reason: str) -> None:
    assert problem(TASK, item(**changes)) == reason


def test_tests_that_say_nothing_are_left_out_and_counted() -> None:
    found = drafted(
        TASK,
        item(tests=[*GOOD["tests"][:3], *written(("squares([3])", "9"))]),
    )
    assert found.data["left_out"] == {"repeated": 1}
    wide = Program(ProgramConfig(questions=1, tests=6))
    found = drafted(wide, item(tests=[*GOOD["tests"], *written(("squares([3])", "10"), ("len([])", "0"))]))
    assert found.data["left_out"] == {"asks_nothing": 1, "contradicts": 1}
    assert "squares([3])" not in [test["call"] for test in found.data["tests"]]


def row_of(*samples: str, kind: Program = TASK, **changes: Any) -> dict[str, Any]:
    (row,) = answered(kind, item(**changes), *samples).accepted
    return row


def test_the_program_that_passes_most_is_the_answer_and_the_row_keeps_tests_and_votes() -> None:
    row = row_of(WRONG, RIGHT, ALSO_RIGHT, PRINTS)
    assert row["answer"] == RIGHT
    assert row["agreement"] == 0.5
    # The wrong one passes what has one entry or none, the printing one nothing.
    assert row["votes"] == [
        {"final_answer": "4 of 4 tests", "count": 2},
        {"final_answer": "3 of 4 tests", "count": 1},
        {"final_answer": "0 of 4 tests", "count": 1},
    ]
    data = json.loads(row["task_data"])
    assert [test["passed_by"] for test in data["tests"]] == [3, 2, 3, 3]
    found = verdict(TASK, data, row["answer"])
    assert (found.verified, found.by) == ("yes", "tests")
    assert found.evidence["passed"] == [test["call"] for test in GOOD["tests"]]
    assert verdict(TASK, data, WRONG).evidence["failed"] == ["squares([1, -2])"]


def test_a_wrong_test_is_thrown_out_when_every_program_fails_it() -> None:
    wrong = written(("squares([5])", "26"))
    row = row_of(RIGHT, ALSO_RIGHT, tests=[*GOOD["tests"][:3], *wrong])
    data = json.loads(row["task_data"])
    assert data["tests"][3]["thrown_out"] == "fails_all"
    found = verdict(TASK, data, row["answer"])
    assert (found.verified, found.evidence["thrown_out"]) == ("yes", {"fails_all": 1})


def test_programs_and_tests_that_contradict_each_other_throughout_say_nothing() -> None:
    wrong = written(("squares([5])", "26"), ("squares([6])", "37"))
    row = row_of(RIGHT, ALSO_RIGHT, tests=[*GOOD["tests"][:2], *wrong])
    found = verdict(TASK, json.loads(row["task_data"]), row["answer"])
    assert (found.verified, found.evidence["because"]) == ("unchecked", "tests_and_programs_disagree")


def test_a_broken_example_is_no_yes_whoever_is_wrong() -> None:
    row = row_of(RIGHT, ALSO_RIGHT, tests=[*written(("squares([5])", "26")), *GOOD["tests"][:3]])
    found = verdict(TASK, json.loads(row["task_data"]), row["answer"])
    assert (found.verified, found.evidence["because"]) == ("no", "no_program_does_the_examples")


def test_tests_that_an_empty_body_passes_are_none() -> None:
    weak = [(f"squares([{n}]) and None", "None") for n in range(1, 4)]
    row = row_of(RIGHT, ALSO_RIGHT, tests=written(("squares([3])", "9"), *weak))
    found = verdict(TASK, json.loads(row["task_data"]), row["answer"])
    assert (found.verified, found.evidence["because"]) == ("unchecked", "too_few_tests")
    assert found.evidence["thrown_out"] == {"passes_empty": 3}


def test_samples_without_a_program_in_the_language_do_not_count() -> None:
    row = row_of("A loop does it.", fenced("squares() { :; }", "sh"), RIGHT)
    assert row["answer"] == RIGHT
    parsed = answered(TASK, GOOD, "A loop does it.", "So does a sum.")
    assert [reject.reason for reject in parsed.rejects] == ["no_answer"]


def test_a_second_language_is_judged_alike() -> None:
    shell = {
        "task": "Print the square of the number given.",
        "language": "sh",
        "signature": "square() {",
        "tests": written(("square 3", "9"), ("square 0", "0"), ("square -2", "4")),
    }
    right, wrong = fenced('square() { echo "$(($1 * $1))"; }', "sh"), fenced('square() { echo "$1$1"; }', "sh")
    row = row_of(wrong, right, kind=SHELL, **shell)
    assert row["answer"] == right
    found = verdict(SHELL, json.loads(row["task_data"]), row["answer"])
    assert (found.verified, found.evidence["language"]) == ("yes", "sh")


def test_a_language_that_is_not_here_leaves_rows_unchecked_and_is_said_at_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None)
    shell = item(
        language="sh", signature="square()", tests=written(("square 3", "9"), ("square 0", "0"), ("square 2", "4"))
    )
    answer = fenced("square() { :; }", "sh")
    row = row_of(answer, answer, kind=SHELL, **shell)
    assert row["agreement"] == 1
    found = verdict(SHELL, json.loads(row["task_data"]), row["answer"])
    assert (found.verified, found.evidence["because"], found.evidence["detail"]) == ("unchecked", "not_installed", "sh")
    (note,) = languages_left_out(SHELL.config)
    assert "sh is not installed here" in note
    assert languages_left_out(TASK.config) == languages_left_out(ProgramConfig(languages=("sh",))) == []
