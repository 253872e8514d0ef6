"""Other people's text where something obeys it: a terminal or a page, which characters they act on, and what stands
in their place.

Design: corpus and model may hold anything. Terminals act on control characters (ESC begins sequences that move the
cursor, rewrite what was printed, set the title or answer as if typed), and everything that draws text acts on the
bidirectional overrides (CVE-2021-42574). Each is shown as U+FFFD. The marks that right-to-left scripts need (U+200E,
U+200F, U+061C) reorder nothing but neutral characters around them and stay.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

BREAKS = re.compile("\r\n|[\t\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029]")
"""Everything that begins another line, for a terminal or for Python, and tabs."""

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
"""C0 and C1 controls (tab and line feed stay), lone surrogates, bidirectional overrides."""


def printable(text: str) -> str:
    """`text` with every character that is obeyed rather than shown as U+FFFD."""
    return OBEYED.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """`text` as `printable` has it and on one line, so that no value can look like a line of ours."""
    return printable(BREAKS.sub("\ufffd", text))


def json_printable(line: str) -> str:
    """A line of JSON that means the same, with those characters escaped: in JSON they stand in strings only."""
    return OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}" if found[0] != "\n" else found[0], line)


class _Shown:
    """A text stream on which only `printable` text is written; the rest is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def unguarded(self) -> TextIO:
        return self._stream


def unguarded(stream: TextIO) -> TextIO:
    """The stream itself, for lines that hold sequences of our own and nobody else's text but `printable`."""
    found: TextIO = getattr(stream, "unguarded", stream)
    return found


@contextmanager
def shown() -> Iterator[None]:
    """Everything that the body prints is `printable`."""
    out, error = cast(TextIO, _Shown(sys.stdout)), cast(TextIO, _Shown(sys.stderr))
    with redirect_stdout(out), redirect_stderr(error):
        yield
