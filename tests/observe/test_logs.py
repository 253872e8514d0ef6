"""Structured logs: every line an object, nothing a terminal obeys, no secret."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.observe import logs
from factory.printable import OBEYED
from tests.runs import run_factory

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=12), VALUES, max_size=5), st.text(max_size=20))
def test_whatever_the_fields_hold_a_line_is_one_object_that_nothing_obeys(fields: dict[str, Any], event: str) -> None:
    line = logs.line_of(event, "info", fields)
    assert "\n" not in line
    assert not OBEYED.search(line)
    assert isinstance(json.loads(line), dict)


def test_hostile_text_comes_through_escaped() -> None:
    line = logs.line_of("note", "info", {"message": "a\x1b[2Jb\r\nc\u202ed\x9be\ud800"})
    assert json.loads(line)["message"] == "a\x1b[2Jb\r\nc\u202ed\x9be\ud800"
    assert not OBEYED.search(line)


def test_secrets_are_blanked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "quite-secret-value")
    fields = {"message": "said quite-secret-value", "nested": {"deep": ["s3://user:pw@host/x", "Bearer abcdefghijkl"]}}
    line = logs.line_of("note", "info", {**fields, "api_key": "anything"})
    assert "quite-secret" not in line
    assert "user:pw" not in line
    assert "abcdefghijkl" not in line
    assert "anything" not in line


def test_libraries_log_lines_too(capfd: pytest.CaptureFixture[str]) -> None:
    with logs.logging_as(json_lines=True):
        logging.getLogger("some.library").warning("odd: %s", "x")
    logging.getLogger("some.library").warning("plain again")
    lines = capfd.readouterr().err.splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    assert [(line["logger"], line["level"], line["message"]) for line in found] == [
        ("some.library", "warning", "odd: x")
    ]


def test_a_command_that_fails_says_so_as_an_object(tmp_path: Path) -> None:
    wrong = ["observe.logs=json", "question.levels=[4]"]
    failed = run_factory(tmp_path, str(tmp_path / "root"), wrong, check=False)
    assert failed.code == 2
    (line,) = [json.loads(line) for line in failed.stderr.splitlines()]
    assert line["event"] == "failed"
    assert line["level"] == "error"
    assert line["error"] == "ConfigError"
    assert "question.levels" in line["message"]
