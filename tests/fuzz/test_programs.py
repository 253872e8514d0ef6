"""Code blocks of answers, and what a sandbox and its program say: a verdict, whatever was printed."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import example
from hypothesis import strategies as st

from factory.answers.programs.cases import Case, _read, same_result
from factory.answers.programs.languages import LANGUAGES, program_in
from factory.answers.verify.code import _judged, asserts_in, code_and_tests, count_tests, trailing_asserts
from factory.answers.verify.plain import SAFE_CLASSES
from factory.answers.verify.sandbox import Ran, _result
from factory.answers.verify.surface import surface_of
from factory.answers.verify.wire import BrokenError, EndedError, Peer
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
    "factory.answers.verify.surface.surface_of",
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
        surface_of(block, [text])
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
    _judged(ran, ran, TOKEN, 1)


RESULT = {"case": 0, "code": 0, "printed": "\n[1, 2]", "said": ""}
LANGUAGE = st.sampled_from(sorted(LANGUAGES))


@fuzzed("factory.answers.programs.cases._read", share=4, said=json_bytes(RESULT), language=LANGUAGE)
@example(said=b"[" * 5000, language="python")
@example(said=b'{"case": 0, "code": 0, "printed": 5, "said": ""}', language="python")
def test_what_cases_are_said_to_have_printed_is_an_outcome_each(said: bytes, language: str) -> None:
    stdout = f"x\n{TOKEN}{said.decode(errors='replace')}\n"
    ran = Ran(True, 0, "", stdout, "", ("network",), "", 0.1)
    found = _read(ran, LANGUAGES[language], [Case("f()", "[1, 2]"), Case("f(2)", "2")], TOKEN)
    assert len(found.outcomes) == 2
    assert found.outcomes[1] != "passed"


@fuzzed(
    "factory.answers.programs.cases.same_result",
    "factory.answers.programs.languages.program_in",
    printed=texts("[1, 2.5, {'a': (1,)}]", '{"a": [1]}', "{1}"),
    expected=texts("[1, 2.5, {'a': (1,)}]", '{"a": [1]}', "{1}"),
    language=LANGUAGE,
)
@example(printed="[" * 900 + "]" * 900, expected="[" * 900 + " " + "]" * 900, language="javascript")
@example(printed="{[]: 1}", expected="1" * 9000, language="python")
def test_any_two_texts_are_one_result_or_two(printed: str, expected: str, language: str) -> None:
    assert same_result(LANGUAGES[language], printed, expected) in (True, False)
    program_in(f"```{language}\n{printed}\n```\n{expected}", language)


VERDICT = {"failure": "", "left": False, "beyond": "", "asked": 1, "own_word": 0}


@fuzzed("factory.answers.verify.code._judged", share=4, said=json_bytes(VERDICT), code=st.sampled_from((0, 1, None)))
@example(said=b"no JSON", code=0)
@example(said=b"[]", code=0)
@example(said=b'{"failure": 5}', code=0)
@example(said=b'{"failure": null}', code=0)
def test_a_judge_that_says_something_else_breaks_nothing(said: bytes, code: int | None) -> None:
    stdout = f"x\n{TOKEN}{said.decode(errors='replace')}\n"
    ran = Ran(True, code, "", stdout, "", ("network",), "", 0.1)
    found = _judged(ran, ran, TOKEN, 1)
    assert found.passed in (True, False, None)
    assert isinstance(found.detail, str)
    assert found.passed is not True or b'"failure"' in said


ANSWERS = (
    {"value": ["tuple", [1, ["@", 3], ["theirs", 5, "object", ["theirs", 7, "class", "A", "answer", []]]]],
     "state": {"3": ["dict", [["a", ["Fraction", "0x1", "0x2"]]], None]}, "said": "x", "released": [], "forgotten": []},
    {"raised": [["class", "builtins.ValueError"], ["no", ["bytes", "eA=="]], None], "state": {}},
    {"do": "call", "with": [["yours", 2], ["tuple", []], ["tuple", []]], "state": {"2": ["list", [3], None]}},
)  # fmt: skip


@fuzzed(
    "factory.answers.verify.wire.Peer.ask",
    "factory.answers.verify.plain.from_plain",
    share=4,
    said=st.one_of(*map(json_bytes, ANSWERS)),
)
@example(said=b"[" * 50_000)
@example(said=b'{"value": ["date", "x"]}')
@example(said=b'{"value": ["library", "os", "system"]}')
@example(said=b'{"value": 1, "state": {"2": ["dict", [], null]}}')
@example(said=b'{"raised": [["class", "builtins.object"], [], null]}')
def test_a_program_that_answers_anything_gives_a_value_an_error_or_is_broken(said: bytes) -> None:
    def performed(_operation: str, _arguments: list[Any], _own: list[bool]) -> Any:
        raise TypeError("not for the program")

    (read, write), nowhere = os.pipe(), os.open(os.devnull, os.O_WRONLY)
    peer = Peer((read, nowhere), 0, performed, lambda _number, _about: object, trusted=True)
    lent = [1, 2]
    try:
        os.write(write, said.replace(b"\n", b" ")[:60_000] + b"\n")
        os.close(write)
        peer.ask("call", lent)
    except (EndedError, BrokenError):
        assert peer.over is not None
    except tuple(kind for kind in SAFE_CLASSES.values() if issubclass(kind, BaseException)):
        assert peer.over is None
    finally:
        peer._in.close()
        os.close(nowhere)
    assert type(lent) is list
