"""Code answers, checked by the tests they bring along: run in the sandbox, counted, and reported with what isolated it.

Design: the code is what stands in fenced Python blocks; tests are blocks marked as tests, blocks of nothing but asserts
or doctests, asserts that end an answer's block, and whatever the question asks to pass. A question's tests weigh more
than an answer's own, and the evidence says whose they were: an author who errs twice in the same way passes their own
tests. Asserts, doctests, functions named `test_…` and unittest classes all count. Code that leaves before its tests
have run fails. Tests and code run in processes that share nothing (judge.py, judged.py): code that sets out to deceive
has only its own answers to do it with (docs/decisions/0008).

Cost: the two sandboxes side by side, 0.2 to 0.3 s and 0.4 s of processor time; 0.7 ms for a call that a test makes, on
a busy machine.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from factory.answers.verify import judge, judged, mirror, plain, wire
from factory.answers.verify.config import CodeConfig
from factory.answers.verify.limits import Limits
from factory.answers.verify.sandbox import Ran, run_linked
from factory.answers.verify.surface import UNREADABLE, surface_of
from factory.answers.verify.verdict import Verdict

Reason = Literal[
    "passed",
    "failed",
    "left_early",
    "limit",
    "no_tests",
    "no_isolation",
    "ambiguous",
    "out_of_reach",
    "unasked",
    "own_word",
]


@dataclass(frozen=True)
class CodeVerdict:
    """`passed` is None where nothing was run, where time ran out without processor time being used, and where what
    came out says nothing: see `reason`. `tests` counts asserts and doctest examples; `detail` is the first failure, or
    the limit that ended the program."""

    passed: bool | None
    reason: Reason
    tests: int
    detail: str = ""
    isolation: tuple[str, ...] = field(default=())


def run_tests(code: str, tests: Sequence[str], limits: Limits, *, without_network_barrier: bool = False) -> CodeVerdict:
    """Runs `tests` in one sandbox against `code` in another. A test is Python (asserts, `test_…` functions, unittest
    classes) or a doctest session."""
    count = sum(count_tests(test) for test in tests)
    if not count:
        return CodeVerdict(None, "no_tests", 0)
    surface = surface_of(code, tests)
    if surface.ambiguous:
        return CodeVerdict(None, "ambiguous", count, f"the code defines {', '.join(surface.ambiguous)} as Python does")
    token = secrets.token_hex(16)
    marked = [(test, is_doctest(test)) for test in tests]
    given = {"tests": marked, "token": token, "defined": surface.defined, "imports": surface.imports}
    halves = program_of(judge, json.dumps(given)), program_of(judged, json.dumps(code))
    ran = run_linked(*halves, limits, without_network_barrier=without_network_barrier)
    verdict = _judged(*ran, token, count)
    if verdict.passed is False and verdict.reason == "failed" and any(_REACHES.search(test) for test in tests):
        return replace(verdict, passed=None, reason="out_of_reach")
    return verdict


_REACHES = re.compile(r"\bseed\(|\bpatch\b|\bmonkeypatch\b|\bsys\.(?:stdin|argv|path)\b|\bos\.environ\b")
"""Tests that change what they share with the program in one process: here they share nothing, and it fails for that."""

PARTS = {judge: (plain, wire, mirror, judge), judged: (plain, wire, judged)}


def program_of(half: ModuleType, given: str) -> str:
    """One half of a verdict as a program for the sandbox, where there is no factory to import from; `given` is JSON."""
    parts = {module.__name__: _source(module) for module in PARTS[half]}
    return _START.format(parts=parts, half=half.__name__, given=given)


@cache
def _source(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text()


_START = """
import json, sys, types
for name, source in {parts!r}.items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), module.__dict__)
sys.modules[{half!r}].main(LINK, json.loads({given!r}))
"""


def count_tests(test: str) -> int:
    """Checks that a test makes; 0 where it cannot be read or checks nothing."""
    if is_doctest(test):
        return len(re.findall(r"^\s*>>> ", test, re.MULTILINE))
    try:
        tree = ast.parse(test)
    except UNREADABLE:
        return 0
    return sum(
        isinstance(node, ast.Assert) or (isinstance(node, ast.Attribute) and node.attr.startswith("assert"))
        for node in ast.walk(tree)
    )


def is_doctest(test: str) -> bool:
    return bool(re.search(r"^\s*>>> ", test, re.MULTILINE))


def _judged(tests: Ran, program: Ran, token: str, count: int) -> CodeVerdict:
    """The verdict, by what the process of the tests says. Of the program's only which limit ended it is looked at."""
    if not (tests.started and program.started):
        return CodeVerdict(None, "no_isolation", count, (tests.problem or program.problem)[:DETAIL])
    limits = [ran.limit for ran in (program, tests) if ran.limit not in ("", "ended")]
    if "wall time" in limits:
        # It waited, or the machine was busy with other things: that says nothing about the code.
        return CodeVerdict(None, "limit", count, "wall time", tests.isolation)
    if limits:
        return CodeVerdict(False, "limit", count, limits[0], tests.isolation)
    last = tests.stdout.rstrip("\n").rpartition("\n")[2]
    found = _found(last[len(token) :]) if last.startswith(token) else None
    if found is None:
        said = tests.stderr.strip().rpartition("\n")[2] or f"exit code {tests.code}"
        return CodeVerdict(False, "left_early", count, said[:DETAIL], tests.isolation)
    reason, detail = _reason(found, program)
    passed = {"passed": True, "failed": False, "left_early": False}.get(reason)
    return CodeVerdict(passed, reason, count, detail[:DETAIL], tests.isolation)


