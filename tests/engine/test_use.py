"""What a replica is used for is shared out among the requests that used it, without rest."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.engine.api import Completion
from factory.engine.use import Hardware, UseMeter


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def completions(latencies: list[float]) -> list[Completion]:
    return [Completion(f"r{i}", ("x",), ("stop",), 10, (3, 4), 2, each) for i, each in enumerate(latencies)]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9), st.floats(0, 5)), max_size=40))
def test_shares_of_all_batches_are_the_busy_time_and_idle_time_goes_to_whoever_ends_it(
    events: list[tuple[bool, int, float]],
) -> None:
    clock = Clock()
    meter = UseMeter(clock)
    open_: list[tuple[object, int]] = []
    charged = waited = busy = 0.0
    for begins, requests, passes in events:
        clock.now += passes
        busy += passes if open_ else 0.0
        if begins or not open_:
            open_.append((meter.begin(requests), requests))
        else:
            opened, requests = open_.pop(0)
            spent = meter.end(opened)  # type: ignore[arg-type]
            shared = meter.answered(opened, spent, completions([1.0] * requests))  # type: ignore[arg-type]
            charged += sum(each.share.busy_seconds for each in shared if each.share)
            waited += sum(each.share.idle_seconds for each in shared if each.share)
    while open_:
        opened, requests = open_.pop(0)
        spent = meter.end(opened)  # type: ignore[arg-type]
        shared = meter.answered(opened, spent, completions([0.0] * requests))  # type: ignore[arg-type]
        charged += sum(each.share.busy_seconds for each in shared if each.share)
        waited += sum(each.share.idle_seconds for each in shared if each.share)
    used = meter.use(0)
    assert charged == pytest.approx(busy, abs=1e-6)
    assert used.busy_seconds == pytest.approx(busy, abs=1e-3)
    assert used.alive_seconds == pytest.approx(clock.now - 100.0, abs=1e-3)
    assert charged + waited <= used.alive_seconds + 1e-3


def test_two_batches_at_once_share_by_requests_and_requests_of_one_by_latency() -> None:
    clock = Clock()
    meter = UseMeter(clock)
    meter.hardware = Hardware(2.0, "H100")
    clock.now += 5  # it starts
    small, large = meter.begin(1), meter.begin(3)
    clock.now += 4
    first = meter.answered(small, meter.end(small), completions([4.0]))
    clock.now += 2
    rest = meter.answered(large, meter.end(large), completions([1.0, 1.0, 2.0]))
    assert first[0].share is not None
    assert first[0].share.busy_seconds == pytest.approx(1.0)
    assert first[0].share.idle_seconds == pytest.approx(5.0)
    shares = [each.share.busy_seconds for each in rest if each.share]
    assert shares == pytest.approx([1.25, 1.25, 2.5])
    assert (first[0].share.gpus, first[0].share.gpu_kind) == (2.0, "H100")
    used = meter.use(7)
    assert (used.requests, used.prompt_tokens, used.cached_tokens, used.generated_tokens) == (4, 40, 8, 28)
    assert (used.replica, used.gpus, used.busy_seconds, used.alive_seconds) == (7, 2.0, 6.0, 11.0)


def test_a_share_is_no_part_of_what_a_completion_is() -> None:
    clock = Clock()
    meter = UseMeter(clock)
    opened = meter.begin(1)
    (plain,) = completions([1.0])
    assert meter.answered(opened, meter.end(opened), [plain]) == [plain]
