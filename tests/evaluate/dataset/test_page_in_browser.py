"""The page of an evaluation as a reader sees it: headless Chromium at desk and phone width, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.evaluate.dataset.page import to_html
from tests.browser import Browser, page_url
from tests.evaluate.dataset.test_page import evaluation, example
from tests.evaluate.test_report_in_browser import DARK, LIGHT, assert_fits, assert_quiet, picture, pixels

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluation") / "evaluation.html"
    path.write_bytes(to_html(evaluation(example())).encode())
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_is_drawn_in_full_without_overflow_errors_or_requests(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    view = browser.look(page_url(page), width, dark=dark)
    assert_fits(view, width)
    assert_quiet(view, page_url(page))
    colours = DARK if dark else LIGHT
    seen = pixels(picture(view))
    assert seen.most_common(1)[0][0] == colours["paper"]
    assert seen[colours["used"]] > 1000
    assert seen[colours["rejected"]] > 1000


def test_hostile_text_did_nothing_and_scripts_could_not_run(browser: Browser, page: Path, tmp_path: Path) -> None:
    injected = tmp_path / "injected.html"
    injected.write_bytes(page.read_bytes().replace(b"</main>", b"<script>document.title='owned'</script></main>"))
    view = browser.look(page_url(injected), 1280)
    assert view.title == "docs <b> – evaluation"
    assert any("Content Security Policy" in line for line in view.console)
