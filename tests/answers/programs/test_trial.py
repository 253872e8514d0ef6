"""Programs and tests of different authors against each other: neither is believed alone."""

from __future__ import annotations

import pytest

from factory.answers.programs.cases import Case
from factory.answers.programs.languages import LANGUAGES, declared_name, program_in
from factory.answers.programs.trial import TaskCase, Trial, empty_body, try_programs
from factory.answers.verify.config import CodeConfig
from factory.answers.verify.sandbox import run_program
from tests.answers.programs.planted import HERE, LIMITS, PLANTED

CONFIG = CodeConfig(cpu_seconds=2)
SIGNATURE = "def f(n: int) -> int:"
RIGHT, ALSO_RIGHT = "def f(n): return n * n", "def f(n):\n    return n ** 2"
WRONG, OTHER_NAME = "def f(n): return n + n", "def g(n): return n * n"


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    ran = run_program("print('hello')", LIMITS)
    if not ran.started:
        pytest.skip(f"no namespaces here: {ran.problem}")


def tried(programs: list[str], *cases: tuple[str, str], shown: int = 0) -> Trial:
    tests = [TaskCase(Case(*case), at < shown) for at, case in enumerate(cases)]
    return try_programs(programs, "python", SIGNATURE, tests, CONFIG)


def test_the_program_that_passes_most_wins_and_those_like_it_are_its_agreement() -> None:
    found = tried([WRONG, RIGHT, ALSO_RIGHT, OTHER_NAME], ("f(2)", "4"), ("f(3)", "9"), ("f(0)", "0"))
    assert (found.winner, found.agreement, found.passed) == (1, 0.5, (2, 3, 3, 0))
    assert (found.passed_by, found.thrown_out) == ((3, 2, 3), ("", "", ""))


def test_of_programs_that_pass_as_many_the_commoner_behaviour_wins() -> None:
    negative = "def f(n): return -n * n if n == 3 else n * n"
    found = tried([negative, WRONG, WRONG], ("f(2)", "4"), ("f(3)", "9"), ("f(5)", "10"))
    assert (found.winner, found.passed) == (1, (1, 2, 2))
    assert found.agreement == pytest.approx(2 / 3)


def test_a_test_that_every_program_fails_is_thrown_out_and_one_that_an_empty_body_passes() -> None:
    found = tried([RIGHT, ALSO_RIGHT], ("f(2)", "4"), ("f(3)", "6"), ("f(1) and None", "None"))
    assert found.thrown_out == ("", "fails_all", "passes_empty")
    assert found.agreement == 1


def test_an_example_that_the_task_shows_binds_though_every_program_fails_it() -> None:
    assert tried([RIGHT, ALSO_RIGHT], ("f(3)", "6"), ("f(2)", "4"), shown=1).thrown_out == ("", "")


def test_a_single_program_throws_out_no_test_for_failing_it() -> None:
    assert tried([WRONG], ("f(3)", "9"), ("f(2)", "4")).thrown_out == ("", "")


@pytest.mark.parametrize("language", HERE)
def test_an_empty_body_of_every_language_runs_and_passes_nothing(language: str) -> None:
    planted = PLANTED[language]
    tests = [TaskCase(case) for case in planted.cases]
    config = CodeConfig(cpu_seconds=10)
    found = try_programs([planted.right, planted.wrong], language, planted.signature, tests, config)
    assert (found.winner, found.agreement, found.thrown_out) == (0, 0.5, ("", "", ""))
    assert declared_name(LANGUAGES[language], planted.signature) in empty_body(language, planted.signature)


def test_a_program_is_the_blocks_of_its_language() -> None:
    answer = "```python\nimport math\n```\nThen\n```sh\nrm x\n```\n```py\ndef f(n):\n    return n\n```\nDone."
    assert program_in(answer, "python") == "import math\n\ndef f(n):\n    return n\n"
    assert program_in(answer, "sh") == "rm x\n"
    assert program_in(answer, "c") is None
    assert program_in("no block", "python") is None
