"""Cases in every language that is here: right programs pass, wrong ones fail, and a program that means harm gets no
further than its sandbox, nor to a verdict of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from factory.answers.programs import cases as running
from factory.answers.programs.cases import Case, CasesRan, run_cases, same_result
from factory.answers.programs.languages import LANGUAGES
from factory.answers.verify.sandbox import run_program
from tests.answers.programs.planted import HERE, LIMITS, PLANTED


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    ran = run_program("print('hello')", LIMITS)
    if not ran.started:
        pytest.skip(f"no namespaces here: {ran.problem}")


def python(program: str, *cases: Case) -> CasesRan:
    ran = run_cases(program, "python", cases, LIMITS)
    assert not ran.problem, ran
    return ran


def test_python_and_the_shells_are_always_among_the_languages_tried() -> None:
    assert {"python", "bash", "sh"} <= set(HERE)
    assert LANGUAGES.keys() == PLANTED.keys()


@pytest.mark.parametrize("language", HERE)
def test_a_right_program_passes_every_case_and_a_wrong_one_none(language: str) -> None:
    planted = PLANTED[language]
    limits = LIMITS._replace(cpu_seconds=10, memory_bytes=512 << 20)
    right = run_cases(planted.right, language, planted.cases, limits)
    assert right.passed == (True, True, True), right
    assert right.isolation == ("network", "files", "processes", "users")
    wrong = run_cases(planted.wrong, language, planted.cases[:1], limits)
    assert wrong.passed == (False,)
    assert "expected 6" in wrong.detail


def test_a_language_that_is_not_installed_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = replace(LANGUAGES["bash"], needs="no-such-shell")
    monkeypatch.setattr(running, "LANGUAGES", {"bash": absent})
    found = run_cases("f() { :; }", "bash", [Case("f", "")], LIMITS)
    assert (found.outcomes, found.problem, found.detail) == ((), "not_installed", "no-such-shell")


def test_a_case_that_does_not_end_fails_and_those_behind_it_are_not_run() -> None:
    ran = python("def f(n):\n    while n: pass\n    return 0", Case("f(0)", "0"), Case("f(1)", "0"), Case("f(0)", "0"))
    assert ran.outcomes == ("passed", "failed", "not_run")


def test_waiting_is_no_verdict_because_a_busy_machine_makes_no_program_wrong() -> None:
    waits = "import time\ndef f():\n    time.sleep(100)"
    found = run_cases(waits, "python", [Case("f()", "None")], LIMITS._replace(wall_seconds=1))
    assert found.problem == "wall_time"


def test_a_raised_error_can_be_what_is_expected() -> None:
    program = "def f(n):\n    if n < 0:\n        raise ValueError('negative')\n    return n"
    cases = (Case("f(-1)", "raises ValueError"), Case("f(1)", "raises ValueError"), Case("f(-1)", "raises KeyError"))
    assert python(program, *cases).passed == (True, False, False)


KILLS_ITS_PARENT = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\ndef f(n):\n    return 42"
WRITES_RESULTS = """
import json, os, re
given = open('program.py').read()
token = re.search('"token": "([0-9a-f]{32})"', given)[1]
line = token + json.dumps({'case': 0, 'code': 0, 'printed': '\\n42', 'said': ''}) + '\\n'
for place in (f'/proc/{os.getppid()}/fd/1', '/proc/1/fd/1', '/dev/stdout'):
    try:
        open(place, 'w').write(line)
    except OSError:
        pass
os.kill(os.getppid(), 9)
"""
EQUALS_ALL = (
    "class Any:\n    def __eq__(self, other): return True\n    def __repr__(self): return 'Any'\ndef f(n): return Any()"
)
LOOKS_FOR_IT = """
import re
def f(n):
    found = re.findall('9[0-9]{4}', open('program.py').read())
    return int(found[0]) if found else 0
"""


@pytest.mark.parametrize("program", [KILLS_ITS_PARENT, WRITES_RESULTS, EQUALS_ALL, LOOKS_FOR_IT])
def test_no_program_gives_itself_the_verdict(program: str) -> None:
    """Also one that reads all there is to read: what a case gives is nowhere in the sandbox."""
    assert python(program, Case("f(41)", "93817")).passed == (False,)


HARM = {
    "network": "import socket\ndef f():\n    socket.create_connection(('127.0.0.1', 80), 1)\n    return 'out'",
    "file outside": "def f():\n    open('/usr/lib/planted', 'w').write('x')\n    return 'out'",
    "home": "import os\ndef f():\n    return 'out' if os.path.exists('/root') or os.path.exists('/home') else 'in'",
    "secrets": "import os\ndef f():\n    return 'out' if set(os.environ) - {'PATH', 'HOME', 'LANG', 'PYTHONHASHSEED', "
    "'LC_CTYPE'} else 'in'",
    "processes": "import os\ndef f():\n    for _ in range(100): os.fork()\n    return 'out'",
    "memory": "def f():\n    return 'out' if len(bytearray(1 << 33)) else 'in'",
    "signals": "import os\ndef f():\n    for pid in range(60, 400):\n        try: os.kill(pid, 0)\n"
    "        except OSError: continue\n        return 'out'\n    return 'in'",
    "file size": "def f():\n    open('big', 'wb').write(bytes(64 << 20))\n    return 'out'",
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_is_contained(harm: str) -> None:
    assert python(HARM[harm], Case("f()", "'out'")).passed == (False,)


def test_a_shell_has_no_more_than_python() -> None:
    program = """
f() { echo out > /usr/planted && echo out; }
g() { exec 3<>/dev/tcp/127.0.0.1/80 && echo out; }
"""
    cases = [Case("f", "out"), Case("g", "out")]
    assert run_cases(program, "bash", cases, LIMITS).passed == (False, False)


@pytest.mark.parametrize(
    ("language", "printed", "expected", "same"),
    [
        ("python", "on the way\n0.30000000000000004", "0.3", True),
        ("python", "{'b': [1.0], 'a': (2,)}", "{'a': (2,), 'b': [1]}", True),
        ("python", "[2]", "(2,)", False),
        ("python", "1", "True", False),
        ("python", "'1'", "1", False),
        ("python", "{1, 2}", "{2, 1}", True),
        ("python", "<object>", "<object>", True),
        ("javascript", '{"b":2,"a":1}', '{"a": 1, "b": 2}', True),
        ("javascript", "undefined", "null", False),
        ("bash", "one  \ntwo\n", "one\ntwo", True),
        ("bash", "one two", "one  two", False),
        ("c", "4\n", "4", True),
    ],
)
def test_results_are_one_by_value_where_there_are_values_and_by_text_elsewhere(
    language: str, printed: str, expected: str, same: bool
) -> None:
    assert same_result(LANGUAGES[language], printed, expected) is same
