from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from factory.govern.ai_act.answers import FIELDS, answers
from factory.govern.documents import ai_act, ai_act_markdown
from factory.govern.facts import Facts
from tests.govern.documents.agreeing import disagreements

BOTH = (ai_act, ai_act_markdown)


def told(facts: Facts) -> dict[tuple[str, str], Any]:
    return {(answer.section, answer.key): answer.value for answer in answers(facts)}


@pytest.mark.parametrize("document", BOTH, ids=["json", "markdown"])
@pytest.mark.parametrize("who", ["facts", "silent"])
def test_a_document_says_what_the_facts_say(document: Any, who: str, request: pytest.FixtureRequest) -> None:
    facts = request.getfixturevalue(who)
    data = document.render(facts)
    assert document.problems(data) == []
    claims = document.claims(data)
    assert disagreements(claims, facts) == []
    assert None not in (claims.rows, claims.models, claims.licenses, claims.gates)
    assert document.render(facts) == data


def test_both_say_the_same(facts: Facts) -> None:
    written = ai_act_markdown.claims(ai_act_markdown.render(facts))
    assert written == ai_act.claims(ai_act.render(facts))


def test_every_field_is_answered_once(facts: Facts) -> None:
    assert [(answer.section, answer.key) for answer in answers(facts)] == list(FIELDS)


def test_what_nobody_stated_says_so(silent: Facts) -> None:
    sections = orjson.loads(ai_act.render(silent))["sections"]
    said = {answer["key"]: answer for answer in next(s for s in sections if s["number"] == "2.3")["answers"]}
    assert said["crawled"] == {
        "key": "crawled",
        "label": "Were crawlers used by the publisher or on their behalf",
        "value": "not stated",
        "stated": False,
    }
    assert said["places"]["stated"]
    assert "(`crawled`): not stated" in ai_act_markdown.render(silent).decode()


def test_models_with_a_link_to_their_summary_stand_apart_from_those_without(facts: Facts, silent: Facts) -> None:
    linked, bare = told(facts), told(silent)
    assert linked["2.5", "gpai_models"][0] == (
        "toy/answer, revision r1 (answer), https://example.org/summaries/toy/answer"
    )
    assert linked["2.5", "other_models"] == ("none",)
    assert bare["2.5", "gpai_models"] is None
    assert bare["2.5", "other_models"] == ("toy/answer, revision r1 (answer)", "toy/question, revision r1 (question)")


def test_the_top_tenth_of_hosts_is_listed(facts: Facts) -> None:
    hosts = [[f"h{number}.example", 50 - number] for number in range(25)]
    many = replace(facts, sources={**facts.sources, "hosts": 25, "top_hosts": hosts})
    assert told(many)["2.3", "hosts"] == ("h0.example: 50", "h1.example: 49", "h2.example: 48")


def test_a_dry_run_is_told_as_one(facts: Facts) -> None:
    dry = replace(facts, dry_run=True)
    assert str(told(dry)["2.5", "used"]).startswith("no: a dry run")
    claims = ai_act.claims(ai_act.render(dry))
    assert claims.synthetic is None
    assert claims.models == {("toy/answer", "r1"), ("toy/question", "r1"), ("toy/judge", "r1")}
    assert told(dry)["2.5", "other_models"] == ("none",)
    assert told(dry)["2.5", "gpai_models"] is None
    assert "dry run that no AI model wrote" in str(told(dry)["2.5", "marking"])


def test_words_of_the_publisher_open_no_markup_and_forge_no_answer(facts: Facts) -> None:
    page = ai_act_markdown.render(facts)
    assert b"<b>" not in page
    assert b"](http" not in page
    assert ai_act_markdown.claims(page).version == facts.version


@pytest.mark.parametrize(
    ("section", "key"), [("0", "digest"), ("1.3", "rows"), ("2.5", "other_models"), ("2.3", "hosts")]
)
def test_an_answer_that_is_gone_is_named(facts: Facts, section: str, key: str) -> None:
    body = orjson.loads(ai_act.render(facts))
    for found in body["sections"]:
        if found["number"] == section:
            found["answers"] = [answer for answer in found["answers"] if answer["key"] != key]
    data = orjson.dumps(body)
    assert ai_act.problems(data) == [f"section {section}: {key} is missing"]
    with pytest.raises(ValueError, match=f"{key} is missing"):
        ai_act.claims(data)
    lines = ai_act_markdown.render(facts).decode().splitlines(keepends=True)
    cut = "".join(line for line in lines if f"(`{key}`)" not in line).encode()
    assert f"section {section}: {key} is missing" in ai_act_markdown.problems(cut)


@pytest.mark.parametrize("document", BOTH, ids=["json", "markdown"])
def test_bytes_that_are_no_document_are_told_not_raised(document: Any) -> None:
    assert all(document.problems(data) for data in (b"\xff", b"[]", b"{}", b""))
