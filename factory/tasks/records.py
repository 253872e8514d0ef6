"""Structured records: rows by the user's JSON schema, each with a description that it can be read back from.

Design: the model invents a case in the spirit of the passage: a description in prose, and the record of it, decoded
under the user's schema and then validated strictly against it. The published row asks for the record of a description;
its answer is the record. The answer stage reads the description alone, under the same schema, and the row is verified
where it comes to the same values (numbers by value, texts by the verifiers' normal form). So `verified` says that the
description says what the record holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from factory.answers.verify.exact import same_text
from factory.answers.verify.verdict import Verdict
from factory.concepts.reply import SCHEMA_MISMATCH, read_reply
from factory.concepts.wording import clean_text
from factory.engine.api import FINISH_STOP
from factory.identity import canonical_json
from factory.tasks.config import RecordsConfig
from factory.tasks.record_schema import RecordSchema
from factory.tasks.task import About, Data, Drafted, Given, Problem

INVALID_RECORD, UNREADABLE = "invalid_record", "unreadable"

BY = "records"
PROBLEMS = 5
"""Faults of a record that evidence names."""


@dataclass(frozen=True)
class Records:
    """TaskType: an answer is a record by the user's schema."""

    config: RecordsConfig
    schema: RecordSchema

    name = "records"
    shows_passage = False
    quotes = False
    votes = True
    asks_in_words = False
    wording: tuple[str, ...] = ()

    @property
    def framed(self) -> Mapping[str, str]:
        return {"schema": self.schema.text}

    def item_schema(self) -> dict[str, Any]:
        record, _ = self.schema.inside()
        return {"description": {"type": "string"}, "record": record}

    def definitions(self) -> dict[str, Any]:
        return self.schema.inside()[1]

    def asked_with(self, about: About) -> Mapping[str, str]:
        return {"schema": self.schema.text}

    def draft(self, item: Mapping[str, Any], about: About) -> Drafted | Problem:
        description, record = item.get("description"), item.get("record")
        if not isinstance(description, str):
            return Problem(SCHEMA_MISMATCH, {"field": "description"})
        description = clean_text(description)
        if faults := self.schema.problems(record):
            shown = canonical_json(record).decode()[:1000]
            return Problem(INVALID_RECORD, {"faults": faults[:PROBLEMS], "record": shown}, description)
        return Drafted(description, description, {"record": record, "schema_id": self.schema.schema_id})

    def answered_with(self, data: Data) -> Mapping[str, str]:
        return {"schema": self.schema.text}

    def answer_schema(self) -> dict[str, Any]:
        return self.schema.schema

    def published(self, sample: str, data: Data) -> tuple[str, str | None]:
        read = read_reply(sample, FINISH_STOP).value
        return self._written(data["record"]), self._written(read) if read is not None else UNREADABLE

    def verify(self, data: Data, given: Given) -> Verdict:
        read = read_reply(given.final or "", FINISH_STOP).value
        if read is None or (faults := self.schema.problems(read)):
            return Verdict("no", BY, {"read": UNREADABLE if read is None else faults[:PROBLEMS]})
        record = data["record"]
        different = sorted(key for key in {*read, *record} if not same_value(read.get(key), record.get(key)))
        shown = {key: [record.get(key), read.get(key)] for key in different[:PROBLEMS]}
        return Verdict("no" if different else "yes", BY, {"different": shown})

    def _written(self, record: Mapping[str, Any]) -> str:
        """A record as rows publish it: JSON, its columns in the schema's order."""
        columns = dict.fromkeys([*self.schema.columns, *record])
        return orjson.dumps({name: record[name] for name in columns if name in record}).decode()

    def identity(self) -> dict[str, Any]:
        return {"schema": self.schema.schema_id}

    def check_identity(self) -> dict[str, Any]:
        return {"schema": self.schema.schema_id}


def same_value(one: Any, other: Any) -> bool:
    """Whether two values of a column are the same: texts by normal form, numbers by value, the rest item by item."""
    if isinstance(one, str) and isinstance(other, str):
        return same_text(one, other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same_value(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    return bool(one == other)
