"""One completion's text, read as JSON without trusting it.

Design: engines are asked for JSON that fits a schema, but a server may ignore schemas, a budget may end in
mid-object and a small model may write anything. So a reply is parsed (orjson), looked at by hand, and what
is wrong with it gets a name. LaTeX written with one backslash is kept: as JSON, `\\times` is a tab and `imes`,
which 2 of 85 questions of a small model had become. Nothing here raises, whatever the text. Cost: 5-20
microseconds a reply.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from factory.engine.api import FINISH_LENGTH, FINISH_REPETITION, Completion

TRUNCATED, INVALID_JSON, SCHEMA_MISMATCH = "truncated", "invalid_json", "schema_mismatch"
LOOPING = "degenerate_repetition"
"""As TRUNCATED, of a reply that would never have ended."""

# Where a list of objects was cut: after which closing brace the rest may be dropped. A string can hold
# braces itself (LaTeX, code), so the last few are tried; more than eight in one cut string is not worth it.
_CUTS_TRIED = 8


@dataclass(frozen=True)
class Reply:
    """What a completion said. `problem` is empty, or the reason why `value` is None; `cut_off` is the text
    after the last complete object of a list that the token budget ended, `cut_by` then TRUNCATED or LOOPING."""

    value: dict[str, Any] | None
    problem: str = ""
    cut_off: str = ""
    cut_by: str = ""


def text_of(rounds: Sequence[Completion]) -> tuple[str, str]:
    """Text and finish reason of the last completion's first sample; empty where there is none."""
    last = rounds[-1]
    text = last.texts[0] if last.texts else ""
    return text, last.finish_reasons[0] if last.finish_reasons else ""


def read_reply(text: str, finish_reason: str, salvage: bool = False) -> Reply:
    """The JSON object in `text`.

    Prose or a code fence around it is dropped, for servers that ignore the schema. With `salvage`, a reply
    of the form {"...": [{...}, {... that ran out of tokens keeps its complete objects.
    """
    if (value := _loads(text)) is not None:
        return Reply(value)
    start, stop = text.find("{"), text.rfind("}")
    if 0 <= start < stop and (value := _loads(text[start : stop + 1])) is not None:
        return Reply(value)
    if finish_reason not in (FINISH_LENGTH, FINISH_REPETITION):
        kind = SCHEMA_MISMATCH if _is_json(text) else INVALID_JSON
        return Reply(None, kind)
    cut_by = LOOPING if finish_reason == FINISH_REPETITION else TRUNCATED
    if salvage and start >= 0:
        for _ in range(_CUTS_TRIED):
            if stop <= start:
                break
            if (value := _loads(text[start : stop + 1] + "]}")) is not None:
                return Reply(value, cut_off=text[stop + 1 :].strip(", \n]}"), cut_by=cut_by)
            stop = text.rfind("}", start, stop)
    return Reply(None, cut_by)


# A backslash that JSON takes for an escape and the writer meant for LaTeX: before b, f or r and another letter always
# (nobody writes a backspace, a form feed or a bare carriage return), before t or n where a command's name follows.
# A line break before a word stands after text, so the short commands also need a sign or a space before them.
_TABS = (
    "tan|tanh|tau|tbinom|text|textbf|textit|textrm|textsf|texttt|tfrac|therefore|theta|thickapprox|tilde|times|to|top|"
    "triangle|triangleleft|triangleright|triangleq|twoheadrightarrow"
)
_BREAKS = (
    "nabla|natural|nearrow|neg|neq|newcommand|newline|nexists|ngeq|nleq|nmid|nolimits|not|notin|nparallel|nsubseteq"
)
_LATEX = re.compile(
    rf"(?<!\\)((?:\\\\)*)\\(?=[bfr][A-Za-z]|(?:{_TABS}|{_BREAKS})(?![A-Za-z]))"
    r"|(?<=[\s${(=+*/^_,|<>&~-])()\\(?=n[eiu](?![A-Za-z]))"
)


def _loads(text: str) -> dict[str, Any] | None:
    if "\\" in text:
        text = _LATEX.sub(lambda found: (found[1] or "") + "\\\\", text)
    try:
        value = orjson.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
