"""Hidden tests that choose among programs: tasks, tests and programs of the scripted engine, whose truth is known.

Of each task six tests are written, one in eight wrong and one in eight passed by an empty body, and four programs, of
which a given share is wrong in one of the ways that models are. What `tasks.program` then chooses and says is held
against what the function's name says it does. The programs are the scripted engine's own, so their truth may be had by
running them here; the judging runs them in the sandbox, as a run does.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from typing import Any

from factory.answers.grounding import grounding
from factory.answers.verify.config import CodeConfig
from factory.engine.schema_instances import Draw
from factory.engine.scripted_programs import KINDS, settle_program, write_program
from factory.tasks.config import ProgramConfig
from factory.tasks.program import Program
from factory.tasks.task import About, Drafted, Given
from factory.tasks.wording import Wording
from tests.bench.figures import Figures, Row

DISSENT = (0.2, 0.5, 0.8)
"""Share of programs that are wrong."""

SAMPLES, TESTS = 4, 6
ARGUMENTS = range(60)
"""On these a program that is right gives what its name says."""

_WORDING = Wording(
    {
        "signature": "Write it in {{language}}, with this signature:",
        "examples": "Examples:",
        "example": "- `{{call}}` gives `{{expected}}`",
    },
    "bench",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--program-tasks", type=int, default=40, help="programs: tasks a share of wrong ones (40)")


def measure(options: argparse.Namespace) -> Figures:
    tasks = 2 if options.tiny else options.program_tasks
    sandbox = CodeConfig(cpu_seconds=1, wall_seconds=120)
    kind = Program(ProgramConfig(questions=1, tests=TESTS, sandbox=sandbox))
    found: Counter[str] = Counter()
    for share in DISSENT:
        for number in range(tasks):
            found += _tried(kind, share, random.Random(number * 7 + int(share * 100)))
    worked, yes = found["tasks"], found["yes, right"] + found["yes, wrong"]
    rows = [
        Row("tasks, tests and programs of each", f"{worked}, {TESTS}, {SAMPLES}"),
        Row("first program right", f"{found['first right']} of {worked}"),
        Row("chosen program right", f"{found['chosen right']} of {worked}"),
        Row("`yes`, of which wrong", f"{yes}, {found['yes, wrong']}", "0 wrong:", not found["yes, wrong"]),
        Row("right programs that are not `yes`", str(found["chosen right"] - found["yes, right"])),
        Row("wrong tests thrown out", _share(found, "wrong")),
        Row("tests that an empty body passes, thrown out", _share(found, "weak")),
        Row("right tests thrown out", _share(found, "right")),
    ]
    return Figures("programs", rows, {**dict(sorted(found.items())), "sizes": {"tasks": worked, "dissent": DISSENT}})


def _share(found: Counter[str], of: str) -> str:
    return f"{found[f'{of} test thrown out']} of {found[f'{of} test']}"


def _tried(kind: Program, dissent: float, chance: random.Random) -> Counter[str]:
    """What became of one task with its programs and tests."""
    draw = Draw(chance.random, ["list", "heap"])
    asked = {"task": "Compute it", "language": "python", "signature": "", "tests": [0] * TESTS}
    drafted = kind.draft(settle_program(asked, draw), About("document", "text", 0, 1, _WORDING))
    assert isinstance(drafted, Drafted), drafted
    assert drafted.data is not None
    programs = [write_program({"task": drafted.text}, draw, chance.random() < dissent) for _ in range(SAMPLES)]
    name = str(drafted.data["name"])
    tried = kind.tried(programs, drafted.data)
    chosen = programs[tried.winner]
    verdict = kind.verify(tried.data, Given(chosen, None, grounding(chosen, [])))
    right = _is_right(chosen, name)
    found = Counter({"tasks": 1, "first right": int(_is_right(programs[0], name)), "chosen right": int(right)})
    found[f"{verdict.verified}, {'right' if right else 'wrong'}"] += 1
    for test in tried.data["tests"]:
        said = f"{_of_test(test, name)} test"
        found[said] += 1
        found[f"{said} thrown out"] += bool(test.get("thrown_out"))
    return found


def _truth(name: str, argument: int) -> int:
    word, by = name.rsplit("_", 1)
    return KINDS[word].gives(argument, int(by))


def _of_test(test: dict[str, Any], name: str) -> str:
    if test["expected"] == "None":
        return "weak"
    argument = re.search(r"\((\d+)\)", test["call"])
    assert argument is not None, test
    return "right" if test["expected"] == str(_truth(name, int(argument[1]))) else "wrong"


def _is_right(answer: str, name: str) -> bool:
    block = re.search(r"```python\n(.*?)```", answer, re.DOTALL)
    assert block is not None, answer
    if "while" in block[1] or "print" in block[1]:  # endless, or printed instead of returned
        return False
    names: dict[str, Any] = {}
    try:
        exec(block[1], names)
    except SyntaxError:
        return False
    function = names.get(name)
    return function is not None and all(function(each) == _truth(name, each) for each in ARGUMENTS)
