"""A difference as a page: one self-contained HTML file.

Design: in the style sheet and policy of the other pages (factory/evaluate): no resource from anywhere, everything
escaped, a Content-Security-Policy that forbids scripts and requests.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment

from factory import __version__
from factory.evaluate import text
from factory.evaluate.environment import page_environment
from factory.govern.difference import words
from factory.govern.difference.found import Difference

CELL = 2000
"""Characters of a value on the page."""


def build_page(difference: Difference) -> str:
    """The page, as text that encodes to UTF-8 whatever the data held."""
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            data=difference,
            version=__version__,
            changed=[section for section in difference.sections if section.changes],
            equal=[section.title for section in difference.sections if not section.changes],
        )
    )


@cache
def _environment() -> Environment:
    environment = page_environment("factory.govern.difference")
    environment.filters.update(count=text.count, share=text.share, decimal=text.decimal)
    environment.globals.update(words=words, longest=CELL)
    return environment
