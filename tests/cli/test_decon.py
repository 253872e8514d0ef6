"""`factory decon` on files as people have them: exit codes, tables, hits as files, review, self-test, errors."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factory.cli.decon import CONTAMINATED
from factory.cli.main import main
from tests.curate.decon.material import CLEAN, DUCKS, PLANET, SONATA

SOLUTION = "Janet sells 16 - 3 - 4 = 9 duck eggs a day. She makes 9 * 2 = 18 dollars every day at the market."


@pytest.fixture
def benchmark(tmp_path: Path) -> str:
    path = tmp_path / "school.jsonl"
    rows = [{"question": DUCKS, "answer": SOLUTION}, {"question": PLANET, "answer": "Venus"}, {"question": SONATA}]
    path.write_text("".join(json.dumps({"answer": "", **row}) + "\n" for row in rows))
    return f"school={path}"


def rows(tmp_path: Path, *texts: str, name: str = "mine.jsonl") -> str:
    path = tmp_path / name
    path.write_text("".join(json.dumps({"question": text, "answer": "It depends."}) + "\n" for text in texts))
    return str(path)


def last_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    result: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return result


def test_clean_rows_are_exit_code_0(tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decon", rows(tmp_path, *CLEAN), "--benchmark", benchmark]) == 0
    out = capsys.readouterr().out
    assert "5 benchmark texts: school 5" in out
    assert "10 texts in 5 rows of 1 files: 0 contaminated, 0 similar" in out


def test_contaminated_rows_have_a_code_and_a_table(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = rows(tmp_path, *CLEAN, DUCKS, f"{CLEAN[0]} {SONATA}", DUCKS.replace("16", "29"))
    assert main(["decon", mine, "--benchmark", benchmark]) == CONTAMINATED == 8
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["school", "exact", "1", "0"] in lines
    assert ["school", "short_containment", "1", "0"] in lines
    assert "2 contaminated, 1 similar" in " ".join(lines[-1])


def test_rows_that_are_only_similar_are_clean_unless_told_otherwise(tmp_path: Path, benchmark: str) -> None:
    mine = rows(tmp_path, DUCKS.replace("16", "29"))
    assert main(["decon", mine, "--benchmark", benchmark]) == 0
    assert main(["decon", mine, "--benchmark", benchmark, "--rule", "similar=reject"]) == CONTAMINATED


def test_answers_are_held_against_solutions(tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chat.jsonl"
    turns = [{"role": "user", "content": "How much?"}, {"role": "assistant", "content": f"Well. {SOLUTION}"}]
    path.write_text(json.dumps({"messages": turns}))
    assert main(["decon", str(path), "--benchmark", benchmark, "--json"]) == CONTAMINATED
    (hit,) = last_json(capsys)["hits"]  # type: ignore[misc]
    assert hit["benchmark"] == "school"


@pytest.mark.parametrize("name", ["hits.jsonl", "hits.parquet"])
def test_hits_are_written_with_their_place_and_evidence(tmp_path: Path, benchmark: str, name: str) -> None:
    out = tmp_path / name
    main(["decon", rows(tmp_path, *CLEAN, f"{CLEAN[0]} {PLANET}"), "--benchmark", benchmark, "--out", str(out)])
    found = pq.read_table(out).to_pylist() if name.endswith("parquet") else [json.loads(out.read_text())]
    (hit,) = found
    assert (hit["row"], hit["column"], hit["side"], hit["verdict"]) == (5, "question", "question", "contaminated")
    assert (hit["benchmark"], hit["item"], hit["rule"]) == ("school", "school.jsonl:1", "ngram_coverage")
    assert hit["span"] == "which planet of the solar system has the longest day"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["school.jsonl", "mine.jsonl", name])


def test_review_shows_both_sides_with_the_match_marked_and_no_escapes_in_a_pipe(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["decon", rows(tmp_path, f"{CLEAN[0]} {SONATA} {CLEAN[1]}"), "--benchmark", benchmark, "--review"])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "benchmark item" in out
    right = " ".join(line.partition(" | ")[2] for line in out.splitlines())
    assert "[[Who composed the Moonlight Sonata]]?" in " ".join(right.split())


def test_the_self_test_prints_recall_by_class_and_length(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = rows(tmp_path, *CLEAN)
    assert main(["decon", mine, "--benchmark", benchmark, "--self-test", "--json"]) == 0
    captured = capsys.readouterr()
    assert "verbatim" in captured.err
    result = json.loads(captured.out.splitlines()[-1])
    assert result["self_test"]["verbatim"]["8-15"] == {"plants": 1, "found": 1, "similar": 0, "named": 1, "recall": 1.0}
    assert (result["rows"], result["marked"]) == (5, 0)


def test_benchmarks_and_rules_come_from_a_file_or_from_a_runs_keys(tmp_path: Path, benchmark: str) -> None:
    mine = rows(tmp_path, f"{CLEAN[0]} {SONATA}")
    path = benchmark.partition("=")[2]
    settings = tmp_path / "decon.yaml"
    settings.write_text(f"curate:\n  benchmarks: [{{name: school, path: {path}, fields: [question]}}]\n")
    assert main(["decon", mine, "--config", str(settings)]) == CONTAMINATED
    settings.write_text(settings.read_text() + "  decontamination: {short_containment: null}\n")
    assert main(["decon", mine, "--config", str(settings)]) == 0
    key = f"curate.benchmarks=[{{name: school, path: '{path}', fields: [question]}}]"
    assert main(["decon", mine, "--config", key]) == CONTAMINATED


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["{mine}"], 2, "no benchmark is named"),
        (["{mine}", "--benchmark", "school"], 2, "not understood"),
        (["{mine}", "--benchmark", "school=/nowhere.jsonl"], 2, "no file at"),
        (["{mine}", "--benchmark", "{benchmark}:task"], 2, "no field 'task'"),
        (["{mine}", "--benchmark", "{benchmark}", "--rule", "exactly=1"], 2, "did you mean `exact`"),
        (["{mine}", "--benchmark", "{benchmark}", "--rule", "exact"], 2, "not NAME=VALUE"),
        (["{mine}", "--benchmark", "{benchmark}", "--out", "hits.csv"], 2, "neither .parquet nor .jsonl"),
        (["{mine}", "--config", "/nowhere.yaml"], 2, "cannot be read"),
        (["/nowhere", "--benchmark", "{benchmark}"], 3, "nothing to read at /nowhere"),
        (["{mine}", "--benchmark", "{benchmark}", "--field", "task"], 3, "no text under task"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, says: str
) -> None:
    mine = rows(tmp_path, *CLEAN)
    assert main(["decon", *(text.format(mine=mine, benchmark=benchmark) for text in arguments)]) == code
    said = capsys.readouterr().err
    assert says in said
    assert "what to do" in said


def test_naming_the_answers_column_does_not_hide_the_questions(tmp_path: Path, benchmark: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"question": DUCKS, "reply": "It depends on the ducks and on what they were fed."}))
    assert main(["decon", str(path), "--benchmark", benchmark, "--answer-field", "reply"]) == CONTAMINATED
    path.write_text(json.dumps({"asked": "How much?", "answer": f"Well. {SOLUTION}"}))
    assert main(["decon", str(path), "--benchmark", benchmark, "--field", "asked"]) == CONTAMINATED


def test_two_benchmarks_of_one_name_are_refused(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = rows(tmp_path, *CLEAN)
    assert main(["decon", mine, "--benchmark", benchmark, "--benchmark", benchmark]) == 2
    assert "school is named twice" in capsys.readouterr().err


def test_what_is_wrong_with_a_benchmark_is_told_in_the_words_of_the_command_line(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = rows(tmp_path, *CLEAN)
    for option, told in (
        ("other=/nowhere.jsonl", "correct PATH of --benchmark NAME=PATH"),
        (f"other={benchmark.partition('=')[2]}:nothing", "correct the columns of --benchmark NAME=PATH"),
    ):
        assert main(["decon", mine, "--benchmark", option]) == 2
        said = capsys.readouterr().err
        assert told in said
        assert "curate.benchmarks" not in said
    keys = "curate.benchmarks=[{name: theirs, path: /nowhere.jsonl, fields: [question]}]"
    assert main(["decon", mine, "--benchmark", benchmark, "--config", keys]) == 2
    assert "correct curate.benchmarks[].path" in capsys.readouterr().err


def test_data_without_a_text_is_told_to_say_nothing(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.jsonl").write_text("")
    main(["decon", str(tmp_path / "mine.jsonl"), "--benchmark", benchmark])
    assert "says nothing of your data" in capsys.readouterr().err


def test_a_column_that_holds_no_text_is_named_with_what_it_holds(
    tmp_path: Path, benchmark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.jsonl").write_text(json.dumps({"question": 5}))
    assert main(["decon", str(tmp_path / "mine.jsonl"), "--benchmark", benchmark]) == 3
    assert "question (int)" in capsys.readouterr().err
    (tmp_path / "numbers.jsonl").write_text(json.dumps({"question": 5}))
    mine = rows(tmp_path, *CLEAN, name="clean.jsonl")
    assert main(["decon", mine, "--benchmark", f"n={tmp_path / 'numbers.jsonl'}"]) == 2
    assert "question (int)" in capsys.readouterr().err
