"""What this pack checks of programs without running them; what runs them is `answer.verify.kind: code` (docs/code.md).

Design: gates look at the whole set, so each asks for a fault that makes a row useless for training and that single rows
may have: a question that asks for no program, an answer without one, a program that is no Python, one that defines
another name than the task asks for, and rows whose tests never ran. All but the last read text alone and cost 0.1 ms a
sample.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from factory.answers.verify.code import code_and_tests
from factory.answers.verify.surface import UNREADABLE
from factory.domains.checks import Gate, Sample

_ASKS = re.compile(r"\b(?:def|class)\s+[A-Za-z_]\w*\s*[(:]|^\s*assert\b|^```", re.MULTILINE)
_BLOCK = re.compile(r"^```[^\n`]*\n.*?^```", re.MULTILINE | re.DOTALL)
_ASKED_NAME = re.compile(r"(?:`|^```python\n)\s*(?:async\s+)?(?:def|class)\s+([A-Za-z_]\w*)", re.MULTILINE)


def no_task(samples: Sequence[Sample]) -> list[str | None]:
    """Questions about programming that ask for no program: without signature, code or example."""
    return [None if _ASKS.search(sample.question) else "asks for no program" for sample in samples]


def no_program(samples: Sequence[Sample]) -> list[str | None]:
    """Tasks with a signature, code or examples whose answer has no fenced block: prose, or a program cut off."""
    return [
        "no fenced block" if _ASKS.search(sample.question) and not _BLOCK.search(sample.answer) else None
        for sample in samples
    ]


def no_python(samples: Sequence[Sample]) -> list[str | None]:
    """Blocks that say they are Python, or say nothing, and that Python cannot read."""
    return [next(filter(None, map(_unreadable, _programs(sample))), None) for sample in samples]


def other_name(samples: Sequence[Sample]) -> list[str | None]:
    """Programs that lack what the task's signature names: no test can call them."""
    return [_lacks(sample) for sample in samples]


def never_tested(samples: Sequence[Sample]) -> list[str | None]:
    """Programs of which no test says whether they work."""
    return [
        "no test ran" if sample.verified == "unchecked" and _BLOCK.search(sample.answer) else None for sample in samples
    ]


def _programs(sample: Sample) -> list[str]:
    return [block for block in code_and_tests(sample.answer)[0] if block.strip()]


def _unreadable(program: str) -> str | None:
    try:
        ast.parse(program)
    except UNREADABLE as error:
        said = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        return f"not Python: {said}"
    return None


def _lacks(sample: Sample) -> str | None:
    asked = _ASKED_NAME.search(sample.question)
    programs = _programs(sample)
    if asked is None or not programs:
        return None
    name = asked[1]
    there = any(re.search(rf"\b(?:def|class)\s+{name}\b|^{name}\s*=", program, re.MULTILINE) for program in programs)
    return None if there else f"defines no {name}"


gates = {
    "no_task": Gate(no_task, "share of questions that ask for no program", threshold=0.2),
    "no_program": Gate(no_program, "share of tasks answered without a program", threshold=0.02, severity="error"),
    "no_python": Gate(no_python, "share of answers with a block that is no Python", threshold=0.02),
    "other_name": Gate(other_name, "share of programs without the name that was asked for", threshold=0.02),
    "never_tested": Gate(never_tested, "share of programs that no test has run", threshold=0.2),
}
