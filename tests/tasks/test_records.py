"""Records: valid by the user's schema to the letter, and read back from their description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from factory.errors import ConfigError
from factory.questions.config import QuestionConfig
from factory.tasks.config import RecordsConfig, TasksConfig
from factory.tasks.kinds import task_types
from factory.tasks.question import TaskQuestionStep
from factory.tasks.record_schema import record_schema
from factory.tasks.records import Records, same_value
from tests.tasks.planted import PACK, answered, drafted, problem, verdict

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "kind": {"$ref": "#/$defs/kind"},
        "length_km": {"type": "number", "minimum": 0, "maximum": 500},
        "first_measured": {"type": "string", "format": "date"},
        "retreats": {"type": "boolean"},
    },
    "required": ["name", "kind", "length_km", "retreats"],
    "$defs": {"kind": {"enum": ["valley", "cirque", "ice_cap"]}},
}
TASK = Records(RecordsConfig(questions=2, schema_file="s.json"), record_schema(json.dumps(SCHEMA).encode(), "s.json"))
RECORD = {"name": "Vernagtferner", "kind": "valley", "length_km": 3.1, "first_measured": "1889-08-01", "retreats": True}
GOOD: dict[str, Any] = {
    "description": "The valley glacier Vernagtferner, 3.1 km long, was first measured on 1 August 1889 and retreats.",
    "record": RECORD,
}


def test_a_valid_record_becomes_the_answer_of_its_description() -> None:
    found = drafted(TASK, GOOD)
    assert found.text == GOOD["description"]
    assert found.data == {"record": RECORD, "schema_id": TASK.schema.schema_id}


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "iceberg"},
        {"length_km": "3.1"},
        {"length_km": -1},
        {"length_km": True},
        {"first_measured": "in August"},  # formats are checked, whatever a decoder enforces
        {"colour": "blue"},  # unknown columns are refused though the schema does not say so
        {"name": ""},
    ],
)
def test_a_record_that_breaks_its_schema_is_a_reject(changes: dict[str, Any]) -> None:
    assert problem(TASK, {**GOOD, "record": {**RECORD, **changes}}) == "invalid_record"


def test_a_missing_column_and_no_record_at_all_are_rejects() -> None:
    assert problem(TASK, {**GOOD, "record": {"name": "V", "kind": "valley", "length_km": 3}}) == "invalid_record"
    assert problem(TASK, {**GOOD, "record": None}) == "invalid_record"
    assert problem(TASK, {**GOOD, "description": None}) == "schema_mismatch"


def test_another_reading_of_the_description_has_to_come_to_the_same_values() -> None:
    data = drafted(TASK, GOOD).data
    same = {**RECORD, "length_km": 3.10, "name": " Vernagtferner"}
    assert verdict(TASK, data, "", json.dumps(same)).verified == "yes"
    found = verdict(TASK, data, "", json.dumps({**RECORD, "retreats": False}))
    assert (found.verified, found.by) == ("no", "records")
    assert found.evidence["different"] == {"retreats": [True, False]}
    for unusable in ("not JSON", json.dumps({**RECORD, "kind": "iceberg"}), ""):
        assert verdict(TASK, data, "", unusable).verified == "no"


def test_the_answer_is_the_record_in_the_schema_s_order() -> None:
    reading = json.dumps({**RECORD, "length_km": 4})
    (row,) = answered(TASK, GOOD, reading).accepted
    assert json.loads(row["answer"]) == RECORD
    assert list(json.loads(row["answer"])) == list(SCHEMA["properties"])
    assert json.loads(row["final_answer"])["length_km"] == 4


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("ice ", "Ice", True), (3, 3.0, True), (1, True, False), ([1, "a"], [1, "A"], True), ([1], [1, 2], False),
     ({"a": 1}, {"a": 1.0}, True), ({"a": 1}, {"b": 1}, False), (None, 0, False)],
)  # fmt: skip
def test_values_are_compared_by_what_they_mean(one: Any, other: Any, same: bool) -> None:
    assert same_value(one, other) is same


def test_definitions_stand_at_the_root_of_the_reply_s_schema() -> None:
    schema = TaskQuestionStep(TASK, QuestionConfig(), PACK, seed=5).response_schema
    assert schema["$defs"] == SCHEMA["$defs"]
    item = schema["properties"]["questions"]["items"]["properties"]["record"]
    assert item["properties"]["kind"] == {"$ref": "#/$defs/kind"}
    assert "$defs" not in item


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ('{"type": "array"}', "no object with properties"),
        ('{"type": "object", "properties": {}}', "no object with properties"),
        ('{"type": "object", "properties": {"a": {"type": "words"}}}', "no JSON schema"),
        ('{"type": "object", "properties": {"a": {"$ref": "other.json"}}}', "leads elsewhere"),
        ('{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"B": {}}}', "leads elsewhere"),
        (
            '{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"anyOf": '
            '[{"$ref": "#/$defs/c"}]}, "c": {"items": {"$ref": "#/$defs/b"}}}}',
            "leads back to itself",
        ),
        ('{"type": "object", "properties": {"a": {"description": "%s"}}}' % ("x" * 20_000), "characters"),
    ],
)  # fmt: skip
def test_a_schema_that_is_none_is_refused_with_its_file(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        record_schema(text.encode(), "s.json")
    assert "tasks.records.schema_file=s.json" in refused.value.what


def test_a_schema_file_that_is_not_there_is_said_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        task_types(TasksConfig(records=RecordsConfig(questions=1, schema_file=str(tmp_path / "none.json"))))
    with pytest.raises(ValueError, match=r"needs tasks\.records\.schema_file"):
        RecordsConfig(questions=1)
