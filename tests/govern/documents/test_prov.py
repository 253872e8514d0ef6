"""The provenance graph of a published dataset."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from factory.govern.documents import prov
from factory.govern.facts import Facts, facts_of
from factory.publish.wording import PROMPTS
from tests.publish.world import World

Graph = dict[str, Any]
STEPS = ("select", "merge", "question_1", "answer", "check", "samples", "gate", "shards")
CLOCK = {
    "started": "2026-01-01T00:00:00+00:00",
    "steps": {
        name: [f"2026-01-01T00:0{place}:00+00:00", f"2026-01-01T00:0{place}:30+00:00"]
        for place, name in enumerate(STEPS, start=1)
    },
}
WORDING = {
    "prompts": [{"name": "answer", "prompt_id": "p" * 64, "steps": ["answer"], "system": "s", "template": "t"}],
    "rubrics": [],
}


def _facts(worked: World, version: str, clock: Any) -> Facts:
    governance = {"owner": "Example & Söhne, Ltd", "contact": "data@example.org"}
    publication = worked.publication(version=version, clock=clock, wording=WORDING, governance=governance)
    steps = [copy.deepcopy(dict(step)) for step in publication.steps]
    for step in steps:
        if step["name"] == "answer":
            step["identity"]["own"]["prompt"] = "p" * 64
    return facts_of(
        worked.publish(
            version=version, clock=clock, wording=WORDING, governance=governance, steps=tuple(steps)
        ).manifest
    )


@pytest.fixture(scope="module")
def facts(worked: World) -> Facts:
    return _facts(worked, "graph", CLOCK)


@pytest.fixture(scope="module")
def data(facts: Facts) -> bytes:
    return prov.render(facts)


@pytest.fixture
def graph(data: bytes) -> Graph:
    found: Graph = orjson.loads(data)
    return found


def _told(graph: Graph) -> list[str]:
    return prov.problems(orjson.dumps(graph))


def test_the_same_facts_give_the_same_graph_without_problems(facts: Facts, data: bytes) -> None:
    assert prov.render(facts) == data
    assert prov.problems(data) == []


def test_the_prov_library_reads_it_and_writes_it_again(data: bytes) -> None:
    model = importlib.import_module("prov.model")
    document = model.ProvDocument.deserialize(content=data.decode())
    again = orjson.loads(document.serialize())
    for kind, records in orjson.loads(data).items():
        if kind != "prefix":
            assert len(again[kind]) == len(records), kind
    assert model.ProvDocument.deserialize(content=orjson.dumps(again).decode()) == document
    assert "wasDerivedFrom" in document.get_provn()


def test_every_step_made_its_table_of_tables_of_earlier_steps(graph: Graph, facts: Facts) -> None:
    makers = {each["prov:entity"]: each["prov:activity"] for each in graph["wasGeneratedBy"].values()}
    for step in facts.steps:
        activity = graph["activity"][makers[f"factory:table/{step.folder}"]]
        assert (activity["prov:startTime"], activity["prov:endTime"]) == (step.began, step.ended)
    ancestors, found = {f"factory:dataset/{facts.name}/{facts.version}"}, set[str]()
    while ancestors - found:
        found |= ancestors
        ancestors = {
            each["prov:usedEntity"]
            for each in graph["wasDerivedFrom"].values()
            if each["prov:generatedEntity"] in found
        }
    assert f"factory:corpus/{facts.run}" in found
    corpus = graph["entity"][f"factory:corpus/{facts.run}"]
    assert corpus["factory:places"] == facts.sources["places"] > 0


def test_a_model_follows_its_prompt_on_behalf_of_the_software_and_that_of_the_owner(graph: Graph, facts: Facts) -> None:
    plans = [each["prov:plan"] for each in graph["wasAssociatedWith"].values() if "prov:plan" in each]
    assert plans == [f"factory:prompt/{'p' * 64}"]
    behalf = {(each["prov:delegate"], each["prov:responsible"]) for each in graph["actedOnBehalfOf"].values()}
    owner = "factory:owner/Example%20%26%20S%C3%B6hne%2C%20Ltd"
    assert behalf == {
        ("factory:model/toy%2Fquestion/r1", "factory:software/0.1.0"),
        ("factory:model/toy%2Fanswer/r1", "factory:software/0.1.0"),
        ("factory:software/0.1.0", owner),
    }
    assert graph["agent"][owner]["prov:label"] == "Example & Söhne, Ltd"


def test_claims_are_what_the_facts_say(data: bytes, facts: Facts) -> None:
    claims = prov.claims(data)
    assert (claims.name, claims.version, claims.created, claims.run) == ("toy", "graph", facts.created, facts.run)
    assert (claims.rows, claims.bytes, claims.digest) == (facts.rows, facts.published_bytes, facts.digest)
    assert claims.splits == {split.name: split.rows for split in facts.splits}
    assert claims.files == {file.path: file.sha256 for file in facts.files}
    assert PROMPTS in claims.files
    assert claims.models == {(model.name, model.revision) for model in facts.models}
    assert claims.steps == {step.folder for step in facts.steps}
    assert claims.gates == {gate.name: gate.passed for gate in facts.gates}
    assert claims.prompts == {"p" * 64}
    assert claims.licenses == {facts.license}
    assert claims.synthetic is True


def test_times_of_a_step_whose_input_was_worked_anew_claim_no_use_before_generation(worked: World) -> None:
    clock = copy.deepcopy(CLOCK)
    steps: Any = clock["steps"]
    steps["merge"] = ["2026-01-02T00:00:00+00:00", "2026-01-02T00:00:30+00:00"]  # a grown corpus, the same sample
    facts = _facts(worked, "grown", clock)
    data = prov.render(facts)
    assert prov.problems(data) == []
    asked = orjson.loads(data)["activity"][f"factory:step/{facts.run}/question_1"]
    assert "prov:startTime" not in asked
    assert asked["factory:began"] == steps["question_1"][0]


def test_a_dataset_whose_steps_noted_no_times_has_a_graph(worked: World) -> None:
    assert prov.problems(prov.render(facts_of(worked.publish(version="timeless").manifest))) == []


def _first(graph: Graph, kind: str) -> Any:
    return next(iter(graph[kind].values()))


def _table(graph: Graph, step: str) -> str:
    return next(name for name in graph["entity"] if name.startswith(f"factory:table/{step}-"))


def _derive(graph: Graph, later: str, earlier: str) -> None:
    pair = {"prov:generatedEntity": _table(graph, later), "prov:usedEntity": _table(graph, earlier)}
    graph["wasDerivedFrom"]["_:x"] = pair


def _activity(graph: Graph, step: str) -> tuple[str, Any]:
    return next((name, each) for name, each in graph["activity"].items() if name.endswith(f"/{step}"))


BREAKS: list[tuple[str, Callable[[Graph], Any], str]] = [
    ("no agents", lambda graph: graph.pop("agent"), "agent is missing"),
    ("a stranger", lambda graph: graph.update(bundle={}), "bundle is nothing"),
    ("no prefix", lambda graph: graph["entity"].update({"x:y": {}}), "no name with a prefix"),
    ("no entity", lambda graph: _first(graph, "used").pop("prov:entity"), "prov:entity is missing"),
    ("a lost plan", lambda graph: graph["entity"].pop(f"factory:prompt/{'p' * 64}"), "there is no entity of that name"),
    ("a table from nowhere", lambda graph: graph["wasGeneratedBy"].pop("_:wasGeneratedBy1"), "generated by 0"),
    (
        "a table made twice",
        lambda graph: graph["wasGeneratedBy"].update({"_:x": {**_first(graph, "wasGeneratedBy")}}),
        "generated by 2",
    ),
    ("a circle", lambda graph: _derive(graph, "select", "shards"), "derivation goes in a circle"),
    (
        "use of one's own result",
        lambda graph: graph["used"].update(
            {"_:x": {"prov:activity": _activity(graph, "select")[0], "prov:entity": _table(graph, "answer")}}
        ),
        "use goes in a circle",
    ),
    (
        "use before generation",
        lambda graph: _activity(graph, "answer")[1].update({"prov:startTime": "2025-12-31T00:00:00+00:00"}),
        "started before",
    ),
    (
        "an end before the start",
        lambda graph: _activity(graph, "select")[1].update({"prov:endTime": "2025-12-31T00:00:00+00:00"}),
        "ended before it started",
    ),
    (
        "a time without a zone",
        lambda graph: _activity(graph, "gate")[1].update({"prov:endTime": "2026-01-01"}),
        "a zone",
    ),
    ("another form", lambda graph: graph.update(used=[1]), "another form"),
]


@pytest.mark.parametrize(("what", "broken", "told"), BREAKS, ids=[what for what, _, _ in BREAKS])
def test_what_is_wrong_is_named(graph: Graph, what: str, broken: Callable[[Graph], Any], told: str) -> None:
    broken(graph)
    assert any(told in problem for problem in _told(graph)), _told(graph)


@pytest.mark.parametrize("key", ["factory:version", "factory:rows", "factory:digest", "factory:license"])
def test_a_missing_field_is_named_by_claims(graph: Graph, key: str, facts: Facts) -> None:
    del graph["entity"][f"factory:dataset/{facts.name}/{facts.version}"][key]
    with pytest.raises(ValueError, match=f"{key} is missing"):
        prov.claims(orjson.dumps(graph))
