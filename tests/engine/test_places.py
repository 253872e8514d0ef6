"""One queue for all units: where requests may go, how many at once, and that nothing stays taken for ever."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from factory.engine.places import AWAY_S, LARGEST_PART, OPEN_A_SLOT, SILENT_S, Place, Places

SLOTS = 16
ROOM = math.ceil(OPEN_A_SLOT * SLOTS)


class Queue:
    """Units that ask for places until all of their requests have one, and never give one back by themselves."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.left: dict[str, int] = {}
        self.held: dict[str, list[Place]] = {}
        self._asking: dict[int, str] = {}

    def unit(self, name: str, requests: int, now: float = 0.0) -> None:
        self.left[name] = requests
        self.held[name] = []
        self._ask(name, now)

    def _ask(self, name: str, now: float) -> None:
        if self.left[name]:
            self._asking[self.places.ask(name, self.left[name], (), now)] = name

    def deal(self, closed: tuple[int, ...] = (), now: float = 0.0) -> None:
        while dealt := self.places.deal(closed, now):
            for number, places in dealt:
                name = self._asking.pop(number)
                self.left[name] -= sum(place.requests for place in places)
                self.held[name].extend(places)
                self._ask(name, now)

    def answer_all(self, lost: bool = False, now: float = 0.0) -> None:
        for places in self.held.values():
            while places:
                self.places.give_back(places.pop().number, 100, lost, now)

    def open(self, replica: int) -> int:
        return sum(place.requests for places in self.held.values() for place in places if place.replica == replica)


def test_the_requests_of_one_unit_are_spread_over_all_replicas() -> None:
    queue = Queue(Places(4, SLOTS))
    queue.unit("only", 32)
    queue.deal()
    assert [queue.open(replica) for replica in range(4)] == [8, 8, 8, 8]


def test_no_replica_gets_more_than_it_has_room_for_and_the_rest_waits_in_the_queue() -> None:
    queue = Queue(Places(2, SLOTS))
    for number in range(20):
        queue.unit(f"u{number}", 32)
    queue.deal()
    assert [queue.open(replica) for replica in range(2)] == [ROOM, ROOM]
    assert queue.places.pressure((), 0.0).waiting == 20 * 32 - 2 * ROOM
    queue.answer_all()
    queue.deal()
    assert queue.places.pressure((), 0.0).open == 2 * ROOM


def test_the_oldest_unit_is_served_first_also_when_it_asks_again() -> None:
    queue = Queue(Places(2, SLOTS))
    queue.unit("first", 200)
    queue.unit("second", 200)
    queue.deal()
    assert queue.left["second"] == 200
    for _ in range(2):
        queue.answer_all()
        queue.deal()
    assert queue.left["first"] == 0
    assert queue.left["second"] < 200


def test_parts_are_large_while_much_waits_and_single_requests_at_last() -> None:
    much = Queue(Places(2, 64))
    much.unit("a", 400)
    much.deal()
    assert max(place.requests for place in much.held["a"]) == LARGEST_PART
    little = Queue(Places(8, 64))
    little.unit("a", 8)
    little.deal()
    assert [place.requests for place in little.held["a"]] == [1] * 8
    assert {place.replica for place in little.held["a"]} == set(range(8))


def test_an_engine_without_slots_gets_a_unit_as_a_whole_and_so_does_a_single_replica() -> None:
    for places in (Places(3, None), Places(1, 4)):
        queue = Queue(places)
        queue.unit("a", 500)
        queue.deal()
        assert [place.requests for place in queue.held["a"]] == [500]


def test_nobody_is_sent_to_a_replica_that_is_hunted_in_or_was_just_lost() -> None:
    queue = Queue(Places(3, SLOTS))
    queue.unit("a", 30)
    queue.deal(closed=(1,))
    assert queue.open(1) == 0
    queue.answer_all(lost=True, now=10.0)
    queue.unit("b", 10, now=10.0)
    queue.deal(now=10.0 + AWAY_S / 2)
    assert (queue.open(0), queue.open(2)) == (0, 0)
    assert queue.open(1) == 10
    assert queue.places.pressure((), 10.0).slots == SLOTS
    assert queue.places.pressure((1,), 10.0).slots == 0


def test_a_replica_that_was_shut_for_long_is_served_as_soon_as_it_is_there() -> None:
    queue = Queue(Places(3, SLOTS))
    for number in range(30):
        queue.unit(f"u{number}", 32)
        queue.deal(closed=(0, 2))
    assert [queue.open(replica) for replica in range(3)] == [0, ROOM, 0]
    queue.deal(closed=(2,))
    assert [queue.open(replica) for replica in range(3)] == [ROOM, ROOM, 0]
    queue.answer_all()
    queue.deal(closed=(0,))
    assert [queue.open(replica) for replica in range(3)] == [0, ROOM, ROOM]


def test_units_that_ask_again_and_again_while_all_is_full_leave_nothing_behind() -> None:
    places = Places(2, SLOTS)
    places.ask("first", 1000, (), 0.0)
    places.deal((), 0.0)
    for now in range(1000):
        places.withdraw(places.ask("second", 5, (), float(now)))
    assert len(places._queue) < 100
    assert places.pressure((), 1000.0).waiting == 0


def test_replicas_that_an_asker_knows_to_be_lost_are_left_out_for_it_alone() -> None:
    places = Places(2, SLOTS)
    mine, other = places.ask("mine", 4, (0,), 0.0), places.ask("other", 4, (), 0.0)
    dealt = dict(places.deal((), 0.0))
    assert {place.replica for place in dealt[mine]} == {1}
    assert dealt[other][0].replica == 0


def test_what_a_dead_asker_held_and_wanted_is_given_to_others() -> None:
    queue = Queue(Places(2, SLOTS))
    queue.unit("dead", 10 * ROOM)
    queue.deal()
    queue.unit("alive", 5, now=SILENT_S)
    queue.places.forget_silent(SILENT_S + 1)
    queue.deal(now=SILENT_S + 1)
    assert queue.left["alive"] == 0
    assert queue.places.pressure((), SILENT_S + 1).open == 5
    assert queue.places.pressure((), SILENT_S + 1).waiting == 0


@given(
    st.integers(1, 6),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 90), st.booleans(), st.sets(st.integers(0, 5), max_size=2)), max_size=25),
)
def test_whatever_happens_rooms_are_kept_and_all_is_given_back(
    replicas: int, slots: int, events: list[tuple[int, bool, set[int]]]
) -> None:
    queue = Queue(Places(replicas, slots))
    for now, (requests, answered, closed) in enumerate(events):
        queue.unit(f"u{now}", requests, float(now))
        queue.deal(tuple(closed), float(now))
        if replicas > 1:
            assert all(queue.open(replica) <= math.ceil(OPEN_A_SLOT * slots) for replica in range(replicas))
        pressure = queue.places.pressure((), float(now))
        assert pressure.open == sum(queue.open(replica) for replica in range(replicas))
        assert pressure.waiting == sum(queue.left.values())
        if answered:
            queue.answer_all()
    for _ in range(2000):
        queue.deal()
        queue.answer_all()
        if not any(queue.left.values()):
            break
    assert queue.places.pressure((), 0.0).open == queue.places.pressure((), 0.0).waiting == 0
