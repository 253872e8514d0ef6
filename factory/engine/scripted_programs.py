"""Programming tasks of the scripted engine, and its programs: right ones, wrong ones, and tests that are wrong.

Design: what a function does is in its name (`add_7`, `repeat_3`), so whoever is asked for it later can write it without
remembering the task. Of programs the share `dissent` is wrong in one of the ways that models are: another number, a
value that is printed instead of returned, a loop that does not end, a syntax error, another name. Of tests one in eight
is, and one in eight is passed by an empty body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.engine.schema_instances import Draw


@dataclass(frozen=True)
class _Kind:
    """One family of functions: `python` and `shell` are its body, `gives` what it computes."""

    said: str
    python: str
    shell: str
    gives: Callable[[int, int], int]


KINDS = {
    "add": _Kind("the sum of n and {by}", "n + {by}", "$(($1 + {by}))", lambda n, by: n + by),
    "times": _Kind("n taken {by} times", "n * {by}", "$(($1 * {by}))", lambda n, by: n * by),
    "square_plus": _Kind(
        "the square of n, and {by} more", "n * n + {by}", "$(($1 * $1 + {by}))", lambda n, by: n * n + by
    ),
    "gap": _Kind(
        "how far n is from {by}", "abs(n - {by})", "$(($1 > {by} ? $1 - {by} : {by} - $1))", lambda n, by: abs(n - by)
    ),
}
_ASKED = re.compile(r"\b(" + "|".join(KINDS) + r")_(\d+)\b")


def settle_program(task: dict[str, Any], draw: Draw) -> dict[str, Any]:
    """A drafted task (task, language, signature, tests) about a function that can be written from its name."""
    word = list(KINDS)[int(draw.random() * len(KINDS))]
    by = 1 + draw.below(40)
    name, kind, language = f"{word}_{by}", KINDS[word], task["language"]
    shell = language not in ("python", "javascript")
    tests = [_case(name, kind, by, 3 * at + draw.below(3), draw, language) for at in range(len(task["tests"]))]
    signature = f"{name}()" if shell else f"def {name}(n: int) -> int:"
    said = f"{task['task'].rstrip('.?')}: {kind.said.format(by=by)}, for a whole number n that is not negative."
    return {**task, "task": said, "signature": signature, "tests": tests}


def _case(name: str, kind: _Kind, by: int, n: int, draw: Draw, language: str) -> dict[str, str]:
    shell = language not in ("python", "javascript")
    chance = draw.random()
    if chance < 0.125:
        return {"call": f"{name} {n} > /dev/null", "expected": ""} if shell else {
            "call": f"{name}({n}) if False else None", "expected": "None",
        }  # fmt: skip
    value = kind.gives(n, by) + (1 if chance < 0.25 else 0)
    return {"call": f"{name} {n}" if shell else f"{name}({n})", "expected": str(value)}


def write_program(parts: Mapping[str, str], draw: Draw, fails: bool) -> str:
    """A fenced program for the function that the task in a prompt's parts asks for, and a sentence; of a task of
    somebody else's, the sentence alone."""
    asked = parts["task"]
    found = _ASKED.search(asked)
    return draw.sentence() if found is None else f"{_program(found, asked, draw, fails)}\n\n{draw.sentence()}"


def _program(found: re.Match[str], asked: str, draw: Draw, fails: bool) -> str:
    name, kind, by = found.group(), KINDS[found[1]], int(found[2])
    wrong = draw.below(5) if fails else None
    if "```python" not in asked:
        body = kind.shell.format(by=by + 1 if wrong is not None else by)
        return f'```sh\n{name}() {{\n    echo "{body}"\n}}\n```'
    value = kind.python.format(by=by + 1 if wrong == 0 else by)
    lines = {
        None: [f"def {name}(n: int) -> int:", f"    return {value}"],
        0: [f"def {name}(n: int) -> int:", f"    return {value}"],
        1: [f"def {name}(n: int) -> int:", f"    print({value})"],
        2: [f"def {name}(n: int) -> int:", "    while n >= 0:", "        pass", f"    return {value}"],
        3: [f"def {name}(n: int) -> int", f"    return {value}"],
        4: [f"def {name}_of(n: int) -> int:", f"    return {value}"],
    }[wrong]
    return "\n".join(["```python", *lines, "```"])
