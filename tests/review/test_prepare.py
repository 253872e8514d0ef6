from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from factory.errors import ConfigError
from factory.review.decisions import read_decisions
from factory.review.prepare import Settings, check_settings, read_real
from factory.review.reasons import DEFAULT_REASONS, KEYS, reasons_of
from factory.run.outputs import fetch_texts
from factory.store.local import LocalStore
from tests.review.conftest import Opens


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_reviewers_of_the_same_command_get_the_same_items_in_the_same_order(opens: Opens) -> None:
    ada, bob = opens("--size", "9"), opens("--size", "9", reviewer="bob")
    assert ada.sheet == bob.sheet
    assert len({item.sample_id for item in ada.sheet.items}) == 9
    assert opens("--size", "9", "--seed", "1").sheet.items != ada.sheet.items


def test_the_page_shows_the_rows_that_were_drawn_with_the_passages_they_come_from(opens: Opens, dataset: Path) -> None:
    session = opens("--size", "6")
    rows = {row["sample_id"]: row for path in dataset.rglob("*.parquet") for row in pq.read_table(path).to_pylist()}
    for place, item in enumerate(session.sheet.items):
        assert item.sample_id is not None
        row, shown = rows[item.sample_id], session.item(place)
        assert (shown["question"], shown["answer"], shown["final_answer"]) == (
            row["question"],
            row["answer"],
            row["final_answer"],
        )
        passages = session.passages(place)
        texts = fetch_texts(LocalStore(str(dataset.parents[2])), row["lineage"]["sources"])
        assert [passage["text"] for passage in passages] == list(texts.values()) != []
        assert passages[0]["url"] == row["lineage"]["sources"][0]["url"]


def test_votes_and_verification_which_could_sway_are_not_shown(opens: Opens) -> None:
    labels = {label for label, _ in opens("--size", "2").item(0)["facts"]}
    assert not labels & {"agreement", "verified", "votes"}


@pytest.mark.parametrize("column", ["split", "license", "level"])
def test_a_stratified_draw_sees_every_value_of_the_column(opens: Opens, dataset: Path, column: str) -> None:
    sheet = opens("--by", column, "--size", "9").sheet
    tables = [(path.name.split("-")[0], pq.read_table(path)) for path in (dataset / "data").rglob("*.parquet")]
    held: Counter[str] = Counter()
    for split, table in tables:
        held.update([split] * table.num_rows if column == "split" else map(str, table.column(column).to_pylist()))
    assert {stratum.name: stratum.rows for stratum in sheet.strata} == held
    assert {item.stratum for item in sheet.items} == set(held)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "colour"], "no column 'colour'"),
        (["--by", "concepts"], "makes no strata"),
        (["--draw", "stratified"], "needs --by COLUMN"),
        (["--draw", "random", "--by", "level"], "--draw random takes no column"),
        (["--size", "0"], "between 1 and"),
        (["--real", "nothing.jsonl"], "cannot be read"),
        (["--review", "random-0"], "no review random-0"),
    ],
)
def test_what_makes_no_review_is_said(opens: Opens, options: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        opens(*options)


def test_a_blinded_review_with_a_draw_is_refused() -> None:
    with pytest.raises(ConfigError, match="draws at random"):
        check_settings(Settings(draw="lowest-agreement", real="file.jsonl"))


def test_a_reviewers_name_must_fit_a_key(opens: Opens) -> None:
    for name in ("../ada", "Ada Lovelace", "", "a" * 65):
        with pytest.raises(ConfigError, match="--reviewer"):
            opens(reviewer=name)


def test_a_blinded_review_mixes_as_many_real_as_synthetic_and_says_nothing_that_tells(opens: Opens, real: Path) -> None:
    session = opens("--real", str(real), "--size", "20")
    kinds = [item.real for item in session.sheet.items]
    assert sum(kinds) == 10
    assert kinds != sorted(kinds)
    assert kinds != sorted(kinds, reverse=True)
    items = [session.item(place) for place in range(20)]
    assert {tuple(item) for item in items} == {tuple(items[0])}
    assert all(item["final_answer"] is None and item["facts"] == [] and item["sources"] == 0 for item in items)
    assert all(session.passages(place) == [] for place in range(20))
    told = str(session.state())
    assert "sample_id" not in told
    assert "human.jsonl" not in told
    assert read_decisions(session.records, session.sheet) == []


def test_where_real_items_lack_answers_only_questions_are_compared(opens: Opens, tmp_path: Path) -> None:
    path = tmp_path / "questions.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["q", "a"])
        writer.writerows([[f"Why {number}?", "" if number == 3 else "so"] for number in range(8)])
    session = opens("--real", str(path), "--real-question", "q", "--real-answer", "a", "--size", "8")
    assert all(session.item(place)["answer"] is None for place in range(8))


def test_real_items_are_each_taken_once_and_a_wrong_column_names_the_right_ones() -> None:
    data = b'{"ask": "one?", "answer": 2}\n{"ask": "one?", "answer": 2}\n{"ask": "  "}\n'
    assert read_real("x.jsonl", data, "ask", "answer") == [("one?", "2")]
    with pytest.raises(ConfigError, match="columns are answer, ask"):
        read_real("x.jsonl", data, "question", "answer")
    with pytest.raises(ConfigError, match="format"):
        read_real("x.docx", data, "question", None)


def test_a_dataset_without_its_root_is_reviewed_all_the_same_and_says_what_is_missing(
    opens: Opens, dataset: Path
) -> None:
    for path in (dataset.parents[2] / "runs").glob("*.json"):
        path.unlink()
    passages = opens("--size", "2").passages(0)
    assert passages[0]["text"] is None
    assert "root" in passages[0]["why"]


def test_a_lost_source_file_is_said_on_the_page(opens: Opens, dataset: Path) -> None:
    session = opens("--size", "2")
    for path in (dataset.parents[2] / "steps").glob("select-*/data/*.parquet"):
        path.unlink()
    passages = session.passages(0)
    assert passages[0]["text"] is None
    assert "cannot be read" in passages[0]["why"]


def test_reviewing_leaves_the_dataset_as_it_was(opens: Opens, dataset: Path) -> None:
    from tests.review.conftest import decide

    before = files_below(dataset)
    decide(opens("--size", "3"), 0, "accept")
    assert files_below(dataset) == before
    assert list((dataset.parent / "records" / dataset.name / "reviews").rglob("sheet.json"))


def test_packs_bring_their_reasons(tmp_path: Path) -> None:
    maths = reasons_of("maths")
    assert "final answer is wrong" in maths
    assert reasons_of("general") == reasons_of("a pack of another machine") == DEFAULT_REASONS
    assert max(len(maths), len(DEFAULT_REASONS)) <= len(KEYS)
    (tmp_path / "pack.yaml").write_text("extends: general\nname: own\n")
    assert reasons_of(str(tmp_path)) == DEFAULT_REASONS
    (tmp_path / "review.yaml").write_text("reasons: [too long]\n")
    assert reasons_of(str(tmp_path)) == ("too long",)
    (tmp_path / "review.yaml").write_text("reasons: []\n")
    with pytest.raises(ConfigError):
        reasons_of(str(tmp_path))


def test_no_reason_has_the_key_of_a_command() -> None:
    commands: Any = set("arshmunjpkfc?0123456789")
    assert len(set(KEYS)) == len(KEYS)
    assert not set(KEYS) & commands
