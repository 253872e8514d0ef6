"""A step whose code changed gets a new STEP_VERSION, or somebody says that its rows stay as they were."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import NoneType
from typing import get_args, get_type_hints

import pytest

from factory.run.across import AcrossSteps
from factory.run.steps import Steps
from tests.run.step_sources import STEPS, complaints, current, recorded
from tests.runs import REPOSITORY


def test_no_steps_source_changed_without_its_version_raised_or_the_change_acknowledged() -> None:
    assert not complaints(recorded(), current()), (
        "raise STEP_VERSION where rows may come out differently; then, or where they cannot, run "
        "`.venv/bin/python -m tests.run.step_sources [STEP …]` (its docstring says which) and commit the result"
    )


def test_every_step_of_a_run_is_watched() -> None:
    others = ("llm", "across", "documents", "questions_alike", "rephrased", "benchmark_answers", "tasks")
    named = {name for name in Steps.__dataclass_fields__ if name not in others}
    hinted = [step for hint in get_type_hints(AcrossSteps).values() for step in get_args(hint) or [hint]]
    across = {step.name for step in hinted if step is not NoneType}
    assert named | across <= STEPS.keys()
    assert {"match", "compare", "decide", "document_sketch", "document_decide", "semantic_sketch"} <= STEPS.keys()
    assert {"extract", "question_1", "question_2", "question_3", "answer", "samples", "curate"} <= STEPS.keys()
    assert {"task_question", "task_answer"} <= STEPS.keys()


def test_what_a_step_runs_in_a_process_of_its_own_is_watched_as_well() -> None:
    """Such a module is imported by the one that starts it, for its name or file: nothing else leads to it."""
    halves = ("judge", "judged", "mirror", "plain", "wire", "sandbox_process", "maths_process")
    assert {f"factory.answers.verify.{name}" for name in halves} <= _modules("check")


def _modules(step: str) -> set[str]:
    return set(current()[step]["modules"])  # type: ignore[call-overload]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "factory", tmp_path / "factory", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def _edit(repository: Path, module: str, old: str, new: str) -> None:
    path = repository / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_changed_helper_names_every_step_that_reaches_it(copy: Path) -> None:
    _edit(copy, "factory/curate/words.py", "\nimport ", "\nCHANGED = 1\nimport ")
    found = complaints(current(), current(copy))
    assert [line.split(":")[0] for line in found] == [
        step
        for step in STEPS
        if "factory.curate.words" in current()[step]["modules"]  # type: ignore[operator]
    ]
    assert "factory.curate.words" in found[0]


def test_comments_and_docstrings_ask_for_nothing(copy: Path) -> None:
    _edit(copy, "factory/curate/words.py", '"""', '"""Said differently. ')
    _edit(copy, "factory/curate/words.py", "\nimport ", "\n# why\nimport ")
    assert not complaints(current(), current(copy))


def test_a_raised_version_is_to_be_recorded(copy: Path) -> None:
    version = int(str(current()["curate"]["version"]))
    _edit(copy, "factory/curate/step.py", f"STEP_VERSION = {version}", f"STEP_VERSION = {version + 1}")
    said = f"curate: STEP_VERSION is {version + 1}, recorded is {version}: record it"
    assert complaints(current(), current(copy)) == [said]
