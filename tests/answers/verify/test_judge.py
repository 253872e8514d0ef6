"""Verdicts on code by tests that run elsewhere: what they can do across the border, and what a program cannot."""

from __future__ import annotations

import pytest

from factory.answers.verify.code import CodeVerdict, run_tests
from factory.answers.verify.limits import Limits
from factory.answers.verify.sandbox import run_program
from factory.answers.verify.surface import surface_of

LIMITS = Limits(
    cpu_seconds=5, wall_seconds=60, memory_bytes=256 << 20, processes=16, file_bytes=4 << 20, output_bytes=64 << 10
)


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    ran = run_program("print('hello')", LIMITS)
    if not ran.started:
        pytest.skip(f"no namespaces here: {ran.problem}")


def judged(code: str, *tests: str) -> CodeVerdict:
    return run_tests(code, tests, LIMITS)


PROGRAM = """
import asyncio
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from math import isclose

Pair = namedtuple("Pair", "left right")
calls = 0
memo = {}

class Broke(ValueError):
    def __init__(self, amount):
        super().__init__(f"short of {amount}")
        self.amount = amount

class Colour(Enum):
    RED = 1
    BLUE = 2

@dataclass
class Point:
    x: int
    y: int = 0
    def __add__(self, other):
        return Point(self.x + other.x, self.y + other.y)

class Stack:
    kind = "stack"
    def __init__(self, items=()):
        self.items = list(items)
    def push(self, item):
        self.items.append(item)
        return self
    def pop(self):
        if not self.items:
            raise IndexError("empty")
        return self.items.pop()
    def __len__(self):
        return len(self.items)
    def __iter__(self):
        return iter(self.items)
    def __enter__(self):
        return self
    def __exit__(self, kind, error, trace):
        self.items.clear()
        return kind is KeyError

def sort(items): items.sort()
def same(value): return value
def spend(amount): raise Broke(amount)
def count():
    global calls
    calls += 1
def primes():
    n = 2
    while True:
        if all(n % k for k in range(2, n)): yield n
        n += 1
def apply(function, *values): return [function(value) for value in values]
def fib(n):
    if n not in memo: memo[n] = n if n < 2 else fib(n - 1) + fib(n - 2)
    return memo[n]
def greet(name): print("Hello,", name)
def ask(): return int(input("n? ")) * 2
async def later(value): return value + 1
def smallest(items): return min(items)
def write(out): out.write("written")
"""

RIGHT = """
import itertools
assert same([1, (2, {"a": {3, 4}})]) == [1, (2, {"a": {3, 4}})]
assert isinstance(same(1), int) and same(True) is True and same(None) is None and same(10**40) == 10**40
assert same(b"x") == b"x" and same(1j) == 1j and same(float("inf")) == float("inf") and same("\\ud800") == "\\ud800"
assert same(Fraction(1, 3)) == Fraction(2, 6) and same(Decimal("1.50")) == Decimal("1.5")
assert same(range(3)) == range(3) and Pair(1, 2) == (1, 2) and Pair(1, 2).right == 2
assert type(same(defaultdict(list, a=[1]))) is defaultdict and same(Counter("aab"))["a"] == 2
items = [[3, 1], [2]]
sort(items[0])
assert items == [[1, 3], [2]]
again = same(items)
again[1].append(5)
assert again is items and items[1] == [2, 5]
loop = []
loop.append(loop)
assert same(loop) is loop

stack = Stack([1])
stack.push(2).push("three")
assert len(stack) == 3 and stack.pop() == "three" and list(stack) == [1, 2] and stack.items == [1, 2]
stack.items.append(9)
assert stack.pop() == 9
assert isinstance(stack, Stack) and type(stack) is Stack and type(stack).__name__ == "Stack" and Stack.kind == "stack"
with stack as inside:
    assert inside is stack
    raise KeyError("swallowed")
assert not stack
try:
    stack.pop()
    assert False
except IndexError as error:
    assert str(error) == "empty"
try:
    spend(7)
    assert False, "no error"
except Broke as error:
    assert error.amount == 7 and "short of 7" in str(error) and isinstance(error, ValueError)
assert Point(1, 2) + Point(1) == Point(2, 2) and (Point(1) + Point(2)).x == 3
assert Colour.RED is Colour.RED and Colour["BLUE"].value == 2 and [each.name for each in Colour] == ["RED", "BLUE"]

count(); count()
assert calls == 2
memo = {7: 100}
assert fib(7) == 100
assert list(itertools.islice(primes(), 5)) == [2, 3, 5, 7, 11]
assert apply(lambda x: x * x, 1, 2) == [1, 4] and apply(len, "ab", "c") == [2, 1] and apply(Point, 3)[0].x == 3
assert next(primes()) == 2 and isclose(same(0.1) + 0.2, 0.3) and math.floor(same(2.5)) == 2

class Weight:
    def __init__(self, grams): self.grams = grams
    def __lt__(self, other): return self.grams < other.grams
light = Weight(1)
assert smallest([Weight(5), light]) is light
import io, contextlib
said = io.StringIO()
with contextlib.redirect_stdout(said):
    greet("Ada")
assert said.getvalue() == "Hello, Ada\\n"
write(said)
assert said.getvalue().endswith("written")
import builtins
builtins.input = lambda prompt: "21"
assert ask() == 42
import asyncio
assert asyncio.run(later(1)) == 2
import copy
twin = copy.deepcopy(Stack([1]))
twin.push(2)
assert len(twin) == 2
"""


