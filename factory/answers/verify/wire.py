"""Two Python processes that work on one set of values and do not trust each other.

Design: plain data crosses by content and is compared by whoever holds it. Everything else (functions, instances,
classes, generators) stays where it is and crosses as a reference; what is done with it is asked for. Lists, dicts and
other containers that crossed are kept alike on both sides: each message brings what has changed since the last one, so
a function may sort its argument in place. Messages are lines of JSON; nothing in them is ever evaluated or imported,
and of classes only a fixed list of harmless ones can be named. Used by the two halves of a code verdict (judge.py,
judged.py), each in a sandbox of its own, so this file needs nothing but the standard library.
"""

from __future__ import annotations

import base64
import collections
import functools
import importlib
import json
import os
import sys
import types
import weakref
from collections.abc import Callable
from typing import Any

from factory.answers.verify.plain import CONTAINERS, PREDICATES, SAFE_CLASSES, from_plain, in_library, is_safe, plain

LARGEST_MESSAGE = 16 << 20

LARGE_INT = 1 << 63
"""Beyond it JSON's decimal digits would cost quadratic time."""


class EndedError(BaseException):
    """The other process has ended. No Exception: no test may catch it."""


class BrokenError(BaseException):
    """The other process says what an honest one never says."""


_EMPTY: dict[str, Callable[[], Any]] = {name: kind for kind, name in CONTAINERS.items()}


