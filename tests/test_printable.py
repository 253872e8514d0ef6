"""What terminals obey in other people's text is shown instead."""

from __future__ import annotations

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.cli.main import main
from factory.printable import OBEYED, json_printable, printable, shown, unguarded

HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.exe\u2066\x00\r\x7f"


def test_everything_that_is_obeyed_is_shown_and_the_rest_is_kept() -> None:
    assert printable("tab\tline\nعربي\u200f שלום é \U0001f600") == "tab\tline\nعربي\u200f שלום é \U0001f600"
    said = printable(f"a{HOSTILE}b\r\n")
    assert not OBEYED.search(said)
    assert said.startswith("a\ufffd[2J")
    assert said.endswith("b\n")


@given(st.dictionaries(st.text(), st.text()))
def test_a_line_of_json_means_the_same(value: dict[str, str]) -> None:
    line = json_printable(json.dumps(value, ensure_ascii=False))
    assert json.loads(line) == value
    assert not OBEYED.search(line)


def test_what_a_command_prints_passes_and_its_own_sequences_can_be_let_through(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shown():
        print(f"row {HOSTILE}")
        print(f"error {HOSTILE}", file=sys.stderr)
        print("\x1b[7mours\x1b[27m", file=unguarded(sys.stdout))
    out, err = capsys.readouterr()
    assert "\x1b[7mours" in out
    assert not OBEYED.search(out.replace("\x1b[7mours\x1b[27m", ""))
    assert not OBEYED.search(err)


def test_a_hostile_name_on_the_command_line_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", f"/no/such/{HOSTILE.replace(chr(0), '')}"]) == 2
    err = capsys.readouterr().err
    assert "gnp.exe" in err
    assert not OBEYED.search(err)
