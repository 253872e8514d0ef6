"""How many units are open: slots are filled, more only while that gives more, and less when memory is short."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from factory.cluster.config import ClusterConfig
from factory.engine.places import Pressure
from factory.run import window as window_module
from factory.run.session import ray_session
from factory.run.window import HOLD_S, LOOK_S, Window, opened, window_of

SLOTS, ROWS = 64, 16


class Engine:
    """An engine that makes `rate(open)` tokens a second of the requests open in it, of all the window's units."""

    def __init__(self, window: Window, rate: Callable[[int], float], memory_left: float = 0.9) -> None:
        self.window, self.rate, self.memory_left = window, rate, memory_left
        self.now, self.tokens = 1000.0, 0.0
        self.seen: list[int] = []

    def run(self, seconds: float) -> None:
        for _ in range(int(seconds / LOOK_S)):
            requests = self.window.limit * ROWS
            self.tokens += self.rate(requests) * LOOK_S
            self.now += LOOK_S
            pressure = Pressure(SLOTS, requests, 0, int(self.tokens), self.memory_left)
            self.window.observe(pressure, self.now)
            self.seen.append(self.window.limit)


def saturated_at(requests: int) -> Callable[[int], float]:
    return lambda open_requests: 10.0 * min(open_requests, requests)


def test_a_step_begins_with_the_units_that_fill_the_slots() -> None:
    assert window_of(32, 1, SLOTS, 16).limit == 4
    assert window_of(32, 1, SLOTS, 256).limit == 2
    assert window_of(8, 1, 512, 16).limit == 8
    assert window_of(64, 8, SLOTS, 256).limit == 16
    assert window_of(1, 1, SLOTS, 16).limit == 1


def test_an_engine_whose_slots_nobody_knows_gets_all_units_at_once() -> None:
    assert window_of(7, 1, None, 16).limit == 7


def test_the_window_grows_while_more_units_give_more_tokens() -> None:
    engine = Engine(window_of(32, 1, SLOTS, ROWS), saturated_at(160))
    engine.run(600)
    assert 10 <= max(engine.seen) <= 15


def test_an_engine_that_gives_no_more_is_given_no_more() -> None:
    engine = Engine(window_of(64, 1, SLOTS, ROWS), saturated_at(40))
    engine.run(HOLD_S)
    assert engine.window.limit <= 5


def test_empty_slots_are_filled_without_waiting_for_a_rate() -> None:
    window = Window(2, 32)
    for look in range(8):
        window.observe(Pressure(512, window.limit * ROWS, 0, 0, 0.9), look * LOOK_S)
    assert window.limit * ROWS >= 100


def test_while_requests_wait_nothing_is_added() -> None:
    window = Window(2, 32)
    for look in range(100):
        window.observe(Pressure(SLOTS, 3 * SLOTS, 50, look * 100, 0.9), look * LOOK_S)
    assert window.limit == 2


@pytest.mark.parametrize(("left", "limit"), [(0.12, 8), (0.05, 2)])
def test_short_of_memory_nothing_is_added_and_out_of_it_units_are_closed(left: float, limit: int) -> None:
    window = Window(2, 32, 8)
    for look in range(20):
        window.observe(Pressure(SLOTS, 0, 0, 0, left), look * LOOK_S)
    assert window.limit == limit


def test_the_bound_holds_whatever_is_seen() -> None:
    window = Window(2, 5)
    for look in range(200):
        window.observe(Pressure(4096, 0, 0, look * look, 1.0), look * LOOK_S)
        assert window.limit <= 5


def most_at_once(window: Window, pressure: Pressure, tasks: int, work: Callable[..., Any], **told: Any) -> int:
    """Tasks that Ray Data had at work at the same moment."""
    import ray

    with opened(window, lambda: pressure):
        items = ray.data.from_items([{"n": n} for n in range(tasks)], override_num_blocks=tasks)
        size = ray.data.TaskPoolStrategy(size=window.most)
        rows = items.map_batches(work, fn_kwargs=told, compute=size, num_cpus=0, batch_size=1).take_all()
    return max(sum(other["began"] <= row["began"] < other["ended"] for other in rows) for row in rows)


def for_a_moment(block: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    time.sleep(0.4)
    return {"began": [began], "ended": [time.monotonic()]}


def until_three_have_met(block: dict[str, Any], place: str) -> dict[str, Any]:
    """Ends when three tasks are at work, or in a minute: on a busy machine a third worker takes long to start."""
    began = time.monotonic()
    (Path(place) / str(block["n"][0])).touch()
    while len(list(Path(place).iterdir())) < 3 and time.monotonic() - began < 60:
        time.sleep(0.05)
    return {"began": [began], "ended": [time.monotonic()]}


def test_ray_data_starts_no_more_tasks_than_the_window_has_room_for_and_follows_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import ray

    monkeypatch.setattr(window_module, "LOOK_S", 0.1)
    busy, hungry = Pressure(1, 9, 9, 0, 0.9), Pressure(1000, 0, 0, 0, 0.9)
    with ray_session(ClusterConfig(cpus=2, object_store_mib=100), engines=1):
        assert most_at_once(Window(2, 6), busy, 12, for_a_moment) <= 2
        assert most_at_once(Window(2, 6), hungry, 6, until_three_have_met, place=str(tmp_path)) > 2
        context = ray.data.DataContext.get_current()
        assert context.get_config(window_module.WINDOW_KEY) is None, "later steps are not held to an old window"
