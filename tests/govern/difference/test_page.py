"""The page of a difference as a reader sees it: headless Chromium, at desk and phone width, light, dark and printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from factory.govern.difference.found import Apart, Change, Difference, Example, Section, Shared, TextChange
from factory.govern.difference.page import build_page
from factory.publish.gates.divergence import divergence
from tests.browser import Browser, page_url
from tests.evaluate.test_hostile_pages import HOSTILE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A difference with hostile text wherever text may be, and names that do not break."""
    unbroken = "unbroken" * 40
    changes = (Change(HOSTILE, HOSTILE, None), Change(unbroken, 1, 2), Change("list", [HOSTILE], ["b", unbroken]))
    rows = Shared("sample_id", 1, 2, 3, 4, {"text": 2}, {"changed": (Example(HOSTILE, unbroken),)})
    difference = Difference(
        before=HOSTILE,
        now=f"/data/{unbroken}",
        sections=(Section("config", "Configuration", changes, 3), Section("software", "Software", (), 2)),
        texts=(
            TextChange(
                f"prompt {HOSTILE}",
                "a" * 64,
                "b" * 64,
                ("--- A", "+++ B", "@@ -1 +1 @@", f"-{HOSTILE}", f"+{unbroken}"),
            ),
        ),
        same_texts=1,
        distributions=(Apart("level", divergence({"1": 90, HOSTILE: 10}, {"1": 10, unbroken: 90})),),
        rows=(rows,),
    )
    path = tmp_path_factory.mktemp("page") / "diff.html"
    path.write_text(build_page(difference))
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
    assert view.title == "Two datasets – difference"
    for tag in ("<script", "<img", "<base", '<a href="javascript'):
        assert tag not in view.html.lower()
    assert "&lt;script&gt;document.title='owned'" in view.html