def test_tests_use_a_program_that_is_elsewhere_as_if_it_were_there() -> None:
    found = judged(PROGRAM, RIGHT)
    assert (found.passed, found.reason) == (True, "passed"), found


@pytest.mark.parametrize(
    "test",
    [
        "assert same([1, 2]) == [1, 3]",
        "items = [2, 1]\nsort(items)\nassert items == [2, 1]",
        "assert Point(1) == Point(2)",
        "assert Stack([1]).pop() == 2",
        ">>> greet('Bob')\nHello, Ada\n",
        "assert next(primes()) == 4",
        "from answer import missing\nassert missing(same(1))",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertRaises(KeyError, spend, 1)",
        "class Odd:\n    def ask(self): assert False\ndef test():\n    apply(lambda odd: odd.ask(), Odd())",
        "memo = {7: 100}\nassert fib(7) == 13",
    ],
)
def test_what_is_wrong_is_found_wrong_there_as_well(test: str) -> None:
    found = judged(PROGRAM, test)
    assert (found.passed, found.reason) == (False, "failed"), found


def test_doctests_and_test_classes_see_the_programs_output_and_errors() -> None:
    doctests = (
        ">>> greet('Ada')\nHello, Ada\n"
        ">>> Stack().pop()\nTraceback (most recent call last):\n  ...\nIndexError: empty\n"
        ">>> Point(1)\nPoint(x=1, y=0)\n>>> from answer import fib\n>>> [fib(n) for n in range(5)]\n[0, 1, 1, 2, 3]\n"
    )
    tests = """
import unittest
from solution import Broke, Stack
class T(unittest.TestCase):
    stack = Stack([1])
    def test_pop(self):
        self.assertEqual(self.stack.pop(), 1)
        self.assertListEqual(same([1]), [1])
        self.assertAlmostEqual(same(0.1) + same(0.2), 0.3)
        with self.assertRaises(Broke) as caught:
            spend(3)
        self.assertEqual(caught.exception.amount, 3)
"""
    found = judged(PROGRAM, doctests, tests)
    assert (found.passed, found.reason) == (True, "passed"), found


LIAR = """
class Liar:
    def __getattr__(self, name): return Liar()
    def __call__(self, *a, **k): return Liar()
    def __bool__(self): return True
    def __hash__(self): return 0
    def __iter__(self): return iter([Liar()])
    def __len__(self): return 4
    def __abs__(self): return 0.0
    def __float__(self): return 0.0
    def __contains__(self, item): return True
    def __sub__(self, other): return 0.0
    def __rsub__(self, other): return Liar()
    def startswith(self, text): return True
def _true(*a): return True
for name in "eq le ge lt gt".split(): setattr(Liar, f"__{name}__", _true)
Liar.__ne__ = lambda *a: False
def f(*a): return Liar()
"""

TEST = "assert f(2) == 4"

