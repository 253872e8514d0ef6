"""The program under test, in a process and a sandbox of its own: it answers what the tests, elsewhere, ask of it.

Design: nothing here is trusted by anybody, because the program shares this process and may change all of it. It knows
neither the tests nor what they expect. What it prints goes to the tests with its answers, for those that look at it.

Standard library alone.
"""

from __future__ import annotations

import asyncio
import builtins
import copy
import io
import linecache
import math
import operator
import os
import sys
import types
from typing import Any

from factory.answers.verify.wire import BrokenError, EndedError, Peer

_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod")
_OPERATORS = (*_ARITHMETIC, "matmul", "xor", "lshift", "rshift", "index", "invert")
_COMPARING = ("lt", "le", "eq", "ne", "gt", "ge", "contains")
_SUBJECT = (*_COMPARING, "getitem", "setitem", "delitem", "neg", "pos")
_BUILTINS = ("iter", "next", "len", "reversed", "abs", "round", "int", "float", "complex", "bytes", "divmod", "pow")
_TOLD = ("bool", "str", "repr", "format", "hash", "dir")

OPERATIONS: dict[str, Any] = {
    **{name: getattr(operator, name) for name in (*_OPERATORS, *_SUBJECT)},
    **{name: getattr(operator, f"{name}_") for name in ("and", "or")},
    **{name: getattr(builtins, name) for name in (*_BUILTINS, *_TOLD)},
    **{name: getattr(math, name) for name in ("trunc", "floor", "ceil")},
    "enter": lambda value: type(value).__enter__(value),
    "copy": copy.copy,
    "deepcopy": lambda value, _memo=None: copy.deepcopy(value),
}


class Theirs:
    """Stands for an object of the tests: a function that the program was given, or an instance of a class of theirs."""

    def __init__(self, peer: Peer, number: int) -> None:
        self.__dict__["_factory_reference"] = (peer, number)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._factory_reference[0].ask("call", self, arguments, tuple(named.items()))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_factory"):
            raise AttributeError(name)
        return self._factory_reference[0].ask("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._factory_reference[0].ask("set", self, name, value)

    def __del__(self) -> None:
        peer, number = self._factory_reference
        peer.released.append(number)


def _asking(name: str, *, swapped: bool = False) -> Any:
    def method(self: Any, *others: Any) -> Any:
        arguments = (*others, self) if swapped else (self, *others)
        return self._factory_reference[0].ask("operate", name, *arguments)

    return method


for _name in (*_COMPARING, "getitem", "iter", "next", "len", "bool", "str", "repr", "hash"):
    setattr(Theirs, f"__{_name}__", _asking(_name))
for _name in _ARITHMETIC:
    setattr(Theirs, f"__{_name}__", _asking(_name))
    setattr(Theirs, f"__r{_name}__", _asking(_name, swapped=True))


class Said(io.TextIOBase):
    """Standard output of the program: it goes along with the next answer."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._peer.said.append(text)
        return len(text)


def main(link: tuple[int, int], code: str) -> None:
    module = types.ModuleType("answer")
    sys.modules["answer"] = sys.modules["solution"] = module

    def perform(operation: str, arguments: list[Any], _own: list[bool]) -> Any:
        return _performed(module, peer, code, operation, arguments)

    peer = Peer(link, 1, perform, lambda number, _about: Theirs(peer, number), trusted=False)
    sys.stdout = Said(peer)
    builtins.input = lambda *prompt: peer.ask("input", *prompt)
    try:
        peer.serve()
    except (EndedError, BrokenError):
        os._exit(0)


def _performed(module: types.ModuleType, peer: Peer, code: str, operation: str, arguments: list[Any]) -> Any:
    names = module.__dict__
    if operation == "load":
        linecache.cache["answer.py"] = (len(code), None, code.splitlines(True), "answer.py")
        exec(compile(code, "answer.py", "exec", dont_inherit=True), names)
        return None
    if operation == "name":
        return names[arguments[0]]
    if operation == "bind":
        names[arguments[0]] = arguments[1]
        return None
    if operation == "call":
        return arguments[0](*arguments[1], **dict(arguments[2]))
    if operation == "get":
        return getattr(arguments[0], arguments[1])
    if operation == "set":
        return setattr(arguments[0], arguments[1], arguments[2])
    if operation == "delete":
        return delattr(arguments[0], arguments[1])
    if operation == "run":
        return asyncio.run(peer.decode(["yours", arguments[0]]))
    return OPERATIONS[arguments[0]](*arguments[1:])
