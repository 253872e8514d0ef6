"""The coverage and diversity part as a reader sees it, and the script that zooms the picture, in headless Chromium."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from factory.evaluate.diversity import picture as drawing
from factory.evaluate.diversity.facts import DiversityFacts
from factory.evaluate.report import build_report
from tests.browser import Browser, page_url
from tests.evaluate.diversity.sample_facts import facts
from tests.evaluate.sample_report import SCRIPT, report_input
from tests.evaluate.test_report_in_browser import assert_fits, assert_quiet, picture, pixels

pytestmark = pytest.mark.browser

BLUE = {False: (0x3B, 0x78, 0xB5), True: (0x6A, 0xA5, 0xDD)}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("diversity") / "report.html"
    path.write_bytes(build_report(report_input(diversity=facts())).encode())
    return path


def run(browser: Browser, page: Path, script: str, width: int = 1280) -> Any:
    """The value of `script`, evaluated in the loaded page as a reader's own clicks and keys would act."""
    target = browser.call("Target.createTarget", {"url": "about:blank"})["targetId"]
    session = browser.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
    try:
        for domain in ("Page", "Runtime"):
            browser.call(f"{domain}.enable", {}, session)
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.call("Emulation.setDeviceMetricsOverride", metrics, session)
        browser._events.clear()
        browser.call("Page.navigate", {"url": page_url(page)}, session)
        browser._wait_for("Page.loadEventFired", session)
        return browser._value(f"(() => {{ {script} }})()", session)
    finally:
        browser.call("Target.closeTarget", {"targetId": target})