FORGERIES = {
    "the judge's module": "import sys\nmain = sys.modules['__main__']\nfor module in list(sys.modules.values()):\n"
    "    for name in ('failure', 'found', 'run', 'failed', 'told', 'failure_of', 'Counts', 'token', 'given'):\n"
    "        try: setattr(module, name, lambda *a: '')\n        except Exception: pass\ndef f(x): return 5",
    "frames": "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n"
    "        frame.f_locals.update(failure='', token='x', found={}); frame.f_globals.update(failure='')\n"
    "        frame = frame.f_back\n    return 5",
    "the end of the process": "import atexit, os, json\n"
    "atexit.register(lambda: print(json.dumps({'failure': ''})))\ndef f(x): os._exit(0)",
    "an exit": "import sys\ndef f(x): sys.exit(0)",
    "builtins": "import builtins\nbuiltins.AssertionError = KeyError\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.compile = builtins.exec = lambda *a, **k: None\nbuiltins.__build_class__ = None\ndef f(x): return 5",
    "objects of the collector": "import gc\nfor one in gc.get_objects():\n    if isinstance(one, dict):\n"
    "        for key in list(one):\n            if key in ('failure', 'left', 'asked', 'token', 'tests'):\n"
    "                try: one[key] = ''\n                except Exception: pass\ndef f(x): return 5",
    "a report of its own": "import os, json\n"
    "said = json.dumps({'failure': '', 'left': False, 'beyond': '', 'asked': 9, 'own_word': 0})\n"
    "def f(x):\n    for number in range(64):\n        try: os.write(number, f'\\n{said}\\n'.encode())\n"
    "        except OSError: pass\n    return 5",
    "messages of its own": "import os, json\n"
    "value = json.dumps({'value': ['theirs', 1, 'object', ['class', 'builtins.object']], 'state': {}}) + '\\n'\n"
    "for number in range(3, 64):\n    try: os.write(number, value.encode())\n"
    "    except OSError: pass\ndef f(x): return 5",
    "a message without an end": "import os\nfor number in range(3, 64):\n    try: os.write(number, b'[' * 60000)\n"
    "    except OSError: pass\ndef f(x): return 5",
    "the tests as they are run": "import sys\ndef f(x):\n    for path in ('program.py', '/tmp/program.py'):\n"
    "        try:\n            if 'assert' + ' f(2)' in open(path).read(): return 4\n"
    "        except OSError: pass\n    return 5",
    "other processes": "import os, signal\ndef f(x):\n    for pid in range(1, 400):\n        if pid != os.getpid():\n"
    "            try: os.kill(pid, signal.SIGKILL)\n            except OSError: pass\n    return 5",
    "an end of loops": "def f(x): raise StopIteration",
    "a skipped test": "import unittest\ndef f(x): raise unittest.SkipTest('no')",
    "an error of the judge's": "import sys\nEnded = sys.modules['factory.answers.verify.wire'].EndedError\n"
    "def f(x): raise Ended()",
}


@pytest.mark.parametrize("how", FORGERIES)
def test_a_program_cannot_forge_that_it_passed(how: str) -> None:
    found = judged(FORGERIES[how], TEST)
    assert found.passed is False, found


@pytest.mark.parametrize(
    "test",
    [
        TEST,
        "assert 4 == f(2)",
        "assert f(2) != 5",
        "assert abs(f(2) - 4) < 1e-6",
        "assert abs(4 - f(2)) < 1e-6",
        "assert abs((f(2) - 4).real) < 1e-6 or abs((4 - f(2)).real) < 1e-6",
        "assert 4 in f(2)",
        "assert f(2) in [4, 5]",
        "assert {4: 'x'}.get(f(2), 'x') == 'x' and f(2) <= 4",
        "assert f('x').startswith('abc')",
        "assert set(f(2)) == {4}",
        "import unittest\nclass T(unittest.TestCase):\n    def test(self):\n        self.assertEqual(f(2), 4)",
    ],
)
def test_an_object_that_says_yes_to_everything_proves_nothing(test: str) -> None:
    found = judged(LIAR, test)
    assert not found.passed, found
    assert found.reason in ("own_word", "failed"), found


