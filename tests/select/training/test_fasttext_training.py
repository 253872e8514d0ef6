from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from factory.errors import ConfigError, EngineError
from factory.select.fasttext_scorer import FastTextScorer
from factory.select.preprocessing import words_of
from factory.select.training.examples import Example
from factory.select.training.fasttext_training import train_fasttext
from factory.select.training.lines import training_lines
from factory.select.training.settings import FastTextSettings
from tests.bench.marked_up import as_latex
from tests.corpora import text_of
from tests.select.training.fields import QUICK, computing, example, trained, two_fields


def test_the_same_examples_and_seed_give_the_same_bytes() -> None:
    assert train_fasttext(two_fields(), QUICK, 1) == trained()
    assert train_fasttext(two_fields(), QUICK, 2) != trained()


def test_other_work_in_this_process_does_not_matter() -> None:
    # Where fastText ended with NaN: memory that had been used before.
    blocks = [np.full(200_000, np.nan) for _ in range(20)]
    del blocks
    assert train_fasttext(two_fields(), QUICK, 1) == trained()


@pytest.mark.skipif(sys.platform != "linux", reason="zeroed memory is glibc's")
def test_small_vocabularies_train_at_the_first_attempt() -> None:
    once = QUICK.model_copy(update={"attempts": 1, "epochs": 60})
    for seed in range(4):
        scores = FastTextScorer(train_fasttext(two_fields(20), once, seed)).score([text_of(990), computing(990)])
        assert scores[0] > 6.5 > scores[1]


def test_a_small_vocabulary_is_a_small_file() -> None:
    assert len(trained()) < 100_000
    pairs = QUICK.model_copy(update={"word_ngrams": 2, "bucket": 5000, "dimension": 8})
    assert len(train_fasttext(two_fields(), pairs, 1)) < 200_000


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "the training set is empty"),
        (two_fields(5), "has 10 examples with words, at least 20"),
        ([example(computing(n), 1.0) for n in range(40)], "0 positive examples"),
        ([example(text_of(n), 9.0) for n in range(40)], "0 negative examples"),
        ([example("🙂" * n, 1.0 + 9 * (n % 2)) for n in range(40)], "none of the 40 training examples has a word"),
    ],
    ids=["empty", "too small", "all negative", "all positive", "no words"],
)
def test_sets_that_cannot_train_anything_are_refused(examples: list[Example], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train_fasttext(examples, QUICK, 1)


def test_texts_without_words_do_no_harm() -> None:
    model = train_fasttext([*two_fields(), example("🙂", 10.0), example("", 1.0)], QUICK, 1)
    assert model == trained()


def test_ratings_that_say_nothing_about_the_texts_end_in_a_clear_error() -> None:
    same = [example("the very same words again", 1.0 + 9 * (number % 2)) for number in range(60)]
    with pytest.raises(EngineError, match="separates its own training data no better than chance"):
        train_fasttext(same, QUICK.model_copy(update={"attempts": 2}), 1)


def test_markup_decides_nothing() -> None:
    # All mathematics comes as LaTeX and computing never does: the easy way out would be to look for backslashes.
    examples = [
        example(as_latex(one.text), one.score) if one.score == 10 else example(one.text, one.score)
        for one in two_fields()
    ]
    scorer = FastTextScorer(train_fasttext(examples, QUICK, 1))
    plain, dressed = text_of(950), as_latex(computing(950))
    scores = scorer.score([plain, dressed])
    assert scores[0] > 6.5 > scores[1]


def test_lines_leave_out_function_words_and_show_texts_without_markup_too() -> None:
    text = "Let $G$ be the group of \\emph{units} in it."
    assert training_lines(text, function_words=False) == [b"g group units", b"group units"]
    assert training_lines("No markup here at all", function_words=False) == [b"markup"]
    assert training_lines("Such as it is", function_words=True) == [words_of("such as it is")]


def test_a_label_inside_a_text_is_a_word_like_any_other(tmp_path: Path) -> None:
    poisoned = [example("__label__10 " + one.text, one.score, one.doc_id) for one in two_fields()]
    scorer = FastTextScorer(train_fasttext(poisoned, QUICK, 1))
    assert sorted(scorer.model.get_labels()) == ["__label__1", "__label__10"]
    assert scorer.score([computing(960)])[0] < 2


def test_settings_have_bounds() -> None:
    with pytest.raises(ValueError, match="learning_rate"):
        FastTextSettings(learning_rate=0)
