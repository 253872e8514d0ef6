"""The page of a comparison as a reader sees it: headless Chromium, at desk and phone width, light, dark and printed."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from factory.compare.columns import columns_of
from factory.compare.facts import Comparison, Metric
from factory.compare.gather import gather
from factory.compare.page import build_page
from factory.store.local import LocalStore
from tests.browser import Browser, page_url
from tests.compare.roots import SWEEP, put_run, put_sweep, three
from tests.evaluate.test_hostile_pages import HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Six points over two settings, one of which has not finished, with hostile text wherever text may be."""
    store = LocalStore(str(tmp_path_factory.mktemp("root")))
    points = three("question.sampling.temperature=0.2,0.5,0.8", "answer.samples=1,2")
    for point in points[:5]:
        put_run(store, point, point.number, first=point.number == 1)
    put_run(store, points[5], 6, first=False, upto="question_1", state="failed", error=HOSTILE, dataset=None)
    put_sweep(store, points, {6: "failed"}, command=(HOSTILE,))
    gathered = gather(store, SWEEP)
    rows = tuple(dataclasses.replace(row, metrics={**row.metrics, **hostile(row.point)}) for row in gathered.rows)
    return dataclasses.replace(gathered, rows=rows, problems=(HOSTILE,))


def hostile(number: int | None) -> dict[str, Any]:
    value = float(number or 0)
    return {
        f"evaluation.x.{HOSTILE}": Metric(value, "lower", HOSTILE, HOSTILE),
        f"evaluation.y.{'unbroken' * 40}": Metric(value, "higher", "share", "a name that does not break"),
    }


@pytest.fixture(scope="module")
def page(found: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "compare.html"
    path.write_text(build_page(found, columns_of(found), found.rows))
    return path


@pytest.mark.parametrize(
    ("width", "media", "dark"), [(1280, "screen", False), (390, "screen", True), (794, "print", True)]
)
def test_it_is_drawn_without_overflow_errors_or_requests(
    browser: Browser, page: Path, width: int, media: str, dark: bool
) -> None:
    view = browser.look(page_url(page), width, dark=dark, media=media)
    assert view.overflow == []
    assert view.scroll_width == view.viewport_width == width
    assert view.console == []
    assert view.requests == [page_url(page)]


def test_hostile_text_did_nothing_and_is_shown(browser: Browser, page: Path) -> None:
    view = browser.look(page_url(page), 1280)
    assert view.title == f"Sweep {SWEEP} – comparison"
    for tag in ("<script", "<img", "<base", '<a href="javascript'):
        assert tag not in view.html.lower()
    assert "&lt;script&gt;document.title='owned'" in view.html


def test_it_has_bars_lines_and_the_points_that_did_not_finish(page: Path) -> None:
    html = page.read_text()
    assert "samples over question.sampling.temperature" in html
    assert html.count("<polyline") >= 2
    assert '<span class="state bad">failed</span>' in html
    assert "paid by other runs" in html