@pytest.mark.parametrize(
    "code",
    [
        "class M(type):\n    def __getattr__(cls, name): return lambda *a: True\n"
        "class C(metaclass=M): pass\ndef f(x): return C",
        "from collections import namedtuple\nT = namedtuple('T', 'startswith')\ndef f(x): return T(lambda text: True)",
    ],
)
def test_nor_does_a_class_or_a_tuple_that_stands_for_text(code: str) -> None:
    found = judged(code, "assert f('x').startswith('abc')")
    assert (found.passed, found.reason) == (None, "own_word"), found


@pytest.mark.parametrize(
    ("code", "test"),
    [
        ("def f(x): raise StopIteration", "assert all(map(lambda x: f(x) == x * x, [1, 2]))"),
        ("def __getattr__(name): raise StopIteration", "assert all(map(lambda x: f(x) == x * x, [1, 2]))"),
        ("def f(x): raise GeneratorExit", "assert all(f(x) == x * x for x in [1, 2])"),
        (
            "import unittest\ndef f(x): raise unittest.SkipTest",
            "import unittest\nclass T(unittest.TestCase):\n    def test(self): self.assertEqual(f(2), 4)",
        ),
        ("f = eval", "assert f('__import__(\"sys\").exit(0) or 4') == 5"),
        ("abs = lambda x: 0\ndef f(x): return 5", "import builtins\nassert builtins.abs(f(2) - 4) < 1"),
        ("def f(g):\n    g.__globals__['f'] = g\n    return 4", "assert f(lambda x: x) == 5"),
        ("def f(g):\n    g.__call__.__self__.__globals__.clear()\n    return 4", "assert f(lambda x: x) == 5"),
        (
            "def f(c):\n    c.__class__.ok = lambda self: True\n    return c",
            "class C:\n    ok = None\nassert f(C()).ok()",
        ),
    ],
)
def test_ways_around_an_assert_lead_nowhere(code: str, test: str) -> None:
    found = judged(code, test)
    assert found.passed is False, found


@pytest.mark.parametrize(
    ("code", "test", "reason"),
    [
        ("def abs(x): return 0\ndef f(x): return 5", "assert abs(f(2) - 4) < 1e-6", "ambiguous"),
        ("class math:\n    isclose = lambda *a: True\ndef f(x): return 5", "assert math.isclose(f(2), 4)", "ambiguous"),
        ("from math import isclose\nisclose = lambda *a: True", "assert isclose(5, 4)", "ambiguous"),
        ("def f(x): return 5", "assert 2 + 2 == 4", "unasked"),
        ("class A: pass", "class B(A): pass\nassert B()", "out_of_reach"),
        ("def f(x): return 5", "import numpy_that_is_not_there\nassert f(2) == 5", "out_of_reach"),
        ("import random\ndef f(): return random.random()", "import random\nrandom.seed(1)\na = f()\nrandom.seed(1)\n"
         "assert f() == a", "out_of_reach"),
    ],
)  # fmt: skip
def test_what_nobody_can_judge_is_said_and_not_guessed(code: str, test: str, reason: str) -> None:
    found = judged(code, test)
    assert (found.passed, found.reason) == (None, reason), found


def test_names_of_python_and_of_the_standard_library_are_the_judges_own() -> None:
    dynamic = "globals()['math'] = type('M', (), {'isclose': lambda *a: True})\nglobals()['abs'] = lambda x: 0\n"
    for test in ("assert math.isclose(f(2), 4)", "assert abs(f(2) - 4) < 1e-6"):
        assert judged(dynamic + "def f(x): return 5", test).passed is False


def test_a_program_that_floods_or_stops_ends_with_its_limit() -> None:
    assert judged("def f(x):\n    while True: pass", TEST).reason in ("limit", "left_early")
    assert judged("def f(x): return [0] * 10**8", TEST).passed is False
    assert judged("def f(x):\n    while True: print('x' * 10000)", TEST).passed is False


def test_a_program_and_its_surface() -> None:
    found = surface_of("import os, numpy\nfrom math import sqrt as root\nx = 1\ndef f():\n    y = 2\n", ["assert f()"])
    assert found.defined == ("f", "numpy", "x")
    assert set(found.imports) == {"import os", "from math import sqrt as root"}
    assert surface_of("def (", ["assert x"]).defined == ()
