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
    """One family of functions: what is said of it, `value` as Python and C write it, and what it gives."""

    said: str
    value: str
    gives: Callable[[int, int], int]


KINDS = {
    "add": _Kind("the sum of n and {by}", "n + {by}", lambda n, by: n + by),
    "times": _Kind("n taken {by} times", "n * {by}", lambda n, by: n * by),
    "square_plus": _Kind("the square of n, and {by} more", "n * n + {by}", lambda n, by: n * n + by),
    "gap": _Kind("the square of how far n is from {by}", "(n - {by}) * (n - {by})", lambda n, by: (n - by) ** 2),
}
_ASKED = re.compile(r"\b(" + "|".join(KINDS) + r")_(\d+)\b")


@dataclass(frozen=True)
class _Style:
    """How a language writes a signature, a call, one that says nothing, and a body (with the value in it)."""

    signature: str
    call: str
    weak: tuple[str, str]
    program: str


_SHELL = _Style(
    "{name}()", "{name} {n}", ("{name} {n} > /dev/null", ""), "{name}() {{\n    local n=$1\n    echo $(({value}))\n}}"
)
_C = _Style(
    "int {name}(int n)",
    'printf("%d\\n", {name}({n}));',
    ("(void) {name}({n});", ""),
    "int {name}(int n) {{\n    return {value};\n}}",
)
STYLES = {
    "python": _Style(
        "def {name}(n: int) -> int:",
        "{name}({n})",
        ("{name}({n}) if False else None", "None"),
        "def {name}(n: int) -> int:\n    return {value}",
    ),
    "javascript": _Style(
        "function {name}(n)",
        "{name}({n})",
        ("({name}({n}), null)", "null"),
        "function {name}(n) {{\n    return {value};\n}}",
    ),
    "bash": _SHELL,
    "sh": _SHELL,
    "c": _C,
    "cpp": _C,
}
_LANGUAGE = re.compile(r"^```(" + "|".join(STYLES) + r")$", re.MULTILINE)


def settle_program(task: dict[str, Any], draw: Draw) -> dict[str, Any]:
    """A drafted task (task, language, signature, tests) about a function that can be written from its name."""
    word = list(KINDS)[draw.below(len(KINDS))]
    by = 1 + draw.below(40)
    name, style = f"{word}_{by}", STYLES[task["language"]]
    tests = [_case(name, KINDS[word], by, 3 * at + draw.below(3), draw, style) for at in range(len(task["tests"]))]
    said = f"{task['task'].rstrip('.?')}: {KINDS[word].said.format(by=by)}, for a whole number n that is not negative."
    return {**task, "task": said, "signature": style.signature.format(name=name), "tests": tests}


def _case(name: str, kind: _Kind, by: int, n: int, draw: Draw, style: _Style) -> dict[str, str]:
    chance = draw.random()
    if chance < 0.125:
        return {"call": style.weak[0].format(name=name, n=n), "expected": style.weak[1]}
    value = kind.gives(n, by) + (1 if chance < 0.25 else 0)
    return {"call": style.call.format(name=name, n=n), "expected": str(value)}


def write_program(parts: Mapping[str, str], draw: Draw, fails: bool) -> str:
    """A fenced program for the function that the task in a prompt's parts asks for, and a sentence; of a task of
    somebody else's, the sentence alone."""
    asked = parts["task"]
    found, language = _ASKED.search(asked), _LANGUAGE.search(asked)
    if found is None or language is None:
        return draw.sentence()
    return f"```{language[1]}\n{_program(found, language[1], draw, fails)}\n```\n\n{draw.sentence()}"


def _program(found: re.Match[str], language: str, draw: Draw, fails: bool) -> str:
    name, value, by = found.group(), KINDS[found[1]].value, int(found[2])
    wrong = draw.below(5) if fails else None
    shown = value.format(by=by + 1 if wrong == 0 else by)
    right = STYLES[language].program.format(name=name, value=shown)
    if wrong in (None, 0):
        return right
    if wrong == 1 and language == "python":
        return right.replace(f"return {shown}", f"print({shown})")
    if wrong == 2 and language == "python":
        return right.replace("return", "while n >= 0:\n        pass\n    return")
    return right.replace("(", " ", 1) if wrong == 3 else right.replace(name, f"{name}_of", 1)
