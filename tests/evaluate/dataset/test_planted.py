"""On planted data every intrinsic metric moves the right way, by a margin that no style would make."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.evaluate.dataset.config import EmbeddingsConfig, IntrinsicConfig, PerplexityConfig
from factory.evaluate.dataset.figures import Figure, Section
from factory.evaluate.dataset.intrinsic import measure
from factory.evaluate.dataset.reading import read_dataset
from factory.evaluate.dataset.sections import Data
from factory.store.local import LocalStore
from tests.evaluate.dataset.planted import collapsed, diverse
from tests.evaluate.dataset.published import publish, put_corpus, row_of

ROWS = 300
CONFIG = IntrinsicConfig(
    window=200,
    self_bleu=200,
    embeddings=EmbeddingsConfig(model="words", rows=250, neighbours=3),
    perplexity=PerplexityConfig(model=None),
)


def section(root: Path, questions: list[str], passages: list[str]) -> Section:
    store = LocalStore(str(root))
    put_corpus(store, passages)
    rows = [row_of(number, text, f"Because of {text}", subject="rare" if number < 4 else "common")
            for number, text in enumerate(questions)]  # fmt: skip
    dataset = read_dataset(publish(store, rows))
    return measure(Data(dataset, None, ("question",), ("level", "subject"), 17, say=lambda _: None), CONFIG)


def of(found: Section, name: str) -> Figure:
    return next(figure for figure in found.figures if figure.name == f"question: {name}")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Section, Section]:
    """The diverse dataset and the collapsed one, over the same varied corpus."""
    root = tmp_path_factory.mktemp("planted")
    passages = diverse(60, seed=2)
    return section(root / "one", diverse(ROWS), passages), section(root / "two", collapsed(ROWS), passages)


@pytest.mark.parametrize(
    ("name", "ratio"),
    [
        ("distinct-1", 2.0),
        ("distinct-2", 5.0),
        ("distinct-3", 5.0),
        ("distinct-2 in windows", 3.0),
        ("dispersion", 1.5),
        ("nearest other row", 5.0),
        ("coverage of the source corpus", 2.0),
    ],
)
def test_variety_is_larger_in_diverse_rows(pair: tuple[Section, Section], name: str, ratio: float) -> None:
    diverse_one, collapsed_one = of(pair[0], name), of(pair[1], name)
    assert diverse_one.better == "higher"
    assert diverse_one.value is not None
    assert collapsed_one.value is not None
    assert diverse_one.value > ratio * collapsed_one.value


@pytest.mark.parametrize(("name", "ratio"), [("repeated", 5.0), ("compression", 3.0), ("self-BLEU", 2.0)])
def test_repetition_is_larger_in_collapsed_rows(pair: tuple[Section, Section], name: str, ratio: float) -> None:
    diverse_one, collapsed_one = of(pair[0], name), of(pair[1], name)
    assert diverse_one.better == "lower"
    assert diverse_one.value is not None
    assert collapsed_one.value is not None
    assert collapsed_one.value > ratio * diverse_one.value


@pytest.mark.parametrize("name", ["self-BLEU", "dispersion", "nearest other row", "coverage of the source corpus"])
def test_intervals_hold_the_figure_and_keep_the_two_apart(pair: tuple[Section, Section], name: str) -> None:
    ends = []
    for found in pair:
        figure = of(found, name)
        assert figure.value is not None
        assert figure.low is not None
        assert figure.high is not None
        assert figure.low <= figure.value <= figure.high
        ends.append((figure.low, figure.high))
    lower, upper = sorted(ends)
    assert lower[1] < upper[0]


def test_figures_of_samples_say_how_large_they_were_and_others_have_no_interval(pair: tuple[Section, Section]) -> None:
    assert (of(pair[0], "self-BLEU").rows, of(pair[0], "self-BLEU").sampled) == (200, True)
    assert (of(pair[0], "dispersion").rows, of(pair[0], "dispersion").sampled) == (250, True)
    covered = of(pair[0], "coverage of the source corpus")
    assert (covered.rows, covered.sampled) == (250, True)  # all 60 passages, by a sample of rows
    assert "share of 60 texts" in covered.meaning
    counted = of(pair[0], "distinct-2")
    assert (counted.rows, counted.sampled, counted.low) == (ROWS, False, None)


def test_the_smallest_stratum_is_shown_with_figures_of_its_own(pair: tuple[Section, Section]) -> None:
    table = next(table for table in pair[0].tables if table.title == "question by subject")
    rare = dict(zip(table.columns, next(row for row in table.rows if row[0] == "rare"), strict=True))
    assert rare["rows"] == 4
    assert isinstance(rare["mean words"], float)
    assert isinstance(rare["dispersion"], float)
    assert rare["distinct-2 in windows"] is None
    assert "1 of the strata has fewer than 30 rows" in table.note


def test_the_same_rows_give_the_same_figures(pair: tuple[Section, Section], tmp_path: Path) -> None:
    assert section(tmp_path, diverse(ROWS), diverse(60, seed=2)).figures == pair[0].figures
