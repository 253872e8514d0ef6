"""The pack `code`: its items, and a whole run in which programs are chosen and judged by tests they have not seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.answers.verify.sandbox import run_program
from factory.domains.config import DomainConfig
from factory.domains.examine import examine
from tests.answers.programs.planted import LIMITS
from tests.corpora import write_corpus
from tests.runs import Finished, dataset_rows, done_of, factory_cli, run_factory

CODE = (
    "domain=code",
    "question.levels=[1]",
    "question.level_1_questions=1",
    "question.sampling.max_tokens=900",
    "answer.sampling.max_tokens=300",
    "model.tokenizer=words",
    "select.licence.unknown=keep",
    "tasks.program.questions=1",
    "tasks.program.samples=3",
    "tasks.program.languages=[python,sh]",
    "tasks.program.sandbox.cpu_seconds=1",
    "publish.name=programs",
)


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    ran = run_program("print('hello')", LIMITS)
    if not ran.started:
        pytest.skip(f"no namespaces here: {ran.problem}")


@dataclass(frozen=True)
class World:
    root: Path
    finished: Finished
    rows: list[dict[str, Any]]

    @property
    def programs(self) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["task"] == "program"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("code")
    corpus, root = write_corpus(folder / "corpus", 14), folder / "root"
    finished = run_factory(corpus, str(root), CODE)
    rows = pa.concat_tables(dataset_rows(finished.result["dataset"]).values()).to_pylist()
    return World(root, finished, rows)


def test_planted_programs_get_the_verdicts_that_they_deserve() -> None:
    """Right and wrong ones, endless loops, forks, sockets, files, and forged results: items.jsonl."""
    found = examine(DomainConfig(name="code"))
    assert found.defects == ()
    assert found.tried is not None
    assert found.tried.items >= 40
    assert min(found.tried.verdicts.values()) >= 5
    for gate, (bad, good) in found.tried.gates.items():
        assert bad and good, gate  # noqa: PT018


def test_rows_of_programs_keep_their_tests_and_say_which_passed(world: World) -> None:
    assert len(world.programs) >= 6
    assert {row["verified"] for row in world.programs} <= {"yes", "unchecked"}  # the pack publishes none that fails
    for row in world.programs:
        data = json.loads(row["task_data"])
        assert data["language"] in ("python", "sh")
        assert data["signature"] in row["question"]
        shown = [test for test in data["tests"] if test["shown"]]
        assert len(shown) == 1
        assert f"`{shown[0]['call']}` gives `{shown[0]['expected']}`" in row["question"]
        if row["verified"] == "yes":
            assert row["verified_by"] == "tests"
            kept = [test for test in data["tests"] if "thrown_out" not in test]
            assert len(kept) >= 2
            assert all(test["passed_by"] for test in kept)
    assert {json.loads(row["task_data"])["language"] for row in world.programs} == {"python", "sh"}


def test_no_answer_was_shown_the_tests_that_judge_it(world: World) -> None:
    row = world.programs[0]
    said = factory_cli("replay", world.finished.result["dataset"], row["sample_id"])
    assert said.code == 0, said.stdout[-2000:]
    asked = said.stdout.partition("answer_program")[2]
    hidden = [test["call"] for test in json.loads(row["task_data"])["tests"] if not test["shown"]]
    assert row["question"].splitlines()[0] in said.stdout
    assert not any(f"`{call}`" in asked for call in hidden)


def test_wrong_programs_and_tests_are_counted_by_reason_and_language(world: World) -> None:
    run = world.finished.result["run"]
    facts = done_of(world.root, run, "check")["facts"]
    assert facts["verified=program, python: yes"] > 0
    assert facts["verified=program, sh: yes"] > 0
    tests = [test for row in world.programs for test in json.loads(row["task_data"])["tests"]]
    assert {"fails_all", "passes_empty"} <= {test.get("thrown_out") for test in tests}
    report = (world.root / "runs" / run / "report.html").read_text()
    assert "program, python" in report


def test_the_dataset_verifies(world: World) -> None:
    said = factory_cli("verify", world.finished.result["dataset"])
    assert said.code == 0, said.stdout
