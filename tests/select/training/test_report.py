from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factory.select.training.examples import Example
from factory.select.training.explain import Explanation, MarkupEffect, WordEffect
from factory.select.training.metrics import agreements, kept_at, measure
from factory.select.training.report import Iteration, SelectorReport, build_selector_report
from tests.browser import Browser, page_url

HOSTILE = "<script>document.title='owned'</script>\u202e"


def words(names: str, sign: int) -> tuple[WordEffect, ...]:
    return tuple(WordEffect(name, sign * (2.0 - 0.2 * place), 90 - place) for place, name in enumerate(names.split()))


def report_of(threshold: float = 6.5) -> SelectorReport:
    draw = np.random.default_rng(5)
    truth = np.clip(np.round(draw.normal(5, 2.6, 300)), 1, 10)
    scores = np.clip(truth + draw.normal(0, 1.2, 300), 1, 10)
    sources = ("stacks-project", "python-doc", "a source with a very long name https://example.org/a/b/c", HOSTILE)
    examples = [
        Example("t", float(score), f"d{n}", sources[n % 4], "rated", "large-model") for n, score in enumerate(truth)
    ]
    other = [Example("t", float(draw.integers(1, 11)), f"d{n}", "s", "rated", "small-model") for n in range(120)]
    metrics = measure(scores.tolist(), examples, threshold)
    corpus = np.clip(1 + draw.gamma(2, 1.2, 2000), 1, 10).tolist()
    return SelectorReport(
        fingerprint="3f9c" * 16,
        domain="maths",
        kind="fasttext",
        threshold=threshold,
        seed=17,
        examples={"cold_start_positive": 400, "corpus_negative": 400, "rated": 300},
        metrics=metrics,
        iterations=(Iteration("cold start", 800), Iteration("iteration 1", 1100, metrics, 0.07)),
        elsewhere=metrics,
        corpus=kept_at(corpus),
        corpus_scores=corpus,
        agreement=agreements([*examples, *other], threshold),
        explanation=Explanation(
            "read off the model", "log-odds", 300, words("lemma theorem", 1), words("file git", -1)
        ),
        markup=(MarkupEffect("of the domain", 150, 0.95, 0.94, 0.01, 0.2), MarkupEffect("other", 150, 0.3, 0, 0.3, 2)),
        parameters={"dimension": 16},
        raters={
            "large-model": {
                "kind": "file",
                "files": {"ratings.csv": "9071" * 16},
                "ratings": 350,
                "used": 281,
                "left_out": {},
                "by_rater": {"ann": 200, "<EMAIL>": 150},
            },
            "small-model": {
                "kind": "model",
                "model": HOSTILE,
                "revision": None,
                "engine": "openai",
                "prompt_id": "ab" * 32,
                "samples": 3,
                "ratings": 1200,
            },
        },
        licence_notes=("Built with somebody's model.",),
        versions={"numpy": "2"},
        model_bytes=123_456,
    )


def test_it_says_what_was_measured() -> None:
    data = report_of()
    page = build_selector_report(data)
    assert data.metrics is not None
    for said in ("3f9c" * 16, "400 cold start positive", "iteration 1", "lemma", "large-model against small-model"):
        assert said in page
    assert "350 ratings of ratings.csv (sha256 907190719071); by ann (200), &lt;EMAIL&gt; (150)" in page
    assert "69 of 350 met no document that the filters left" in page
    assert "1,200 ratings by" in page
    assert "engine openai, prompt abababababab, 3 ratings a document" in page
    assert f"{data.metrics.of_domain} of them should be kept, {data.metrics.kept} are" in page
    assert page.count("<polyline") == 6


def test_it_warns_where_markup_decides_and_raters_disagree() -> None:
    page = build_selector_report(report_of())
    assert "Markup decides over more than" in page
    assert "Raters hardly agree: large-model and small-model" in page
    calm = SelectorReport("f", "maths", "forest", 6.5, 1, {}, report_of().metrics)
    assert "notice loud" not in build_selector_report(calm)


@pytest.mark.parametrize(("texts", "warned"), [(5, False), (19, False), (20, True)])
def test_markup_is_warned_of_by_twenty_texts_at_least(texts: int, warned: bool) -> None:
    markup = (MarkupEffect("d2l-en", texts, 1.0, 0.8, 0.2, 1.0),)
    page = build_selector_report(replace(report_of(), agreement=(), markup=markup))
    assert ("Markup decides over more than" in page) == warned


def test_a_selector_of_which_nothing_is_known_has_a_page_that_says_so() -> None:
    page = build_selector_report(SelectorReport("f" * 64, "maths", "fasttext", 6.5, 1, {}, None))
    assert "Nothing was held out." in page
    none_wanted = measure([1.0, 2.0], [Example("t", 1.0, str(n), "s", "rated", "r") for n in range(2)], 6.5)
    page = build_selector_report(SelectorReport("f" * 64, "maths", "fasttext", 6.5, 1, {}, none_wanted))
    assert "Precision or recall cannot be said." in page


def test_other_peoples_text_is_shown_and_never_obeyed() -> None:
    page = build_selector_report(report_of())
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_without_errors_or_requests(browser: Browser, tmp_path: Path, width: int, dark: bool) -> None:
    page = tmp_path / "report.html"
    page.write_text(build_selector_report(report_of()))
    view = browser.look(page_url(page), width, dark=dark)
    assert (view.viewport_width, view.scroll_width, view.overflow) == (width, width, [])
    assert view.console == []
    assert view.requests == [page_url(page)]
    assert view.title == "maths – selector report"
