"""A passage, and the ways to hold planted items against a task type: its draft, its stages, its check."""

from __future__ import annotations

import json
from typing import Any

from factory.answers.config import AnswerConfig
from factory.answers.grounding import grounding
from factory.answers.verify.verdict import Verdict
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import Completion
from factory.questions.config import QuestionConfig
from factory.run.step import Parsed
from factory.tasks.answer import TaskAnswerStep
from factory.tasks.question import TaskQuestionStep
from factory.tasks.task import About, Drafted, Given, Problem, TaskType
from factory.tasks.wording import read_wording

PACK = load_pack(DomainConfig())
TEXT = (
    "Glaciers are bodies of ice that move under their own weight. They form where more snow falls in winter than melts "
    "in summer. The line between the part that gains ice and the part that loses it is called the equilibrium line. In "
    "1991 hikers found a man of the Copper Age in a glacier of the Ötztal Alps; he had been frozen for 5,300 years."
)
ROW: dict[str, Any] = {"chunk_id": "c" * 32, "doc_id": "d" * 32, "text": TEXT, "span_start": 100, "sources": []}
TEXTS = {ROW["chunk_id"]: TEXT}
SOURCE = {"chunk_id": ROW["chunk_id"], "doc_id": ROW["doc_id"]}
FOLDER = "question_task-abc"


def about(task: TaskType, index: int = 0, text: str = TEXT, chunk_id: str = ROW["chunk_id"]) -> About:
    return About(text, chunk_id, ROW["span_start"], 5, read_wording(PACK, task.name, task.wording), index)


def drafted(task: TaskType, item: dict[str, Any], index: int = 0) -> Drafted:
    found = task.draft(item, about(task, index))
    assert isinstance(found, Drafted), found
    return found


def problem(task: TaskType, item: dict[str, Any]) -> str:
    found = task.draft(item, about(task))
    assert isinstance(found, Problem), found
    return found.reason


def asked(task: TaskType, *items: Any, suitable: Any = True, finish: str = "stop") -> Parsed:
    """What the question stage makes of a reply."""
    step = TaskQuestionStep(task, QuestionConfig(), PACK, seed=5)
    reply = json.dumps({"suitable": suitable, "questions": list(items)})
    return step.parse(ROW, TEXTS, [Completion("r1", (reply,), (finish,), 10, (5,))], FOLDER)


def verdict(task: TaskType, data: Any, text: str, final: str | None = None, passage: str = TEXT) -> Verdict:
    return task.verify(data, Given(text, final, grounding(text, [passage])))


def answered(task: TaskType, item: dict[str, Any], *samples: str, rounds: int = 1) -> Parsed:
    """What the answer stage makes of samples for a drafted item."""
    (row,) = asked(task, {**item, "level": "college"}).accepted
    step = TaskAnswerStep(task, AnswerConfig(samples=len(samples)), PACK, seed=5)
    completion = Completion("r2", tuple(samples), ("stop",) * len(samples), 10, (5,) * len(samples))
    return step.parse({**row, "sources": [SOURCE]}, TEXTS, [completion] * rounds, "answer_task-abc")


def reasons(parsed: Parsed, side: str = "output") -> list[str]:
    return [reject.reason for reject in parsed.rejects if reject.side == side]
