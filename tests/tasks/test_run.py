"""A whole run with task types: stages of their own, rows that verify and replay, and open questions left alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.tasks.constraints import broken
from factory.tasks.record_schema import record_schema
from tests.corpora import write_corpus
from tests.runs import Finished, dataset_rows, done_of, factory_cli, run_factory

TYPES = ("multiple_choice", "extractive", "summary", "instruction", "dialogue", "records")
TASKS = (
    *(f"tasks.{name}.questions=2" for name in TYPES),
    "tasks.dialogue.question_tokens=300",
    "tasks.summary.answer_tokens=300",
    "tasks.instruction.samples=3",
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "kind": {"enum": ["tree", "graph", "group"]},
        "rank": {"type": "integer", "minimum": 0, "maximum": 99},
        "checked": {"type": "boolean"},
    },
}
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
    schema = folder / "record.json"
    schema.write_text(json.dumps(SCHEMA))
    finished = run_factory(corpus, str(root), (*OPEN, *TASKS, f"tasks.records.schema_file={schema}"))
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
    assert all(counted[task] > 5 for task in TYPES), counted
    for row in world.of("open"):
        assert row["task_data"] is None
        assert [message["content"] for message in row["messages"]] == [row["question"], row["answer"]]


def test_the_dataset_verifies_and_its_task_rows_replay(world: World) -> None:
    said = factory_cli("verify", world.dataset)
    assert said.code == 0, said.stdout
    for task in sorted({row["task"] for row in world.rows}):
        said = factory_cli("replay", world.dataset, world.of(task)[0]["sample_id"])
        assert said.code == 0, said.stdout[-2000:]
        assert said.stdout.splitlines()[0].endswith("level 1" if task == "open" else f"level 1, {task}")
    said = factory_cli("bundle", world.dataset, "--check")
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


@pytest.mark.parametrize("task", TYPES)
def test_verdicts_go_both_ways_and_stand_in_the_facts(world: World, task: str) -> None:
    facts = world.done("check")["facts"]
    counted = Counter(row["verified"] for row in world.of(task))
    assert counted["yes"] > 0
    assert facts[f"verified={task}: yes"] == counted["yes"]
    assert counted["no"] == facts.get(f"verified={task}: no", 0)


def test_what_a_type_turns_away_is_counted_by_reason(world: World) -> None:
    for task, reason in (
        ("multiple_choice", "options_repeat"),
        ("extractive", "evidence_not_in_passage"),
        ("dialogue", "ungrounded_turn"),
    ):
        assert reason in world.done(f"question_{task}")["reasons"].get("output", {}), task


def test_a_passage_that_a_question_needs_stands_in_its_chat(world: World) -> None:
    for task in ("extractive", "summary", "dialogue"):
        for row in world.of(task):
            source = row["lineage"]["sources"][0]
            assert len(row["messages"][0]["content"]) > source["span_end"] - source["span_start"]
    for row in world.of("extractive"):
        span = json.loads(row["task_data"])
        assert row["answer"] == span["span"]
        assert span["span"] in row["messages"][0]["content"]


def test_a_dialogue_is_published_with_all_its_turns(world: World) -> None:
    for row in world.of("dialogue"):
        assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"] * 3
        assert row["messages"][-1]["content"] == row["answer"]
        assert row["question"].startswith("User: ")


def test_records_are_valid_by_their_schema_to_the_letter(world: World) -> None:
    schema = record_schema(json.dumps(SCHEMA).encode(), "record.json")
    for row in world.of("records"):
        assert schema.problems(json.loads(row["answer"])) == []


def test_records_are_a_table_beside_a_real_one(world: World, tmp_path: Path) -> None:
    table = tmp_path / "records.csv"
    said = factory_cli("records", world.dataset, "--out", str(table))
    assert said.code == 0, said.stderr
    assert table.read_text().splitlines()[0] == ",".join(SCHEMA["properties"])
    said = factory_cli("records", world.dataset, "--real", str(table), "--verified", "--json")
    report = json.loads(said.stdout)
    assert report["copied"] == report["valid"] == report["real_valid"] == 1
    assert report["rows"] < report["real_rows"] == len(world.of("records"))
    said = factory_cli("records", world.dataset, "--real", str(tmp_path / "none.csv"))
    assert said.code == 2
    assert "--real" in said.stderr
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**SCHEMA, "title": "another"}))
    assert "were made by the schema" in factory_cli("records", world.dataset, "--schema", str(other)).stderr


def test_instructions_that_are_verified_keep_every_constraint(world: World) -> None:
    for row in world.of("instruction"):
        kept = not broken(json.loads(row["task_data"])["constraints"], row["answer"])
        assert (row["verified"] == "yes") == kept


def test_a_run_may_ask_for_tasks_alone_and_pays_only_for_what_is_new(world: World) -> None:
    corpus = world.root.parent / "corpus"
    alone = (*OPEN[1:], "question.levels=[]", "tasks.extractive.questions=2", "tasks.summary.questions=1")
    finished = run_factory(corpus, str(world.root), alone)
    rows = pa.concat_tables(dataset_rows(finished.result["dataset"]).values()).to_pylist()
    assert {row["task"] for row in rows} == {"extractive", "summary"}
    steps = steps_of(world.root, finished.result["run"])
    assert "answer" not in steps
    assert steps["question_extractive"] == steps_of(world.root, world.finished.result["run"])["question_extractive"]
    assert factory_cli("verify", finished.result["dataset"]).code == 0
    refused = run_factory(corpus, str(world.root), (*OPEN[1:], "question.levels=[]"), check=False)
    assert refused.code == 2
    assert "no task type is on" in refused.stderr


def test_the_report_has_a_row_a_type_and_the_letters(world: World) -> None:
    page = Path(world.finished.result["report"]).read_text()
    for task in TYPES:
        counted = Counter(row["verified"] for row in world.of(task))
        written, answered = (world.done(f"{stage}_{task}")["counts"] for stage in ("question", "answer"))
        assert f'<tr><th>{task}</th><td class="n">{written["produced"]}</td>' in page
        assert f'<td class="n">{answered["accepted"]}</td><td class="n">{counted["yes"]}</td>' in page
    assert "Right options by letter: A " in page


def test_card_and_croissant_name_the_new_columns(world: World) -> None:
    manifest = json.loads(Path(world.dataset, "manifest.json").read_text())
    assert manifest["totals"]["tasks"] == dict(Counter(row["task"] for row in world.rows))
    card = Path(world.dataset, "README.md").read_text()
    assert "multiple_choice" in card
    assert "name: task_data" in card