class Peer:
    """One end. `perform(operation, arguments, own)` does what the other side asks for, `own` says of each argument
    whether it is an object of this side; `proxy(number, about)` makes what stands here for an object of theirs. The
    side that is `trusted` may name what is in the standard library, and the other then uses its own."""

    def __init__(
        self,
        link: tuple[int, int],
        first_number: int,
        perform: Callable[[str, list[Any], list[bool]], Any],
        proxy: Callable[[int, list[Any]], Any],
        *,
        trusted: bool,
    ) -> None:
        self._trusted = trusted
        self._in, self._out = os.fdopen(link[0], "rb"), link[1]
        self._perform, self._proxy, self._next = perform, proxy, first_number
        self._shared: dict[int, Any] = {}
        self._shared_numbers: dict[int, int] = {}
        self._told: dict[int, list[Any]] = {}
        self._own: dict[int, Any] = {}
        self._own_numbers: dict[int, int] = {}
        self._theirs: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.released: list[int] = []
        self.said: list[str] = []
        self.over: BaseException | None = None

    def ask(self, operation: str, *arguments: Any) -> Any:
        """What the other side answers. Raises what it raised there, EndedError or BrokenError."""
        if self.over is not None:
            raise self.over
        self._send({"do": operation, "with": [self.encode(each) for each in arguments]})
        while True:
            message = self._receive()
            if "do" in message:
                self._answer(message)
            elif "raised" in message:
                error = self._checked(self._error, message["raised"])
                raise error
            else:
                return self._checked(self.decode, message.get("value"))

    def serve(self) -> None:
        """Answers until the other side has ended."""
        while True:
            message = self._receive()
            if "do" in message:
                self._answer(message)

    def _answer(self, message: dict[str, Any]) -> None:
        asked = self._checked(list, message.get("with", []))
        own = [isinstance(each, list) and each[:1] == ["yours"] for each in asked]
        arguments = [self._checked(self.decode, each) for each in asked]
        try:
            reply = {"value": self.encode(self._perform(str(message["do"]), arguments, own))}
        except (EndedError, BrokenError):
            raise
        except BaseException as error:
            reply = {"raised": self._described(error)}
        self._send(reply)

    def _send(self, message: dict[str, Any]) -> None:
        message["state"] = self._changes()
        message["forgotten"] = self._forget() if "do" in message else []
        message["released"], self.released = self.released, []
        message["said"], self.said = "".join(self.said), []
        data = json.dumps(message).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except OSError:
            self.over = EndedError()
            raise self.over from None

    def _receive(self) -> dict[str, Any]:
        line = self._in.readline(LARGEST_MESSAGE)
        if not line.endswith(b"\n"):
            self.over = BrokenError("a message too large") if len(line) == LARGEST_MESSAGE else EndedError()
            raise self.over
        message: dict[str, Any] = self._checked(self._read, line)
        return message

    def _read(self, line: bytes) -> dict[str, Any]:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise TypeError("a message that is no object")
        for number in message.get("released", ()):
            self._own_numbers.pop(id(self._own.pop(number)), None)
        if said := message.get("said"):
            sys.stdout.write(said)
        self._apply(message.get("state", {}))
        for number in message.get("forgotten", ()):
            self._drop(number)
        return message

    def _checked(self, work: Callable[[Any], Any], given: Any) -> Any:
        """`work(given)`, where whatever goes wrong is the other side's fault."""
        try:
            return work(given)
        except Exception as error:
            self.over = BrokenError(f"{type(error).__name__}: {error}")
            raise self.over from None

    # Values

    def encode(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str, float):
            return value
        if kind is int:
            return value if -LARGE_INT < value < LARGE_INT else ["int", hex(value)]
        if kind in CONTAINERS:
            return ["@", self._share(value)]
        if kind is tuple or kind is frozenset:
            return [kind.__name__, [self.encode(each) for each in value]]
        if (told := plain(value)) is not None:
            return told
        if kind.__bases__ == (tuple,) and hasattr(kind, "_fields") and PREDICATES.isdisjoint(kind._fields):
            fields = list(kind._fields)
            return ["namedtuple", kind.__name__, fields, [self.encode(each) for each in value]]
        if kind is slice or kind is range:
            return [kind.__name__, [self.encode(getattr(value, name)) for name in ("start", "stop", "step")]]
        reference = value.__dict__.get("_factory_reference") if hasattr(value, "__dict__") else None
        if reference is not None and reference[0] is self:
            return ["yours", reference[1]]
        if isinstance(value, type) and is_safe(value):
            return ["class", f"{value.__module__}.{value.__qualname__}"]
        if self._trusted and (named := in_library(value)) is not None:
            return ["library", *named]
        return self._hand_out(value)

    def decode(self, said: Any) -> Any:
        if not isinstance(said, list):
            return said
        tag, *rest = said
        if tag == "@":
            return self._shared[rest[0]]
        if tag == "yours":
            return self._own[rest[0]]
        if tag == "theirs":
            return self._theirs_of(rest[0], rest[1:])
        if tag == "class":
            return SAFE_CLASSES[rest[0]]
        if tag == "library" and not self._trusted:
            return functools.reduce(getattr, rest[1].split("."), importlib.import_module(rest[0]))
        if tag in ("tuple", "frozenset", "slice", "range"):
            parts = [self.decode(each) for each in rest[0]]
            if tag in ("tuple", "frozenset"):
                return tuple(parts) if tag == "tuple" else frozenset(parts)
            return slice(*parts) if tag == "slice" else range(*parts)
        if tag == "namedtuple":
            named: Any = collections.namedtuple(rest[0], rest[1])(*map(self.decode, rest[2]))
            if not PREDICATES.isdisjoint(named._fields):
                raise ValueError("a tuple that would compare by itself")
            return named
        return from_plain(tag, rest)

    def _hand_out(self, value: Any) -> list[Any]:
        number = self._own_numbers.get(id(value))
        if number is None:
            number = self._own_numbers[id(value)] = self._number()
            self._own[number] = value
        return ["theirs", number, *self._about(value)]

    def _about(self, value: Any) -> list[Any]:
        if isinstance(value, type):
            bases = [self.encode(base) for base in value.__bases__ if base is not object]
            return ["class", str(value.__name__), str(value.__module__), bases]
        return ["coroutine"] if isinstance(value, types.CoroutineType) else ["object", self.encode(type(value))]

    def _theirs_of(self, number: int, about: list[Any]) -> Any:
        found = self._theirs.get(number)
        if found is None:
            found = self._theirs[number] = self._proxy(number, about)
            if number in self.released:  # let go of by what this message changed, and here again in its answer
                self.released.remove(number)
        return found

    def _number(self) -> int:
        self._next += 2  # even here and odd there
        return self._next

    # Containers that both sides hold

    def _share(self, container: Any) -> int:
        number = self._shared_numbers.get(id(container))
        if number is None:
            number = self._shared_numbers[id(container)] = self._number()
            self._shared[number] = container
        return number

    def _drop(self, number: int) -> None:
        self._shared_numbers.pop(id(self._shared.pop(number)), None)
        self._told.pop(number, None)

    def _forget(self) -> list[int]:
        """Drops containers that nobody but this table holds any more, once their last change is on its way. Both tables
        must agree, so one side decides: that with the even numbers."""
        if self._next % 2:
            return []
        # One of the table, one of the argument.
        gone = [number for number in self._shared if sys.getrefcount(self._shared[number]) <= 2]
        for number in gone:
            self._drop(number)
        return gone

    def _changes(self) -> dict[int, list[Any]]:
        changes, seen = {}, set()
        while fresh := [number for number in self._shared if number not in seen]:
            for number in fresh:
                seen.add(number)
                content = self._content(self._shared[number])
                if self._told.get(number) != content:
                    self._told[number] = changes[number] = content
        return changes

    def _content(self, container: Any) -> list[Any]:
        kind = CONTAINERS[type(container)]
        if kind == "bytearray":
            return [kind, base64.b64encode(container).decode()]
        if isinstance(container, dict):
            factory = container.default_factory if isinstance(container, collections.defaultdict) else None
            pairs = [[self.encode(key), self.encode(value)] for key, value in container.items()]
            return [kind, pairs, self.encode(factory)]
        items = [self.encode(each) for each in container]
        if kind == "set":
            items.sort(key=json.dumps)
        return [kind, items, container.maxlen if isinstance(container, collections.deque) else None]

    def _apply(self, state: dict[str, list[Any]]) -> None:
        changed = {int(number): content for number, content in state.items()}
        for number, (kind, *rest) in changed.items():
            if number not in self._shared:
                container = collections.deque(maxlen=rest[1]) if kind == "deque" else _EMPTY[kind]()
                self._shared[number] = container
                self._shared_numbers[id(container)] = number
            elif CONTAINERS[type(self._shared[number])] != kind:
                raise TypeError("a container that changes its kind")
        for number, content in changed.items():
            self._fill(self._shared[number], *content[1:])
        for number in changed:
            self._told[number] = self._content(self._shared[number])

    def _fill(self, container: Any, items: Any, rest: Any = None) -> None:
        if isinstance(container, bytearray):
            container[:] = base64.b64decode(items)
        elif isinstance(container, dict):
            container.clear()
            for key, value in items:
                container[self.decode(key)] = self.decode(value)
            if isinstance(container, collections.defaultdict):
                container.default_factory = self.decode(rest)
        elif isinstance(container, list):
            container[:] = [self.decode(each) for each in items]
        else:
            values = [self.decode(each) for each in items]
            container.clear()
            if isinstance(container, set):
                container.update(values)
            else:
                container.extend(values)

    # What was raised

    def _described(self, error: BaseException) -> list[Any]:
        try:
            arguments = [self.encode(each) for each in error.args]
            return [self.encode(type(error)), arguments, None if is_safe(type(error)) else self._hand_out(error)]
        except Exception:
            return [["class", "builtins.RuntimeError"], ["an error that cannot be told"], None]

    def _error(self, said: list[Any]) -> BaseException:
        kind, arguments, instance = self.decode(said[0]), tuple(map(self.decode, said[1])), said[2]
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError("an error that is none")
        if instance is not None:
            error = self.decode(instance)
            if not isinstance(error, BaseException):
                raise TypeError("an error that is none")
            error.args = arguments
            return error
        try:
            return kind(*arguments)
        except Exception:
            error = kind.__new__(kind)
            error.args = arguments
            return error
