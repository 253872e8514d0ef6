"""What stands, beside the tests, for objects and classes of the program under test, which live in another process.

Design: a class of the program has a class here (so `isinstance` and `except` work), an object an instance of it; every
operation on them is asked for. What they answer is the program's own word. Where it decides how one of its objects
compares with plain data of the test, it could say whatever passes, so that is counted (`own_word`), and a verdict that
rests on it is none.

Standard library alone: it runs in a sandbox.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from factory.answers.verify.plain import PREDICATES
from factory.answers.verify.wire import Peer

REFERENCE = "_factory_reference"
"""Holds (peer, number) of what an object here stands for."""

TAINTED = "_factory_tainted"


class OutOfReachError(BaseException):
    """A test wants what cannot be done across processes. No Exception: no test may catch it."""


class Counts:
    """`asked`: what the program had to do; `own_word`: how often it decided on data of the test by itself."""

    asked = 0
    own_word = 0


ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod")
BINARY = (*ARITHMETIC, "matmul", "pow", "divmod", "and", "or", "xor", "lshift", "rshift")
COMPARING = ("lt", "le", "eq", "ne", "gt", "ge", "contains")
OTHER = (
    *("getitem", "setitem", "delitem", "iter", "next", "len", "reversed", "enter", "copy", "deepcopy", "dir", "hash"),
    *("neg", "pos", "invert", "abs", "round", "index", "int", "float", "complex", "trunc", "floor", "ceil"),
    *("bytes", "str", "repr", "format"),
)

JUDGES_DATA = {*BINARY, *COMPARING}
"""Operations in which the program sees what the test holds against its object."""

PLAIN_NAMES = {name for kind in (str, bytes, float, int, complex) for name in dir(kind) if not name.startswith("_")}
"""What numbers and text have as attributes: of an object that has seen data of the test, a way to tell it."""


def reference_of(value: Any) -> tuple[Peer, int] | None:
    found: tuple[Peer, int] | None = value.__dict__.get(REFERENCE) if hasattr(value, "__dict__") else None
    return found


def perform(operation: str, *arguments: Any) -> Any:
    """What the program answers to `operation` on one of its objects."""
    Counts.asked += 1
    (peer, _), *_ = [found for each in arguments if (found := reference_of(each)) is not None]
    try:
        return peer.ask(operation, *arguments)
    except StopIteration as error:
        if operation == "operate" and arguments[0] == "next":
            raise
        # It would end a loop of the test, and a test that is cut short passes.
        raise RuntimeError(f"the program raised StopIteration: {error}") from None


def operated(name: str, *arguments: Any) -> Any:
    tainted = any(TAINTED in each.__dict__ for each in arguments if isinstance(each, Remote))
    met = name in JUDGES_DATA and any(reference_of(each) is None for each in arguments)
    value = perform("operate", name, *arguments)
    if isinstance(value, Remote):
        if tainted or met:
            value.__dict__[TAINTED] = True
    elif tainted or met:
        Counts.own_word += 1
    return value


def got(value: Any, name: str) -> Any:
    """An attribute of an object or class of the program, which may be a method that decides on data of the test."""
    if name in PREDICATES or (name in PLAIN_NAMES and TAINTED in value.__dict__):
        Counts.own_word += 1
    return perform("get", value, name)


class Mirror(type):
    """The type of classes that stand for classes of the program."""

    def __new__(mcs, name: str, bases: tuple[type, ...], names: dict[str, Any]) -> Any:
        if any(isinstance(base, Mirror) and REFERENCE in base.__dict__ for base in bases):
            raise OutOfReachError(f"a test that derives {name} from a class of the program")
        return super().__new__(mcs, name, bases, names)

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return perform("call", cls, arguments, tuple(named.items()))

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("_factory") or reference_of(cls) is None:
            raise AttributeError(name)
        return got(cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        perform("set", cls, name, value)

    def __iter__(cls) -> Any:
        return operated("iter", cls)

    def __len__(cls) -> int:
        return int(operated("len", cls))

    def __getitem__(cls, key: Any) -> Any:
        return operated("getitem", cls, key)

    def __contains__(cls, item: Any) -> bool:
        return bool(operated("contains", cls, item))


class Remote(metaclass=Mirror):
    """Stands for an object of the program."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_factory"):
            raise AttributeError(name)
        return got(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        perform("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        perform("delete", self, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return perform("call", self, arguments, tuple(named.items()))

    def __bool__(self) -> bool:
        return bool(operated("bool", self))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> Any:
        return perform("call", perform("get", self, "__exit__"), (kind, error, None), ())

    def __del__(self) -> None:
        if (found := reference_of(self)) is not None:
            found[0].released.append(found[1])


def _forwarded(name: str, *, swapped: bool = False) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        return operated(name, *(*others, self) if swapped else (self, *others))

    return method


def _complete() -> None:
    """Gives Remote the special methods that are all alike."""
    for name in (*COMPARING, *OTHER):
        type.__setattr__(Remote, f"__{name}__", _forwarded(name))
    for name in BINARY:
        type.__setattr__(Remote, f"__{name}__", _forwarded(name))
        type.__setattr__(Remote, f"__r{name}__", _forwarded(name, swapped=True))
    type.__setattr__(Remote, "__doc__", property(lambda self: perform("get", self, "__doc__")))


_complete()


def proxy(peer: Peer, number: int, about: list[Any]) -> Any:
    """What stands here for object `number` of `peer`."""
    kind, *rest = about
    if kind == "coroutine":
        return _awaited(peer, number)
    if kind == "class":
        return _mirrored(peer, number, str(rest[0]), str(rest[1]), [peer.decode(base) for base in rest[2]])
    cls = peer.decode(rest[0])
    made: Any = type.__call__(cls) if isinstance(cls, Mirror) else type.__call__(Remote)
    made.__dict__[REFERENCE] = (peer, number)
    return made


async def _awaited(peer: Peer, number: int) -> Any:
    Counts.asked += 1
    return peer.ask("run", number)


def _mirrored(peer: Peer, number: int, name: str, module: str, bases: list[Any]) -> type:
    errors = [base for base in bases if not isinstance(base, Mirror) and issubclass(base, BaseException)]
    own = [base for base in bases if isinstance(base, Mirror)]
    names = {"__module__": module, "__doc__": Remote.__dict__["__doc__"], REFERENCE: (peer, number)}
    return type.__new__(Mirror, name, (*(own or [Remote]), *errors), names)
