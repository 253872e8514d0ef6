"""The page as a reader sees it: headless Chromium at desk and phone width, light and dark."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from factory.evaluate.report import build_report
from tests.browser import Browser, View, find_chromium, page_url
from tests.evaluate.sample_report import report_input

pytestmark = pytest.mark.browser

Colour = tuple[int, ...]
LIGHT = {"paper": (255, 255, 255), "used": (0x2F, 0x6C, 0x8F), "rejected": (0xD0, 0x9A, 0x3A)}
DARK = {"paper": (0x14, 0x17, 0x1A), "used": (0x5F, 0xA3, 0xC9), "rejected": (0xD3, 0xA4, 0x4E)}
WIDTHS = (1280, 800, 390)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(build_report(report_input()).encode())
    return path


def picture(view: View) -> Image.Image:
    return Image.open(io.BytesIO(view.png)).convert("RGB")


def pixels(image: Image.Image) -> Counter[Colour]:
    found = image.getcolors(maxcolors=image.width * image.height) or []
    return Counter({colour: count for count, colour in found if isinstance(colour, tuple)})


def assert_fits(view: View, width: int) -> None:
    assert view.viewport_width == width
    assert view.overflow == []
    assert view.scroll_width == width


def assert_quiet(view: View, url: str) -> None:
    assert view.console == []
    assert view.requests == [url]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_drawn_in_full_without_overflow_errors_or_requests(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    view = browser.look(page_url(page), width, dark=dark)
    assert_fits(view, width)
    assert_quiet(view, page_url(page))
    image, colours = picture(view), DARK if dark else LIGHT
    assert image.width == width
    assert image.height > 3000
    seen = pixels(image)
    total = image.width * image.height
    assert len(seen) > 100
    assert 0.5 < seen[colours["paper"]] / total < 0.99
    assert seen[colours["used"]] > 0.004 * total
    assert seen[colours["rejected"]] > 2000


def test_hostile_text_did_nothing(browser: Browser, page: Path) -> None:
    view = browser.look(page_url(page), 1280)
    assert view.title == "docstrings-demo – run report"
    assert "<script" not in view.html.lower()
    assert "<img" not in view.html.lower()


def test_it_prints_in_light_colours_on_a4(browser: Browser, page: Path) -> None:
    view = browser.look(page_url(page), 794, dark=True, media="print")
    assert_fits(view, 794)
    seen = pixels(picture(view))
    assert seen.most_common(1)[0][0] == LIGHT["paper"]
    assert seen[LIGHT["used"]] > 1000


def test_the_looking_itself_finds_overflow_errors_requests_and_blank_pages(browser: Browser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><body style='margin:0'>"
        "<div id=wide style='width:700px'>wide</div><img src='missing.png'><script>console.error('boom')</script>"
    )
    view = browser.look(page_url(broken), 390)
    with pytest.raises(AssertionError):
        assert_fits(view, 390)
    assert 'id="wide"' in view.overflow[0]
    assert any("boom" in line for line in view.console)
    assert page_url(tmp_path / "missing.png") in view.requests
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>nothing</title>")
    assert len(pixels(picture(browser.look(page_url(blank), 390)))) == 1


def test_scripts_cannot_run_even_if_escaping_had_failed(browser: Browser, page: Path, tmp_path: Path) -> None:
    injected = tmp_path / "injected.html"
    injected.write_bytes(page.read_bytes().replace(b"</main>", b"<script>document.title='owned'</script></main>"))
    view = browser.look(page_url(injected), 1280)
    assert view.title == "docstrings-demo – run report"
    assert any("Content Security Policy" in line for line in view.console)


def test_without_a_browser_tests_skip_with_a_remedy_and_fail_under_ci(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install"):
        find_chromium()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="apt-get install"):
        find_chromium()
