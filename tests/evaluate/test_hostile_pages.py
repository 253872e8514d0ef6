"""Every page that shows other people's text, with text that wants to run, in a real browser: nothing of it does."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from factory.evaluate.dataset.page import Evaluation, to_html
from factory.evaluate.forecast.forecast import forecast
from factory.evaluate.forecast.page import build_page
from factory.evaluate.forecast.points import read_points
from factory.evaluate.report import build_report
from factory.printable import OBEYED
from tests.browser import Browser, page_url
from tests.evaluate.dataset.test_page import evaluation
from tests.evaluate.sample_report import report_input

pytestmark = pytest.mark.browser

HOSTILE = (
    "\"'><script>document.title='owned'</script></script><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\"><svg onload=\"document.title='owned'\"></svg>"
    "<a href=\"javascript:document.title='owned'\">x</a><base href=https://evil.example/>"
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>{{ 7*191 }}\u202egnp.exe\u2066\x00\x1b[2J"
)
ADDRESS = "javascript:document.title='owned'//https://a.example/"


def poisoned(value: Any, name: str = "") -> Any:
    """The same facts with every free text hostile; what code looks up (names of steps, states, kinds) stays."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value,
            **{one.name: poisoned(getattr(value, one.name), one.name) for one in dataclasses.fields(value) if one.init},
        )
    if isinstance(value, Mapping):
        return {key: poisoned(item, str(key)) for key, item in value.items()}
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(poisoned(item, name) for item in value)
    if isinstance(value, list):
        return [poisoned(item, name) for item in value]
    if not isinstance(value, str):
        return value
    if name in ("url", "uri"):
        return ADDRESS
    return HOSTILE if name in FREE else value


FREE = {
    "text", "question", "answer", "final_answer", "source", "license", "subject", "edu_level", "error", "id",
    "revision", "dataset", "name", "meaning", "detail", "evidence", "output_terms", "why", "note", "title", "label",
    "address", "version", "real_path", "concepts", "topics", "excerpt", "currency", "default_source", "domain",
}  # fmt: skip


def report() -> str:
    facts = report_input()
    # Names of steps and gates are looked up; everything that a corpus, a model or a user wrote is poisoned.
    keep = {"steps", "gates"} & {one.name for one in dataclasses.fields(facts)}
    changed = {
        one.name: poisoned(getattr(facts, one.name), one.name)
        for one in dataclasses.fields(facts)
        if one.init and one.name not in keep
    }
    return build_report(dataclasses.replace(facts, **changed))


def evaluated() -> str:
    found: Evaluation = evaluation()
    return to_html(dataclasses.replace(found, name=HOSTILE, version=HOSTILE, address=ADDRESS, real_path=HOSTILE))


def forecasted(tmp_path: Path) -> str:
    table = tmp_path / "points.csv"
    name = HOSTILE.replace('"', '""').replace("\x00", "")
    sizes = (1e8, 3e8, 1e9, 3e9, 1e10)
    rows = "".join(f'{size:.0f},{0.2 + 40 / size**0.25},"{name}"\n' for size in sizes)
    table.write_text(f"tokens,error,series\n{rows}")
    return build_page([forecast(points, [1e11], 0, 40) for points in read_points(str(table))], HOSTILE)


@pytest.mark.parametrize("kind", ["report", "evaluation", "forecast"])
def test_hostile_text_is_shown_and_does_nothing(browser: Browser, tmp_path: Path, kind: str) -> None:
    html = {"report": report, "evaluation": evaluated, "forecast": lambda: forecasted(tmp_path)}[kind]()
    assert "document.title=" in html  # it is there, as text
    assert "7*191" in html  # and no template was made of it
    assert "1337" not in html
    assert not OBEYED.search(html)
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in html
    path = tmp_path / f"{kind}.html"
    path.write_text(html)
    view = browser.look(page_url(path), 1280)
    assert view.title != "owned"
    assert view.requests == [page_url(path)]
    assert [line for line in view.console if "Content Security Policy" in line] == []  # nothing even tried
    elements = Elements()
    elements.feed(view.html)
    tags = [tag for tag, _ in elements.found]
    assert not {"img", "base", "iframe", "object", "embed", "form"} & set(tags)
    assert tags.count("script") <= 1
    for tag, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert "javascript:" not in (attributes.get("href") or "").lower()
        assert tag != "meta" or attributes.get("http-equiv") in (None, "Content-Security-Policy")


class Elements(HTMLParser):
    """What the browser made of a page: every element with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
