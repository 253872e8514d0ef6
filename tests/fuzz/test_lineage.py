"""Run events of somebody else, damaged or forged: read, told what is wrong with them, or refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import strategies as st

from factory.govern.claims import Claims
from factory.govern.documents import openlineage
from factory.govern.facts import facts_of
from factory.store.local import LocalStore
from tests.fuzz.breaking import broken_bytes, json_bytes
from tests.fuzz.harness import fuzzed, refused
from tests.publish.world import make_world


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    store = LocalStore(str(tmp_path_factory.mktemp("lineage")))
    return openlineage.render(facts_of(make_world(store, documents=6).publish().manifest), {})


@fuzzed(
    "factory.govern.documents.openlineage.claims",
    "factory.govern.documents.openlineage.parsed",
    "factory.govern.lineage.check.problems",
    share=1,
    drawn=st.data(),
)
def test_forged_events_are_read_or_named(events: bytes, drawn: Any) -> None:
    lines = events.splitlines()
    place = drawn.draw(st.integers(0, len(lines) - 1))
    forged = [*lines[:place], drawn.draw(json_bytes(orjson.loads(lines[place]))), *lines[place + 1 :]]
    assert all(isinstance(told, str) for told in openlineage.problems(b"\n".join(forged)))
    with refused(ValueError):
        assert isinstance(openlineage.claims(b"\n".join(forged)), Claims)


@fuzzed("factory.govern.documents.openlineage.problems", share=1, data=broken_bytes([b'{"eventType": "START"}\n{}']))
def test_bytes_that_are_no_events_are_told(data: bytes) -> None:
    assert openlineage.problems(data)
    with refused(ValueError):
        openlineage.claims(data)
        raise AssertionError("claims of no events")
