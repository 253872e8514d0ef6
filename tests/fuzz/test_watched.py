"""A root that is watched or worked by several while somebody edits it: shown and helped with, or refused in words."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import strategies as st

from factory.errors import StoreError
from factory.observe.glimpse import RunView
from factory.run.sharing import Offer, offer_key, put_offer, read_offer
from factory.run.units import FileRef
from factory.store.local import LocalStore
from tests.compare.roots import run_name, whole_sweep
from tests.fuzz.breaking import json_bytes
from tests.fuzz.harness import fuzzed, refused

RUN = run_name(1)
OFFER = Offer(
    "walk", "walk-aa", "ab" * 16, 8, 3, (5, 9), (None, FileRef("walk-aa/u/0", "k", "1" * 64, "2" * 64, 3, "4"))
)


@fuzzed(
    "factory.observe.glimpse.RunView",
    share=1,
    drawn=st.data(),
    name=st.sampled_from((f"{RUN}.json", f"{RUN}/answer.done.json", f"{RUN}/gate.plan.json")),
)
def test_a_run_with_damaged_records_is_shown_or_refused(store: LocalStore, drawn: Any, name: str) -> None:
    whole_sweep(store)
    store.put(f"runs/{RUN}/gate.plan.json", orjson.dumps({"folder": "gate-1", "units": ["ab" * 16]}))
    key = f"runs/{name}"
    store.put(key, drawn.draw(json_bytes(orjson.loads(store.get(key)))))
    with refused(StoreError):
        glimpse = RunView(store, RUN).look()
        assert all(line.waiting >= 0 for line in glimpse.steps)


@fuzzed("factory.run.sharing.read_offer", share=1, drawn=st.data())
def test_an_offer_is_one_or_refused(store: LocalStore, drawn: Any) -> None:
    put_offer(store, RUN, OFFER)
    assert read_offer(store, RUN) == OFFER
    store.put(offer_key(RUN), drawn.draw(json_bytes(orjson.loads(store.get(offer_key(RUN))))))
    with refused(StoreError):
        offer = read_offer(store, RUN)
        assert offer is None or offer.leases
