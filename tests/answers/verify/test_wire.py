"""Values between two processes: what crosses comes back equal and of the same kind, and both sides hold one list."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.answers.verify.wire import BrokenError, EndedError, Peer


@contextmanager
def linked(perform: Any) -> Iterator[Peer]:
    """A peer whose other end, in a thread, answers by `perform`."""
    (here_in, there_out), (there_in, here_out) = os.pipe(), os.pipe()
    there = Peer((there_in, there_out), 1, perform, lambda number, about: Stands(there, number), trusted=False)
    ended: list[BaseException] = []

    def serve() -> None:
        try:
            there.serve()
        except BaseException as error:
            ended.append(error)
        finally:
            os.close(there_out)  # else the test would wait for an answer for ever

    thread = threading.Thread(target=serve)
    thread.start()
    peer = Peer((here_in, here_out), 0, perform, lambda number, about: Stands(peer, number), trusted=True)
    try:
        yield peer
    finally:
        os.close(here_out)
        thread.join(60)
        peer._in.close()
        there._in.close()
    assert [type(error) for error in ended] == [EndedError]


class Stands:
    """An object of the other side, let go of when it is dropped: what judge.py and judged.py put there."""

    def __init__(self, peer: Peer, number: int) -> None:
        self._factory_reference = peer, number

    def __del__(self) -> None:
        peer, number = self._factory_reference
        peer.released.append(number)


def done(operation: str, arguments: list[Any], _own: list[bool]) -> Any:
    if operation == "same":
        return arguments[0]
    if operation == "sort":
        arguments[0].sort()
        return None
    raise KeyError(operation)


hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.complex_numbers(allow_nan=False)
    | st.fractions()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.timedeltas(),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=8,
)
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(hashable, inner, max_size=4)
        | st.sets(hashable, max_size=4)
        | st.lists(inner, max_size=3).map(deque)
        | st.dictionaries(hashable, inner, max_size=3).map(OrderedDict)
        | st.binary().map(bytearray)
    ),
    max_leaves=12,
)


@given(st.lists(values, min_size=1, max_size=3))
def test_what_crosses_comes_back_the_same_thing(given_values: list[Any]) -> None:
    with linked(done) as peer:
        for value in given_values:
            back = peer.ask("same", value)
            assert back == value
            assert type(back) is type(value)
            if type(value) in (list, dict, set, deque, bytearray, OrderedDict):
                assert back is value


def test_values_that_are_their_own_kind() -> None:
    with linked(done) as peer:
        for value in (
            date(2026, 1, 1),
            datetime(2026, 1, 1, 2, tzinfo=UTC),
            time(3),
            timedelta(4),
            10**30,
            slice(1, None),
            ...,
        ):
            assert (peer.ask("same", value), type(peer.ask("same", value))) == (value, type(value))
        assert str(peer.ask("same", float("nan"))) == "nan"
        assert peer.ask("same", Counter("aab"))["a"] == 2
        assert peer.ask("same", defaultdict(list))["new"] == []


def test_both_sides_hold_one_list_until_nobody_does() -> None:
    with linked(done) as peer:
        inner = [3, 1, 2]
        outer = {"inner": inner}
        assert peer.ask("same", outer) is outer
        peer.ask("sort", inner)
        assert outer == {"inner": [1, 2, 3]}
        inner.append(0)
        peer.ask("sort", inner)
        assert inner == [0, 1, 2, 3]
        for _ in range(50):
            peer.ask("sort", [2, 1])
        assert len(peer._shared) <= 4


def test_an_object_that_a_message_lets_go_of_and_names_again_stays() -> None:
    class Thing:
        pass

    thing = Thing()
    holds = [thing]
    with linked(done) as peer:
        assert peer.ask("same", holds) is holds
        holds.clear()  # the other side drops it as it reads the next message
        assert peer.ask("same", thing) is thing
        assert peer.ask("same", thing) is thing


def test_errors_cross() -> None:
    with linked(done) as peer, pytest.raises(KeyError, match="nonsense"):
        peer.ask("nonsense")


@pytest.mark.parametrize(
    "said",
    ['["library", "os", "system"]', '["namedtuple", "T", "x startswith", [1, 2]]', '["namedtuple", "T", "a-b", [1]]'],
)
def test_what_is_no_answer_breaks_the_link(said: str) -> None:
    (read, write), nowhere = os.pipe(), os.open(os.devnull, os.O_WRONLY)
    peer = Peer((read, nowhere), 0, done, lambda _number, _about: object(), trusted=True)
    os.write(write, f'{{"value": {said}}}\n'.encode())
    with pytest.raises(BrokenError):
        peer.ask("same", 1)
    with pytest.raises(BrokenError):  # and stays so
        peer.ask("same", 1)
    os.close(write)
    os.close(nowhere)
    peer._in.close()
