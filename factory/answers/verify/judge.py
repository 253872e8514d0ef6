"""Runs tests against a program that is somewhere else, and says what came of them.

Design: asserts, doctests and unittest classes run here, in a sandbox where no line of the program ever runs; its names
are asked for when a test uses them (mirror.py), builtins and the standard library are this process's own. Of objects of
the tests the program may call functions that it was given, and use instances of classes that tests define; it may not
look into either. The last line of output is a token that the program cannot know, and a JSON object:

    failure   what failed; "" where all passed         left      the program ended before its tests had
    beyond    what of the tests cannot be done here    asked     how often the program had something to do
    own_word  how often the program itself decided on data of the tests

Standard library alone.
"""

from __future__ import annotations

import builtins
import doctest
import io
import json
import linecache
import operator
import random
import sys
import traceback
import types
import unittest
import unittest.mock
from collections.abc import Mapping
from typing import Any

from factory.answers.verify.mirror import ARITHMETIC, COMPARING, Counts, OutOfReachError, proxy
from factory.answers.verify.wire import BrokenError, EndedError, Peer

TESTS = "tests"

HARMLESS = {"bool", "eq", "ne", "hash", "repr", "str"}
"""Operations that the program may do with any object it was given."""

LENT = (io.StringIO, io.BytesIO, random.Random, unittest.mock.NonCallableMock)
"""Objects whose methods it may call, besides those of classes that tests define."""


class Names(dict[str, Any]):
    """The tests' globals. What they assign to a name of the program is assigned there."""

    def __init__(self, peer: Peer, of_the_program: frozenset[str]) -> None:
        super().__init__(__name__=TESTS, __builtins__=Builtins(peer))
        self._peer, self._of_the_program = peer, of_the_program

    def __setitem__(self, name: str, value: Any) -> None:
        if name in self._of_the_program:
            self._peer.ask("bind", name, value)
        else:
            super().__setitem__(name, value)


class Builtins(dict[str, Any]):
    """Where a name is looked for last. Python's own come first, so the program cannot put others in their place; nor
    modules of the standard library."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(vars(builtins))
        self._peer = peer

    def __missing__(self, name: str) -> Any:
        if name.startswith("__") or name in sys.stdlib_module_names:
            raise KeyError(name)
        return _named(self._peer, name)


def _named(peer: Peer, name: str) -> Any:
    """Raises KeyError whatever the program raised: a StopIteration would end a loop of the test."""
    try:
        return peer.ask("name", name)
    except Exception:
        raise KeyError(name) from None


class Program(types.ModuleType):
    """What tests get that import the program by name."""

    def __init__(self, peer: Peer) -> None:
        super().__init__("answer")
        self.__dict__["_peer"] = peer

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return _named(self.__dict__["_peer"], name)
        except KeyError:
            raise AttributeError(f"the program has no {name}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__["_peer"].ask("bind", name, value)


def main(link: tuple[int, int], given: Mapping[str, Any]) -> None:
    out = sys.stdout
    peer = Peer(link, 0, performed, lambda number, about: proxy(peer, number, about), trusted=True)
    sys.modules["answer"] = sys.modules["solution"] = Program(peer)
    found: dict[str, Any] = {"failure": "", "left": False, "beyond": ""}
    try:
        peer.ask("load")
        found["failure"] = failure_of(given, Names(peer, frozenset(given["defined"])))
    except (EndedError, BrokenError, SystemExit):
        found["left"] = True
    except (OutOfReachError, ModuleNotFoundError) as error:
        found["beyond"] = str(error)
    except BaseException as error:
        found["failure"] = told(error)
    if isinstance(peer.over, BrokenError):
        found["failure"] = f"the program answered what no program does ({peer.over})"
    elif peer.over is not None:
        found["left"] = True
    print("\n" + given["token"] + json.dumps({**found, "asked": Counts.asked, "own_word": Counts.own_word}), file=out)
    out.flush()


def failure_of(given: Mapping[str, Any], names: Names) -> str:
    """The first failure of the tests; "" where there is none."""
    for line in given["imports"]:
        exec(compile(line, "imports", "exec", dont_inherit=True), names)
    for number, (test, is_doctest) in enumerate(given["tests"]):
        failure = (_doctest if is_doctest else _test)(test, names, number)
        if failure:
            return failure
    return ""


def _doctest(test: str, names: Names, number: int) -> str:
    found = doctest.DocTestParser().get_doctest(test, names, f"test {number}", None, 0)
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(found, out=said.append)
    return "".join(said)


def _test(test: str, names: Names, number: int) -> str:
    before, name = set(names), f"{TESTS}{number}.py"
    linecache.cache[name] = (len(test), None, test.splitlines(True), name)
    exec(compile(test, name, "exec", dont_inherit=True), names)
    for name in sorted(set(names) - before):
        value = names[name]
        if name.startswith("test") and isinstance(value, types.FunctionType):
            value()
        elif isinstance(value, type) and issubclass(value, unittest.TestCase):
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(value).run(result)
            for _, text in [*result.failures, *result.errors]:
                return str(text).strip().splitlines()[-1]
    return ""


def told(error: BaseException) -> str:
    """The error, and the line of the tests that met it."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(TESTS)]
    at = f" ({frames[-1].line or frames[-1].name})" if frames else ""
    try:
        return f"{type(error).__name__}: {error}{at}"
    except BaseException:  # its text was to be had from the program alone
        return f"{type(error).__name__}{at}"


def performed(operation: str, arguments: list[Any], own: list[bool]) -> Any:
    """What the program asks of objects of the tests. Raises TypeError for what it may not."""
    if operation == "input":
        return input(*(each for each in arguments if isinstance(each, str)))
    at = 1 if operation == "operate" else 0
    if not any(own[at:]):
        raise TypeError("of this process nothing but what it has lent")
    subjects = [each for each, mine in zip(arguments, own, strict=True) if mine]
    if operation == "call" and own[0] and _callable(arguments[0]):
        return arguments[0](*arguments[1], **dict(arguments[2]))
    if operation == "operate" and all(_usable(each, arguments[0]) for each in subjects):
        return _operate(arguments[0], arguments[1:])
    if operation in ("get", "set") and own[0] and _lent(arguments[0]) and not str(arguments[1]).startswith("_"):
        return getattr(arguments[0], arguments[1]) if operation == "get" else setattr(*arguments)
    raise TypeError(f"{operation} is not for the program to do with a {type(subjects[0]).__name__} of its tests")


def _operate(name: str, arguments: list[Any]) -> Any:
    if name in ("iter", "next", "len", "bool", "repr", "str", "hash"):
        return getattr(builtins, name)(*arguments)
    if name not in OPERATORS:
        raise TypeError(name)
    return getattr(operator, name)(*arguments)


OPERATORS = {*COMPARING, *ARITHMETIC, "getitem"}


def _lent(value: Any) -> bool:
    return type(value).__module__ == TESTS or isinstance(value, LENT)


def _callable(value: Any) -> bool:
    functions = (types.FunctionType, types.MethodType)
    method = isinstance(value, types.BuiltinFunctionType) and not isinstance(value.__self__, types.ModuleType | None)
    own_class = isinstance(value, type) and value.__module__ == TESTS
    return isinstance(value, functions) or method or own_class or _lent(value)


def _usable(value: Any, operation: str) -> bool:
    goes_through = operation in ("iter", "next") and hasattr(type(value), "__next__")
    return operation in HARMLESS or goes_through or _lent(value)
