from __future__ import annotations

import math
import re
from collections.abc import Sequence

import pytest

from factory.select.fasttext_scorer import FastTextScorer
from factory.select.training.explain import by_occlusion, explain, markup_effects
from tests.bench.marked_up import as_latex
from tests.corpora import text_of
from tests.select.training.fields import COMPUTING, computing, trained

TEXTS = [text_of(number) if number % 2 else computing(number) for number in range(300, 340)]


def test_words_of_the_field_pull_towards_it_and_others_away() -> None:
    found = explain(FastTextScorer(trained()), TEXTS)
    assert (found.method, found.unit, found.texts) == ("read off the model", "log-odds", 40)
    towards, away = {item.word for item in found.towards}, {item.word for item in found.away}
    assert {"matrix", "polynomial"} & towards
    assert len(away & {*COMPUTING, "configured", "sends"}) > 10
    assert not towards & away
    assert all(item.effect > 0 for item in found.towards)
    assert all(item.effect < 0 for item in found.away)


def test_effects_read_off_add_up_to_the_models_log_odds() -> None:
    scorer = FastTextScorer(trained())

    def log_odds(line: str) -> float:
        chances = dict(zip(*scorer.model.predict(line, k=2), strict=True))
        return math.log(chances["__label__10"] / chances["__label__1"])

    # Few words, so that neither probability is so small that its rounding shows.
    text = "matrix server graph cache"
    found = explain(scorer, [text])
    parts = sum(item.effect for item in (*found.towards, *found.away))
    end_of_line = log_odds("") / 5
    assert log_odds(text) == pytest.approx(parts + end_of_line, abs=0.02)


class CountsLemmas:
    """A scorer that is easy to explain: one point more for each time a text says lemma."""

    def score(self, texts: Sequence[str]) -> list[float]:
        return [min(10.0, 1.0 + len(re.findall("lemma", text))) for text in texts]


def test_taking_words_out_finds_the_one_that_counts() -> None:
    texts = ["a lemma follows a lemma and a corollary", "servers answer requests"]
    found = by_occlusion(CountsLemmas(), texts, seed=3)
    assert found.unit == "points"
    assert [(item.word, item.effect, item.texts) for item in found.towards] == [("lemma", 2.0, 1)]
    assert found.away == ()
    assert explain(CountsLemmas(), texts, 3) == found


class CountsBackslashes:
    def score(self, texts: Sequence[str]) -> list[float]:
        return [10.0 if "\\" in text else 1.0 for text in texts]


def test_a_detector_of_latex_is_found_out_and_a_selector_is_not() -> None:
    groups = {"dressed": [as_latex(text_of(n)) for n in range(20)], "plain": [computing(n) for n in range(20)], "": []}
    dressed, plain = markup_effects(CountsBackslashes(), groups, 6.5)
    assert (dressed.group, dressed.texts, dressed.kept, dressed.kept_stripped) == ("dressed", 20, 1, 0)
    assert (dressed.changed, dressed.mean_change, plain.changed) == (1, 9, 0)
    dressed, plain = markup_effects(FastTextScorer(trained()), groups, 6.5)
    assert (dressed.kept, dressed.kept_stripped, dressed.changed) == (1, 1, 0)
    assert plain.kept == 0
    assert dressed.mean_change < 1


def test_nothing_to_look_at_explains_nothing() -> None:
    found = explain(FastTextScorer(trained()), [])
    assert (found.texts, found.towards, found.away) == (0, (), ())
    assert markup_effects(FastTextScorer(trained()), {}, 6.5) == ()


@pytest.mark.parametrize("texts", [["🙂", "12"], [""]])
def test_texts_without_words_are_no_trouble(texts: list[str]) -> None:
    assert explain(FastTextScorer(trained()), texts).towards == ()
    assert by_occlusion(CountsLemmas(), texts).towards == ()