def _reason(found: dict[str, Any], program: Ran) -> tuple[Reason, str]:
    if found["beyond"]:
        return "out_of_reach", found["beyond"]
    if found["failure"]:
        return "failed", found["failure"]
    if found["left"]:
        return "left_early", program.stderr.strip().rpartition("\n")[2] or f"exit code {program.code}"
    if not found["asked"]:
        return "unasked", "the tests ask nothing of the code"
    if found["own_word"]:
        return "own_word", "an object of the code itself decided how it compares with what the tests expect"
    return "passed", ""


_SAID = {"failure": str, "left": bool, "beyond": str, "asked": int, "own_word": int}


def _found(said: str) -> dict[str, Any] | None:
    """What the judge's last line says; None where it is no such line."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    right = isinstance(found, dict) and all(type(found.get(name)) is kind for name, kind in _SAID.items())
    return found if right else None


DETAIL = 300
"""Characters of a failure that evidence keeps."""

_BLOCK = re.compile(r"^(?P<before>[^\n]*)\n+```(?P<info>[^\n`]*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
_PYTHON = {"", "python", "py", "python3", "pycon", "doctest"}
_TESTS = re.compile(r"\btests?\b|\bdoctests?\b|\bassert", re.IGNORECASE)


def code_and_tests(text: str) -> tuple[list[str], list[str]]:
    """A text's fenced Python blocks: those of code, and those of tests."""
    code: list[str] = []
    tests: list[str] = []
    for block in _BLOCK.finditer("\n" + text):
        language, _, marks = block["info"].strip().partition(" ")
        if language.lower() not in _PYTHON and not _TESTS.search(language):
            continue
        body = block["body"]
        heading = block["before"] if len(block["before"]) <= HEADING else ""
        first = body.lstrip().partition("\n")[0]
        marked = any(_TESTS.search(said) for said in (language, marks, heading, first if first.startswith("#") else ""))
        if count_tests(body) and (marked or is_doctest(body) or _only_asserts(body)):
            tests.append(body)
        else:
            code.append(body)
    return code, tests


