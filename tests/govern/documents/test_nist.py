from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest

from factory.govern.documents import nist
from factory.govern.facts import Facts
from factory.govern.nist_actions import ACTIONS
from factory.publish.manifest import MANIFEST
from tests.govern.documents.agreeing import disagreements
from tests.publish.world import World


def results(facts: Facts) -> dict[str, str]:
    return {action["id"]: action["result"] for action in orjson.loads(nist.render(facts))["actions"]}


def test_the_map_says_what_the_facts_say(facts: Facts, silent: Facts) -> None:
    for who in (facts, silent):
        data = nist.render(who)
        assert nist.problems(data) == []
        assert disagreements(nist.claims(data), who) == []
        assert nist.render(who) == data


def test_ids_are_of_the_publications_form_and_stand_once() -> None:
    assert all(re.fullmatch(r"(GV|MP|MS|MG)-\d\.\d{1,2}-\d{3}", action.id) for action in ACTIONS)
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_where_an_action_passes_its_evidence_is_there(facts: Facts, worked: World) -> None:
    body = orjson.loads(nist.render(facts))
    manifest = orjson.loads(worked.store.get(f"{facts.prefix}/{MANIFEST}"))
    looked_at = 0
    for action in body["actions"]:
        for place in action["evidence"]:
            known = facts.manifest if place["path"] == MANIFEST else facts.file(place["path"])
            assert place["sha256"] == known.sha256
            if place["path"] == MANIFEST and action["result"] == "pass":
                value: Any = manifest
                for key in place["pointer"].split("/")[1:]:
                    value = value[key]
                looked_at += 1
    assert looked_at > 20


def test_what_nobody_stated_is_no_pass(facts: Facts, silent: Facts) -> None:
    stated, unstated = results(facts), results(silent)
    assert (stated["GV-1.5-003"], unstated["GV-1.5-003"]) == ("partly", "not-stated")
    for action in ("GV-1.1-001", "MP-1.1-002", "MS-2.11-004", "MG-3.1-005", "MG-3.2-007"):
        assert (stated[action], unstated[action]) == ("pass", "not-stated")


def test_a_gate_that_failed_fails_its_actions_and_one_that_is_off_says_nothing(facts: Facts) -> None:
    def with_gate(name: str, **changes: Any) -> dict[str, str]:
        gates = tuple(replace(gate, **changes) if gate.name == name else gate for gate in facts.gates)
        return results(replace(facts, gates=gates))

    assert results(facts)["MP-4.1-009"] == "pass"
    assert with_gate("max_personal_data", passed=False)["MP-4.1-009"] == "fail"
    assert with_gate("max_personal_data", threshold=None)["MP-4.1-009"] == "not-stated"
    assert with_gate("min_samples", passed=False)["GV-1.3-002"] == "fail"


def test_accuracy_passes_only_as_far_as_answers_were_verified(facts: Facts) -> None:
    def verified(**verdicts: int) -> tuple[str, str]:
        said = results(replace(facts, verified=verdicts))
        return said["MP-2.3-002"], said["MP-2.3-003"]

    assert verified(unchecked=facts.rows) == ("partly", "fail")
    assert verified(yes=1, unchecked=facts.rows - 1) == ("partly", "partly")
    assert verified(yes=facts.rows) == ("pass", "pass")
    told = {action["id"]: action.get("measured") for action in orjson.loads(nist.render(facts))["actions"]}
    assert f"of {facts.rows:,} rows verified: " in told["MP-2.3-002"]


def test_groundedness_passes_only_where_a_gate_measured_it(facts: Facts) -> None:
    def grounded(**changes: Any) -> str:
        gate = replace(facts.gates[0], **{"name": "max_ungrounded", "threshold": 0.1, "passed": True, **changes})
        return results(replace(facts, gates=(*facts.gates, gate)))["MS-2.5-005"]

    assert results(facts)["MS-2.5-005"] == "partly"
    assert (grounded(), grounded(passed=False), grounded(threshold=None)) == ("pass", "fail", "partly")


def test_rows_of_unknown_licence_and_counts_that_do_not_add_up_fail(facts: Facts) -> None:
    assert results(facts)["GV-6.1-001"] == "fail"  # the toy corpus has documents without a licence
    assert results(replace(facts, duties={"notice": 1}))["GV-6.1-001"] == "pass"
    first, *rest = facts.steps
    lost = replace(first, counts={**first.counts, "used": first.counts["used"] - 1})
    assert results(replace(facts, steps=(lost, *rest)))["MP-2.1-002"] == "fail"


def test_a_planted_fault_is_found(facts: Facts) -> None:
    def problems(**change: Any) -> list[str]:
        body = orjson.loads(nist.render(facts))
        body["actions"][0].update(change)
        return nist.problems(orjson.dumps(body))

    assert problems(result="splendid") == [
        "GV-1.1-001: the result is 'splendid', not one of pass, partly, fail, not-stated"
    ]
    assert problems(evidence=[]) == ["GV-1.1-001: evidence is missing"]
    assert any("GV-9.9-001" in problem for problem in problems(id="GV-9.9-001"))
    body = orjson.loads(nist.render(facts))
    del body["actions"][3]
    assert nist.problems(orjson.dumps(body)) == [f"{ACTIONS[3].id}: the action is missing"]
    del body["dataset"]["rows"]
    with pytest.raises(ValueError, match=r"dataset\.rows is missing"):
        nist.claims(orjson.dumps(body))


def test_bytes_that_are_no_document_are_told_not_raised() -> None:
    assert all(nist.problems(data) for data in (b"\xff", b"[]", b"{}", b""))
