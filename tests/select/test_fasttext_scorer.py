from __future__ import annotations

from itertools import pairwise

import pytest

from factory.errors import ConfigError
from factory.select.fasttext_scorer import FastTextScorer
from factory.select.preprocessing import words_of
from factory.select.training.fasttext_training import train_fasttext
from tests.corpora import text_of
from tests.select.training.fields import QUICK, computing, example, trained


def test_texts_of_the_field_score_high_and_others_low() -> None:
    scorer = FastTextScorer(trained())
    scores = scorer.score([text_of(900), computing(900)])
    assert scores[0] > 9
    assert scores[1] < 2


def test_a_text_without_words_scores_lowest() -> None:
    assert FastTextScorer(trained()).score(["", "🙂🙂", "\x00", "17 + 4", text_of(901)])[:4] == [1, 1, 1, 1]


def test_scores_do_not_depend_on_the_batch() -> None:
    scorer = FastTextScorer(trained())
    texts = [text_of(number) if number % 3 else computing(number) for number in range(700)]
    together = scorer.score(texts)
    assert together == [score for text in texts for score in scorer.score([text])]
    assert together == scorer.score_lines([words_of(text) for text in texts])


def test_the_score_is_the_expectation_over_all_classes() -> None:
    grades = {1: "wood stone river", 4: "lamp chair table", 7: "integral limit series", 10: "lemma sheaf morphism"}
    examples = [
        example(f"{words} {words} number {n}", float(score)) for n in range(30) for score, words in grades.items()
    ]
    scorer = FastTextScorer(train_fasttext(examples, QUICK, 3))
    assert len(scorer.model.get_labels()) == 4
    pure = scorer.score(list(grades.values()))
    assert [round(score) for score in pure] == [1, 4, 7, 10]
    labels, chances = scorer.model.predict("wood lemma", k=4)
    wanted = sum(float(label.removeprefix("__label__")) * chance for label, chance in zip(labels, chances, strict=True))
    assert scorer.score(["wood lemma"])[0] == pytest.approx(wanted / sum(chances))
    assert all(low < high for low, high in pairwise(pure))


@pytest.mark.parametrize("data", [b"", b"not a model at all", bytes(4096)])
def test_a_file_that_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match="no fastText selector"):
        FastTextScorer(data)


def test_a_model_with_other_labels_is_refused() -> None:
    with pytest.raises(ConfigError, match="its labels are __label__1, __label__99"):
        FastTextScorer(trained().replace(b"__label__10", b"__label__99"))
