"""Columns, their order, and the forms a comparison is given in."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.cli.main import main
from factory.compare.columns import columns_of, find_column, short_names, sorted_by
from factory.compare.export import to_csv, to_json
from factory.compare.facts import Compared, Comparison
from factory.compare.gather import gather
from factory.compare.table import in_terminal
from factory.errors import ConfigError
from factory.store.local import LocalStore
from tests.compare.roots import SWEEP, whole_sweep


def compared(samples: list[int | None]) -> Comparison:
    rows = [Compared(f"r{n}", "finished", run=f"r{n}", samples=each) for n, each in enumerate(samples)]
    return Comparison("/root", tuple(rows))


@given(st.lists(st.one_of(st.none(), st.integers(0, 9)), min_size=1, max_size=12), st.booleans())
def test_sorting_keeps_every_row_and_puts_the_unknown_last(samples: list[int | None], reverse: bool) -> None:
    found = compared(samples)
    if all(each is None for each in samples):
        return
    rows = sorted_by(found, columns_of(found), "samples", reverse=reverse)
    assert sorted(row.name for row in rows) == sorted(row.name for row in found.rows)
    known = [row.samples for row in rows if row.samples is not None]
    assert known == sorted(known, reverse=reverse)
    assert all(row.samples is None for row in rows[len(known) :])


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join), min_size=1, unique=True))
def test_short_names_are_ends_of_keys_and_differ(keys: list[str]) -> None:
    names = short_names(keys)
    assert all(f".{key}".endswith(f".{name}") for key, name in names.items())
    assert len(set(names.values())) == len(keys)


def test_a_column_is_found_by_an_end_of_its_name_and_a_slip_is_answered(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    columns = columns_of(gather(local_store, SWEEP))
    assert find_column(columns, "too_short").key == "rejected.question_1.too_short"
    with pytest.raises(ConfigError, match="samples"):
        find_column(columns, "sampels")


def test_csv_has_every_column_and_runs_no_formula(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    found = gather(local_store, SWEEP)
    columns = columns_of(found)
    lines = list(csv.reader(io.StringIO(to_csv(columns, found.rows))))
    assert lines[0] == [column.key for column in columns]
    assert len(lines) == 4
    hostile = Comparison("/r", (Compared("x", "=cmd|'/c calc'!A0", error="@SUM(1)\nline"),))
    text = to_csv(columns_of(hostile), hostile.rows)
    assert "\n=" not in text
    assert "'=cmd" in text
    assert "'@SUM" in text


def test_json_says_what_the_table_says(local_store: LocalStore) -> None:
    whole_sweep(local_store)
    found = gather(local_store, SWEEP)
    columns = columns_of(found)
    value = json.loads(json.dumps(to_json(found, columns, found.rows)))
    assert value["sweep"] == SWEEP
    assert [run["values"]["samples"] for run in value["runs"]] == [41, 42, 43]
    assert value["requests"] == {"alone": 300, "paid": 180, "by_others": 0}
    assert [column["key"] for column in value["columns"]] == list(value["runs"][0]["values"])


@given(st.integers(20, 200))
def test_a_table_fits_its_width_or_becomes_blocks(width: int) -> None:
    found = compared([1, 22, None, 4444])
    columns = columns_of(found)
    text = in_terminal(columns, found.rows, width)
    table = "\n\n" not in text
    assert not table or max(map(len, text.splitlines())) <= width
    assert table or text.count("\n\n") == 3
    assert "4,444" in text


def test_the_command_prints_table_csv_and_json_and_writes_a_page(
    local_store: LocalStore, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_sweep(local_store)
    root = local_store.uri
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["compare", root, "--sweep", "last", "--sort", "samples", "--reverse"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[:1].isdigit()][:3] == ["3", "2", "1"]
    assert "300 requests if each were alone, 180 paid, 120 shared (40 %)" in "\n".join(lines)
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["compare", root, "--sweep", "last"]) == 0
    assert max(map(len, capsys.readouterr().out.split("\n\n")[0].splitlines())) <= 40
    assert main(["compare", root, "--csv"]) == 0
    assert capsys.readouterr().out.startswith("run,state,")
    assert main(["compare", root, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 3


def test_wrong_names_end_with_words(local_store: LocalStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", local_store.uri]) == 2
    assert "there is no run under" in capsys.readouterr().err
    whole_sweep(local_store)
    assert main(["compare", local_store.uri, "--sort", "nothing"]) == 2
    said = capsys.readouterr().err
    assert "there is no column nothing" in said
    assert 0 < said.partition("choose one of: ")[2].count(",") < 12
    assert main(["compare", local_store.uri, "--sort", "self_paid_requests"]) == 2
    assert "choose one of: " in (said := capsys.readouterr().err)
    assert "own_requests" in said
    assert "prompt_tokens" not in said
    assert main(["compare", local_store.uri, "--html", "/no/such/folder/page.html"]) == 2
    assert "the page cannot be written" in capsys.readouterr().err
