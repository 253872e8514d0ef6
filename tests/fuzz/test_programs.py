"""Code blocks of answers, and what a sandbox and its program say: a verdict, whatever was printed."""

from __future__ import annotations

from hypothesis import example
from hypothesis import strategies as st

from factory.answers.verify.code import _judged, asserts_in, code_and_tests, count_tests, trailing_asserts
from factory.answers.verify.sandbox import Ran, _result
from tests.fuzz.breaking import broken_bytes, json_bytes, texts
from tests.fuzz.harness import fuzzed

ANSWER = (
    "Here:\n\n```python\ndef f(n):\n    return n + 1\n\nassert f(1) == 2\nprint('ok')\n```\n\nTests:\n```\n"
    ">>> f(1)\n2\n```\n```python test\nimport unittest\n\nclass T(unittest.TestCase):\n    def test(self):\n"
    "        self.assertEqual(f(1), 2)\n```\nIt must hold that assert f(2) == 3."
)
TOKEN = "ab" * 16
REPORT = {"started": True, "isolation": ["network", "files"], "code": 0, "limit": "", "problem": ""}


@fuzzed(
    "factory.answers.verify.code.code_and_tests",
    "factory.answers.verify.code.asserts_in",
    "factory.answers.verify.code.trailing_asserts",
    "factory.answers.verify.code.count_tests",
    share=2,
    text=texts(ANSWER, "x = 1\n", "assert f(1)", "`assert f(1) == 2`"),
)
@example(text="```python\n" + "(" * 500 + "\n```")
@example(text="assert " + "-" * 20_000 + "f(1)")
@example(text="```\nassert " + "not " * 20_000 + "f(1)\n```")
@example(text="assert f(" + "[" * 150 + "]" * 150 + ")")
@example(text="```python\nassert f(1)\0\n```")
@example(text="x: assert f(" + ".a" * 20_000 + ")")
def test_code_and_tests_are_taken_apart(text: str) -> None:
    code, tests = code_and_tests(text)
    for block in (*code, *tests, text):
        count_tests(block)
        before, asserts = trailing_asserts(block)
        assert before + asserts == block
    asserts_in(text)


@fuzzed(
    "factory.answers.verify.sandbox._result",
    share=4,
    said=json_bytes(REPORT),
    printed=broken_bytes([b"sandbox: no", b"ok\n"]),
)
@example(said=b"[]", printed=b"")
@example(said=b'{"started": 1, "isolation": 5}', printed=b"")
@example(said=b'{"isolation": []}', printed=b"")
@example(said=b"[" * 100_000, printed=b"")
def test_a_sandbox_says_how_it_ended(said: bytes, printed: bytes) -> None:
    ran = _result(said, {"stdout": printed, "stderr": printed}, "", 0.5)
    assert isinstance(ran.started, bool)
    assert ran.code is None or type(ran.code) is int
    assert all(isinstance(name, str) for name in ran.isolation)
    _judged(ran, TOKEN, 1)


@fuzzed(
    "factory.answers.verify.code._judged", share=4, said=json_bytes({"failure": ""}), code=st.sampled_from((0, 1, None))
)
@example(said=b"no JSON", code=0)
@example(said=b"[]", code=0)
@example(said=b'{"failure": 5}', code=0)
@example(said=b'{"failure": null}', code=0)
def test_a_program_that_knows_the_token_breaks_nothing(said: bytes, code: int | None) -> None:
    stdout = f"x\n{TOKEN}{said.decode(errors='replace')}\n"
    found = _judged(Ran(True, code, "", stdout, "", ("network",), "", 0.1), TOKEN, 1)
    assert found.passed in (True, False, None)
    assert isinstance(found.detail, str)
    assert found.passed is not True or said.strip() == b'{"failure":""}' or b'"failure"' in said
