"""Code answers, checked by the tests they bring along: run in the sandbox, counted, and reported with what isolated it.

Design: the code is what stands in fenced Python blocks; tests are blocks marked as tests, blocks of nothing but asserts
or doctests, asserts that end an answer's block, and whatever the question asks to pass. A question's tests weigh more
than an answer's own, and the evidence says whose they were: an author who errs twice in the same way passes their own
tests. Asserts, doctests, functions named `test_…` and unittest classes all count. Code that leaves before its tests
have run fails.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from factory.answers.verify.config import CodeConfig
from factory.answers.verify.limits import Limits
from factory.answers.verify.sandbox import Ran, run_program
from factory.answers.verify.verdict import Verdict

Reason = Literal["passed", "failed", "left_early", "limit", "no_tests", "no_isolation"]


UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python's own parser raises; MemoryError where expressions are nested too deeply for it."""


@dataclass(frozen=True)
class CodeVerdict:
    """`passed` is None where nothing was run, or time ran out without processor time being used. `tests` counts
    asserts and doctest examples; `detail` is the first failure, or the limit that ended the program."""

    passed: bool | None
    reason: Reason
    tests: int
    detail: str = ""
    isolation: tuple[str, ...] = field(default=())


def run_tests(code: str, tests: Sequence[str], limits: Limits, *, without_network_barrier: bool = False) -> CodeVerdict:
    """Runs `tests` against `code` in the sandbox. Each test is Python (asserts, `test_…` functions, unittest classes)
    or a doctest session."""
    count = sum(count_tests(test) for test in tests)
    if not count:
        return CodeVerdict(None, "no_tests", 0)
    token = secrets.token_hex(16)
    given = json.dumps({"code": code, "tests": list(tests), "token": token})
    program = f"GIVEN = {given!r}\n{_DRIVER}"
    return _judged(run_program(program, limits, without_network_barrier=without_network_barrier), token, count)


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


def _judged(ran: Ran, token: str, count: int) -> CodeVerdict:
    if not ran.started:
        return CodeVerdict(None, "no_isolation", count, ran.problem[:DETAIL])
    if ran.limit == "wall time":
        # It waited, or the machine was busy with other things: that says nothing about the code.
        return CodeVerdict(None, "limit", count, ran.limit, ran.isolation)
    if ran.limit:
        return CodeVerdict(False, "limit", count, ran.limit, ran.isolation)
    last = ran.stdout.rstrip("\n").rpartition("\n")[2]
    if not last.startswith(token):
        said = ran.stderr.strip().rpartition("\n")[2] or f"exit code {ran.code}"
        return CodeVerdict(False, "left_early", count, said[:DETAIL], ran.isolation)
    failure = _failure(last[len(token) :])
    if failure is None:  # the answer's own code printed it
        return CodeVerdict(False, "left_early", count, "its last line is not the driver's", ran.isolation)
    return CodeVerdict(not failure, "failed" if failure else "passed", count, failure[:DETAIL], ran.isolation)


def _failure(said: str) -> str | None:
    """What the driver's last line says; None where it is no such line."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return None
    failure = found.get("failure") if isinstance(found, dict) else None
    return failure if isinstance(failure, str) else None


DETAIL = 300
"""Characters of a failure that evidence keeps."""

_DRIVER = """
import doctest, json, linecache, sys, traceback, types, unittest
given = json.loads(GIVEN)
del GIVEN
token = given.pop("token")
def load(source, name):
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), names)
def failed(error):
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({last.line or last.name})"
module = types.ModuleType("answer")
sys.modules["answer"] = sys.modules["solution"] = module
names = module.__dict__
def run():
    load(given["code"], "answer.py")
    for number, test in enumerate(given["tests"]):
        if any(line.lstrip().startswith(">>> ") for line in test.splitlines()):
            found = doctest.DocTestParser().get_doctest(test, names, f"test {number}", None, 0)
            said = []
            doctest.DocTestRunner(verbose=False).run(found, out=said.append)
            if said:
                return "".join(said)
            continue
        before = set(names)
        load(test, f"test{number}.py")
        for name in sorted(set(names) - before):
            value = names[name]
            if name.startswith("test") and isinstance(value, types.FunctionType):
                value()
            elif isinstance(value, type) and issubclass(value, unittest.TestCase):
                result = unittest.TestResult()
                unittest.defaultTestLoader.loadTestsFromTestCase(value).run(result)
                for _, text in [*result.failures, *result.errors]:
                    return text.strip().splitlines()[-1]
    return ""
try:
    failure = run()
except Exception as error:
    failure = failed(error)
sys.stdout.flush()
print("\\n" + token + json.dumps({"failure": failure}), flush=True)
"""

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
