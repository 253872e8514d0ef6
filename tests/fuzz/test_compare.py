"""Records of sweeps and runs that were cut short or edited: compared as far as they say something, or refused."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import orjson
from hypothesis import strategies as st

from factory.compare.columns import columns_of
from factory.compare.export import to_csv, to_json
from factory.compare.gather import gather
from factory.compare.table import in_terminal
from factory.errors import ConfigError, StoreError
from factory.store.local import LocalStore
from factory.sweep.launch import closing_object
from factory.sweep.record import read_sweep, sweep_key
from tests.compare.roots import SWEEP, put_evaluation, put_sweep, run_name, whole_sweep
from tests.fuzz.breaking import broken_bytes, json_bytes
from tests.fuzz.harness import fuzzed, refused

EVALUATION = "datasets/demo/records/v1/evaluation-2026/evaluation.json"
KEYS = (f"runs/{run_name(1)}.json", f"runs/{run_name(1)}/answer.done.json", sweep_key(SWEEP), EVALUATION)


def shown(store: LocalStore, sweep: str | None) -> None:
    """Everything that is made of a comparison."""
    found = gather(store, sweep)
    columns = columns_of(found)
    json.dumps(to_json(found, columns, found.rows))
    to_csv(columns, found.rows)
    in_terminal(columns, found.rows, 80)


@fuzzed("factory.compare.gather.gather", share=1, drawn=st.data(), key=st.sampled_from(KEYS))
def test_a_damaged_record_spoils_no_comparison(store: LocalStore, drawn: Any, key: str) -> None:
    whole_sweep(store)
    put_evaluation(store, 1, 0.5)
    store.put(key, drawn.draw(json_bytes(orjson.loads(store.get(key)))))
    for sweep in (None, SWEEP):
        with refused(ConfigError, StoreError):
            shown(store, sweep)


@fuzzed("factory.sweep.record.read_sweep", share=1, drawn=st.data())
def test_a_sweep_record_is_points_or_refused(store: LocalStore, drawn: Any) -> None:
    valid = asdict(put_sweep(store, [], {}))
    store.put(sweep_key(SWEEP), drawn.draw(json_bytes(valid)))
    with refused(StoreError):
        found = read_sweep(store, SWEEP)
        assert found is None or isinstance(found.points, tuple)


@fuzzed("factory.sweep.launch.closing_object", share=1, data=broken_bytes([b'{"run": "ab", "samples": 3}']))
def test_a_line_of_a_log_is_a_closing_object_or_none(data: bytes) -> None:
    found = closing_object(data.decode(errors="replace"))
    assert found is None or isinstance(found["run"], str)
