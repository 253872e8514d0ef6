"""The page as reviewers use it: headless Chromium, by keyboard alone, at desk and phone width, light and dark."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from factory.review.decisions import read_decisions
from factory.review.server import ReviewServer
from factory.review.session import Session
from factory.store.local import LocalStore
from tests.browser import Browser, Tab, View
from tests.review.conftest import HOSTILE, Opens

pytestmark = pytest.mark.browser


@contextlib.contextmanager
def serving(session: Session) -> Iterator[ReviewServer]:
    with ReviewServer(session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def reviewing(browser: Browser, session: Session, width: int = 1280, *, dark: bool = False) -> Iterator[Tab]:
    with serving(session) as server, browser.tab(server.address, width, dark=dark) as tab:
        at_item(tab, 1)
        yield tab


def at_item(tab: Tab, number: int) -> None:
    """Waits until the item is on the screen with its text, and its source where it has one."""
    shown = f"document.getElementById('place').textContent.startsWith('Item {number} of')"
    loaded = "document.getElementById('item').getAttribute('aria-busy') === 'false'"
    source = (
        "(document.getElementById('source-part').hidden || "
        "document.querySelector('#source .text, #source .why') !== null)"
    )
    tab.wait(f"{shown} && {loaded} && {source}")


def text(tab: Tab, name: str) -> str:
    return str(tab.value(f"document.getElementById({orjson.dumps(name).decode()}).textContent"))


def said(tab: Tab, words: str) -> None:
    tab.wait(f"document.getElementById('said').textContent.includes({orjson.dumps(words).decode()})")


def standing(session: Session) -> list[Any]:
    return [entry["decided"] for entry in session.state()["items"]]


def test_a_whole_review_by_keyboard(browser: Browser, opens: Opens) -> None:
    session = opens("--size", "4")
    with reviewing(browser, session) as tab:
        tab.press("4", "a")
        at_item(tab, 2)
        # A rejection asks for its reason first; the letter beside the first reason is Q.
        tab.press("r")
        said(tab, "Choose a reason")
        assert len(session.decisions) == 1
        tab.press("q", "e", "e")
        tab.press("c", "B", "a", "d", "a", "Escape", "r")
        at_item(tab, 3)
        tab.press("s")
        at_item(tab, 4)
        tab.press("a")
        said(tab, "Only skipped items are left")
        tab.press("f")
        at_item(tab, 3)
        tab.press("a")
        said(tab, "All items are decided")
        assert text(tab, "count") == "4 of 4 decided"
    found = [(each["verdict"], each["score"], each["reasons"], each["comment"]) for each in standing(session)]
    first = session.sheet.reasons[0]
    assert found == [
        ("accept", 4, [], ""),
        ("reject", None, [first], "Bada"),
        ("accept", None, [], ""),
        ("accept", None, [], ""),
    ]
    assert [each.verdict for each in read_decisions(session.records, session.sheet)] == [
        "accept",
        "reject",
        "skip",
        "accept",
        "accept",
    ]
    assert all(each.seconds >= 0 for each in session.decisions)


def test_undo_previous_next_and_drafts(browser: Browser, opens: Opens) -> None:
    session = opens("--size", "3")
    with reviewing(browser, session) as tab:
        tab.press("2", "w", "n")
        at_item(tab, 2)
        assert tab.value("document.querySelector('#scores input:checked')") is None
        tab.press("ArrowLeft")
        at_item(tab, 1)
        assert tab.value("document.querySelector('#scores input:checked').value") == "2"
        tab.press("r")
        at_item(tab, 2)
        tab.press("u")
        at_item(tab, 1)
        said(tab, "Undone: item 1")
        assert standing(session) == [None, None, None]
        tab.press("u")
        tab.wait("document.getElementById('wrong').textContent.includes('nothing to undo')")
        tab.press("p")
        said(tab, "This is the first item")
        tab.press("k", "j", "ArrowRight")
        at_item(tab, 3)


def test_help_opens_and_closes_by_key_and_keys_rest_meanwhile(browser: Browser, opens: Opens) -> None:
    session = opens("--size", "2")
    with reviewing(browser, session) as tab:
        tab.press("?")
        tab.wait("document.getElementById('help').open")
        tab.press("a")
        assert "Undo the last decision" in text(tab, "keys")
        tab.press("Escape")
        tab.wait("!document.getElementById('help').open")
        assert session.decisions == []
        # People who dictate turn single letters off.
        tab.value("document.getElementById('keys-on').click()")
        tab.press("a", "n")
        assert text(tab, "place") == "Item 1 of 2"
        assert session.decisions == []


def test_letters_typed_into_the_comment_decide_nothing(browser: Browser, opens: Opens) -> None:
    session = opens("--size", "2")
    with reviewing(browser, session) as tab:
        tab.press("c", *"Araru?5")
        assert tab.value("document.getElementById('comment').value") == "Araru?5"
        assert session.decisions == []


def test_a_second_start_shows_what_was_decided_and_where_to_go_on(browser: Browser, opens: Opens) -> None:
    with reviewing(browser, opens("--size", "3")) as tab:
        tab.press("5", "a")
        at_item(tab, 2)
    with serving(opens("--size", "3")) as server, browser.tab(server.address, 1280) as tab:
        at_item(tab, 2)
        tab.press("p")
        at_item(tab, 1)
        assert "You said: accepted" in text(tab, "standing")
        assert tab.value("document.querySelector('[data-verdict=accept]').getAttribute('aria-pressed')") == "true"
        assert tab.value("document.querySelector('#scores input:checked').value") == "5"


def test_a_store_that_fails_is_said_nothing_moves_and_the_same_key_saves_once_it_is_back(
    browser: Browser, opens: Opens, tmp_path: Path
) -> None:
    session = opens("--size", "2")
    records = session.records
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder would have to be")
    with reviewing(browser, session) as tab:
        session.records = LocalStore(str(blocked))
        tab.press("3", "a")
        tab.wait("document.getElementById('wrong').textContent.includes('Not saved')")
        assert text(tab, "place") == "Item 1 of 2"
        assert text(tab, "count") == "0 of 2 decided"
        session.records = records
        tab.press("a")
        at_item(tab, 2)
        assert text(tab, "wrong") == ""
    assert [each["score"] for each in standing(session)[:1]] == [3]


def test_a_killed_server_is_said_and_what_it_had_confirmed_is_there(
    browser: Browser, opens: Opens, dataset: Path
) -> None:
    command = [sys.executable, "-m", "factory.cli.main", "review", str(dataset), "--reviewer", "ada", "--size", "3"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        with browser.tab(process.stdout.readline().strip(), 390) as tab:
            at_item(tab, 1)
            tab.press("4", "a")
            at_item(tab, 2)
            process.kill()
            process.wait()
            tab.press("a")
            tab.wait("document.getElementById('wrong').textContent.includes('Not saved')")
            assert text(tab, "place") == "Item 2 of 3"
            assert text(tab, "count") == "1 of 3 decided"
    finally:
        process.kill()
        process.communicate()
    assert [entry and entry["score"] for entry in standing(opens("--size", "3"))] == [4, None, None]


def test_the_blinded_review_by_keyboard(browser: Browser, opens: Opens, real: Path) -> None:
    session = opens("--real", str(real), "--size", "4")
    with reviewing(browser, session) as tab:
        assert tab.value("document.getElementById('source-part').hidden") is True
        assert tab.value("document.getElementById('reasons').hidden") is True
        assert "human or by a machine" in text(tab, "who")
        for number, item in enumerate(session.sheet.items):
            at_item(tab, number + 1)
            tab.press("a", "r", "4", "h" if item.real else "m")
            tab.wait(f"document.getElementById('count').textContent.startsWith('{number + 1} of')")
        page = tab.view().html
    assert "human.jsonl" not in page
    assert [each.verdict == "human" for each in session.decisions] == [item.real for item in session.sheet.items]


def assert_fits(view: View, width: int) -> None:
    assert view.viewport_width == width
    assert view.overflow == []
    assert view.scroll_width == width


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_fits_is_quiet_and_asks_nobody_else(browser: Browser, opens: Opens, width: int, dark: bool) -> None:
    with reviewing(browser, opens("--size", "3"), width, dark=dark) as tab:
        view = tab.view()
        address = tab.value("location.href")
        header = tab.value("document.querySelector('header').getBoundingClientRect().height")
        verdict = tab.value("document.querySelector('[data-verdict=accept]').getBoundingClientRect().bottom")
        background = tab.value("getComputedStyle(document.body).backgroundColor")
    assert_fits(view, width)
    assert header < 120
    assert verdict < 900, "verdicts are in sight without scrolling"
    assert view.console == []
    assert all(url.startswith((address, "data:,")) for url in view.requests)
    assert background == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


def test_hostile_text_is_shown_and_does_nothing(browser: Browser, opens: Opens, real: Path) -> None:
    for session in (opens("--size", "2"), opens("--real", str(real), "--size", "2")):
        row = session.rows[session.sheet.items[0].item]
        long = replace(row, question=f"{row.question} {'x' * 3000} \u202e\x00")
        session.rows = {**session.rows, session.sheet.items[0].item: long}
        with reviewing(browser, session, 390) as tab:
            view = tab.view()
            assert HOSTILE in text(tab, "question")
            assert tab.value("document.images.length") == 0
            assert tab.value("document.scripts.length") == 1
            if session.sheet.kind == "judge":
                assert HOSTILE in text(tab, "source") or "Document" in text(tab, "source")
        assert view.title.startswith("factory review: toy")
        assert_fits(view, 390)
        assert view.console == []


def test_injected_markup_could_not_run(browser: Browser, opens: Opens) -> None:
    with reviewing(browser, opens("--size", "2")) as tab:
        tab.value(f"document.getElementById('question').innerHTML = {orjson.dumps(HOSTILE).decode()}; true")
        tab.value("(()=>{const s=document.createElement('script');s.textContent='document.title=\"owned\"';"
                  "document.body.append(s)})()")  # fmt: skip
        view = tab.view()
    assert view.title.startswith("factory review")
    assert any("Content Security Policy" in line for line in view.console)


def test_everything_has_a_name_a_focus_ring_and_a_place_in_the_order(browser: Browser, opens: Opens) -> None:
    with reviewing(browser, opens("--size", "2")) as tab:
        tree = browser.call("Accessibility.getFullAXTree", {}, tab.session)["nodes"]
        roles = ("button", "radio", "checkbox", "textbox", "progressbar", "link", "dialog")
        controls = [node for node in tree if not node["ignored"] and node["role"]["value"] in roles]
        assert len(controls) > 15
        assert [node["role"] for node in controls if not node["name"]["value"].strip()] == []
        names = [node["name"]["value"] for node in controls]
        assert any(name.startswith("Accept") for name in names)
        rings = set()
        for _ in range(12):
            tab.press("Tab")
            ring = "getComputedStyle(document.activeElement.closest('.chip') ?? document.activeElement)"
            rings.add(tab.value(f"{ring}.outlineStyle + ' ' + {ring}.outlineWidth"))
        assert rings == {"solid 3px"}
