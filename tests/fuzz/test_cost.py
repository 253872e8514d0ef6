"""Estimates and records of earlier runs that were cut short or edited: used, left out, or refused."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import strategies as st

from factory.cost.estimate.estimate import Estimate, Range, StepEstimate
from factory.cost.estimate.kept import estimate_key, read_estimate, write_estimate
from factory.cost.estimate.siblings import largest_sibling, readable_records
from factory.errors import StoreError
from factory.store.local import LocalStore
from tests.compare.roots import run_name, whole_sweep
from tests.fuzz.breaking import json_bytes
from tests.fuzz.harness import fuzzed, refused

RUN = run_name(1)
KEPT = Estimate(
    RUN,
    "2026-01-02T03:00:00+00:00",
    (StepEstimate("answer", "measured", True, 0.0, *[Range(1.0, 0.5, 2.0)] * 3, money=Range(1.0)),),
    *[Range(1.0, 0.5, 2.0)] * 3,
    hours=None,
    money=None,
    currency="EUR",
)


@fuzzed("factory.cost.estimate.kept.read_estimate", share=1, drawn=st.data())
def test_a_damaged_estimate_is_refused_or_named(store: LocalStore, drawn: Any) -> None:
    write_estimate(store, KEPT)
    key = estimate_key(RUN)
    store.put(key, drawn.draw(json_bytes(orjson.loads(store.get(key)))))
    with refused(StoreError):
        assert isinstance(read_estimate(store, RUN), Estimate)
    problems: list[str] = []
    assert read_estimate(store, RUN, problems) is not None or len(problems) == 1


@fuzzed(
    "factory.cost.estimate.siblings.largest_sibling",
    share=1,
    drawn=st.data(),
    name=st.sampled_from((f"{RUN}.json", f"{RUN}/extract.done.json", f"{RUN}/merge.done.json")),
)
def test_damaged_records_of_earlier_runs_spoil_no_plan(store: LocalStore, drawn: Any, name: str) -> None:
    whole_sweep(store)
    key = f"runs/{name}"
    store.put(key, drawn.draw(json_bytes(orjson.loads(store.get(key)))))
    records = readable_records(store)
    found = largest_sibling(store, records, frozenset(str(record["run"]) for record in records))
    assert found is None or found.passages >= 0