def trailing_asserts(block: str) -> tuple[str, str]:
    """A block of code without the asserts that end it at module level, and these; "" where it ends otherwise. Calls of
    print among them ("all tests passed") go with them."""
    try:
        body = ast.parse(block).body
    except UNREADABLE:
        return block, ""
    first = None
    for statement in reversed(body):
        if isinstance(statement, ast.Assert):
            first = statement
        elif not _prints(statement):
            break
    if first is None or first.col_offset:  # behind a semicolon it shares its line with code
        return block, ""
    lines = block.splitlines(keepends=True)
    return "".join(lines[: first.lineno - 1]), "".join(lines[first.lineno - 1 :])


def _prints(statement: ast.stmt) -> bool:
    called = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(called, ast.Call) and isinstance(called.func, ast.Name) and called.func.id == "print"


HEADING = 80
"""Characters of a line before a block that is a heading of it, not prose that mentions tests."""


def _only_asserts(body: str) -> bool:
    try:
        tree = ast.parse(body)
    except UNREADABLE:
        return False
    return all(isinstance(node, ast.Assert | ast.Import | ast.ImportFrom) for node in tree.body)


def verify_code(question: str, answer: str, config: CodeConfig) -> Verdict:
    """The verdict on an answer that holds code: `yes` where all tests pass, `no` where one fails or a limit is met."""
    code, own = code_and_tests(answer)
    if not any(code):
        return Verdict(evidence={"because": "the answer holds no code block"})
    asked = [*code_and_tests(question)[1], *asserts_in(question)]
    tests, source = asked, "question"
    if not any(map(count_tests, asked)):
        # Taken out of the code, because an assert may change what it looks at (`stack.pop() == 3`) and runs once.
        split = [trailing_asserts(block) for block in code]
        code = [block for block, _ in split]
        tests, source = [*own, *(asserts for _, asserts in split if asserts)], "answer"
    program = "\n\n".join(code)
    found = run_tests(program, tests, config.limits, without_network_barrier=config.without_network_barrier)
    evidence: dict[str, Any] = {"reason": found.reason, "tests": found.tests, "tests_from": source}
    if found.detail:
        evidence["detail"] = found.detail
    if found.passed is None:
        return Verdict(evidence=evidence)
    return Verdict("yes" if found.passed else "no", "code", {**evidence, "isolation": list(found.isolation)})


_IN_PROSE = re.compile(r"(?<=[.:;!?)`])[ \t]+`{0,3}(?=assert )|(?<=[ \t])`{1,3}(?=assert )|(?<=^[-*] )(?=assert )")
_DENIED = re.compile(
    r"\b(?:not|never|no|fails?|wrong|errors?|raises?|unlike|instead|without)\b|n['’]t\b", re.IGNORECASE
)


def asserts_in(question: str) -> list[str]:
    """Assert statements in a question's prose as one test: those on lines of their own, and one that ends a line behind
    a sentence, where it says enough to be run by itself."""
    bare = _BLOCK.sub("\n", "\n" + question)
    found = []
    for line in bare.splitlines():
        own = line.strip().strip("`").strip()
        if own.startswith("assert "):
            found += [own] if _only_asserts(own) else []
        elif (said := _at_the_end(line.strip())) is not None:
            found.append(said)
    return ["\n".join(found)] if found else []


def _at_the_end(line: str) -> str | None:
    """The assert from which on a line of prose is Python; None where its words may be about something else: a line that
    denies it ("must not hold: …"), or names that only the prose explains (`assert isinstance(n, int)`)."""
    for match in _IN_PROSE.finditer(line):
        said = line[match.end() :].rstrip("` ")
        if _only_asserts(said) and not _DENIED.search(line[: match.start()]) and _calls_by_itself(said):
            return said
    return None


def _calls_by_itself(asserts: str) -> bool:
    """Whether every assert calls something that is no builtin, and needs no other name from outside."""
    for statement in ast.parse(asserts).body:
        nodes = list(ast.walk(statement))
        called = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
        read = {node.id for node in nodes if isinstance(node, ast.Name)} - bound
        if not called - set(dir(builtins)) or read - called - set(dir(builtins)):
            return False
    return True
