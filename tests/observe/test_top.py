"""`factory top`: what it says is what lies on the store; the terminal is left as it was found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from factory.cli.top import live_values
from factory.cost.money import Money
from factory.identity import canonical_json
from factory.observe.commits_view import LISTED_AT_MOST, PREFIXES_AT_MOST, READ_AT_MOST, Seen, StepView, rate_of
from factory.observe.frame import duration, frame, short
from factory.observe.glimpse import Glimpse, RunView, StepLine
from factory.run.attempt import receipt_key
from factory.store.base import Store
from factory.store.commits import Commit, Counts, commit_key, put_commit
from factory.store.lease import held
from factory.store.local import LocalStore
from tests.observe.terminal import Terminal
from tests.runs import factory_cli

FOLDER = "answer-0123456789abcdef"


def _unit(number: int) -> str:
    return f"{(number * 2654435761) % 2**32:08x}".ljust(32, "0")


def _commit(store: Store, number: int, rows: int = 10) -> None:
    unit = _unit(number)
    store.put(receipt_key(FOLDER, unit, "a"), b"{}")
    put_commit(
        store,
        Commit(
            unit=unit,
            attempt="a",
            step=FOLDER,
            run="r",
            parent="",
            picks=None,
            files=(),
            other_files={},
            counts=Counts(inputs=rows, used=rows - 2, rejected=2, accepted=rows - 2),
            reasons={"input": {"too_long": 2}},
            input_ids_digest="0",
            accepted_ids_digest="0",
            ledger={"requests": rows, "prompt_tokens": 100, "generated_tokens": 50, "engine_busy_seconds": 36},
            engine={"kind": "scripted", "model": "m"},
        ),
    )


def _run(store: Store, units: int, state: str = "running") -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    record = {"run": "r", "state": state, "started": now, "resumed": [], "steps": {"answer": FOLDER}}
    config = {"publish": {"name": "data"}, "prices": {"currency": "EUR", "engine_hour": 2.0, "gpu_hour": {}}}
    store.put("runs/r.json", canonical_json({**record, "config": config, "engine_starts": {}}))
    plan = {"step": "answer", "folder": FOLDER, "units": [_unit(number) for number in range(units)]}
    store.put("runs/r/answer.plan.json", canonical_json(plan))


def test_a_step_is_counted_from_its_commits_and_attempts(store: Store) -> None:
    _run(store, 20)
    for number in range(12):
        _commit(store, number)
    store.put(receipt_key(FOLDER, _unit(0), "b"), b"{}")  # a second attempt at a committed unit
    for number in (12, 13):
        store.put(receipt_key(FOLDER, _unit(number), "c"), b"{}")
    store.put(commit_key(FOLDER, "f" * 32), b"{}")  # of another run over the same folder
    with held(store, "run-r", "the run", print):
        glimpse = RunView(store, "r").look()
    (step,) = glimpse.steps
    assert glimpse.state == "running"
    assert (step.units, step.committed, step.in_flight, step.lost, step.waiting) == (20, 12, 2, 1, 6)
    assert (step.rows_in, step.accepted, step.turned_away, step.tokens) == (120, 96, 24, 1800)
    assert step.reasons == {"too_long": 24}
    assert step.exact
    assert step.units_s is not None
    assert step.rows_s is not None
    assert step.rows_s == pytest.approx(10 * step.units_s)
    assert step.seconds_left == pytest.approx(8 / step.units_s)
    assert glimpse.spent.amount == pytest.approx(12 * 36 / 3600 * 2)
    stopped = RunView(store, "r").look()
    assert stopped.state == "stopped"
    assert (stopped.steps[0].in_flight, stopped.steps[0].lost) == (0, 3)
    assert stopped.steps[0].seconds_left is None


def test_no_time_is_guessed_from_a_few_units(local_store: LocalStore) -> None:
    _run(local_store, 20)
    for number in range(7):
        _commit(local_store, number)
    with held(local_store, "run-r", "the run", print):
        (step,) = RunView(local_store, "r").look().steps
    assert step.committed == 7
    assert step.units_s is None
    assert step.seconds_left is None


def test_rates_are_of_the_last_units_and_fall_when_nothing_comes() -> None:
    commits = tuple(float(number) for number in range(1, 1001))
    slow = (*commits[:600], *(600 + 4.0 * number for number in range(1, 401)))
    assert rate_of(_seen(commits), 1000) == pytest.approx(1)
    assert rate_of(_seen(slow), 2200) == pytest.approx(0.25)
    assert rate_of(_seen(commits), 2000) == pytest.approx(0.2)
    assert rate_of(_seen(commits[:7]), 10) is None


def _seen(commits: tuple[float, ...]) -> Seen:
    return Seen(5000, len(commits), 0, 0, 1.0, commits, 0.0)


class Counting(LocalStore):
    """A local store that counts what it is asked for."""

    listed = 0
    gets = 0

    def list(self, prefix: str):  # type: ignore[no-untyped-def]
        for info in super().list(prefix):
            type(self).listed += 1
            yield info

    def get_tagged(self, key: str) -> tuple[bytes, str]:
        type(self).gets += 1
        return super().get_tagged(key)


def test_a_look_at_a_large_step_is_bounded_and_estimates_from_a_share(tmp_path: Path) -> None:
    units, committed = 4 * LISTED_AT_MOST, 3000
    _commit(LocalStore(str(tmp_path)), 0)
    body = LocalStore(str(tmp_path)).get(commit_key(FOLDER, _unit(0)))
    for number in range(1, committed):
        path = tmp_path / commit_key(FOLDER, _unit(number))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.replace(_unit(0).encode(), _unit(number).encode()))
    store = Counting(str(tmp_path))
    view = StepView(store, FOLDER)
    view.plan([_unit(number) for number in range(units)])
    seen = view.look(0.0, alive=True)
    share = PREFIXES_AT_MOST / 256
    assert Counting.listed <= 2 * committed * share
    assert Counting.gets <= READ_AT_MOST
    assert seen.scale == pytest.approx(1 / share, rel=0.2)
    assert seen.committed * seen.scale == pytest.approx(committed, rel=0.3)
    for _ in range(256 // PREFIXES_AT_MOST - 1):
        seen = view.look(0.0, alive=True)
    assert seen.scale == 1
    assert seen.committed == committed


def test_frames_fit_their_width_and_obey_nothing() -> None:
    hostile = "evil\x1b[2J\nname" * 9
    steps = (
        StepLine("select", True, 3, 3, rows_in=123456789, accepted=5, seconds=5.0),
        StepLine(
            hostile, False, 100_000, 12_345, in_flight=16, lost=2, rows_in=5e9, reasons={hostile: 3.0}, units_s=0.5
        ),
    )
    glimpse = Glimpse(hostile, "running", hostile, 99.0, steps, Money(None, "EUR"), {hostile: {"starts": 1}}, None)
    for width in (60, 80, 200):
        text = frame(glimpse, width).plain
        assert all(len(line) <= width for line in text.splitlines())
        assert "\x1b" not in text
    assert "16 units in flight, 87,639 waiting, 2 attempts lost" in frame(glimpse, 300).plain
    assert len(frame(glimpse, 80, height=24).plain.splitlines()) <= 24


def test_numbers_are_short() -> None:
    assert [short(number) for number in (0, 99_999, 123_456, 12_345_678, 9.9e10)] == [
        "0",
        "99,999",
        "123k",
        "12M",
        "99G",
    ]
    assert [duration(seconds) for seconds in (5, 600, 36000, 864000)] == ["5 s", "10 min", "10.0 h", "10.0 d"]


@contextmanager
def _watching(local_store: LocalStore) -> Iterator[Terminal]:
    """`factory top` in a terminal, beside a run that this process says it works; the body begins with its second
    frame."""
    _run(local_store, 20)
    for number in range(12):
        _commit(local_store, number)
    with held(local_store, "run-r", "the run", print):
        terminal = Terminal(["top", local_store.root, "--interval", "0.5"])
        try:
            assert terminal.wait(lambda text: text.count("dataset data") >= 2, seconds=200), terminal.text
            yield terminal
        finally:
            terminal.close()


def test_a_live_run_is_shown_until_ctrl_c_and_the_terminal_is_as_it_was(local_store: LocalStore) -> None:
    with _watching(local_store) as terminal:
        terminal.type(b"\x03")
        assert terminal.end(seconds=200) == 130
        assert terminal.after() == terminal.before
        assert "run r  running" in terminal.text
        assert "12/20" in terminal.text
        assert terminal.screen.count(b"\x1b[?1049h") == terminal.screen.count(b"\x1b[?1049l") == 1
        assert terminal.screen.rindex(b"\x1b[?25h") > terminal.screen.rindex(b"\x1b[?25l")
        assert "Traceback" not in terminal.text


def test_an_endpoint_that_says_nothing_is_named_with_the_reason(local_store: LocalStore) -> None:
    values, problem = live_values("http://127.0.0.1:1/metrics")
    assert values == {}
    assert problem == "http://127.0.0.1:1/metrics: Connection refused"
    _run(local_store, 3)
    shown = frame(RunView(local_store, "r").look(), 80, values, live_problem=problem).plain
    assert f"metrics: {problem}" in shown


def test_the_view_ends_with_the_run_and_leaves_its_last_frame(local_store: LocalStore) -> None:
    with _watching(local_store) as terminal:
        for number in range(12, 20):
            _commit(local_store, number)
        _run(local_store, 20, "finished")
        assert terminal.end(seconds=200) == 0, terminal.text[-2000:]
        left = terminal.text.rsplit("run r", 1)[1]
        assert left.startswith("  finished")
        assert "20/20" in left
        assert terminal.after() == terminal.before


def test_a_record_that_somebody_edited_is_shown_as_far_as_it_says_something(local_store: LocalStore) -> None:
    _run(local_store, 20, "finished")
    record = orjson.loads(local_store.get("runs/r.json"))
    local_store.put("runs/r.json", canonical_json(record | {"config": {"publish": 3, "prices": "x"}}))
    glimpse = RunView(local_store, "r").look()
    assert (glimpse.dataset, glimpse.spent.amount) == ("", None)


def test_a_root_without_a_run_is_said_to_be_one(tmp_path: Path) -> None:
    done = factory_cli("top", str(tmp_path), "--once")
    assert done.code == 2
    assert "there is no run" in done.stderr


def test_help_is_shown_in_a_terminal(tmp_path: Path) -> None:
    terminal = Terminal(["top", "--help"])
    try:
        assert terminal.end() == 0
        assert "--interval" in terminal.text
    finally:
        terminal.close()
