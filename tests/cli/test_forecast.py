from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from factory.cli.main import main
from factory.errors import ConfigError
from factory.evaluate.forecast.points import read_points, tokens_in

ROWS = [("100M", 51.0), ("200M", 47.2), ("400M", 43.5), ("800M", 40.1), ("1.6B", 37.2), ("3.2B", 34.8), ("7.4B", 32.6)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text("tokens,error,model\n" + "".join(f"{tokens},{error},<b>3B\n" for tokens, error in ROWS))
    return path


def test_the_last_line_holds_the_fit_the_held_out_size_and_the_forecasts(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert main(["forecast", str(table), "--at", "14.8B", "--draws", "40", "--out", str(page)]) == 0
    said = capsys.readouterr()
    (series,) = json.loads(said.out.splitlines()[-1])["series"]
    assert series["series"] == "<b>3B"
    assert series["sizes"] == 7
    assert set(series["parameters"]) == {"B", "D_l", "beta", "E"}
    assert series["held_out"]["observed"] == 32.6
    assert abs(series["held_out"]["relative_error"]) < 0.1
    (one,) = series["predictions"]
    assert one["ratio"] == pytest.approx(2.0)
    assert one["measured_low"] < one["low"] < one["error"] < one["high"] < one["measured_high"] < 32.6
    assert "at 14.8B" in said.err
    assert "o" in said.err
    html = page.read_text()
    assert html.count('class="point"') == 7
    assert html.count('class="guess"') == 1
    assert "<b>3B" not in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)


def test_a_size_far_beyond_is_refused_until_asked_for_twice(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["forecast", str(table), "--at", "300B", "--draws", "40"]) == ConfigError.exit_code
    said = capsys.readouterr()
    assert not said.out
    assert "40.5 times" in said.err
    assert "--beyond" in said.err
    assert main(["forecast", str(table), "--at", "300B", "--draws", "40", "--beyond"]) == 0
    assert main(["forecast", str(table), "--at", "29.6B", "--draws", "40"]) == 0  # 4 times: the limit itself


def test_too_few_sizes_are_said_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text("".join(json.dumps({"tokens": 10**n, "error": 50 - n}) + "\n" for n in (6, 7, 8, 8, 9)))
    assert main(["forecast", str(path)]) == ConfigError.exit_code
    assert "4 different token counts" in capsys.readouterr().err


@pytest.mark.parametrize("row", ["x,3", "5,", "5,0", "5,-1", "0,3", "5,nan"])
def test_a_row_that_is_no_point_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(f"tokens,error\n1e6,40\n{row}\n")
    with pytest.raises(ConfigError, match="line 3"):
        read_points(str(path))


@pytest.mark.parametrize("path", ["missing.csv", "points.xyz"])
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError):
        read_points(str(tmp_path / path))


@pytest.mark.parametrize(
    ("text", "tokens"), [("4.5B", 4.5e9), ("300 m", 3e8), ("1_000", 1e3), ("2,500", 2500), ("3e8", 3e8), ("1T", 1e12)]
)
def test_numbers_are_read_as_people_write_them(text: str, tokens: float) -> None:
    assert tokens_in(text) == tokens


@pytest.mark.parametrize(
    "point",
    [
        '{"tokens": "1,5B", "error": 0.6}',
        '{"tokens": "1B", "error": "0,62"}',
        '{"tokens": "1B", "error": "1,234"}',
        '{"tokens": "0,620", "error": 0.6}',
    ],
)
def test_a_comma_that_may_be_a_decimal_one_is_refused(tmp_path: Path, point: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(point)
    with pytest.raises(ConfigError, match="comma") as error:
        read_points(str(path))
    assert "0.62" in error.value.remedy


def test_a_comma_before_three_digits_sets_off_thousands() -> None:
    assert tokens_in("4,500,000") == 4_500_000
    assert tokens_in("1,500.5M") == 1_500.5e6
    for text in ("4,50", "4,5000", "4500,000"):
        with pytest.raises(ValueError, match="decimals have a point"):
            tokens_in(text)


def test_draws_that_are_no_number_are_called_so(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["forecast", str(table), "--draws", "abc"])
    assert "'abc' is no whole number of bootstrap draws" in capsys.readouterr().err