HELPERS = """
const svg = document.querySelector('svg.graph');
const box = () => svg.getAttribute('viewBox').split(' ').map(Number);
const press = (number) => document.querySelectorAll('.tools button')[number].click();
const key = (name) => svg.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));
const seen = (text) => getComputedStyle(text).display !== 'none';
const shown = () => [...svg.querySelectorAll('text')].filter(seen).length;
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800, 390])
def test_it_is_drawn_in_full_without_overflow_errors_or_requests(
    browser: Browser, page: Path, width: int, dark: bool
) -> None:
    view = browser.look(page_url(page), width, dark=dark, max_height=20_000)
    assert_fits(view, width)
    assert_quiet(view, page_url(page))
    assert view.title == "docstrings-demo – run report"
    seen = pixels(picture(view))
    assert seen[BLUE[dark]] > 100


def test_it_prints_with_the_picture_and_without_controls(browser: Browser, page: Path) -> None:
    view = browser.look(page_url(page), 794, dark=True, media="print", max_height=20_000)
    assert_fits(view, 794)
    seen = pixels(picture(view))
    assert seen.most_common(1)[0][0] == (255, 255, 255)
    assert seen[BLUE[False]] > 20  # nodes that were visited most; all others let the paper through
    hidden = "return [...document.querySelectorAll('.tools')].map((tools) => getComputedStyle(tools).display);"
    assert run(browser, page, hidden) == ["flex"]


def test_buttons_zoom_in_and_out_about_the_middle_and_show_more_names(browser: Browser, page: Path) -> None:
    found = run(
        browser,
        page,
        HELPERS + "const before = box(), few = shown(); press(0); press(0); const inside = box(), more = shown();"
        "press(1); const between = box(); press(2); return {before, inside, between, after: box(), few, more};",
    )
    left, top, width, height = found["before"]
    assert found["inside"][2] == pytest.approx(width / 1.6**2)
    assert found["inside"][0] + found["inside"][2] / 2 == pytest.approx(left + width / 2, abs=1)
    assert found["inside"][1] + found["inside"][3] / 2 == pytest.approx(top + height / 2, abs=1)
    assert found["between"][2] == pytest.approx(width / 1.6)
    assert found["after"] == found["before"]
    assert found["more"] > found["few"] > 5


def test_keys_move_within_the_picture_and_never_out_of_it(browser: Browser, page: Path) -> None:
    found = run(
        browser,
        page,
        HELPERS + "key('+'); key('+'); const before = box(); key('ArrowRight'); const right = box();"
        "for (let i = 0; i < 50; i++) { key('ArrowRight'); key('ArrowDown'); } const corner = box();"
        "for (let i = 0; i < 50; i++) key('+'); const deepest = box(); key('Escape');"
        "return {before, right, corner, deepest, whole: box()};",
    )
    assert found["right"][0] > found["before"][0]
    width, height = found["whole"][2:]
    assert found["corner"][0] + found["corner"][2] == pytest.approx(width)
    assert found["corner"][1] + found["corner"][3] == pytest.approx(height)
    assert found["deepest"][2] == pytest.approx(width / 24)


def test_the_wheel_scrolls_the_page_unless_a_key_is_held(browser: Browser, page: Path) -> None:
    wheel = (
        "const wheel = (ctrlKey) => svg.dispatchEvent(new WheelEvent('wheel', {deltaY: -300, ctrlKey, bubbles: true,"
        "cancelable: true, clientX: svg.getBoundingClientRect().left, clientY: svg.getBoundingClientRect().top}));"
    )
    found = run(
        browser, page, HELPERS + wheel + "const whole = box(), free = wheel(false), same = box(), taken = wheel(true);"
        "return {whole, free, same, taken, zoomed: box()};",
    )  # fmt: skip
    assert found["free"] is True  # nobody prevented what the browser does with it
    assert found["same"] == found["whole"]
    assert found["taken"] is False
    # what lies under the pointer stays: here the corner
    assert found["zoomed"][:2] == pytest.approx(found["whole"][:2], abs=0.01)
    assert found["zoomed"][2] < found["whole"][2] / 2


def test_dragging_moves_what_is_zoomed(browser: Browser, page: Path) -> None:
    drag = (
        "svg.setPointerCapture = () => {};"
        "const point = (type, clientX, clientY) => svg.dispatchEvent(new PointerEvent(type, {pointerId: 1, clientX,"
        "clientY, bubbles: true}));"
        "const drag = () => { point('pointerdown', 300, 300); point('pointermove', 200, 260);"
        "point('pointerup', 200, 260); point('pointermove', 0, 0); };"
    )
    found = run(
        browser, page, HELPERS + drag + "drag(); const still = box(); press(0); press(0); const before = box(); drag();"
        "return {still, before, after: box(), unit: box()[2] / svg.getBoundingClientRect().width};",
    )  # fmt: skip
    assert found["still"][:2] == [0, 0]
    assert found["after"][0] - found["before"][0] == pytest.approx(100 * found["unit"], rel=0.01)
    assert found["after"][1] - found["before"][1] == pytest.approx(40 * found["unit"], rel=0.01)


def test_without_the_script_the_picture_stands_whole_and_nothing_is_offered(
    browser: Browser, page: Path, tmp_path: Path
) -> None:
    without = tmp_path / "without.html"
    without.write_text(re.sub(r"<script>.*?</script>", "", page.read_text(), flags=re.DOTALL))
    found = run(
        browser,
        without,
        HELPERS + "return {names: shown(), tools: document.querySelectorAll('.tools').length,"
        "how: getComputedStyle(document.querySelector('.how')).display, width: svg.getBoundingClientRect().width};",
    )
    assert found["names"] > 5
    assert found["tools"] == 0
    assert found["how"] == "none"
    assert found["width"] > 800


def test_only_our_script_runs_and_only_as_it_was_written(browser: Browser, page: Path, tmp_path: Path) -> None:
    text = page.read_text()
    assert text.count("<script>") == 1
    for name, changed in (
        ("injected", text.replace("</main>", "<script>document.title='owned'</script></main>")),
        ("changed", text.replace("<script>", "<script>document.title='owned';")),
    ):
        other = tmp_path / f"{name}.html"
        other.write_text(changed)
        view = browser.look(page_url(other), 1280)
        assert view.title == "docstrings-demo – run report"
        assert any("Content Security Policy" in line for line in view.console)


def test_a_page_without_a_picture_has_no_script_and_allows_none() -> None:
    found = facts()
    plain = DiversityFacts(found.coverage, found.curves, found.similarity, False, found.starts)
    for data in (report_input(), report_input(diversity=plain)):
        built = build_report(data)
        assert "<script" not in built
        assert "script-src" not in built


def test_names_of_nodes_are_shown_and_never_become_markup(page: Path) -> None:
    text = page.read_text()
    assert SCRIPT not in text
    assert "]]></svg>" not in text
    assert "&lt;script&gt;" in text


def test_the_page_stays_within_bounds(page: Path) -> None:
    assert len(page.read_bytes()) < 700_000
    assert json.dumps(drawing.script()).isascii()
    assert hashlib.sha256(drawing.script().encode()).digest()
    assert "fetch" not in drawing.script()
    assert "http" not in drawing.script()
