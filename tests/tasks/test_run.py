"""A whole run with task types: stages of their own, rows that verify and replay, and open questions left alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.corpora import write_corpus
from tests.runs import Finished, dataset_rows, done_of, factory_cli, run_factory

TASKS = ("tasks.multiple_choice.questions=2",)
OPEN = ("question.levels=[1]", "publish.name=tasks", "model.tokenizer=words")


@dataclass(frozen=True)
class World:
    root: Path
    finished: Finished
    before: dict[str, str]
    rows: list[dict[str, Any]]

    @property
    def dataset(self) -> str:
        found: str = self.finished.result["dataset"]
        return found

    def of(self, task: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["task"] == task]

    def done(self, step: str) -> dict[str, Any]:
        return done_of(self.root, self.finished.result["run"], step)


def steps_of(root: Path, run: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((root / "runs" / f"{run}.json").read_text())["steps"]
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A run of open questions alone, then the same with every task type."""
    folder = tmp_path_factory.mktemp("tasks")
    corpus, root = write_corpus(folder / "corpus", 24), folder / "root"
    before = run_factory(corpus, str(root), OPEN)
    finished = run_factory(corpus, str(root), (*OPEN, *TASKS))
    rows = pa.concat_tables(dataset_rows(finished.result["dataset"]).values()).to_pylist()
    return World(root, finished, steps_of(root, before.result["run"]), rows)


def test_open_questions_and_their_answers_are_not_paid_again(world: World) -> None:
    now = steps_of(world.root, world.finished.result["run"])
    for step in ("select", "merge", "question_1", "answer"):
        assert now[step] == world.before[step]
    for step in ("question_1", "answer"):
        assert world.done(step)["spent_now"].get("requests", 0) == 0


def test_every_row_says_its_task(world: World) -> None:
    counted = Counter(row["task"] for row in world.rows)
    assert counted["open"] > 20
    assert counted["multiple_choice"] > 20
    for row in world.of("open"):
        assert row["task_data"] is None
        assert [message["content"] for message in row["messages"]] == [row["question"], row["answer"]]


def test_the_dataset_verifies_and_its_task_rows_replay(world: World) -> None:
    said = factory_cli("verify", world.dataset)
    assert said.code == 0, said.stdout
    for task in sorted({row["task"] for row in world.rows}):
        said = factory_cli("replay", world.dataset, world.of(task)[0]["sample_id"])
        assert said.code == 0, said.stdout[-2000:]


def test_choices_are_right_wrong_and_balanced(world: World) -> None:
    rows = world.of("multiple_choice")
    assert {"yes", "no"} <= {row["verified"] for row in rows}
    for row in rows:
        right = row["final_answer"] == json.loads(row["task_data"])["letter"]
        assert (row["verified"] == "yes") == right
    facts = world.done("check")["facts"]
    letters = {name: count for name, count in facts.items() if name.startswith("right_option=")}
    assert len(letters) == 4
    assert facts["verified=multiple_choice: yes"] > facts["verified=multiple_choice: no"]


def test_what_a_type_turns_away_is_counted_by_reason(world: World) -> None:
    assert "options_repeat" in world.done("question_multiple_choice")["reasons"]["output"]


def test_card_and_croissant_name_the_new_columns(world: World) -> None:
    manifest = json.loads(Path(world.dataset, "manifest.json").read_text())
    assert manifest["totals"]["tasks"] == dict(Counter(row["task"] for row in world.rows))
    card = Path(world.dataset, "README.md").read_text()
    assert "multiple_choice" in card
    assert "name: task_data" in card
