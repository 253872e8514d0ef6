"""Tags of questions: asked for by schema, kept with the row, refused where there is no such value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from factory.answers.config import AnswerConfig
from factory.answers.step import AnswerStep
from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.questions.level1 import Level1Step
from factory.questions.level2 import Level2Step
from tests.questions.replies import CONCEPTS, CONFIG, DOCUMENT, PACK, TEXTS, completion

TAGGED = replace(PACK, tags={"bloom": ("remember", "apply"), "lab": ("yes", "no")})
STEP = Level1Step(CONFIG, TAGGED, seed=5)


def asked(**tags: Any) -> dict[str, Any]:
    question = {"question": "How many edges has a tree?", "origin": "created", "level": "college", **tags}
    return {"suitable": True, "questions": [question]}


def test_tags_are_asked_for_and_kept_in_the_order_of_the_pack() -> None:
    item = STEP.response_schema["properties"]["questions"]["items"]
    assert item["properties"]["bloom"] == {"type": "string", "enum": ["remember", "apply"]}
    assert {"bloom", "lab"} <= set(item["required"])
    parsed = STEP.parse(DOCUMENT, TEXTS, [completion(asked(lab="No", bloom="APPLY"))], "f")
    assert parsed.rejects == []
    assert parsed.accepted[0]["tags"] == [{"name": "bloom", "value": "apply"}, {"name": "lab", "value": "no"}]
    assert pa.Table.from_pylist(parsed.accepted, schema=STEP.schema).column_names[-1] == "tags"


@pytest.mark.parametrize("tags", [{"bloom": "apply"}, {"bloom": "guess", "lab": "no"}, {"bloom": 3, "lab": "no"}])
def test_a_tag_that_is_missing_or_no_value_turns_the_question_away(tags: dict[str, Any]) -> None:
    parsed = STEP.parse(DOCUMENT, TEXTS, [completion(asked(**tags))], "f")
    reject = next(reject for reject in parsed.rejects if reject.side == "output")
    assert parsed.accepted == []
    assert reject.reason == "schema_mismatch"
    assert reject.evidence["field"] == ("lab" if tags["bloom"] == "apply" else "bloom")


def test_level_2_and_answers_pass_tags_on() -> None:
    step = Level2Step(CONFIG, TAGGED, seed=5)
    sets = step.sets_for(CONCEPTS)
    reply = {
        "questions": [
            {"concepts": list(sets[0]), "question": "How many cycles has a tree?", "bloom": "apply", "lab": "no"}
        ]
    }
    question = step.parse(CONCEPTS, TEXTS, [completion(reply)], "f").accepted[0]
    answers = AnswerStep(AnswerConfig(), TAGGED, seed=5)
    answered = answers.parse(question, TEXTS, [completion("None. Final answer: 0")], "f").accepted[0]
    assert answered["tags"] == question["tags"] != []
    assert pa.Table.from_pylist([answered], schema=answers.schema).column("tags").null_count == 0


def test_a_pack_without_tags_has_the_schema_and_the_identity_it_had() -> None:
    plain = Level1Step(CONFIG, PACK, seed=5)
    assert "tags" not in plain.schema.names
    assert set(plain.response_schema["properties"]["questions"]["items"]["properties"]) == {
        "question",
        "origin",
        "level",
    }
    assert plain.identity() != STEP.identity()


def test_the_education_pack_tells_the_model_what_each_bloom_level_means() -> None:
    pack = load_pack(DomainConfig(name="education"))
    shown = Level1Step(CONFIG, pack, seed=5).prompt(DOCUMENT, TEXTS, "f")[0].content
    assert '"bloom" is one of remember, understand, apply, analyse, evaluate, create' in shown
