"""Lineage of somebody else, damaged or forged: read, told what is wrong with it, or refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import strategies as st

from factory.cli.lineage import said
from factory.errors import ConfigError
from factory.govern.claims import Claims
from factory.govern.documents import openlineage, prov
from factory.govern.facts import facts_of
from factory.observe.delivery import target_of
from factory.observe.lineage import open_key, read_open
from factory.store.local import LocalStore
from tests.fuzz.breaking import broken_bytes, json_bytes
from tests.fuzz.harness import fuzzed, refused
from tests.publish.world import make_world


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    store = LocalStore(str(tmp_path_factory.mktemp("lineage")))
    return openlineage.render(facts_of(make_world(store, documents=6).publish().manifest))


@fuzzed(
    "factory.govern.documents.openlineage.claims",
    "factory.govern.documents.openlineage.parsed",
    "factory.govern.lineage.check.problems",
    "factory.cli.lineage.said",
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
    assert all(isinstance(said(line), tuple | None) for line in forged)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    store = LocalStore(str(tmp_path_factory.mktemp("provenance")))
    return prov.render(facts_of(make_world(store, documents=6).publish().manifest))


@fuzzed(
    "factory.govern.documents.prov.claims",
    "factory.govern.documents.prov_check.problems",
    share=1,
    drawn=st.data(),
)
def test_a_forged_graph_is_read_or_named(graph: bytes, drawn: Any) -> None:
    forged = drawn.draw(json_bytes(orjson.loads(graph)))
    assert all(isinstance(told, str) for told in prov.problems(forged))
    with refused(ValueError):
        assert isinstance(prov.claims(forged), Claims)


@fuzzed("factory.observe.delivery.target_of", share=1, address=st.text(max_size=40), scheme=st.booleans())
def test_an_address_is_a_target_or_refused(address: str, scheme: bool) -> None:
    with refused(ConfigError):
        assert target_of(f"http://{address}" if scheme else address, 5).where


OPEN = {"open": {"0": {"step": "answer", "folder": "answer-1", "began": "2026-01-01T00:00:00+00:00"}}}


@fuzzed("factory.observe.lineage.read_open", share=1, data=json_bytes(OPEN))
def test_what_an_execution_left_open_is_read_or_nothing(store: LocalStore, data: bytes) -> None:
    store.put(open_key("run"), data)
    for noted in read_open(store, "run").values():
        assert {type(noted[key]) for key in ("step", "folder", "began")} == {str}


@fuzzed("factory.govern.documents.openlineage.problems", share=1, data=broken_bytes([b'{"eventType": "START"}\n{}']))
def test_bytes_that_are_no_events_are_told(data: bytes) -> None:
    assert openlineage.problems(data)
    with refused(ValueError):
        openlineage.claims(data)
        raise AssertionError("claims of no events")
