"""Structured logs: one JSON object a line on stderr, of the driver, of Ray's workers and of engines.

Design: fields come in a fixed order (`time`, `level`, `event`, `run`, `step`, ...), so that a log is readable as it is
and every collector can parse it. Nothing passes that should not: values are blanked like everything else that leaves a
process (factory/credentials.py), and what a terminal would obey is escaped, so that a line stays a line whatever a
corpus or a model holds. Workers and engines write to their own stderr, which Ray keeps in files below its session's
`logs`; the driver writes to its own. In text mode nothing here writes but `tell`, for people.
"""

from __future__ import annotations

import datetime
import json
import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal

from factory.credentials import blanked, print_blanked, said, without_credentials
from factory.errors import FactoryError
from factory.printable import json_printable, unguarded

Level = Literal["debug", "info", "warning", "error"]

LONGEST_VALUE = 4000
"""Characters of a value that are written: a stack is shorter, a document is not."""

_writing = threading.Lock()
_here: dict[str, Any] = {"json": False, "run": None}
"""How this process, a driver, logs; and for which run. Workers are told by what they work."""


def asked_for(arguments: Sequence[str]) -> bool:
    """Whether a command line asks for JSON: what is wrong with the rest of it is then said as JSON too."""
    return "observe.logs=json" in arguments


def line_of(event: str, level: Level, fields: Mapping[str, Any], now: datetime.datetime | None = None) -> str:
    """One line without its end. Fields that are None are left out; times are UTC."""
    moment = (now or datetime.datetime.now(datetime.UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown = without_credentials({name: value for name, value in fields.items() if value is not None})
    body = {"time": moment, "level": level, "event": event, **_clean(shown)}
    return json_printable(json.dumps(body, ensure_ascii=False, default=str))


def write(event: str, level: Level = "info", **fields: Any) -> None:
    """Writes one line to stderr, whole."""
    line = line_of(event, level, fields)
    with _writing:
        stream = unguarded(sys.stderr)
        stream.write(line + "\n")
        stream.flush()


def tell(text: str, event: str = "note", level: Level = "info", **fields: Any) -> None:
    """What a command says to people: its words as they are, or as the message of a JSON line."""
    if _here["json"]:
        write(event, level, run=_here["run"], message=text, **fields)
    else:
        print(said(text), file=sys.stderr, flush=True)


def tell_error(error: BaseException) -> None:
    """The error that ends a command, with its cause and remedy."""
    if _here["json"] and isinstance(error, FactoryError):
        write("failed", "error", run=_here["run"], message=error.what, **_about(error))
    else:
        tell(f"{type(error).__name__}: {error}", "failed", "error")


def told(text: str, event: str = "note", level: Level = "info", **fields: Any) -> str:
    """What `tell` would write, without its end: for whoever says it later, in this process's place."""
    if _here["json"]:
        return line_of(event, level, {"run": _here["run"], "message": text, **fields})
    return said(text)


def told_error(error: FactoryError) -> str:
    """The same of `tell_error`."""
    if _here["json"]:
        return told(error.what, "failed", "error", **_about(error))
    return told(f"{type(error).__name__}: {error}", "failed", "error")


def _about(error: FactoryError) -> dict[str, Any]:
    return {"error": type(error).__name__, "cause": error.cause or None, "remedy": error.remedy or None}


def is_json() -> bool:
    return bool(_here["json"])


@contextmanager
def logging_as(json_lines: bool) -> Iterator[None]:
    """How this process logs while the body runs. With JSON, what libraries log and an unexpected end are lines too."""
    before = dict(_here)
    _here["json"] = json_lines
    handler = JsonHandler() if json_lines else None
    hook = sys.excepthook
    if handler is not None:
        logging.getLogger().addHandler(handler)
        logging.captureWarnings(True)
        sys.excepthook = _excepthook
    try:
        yield
    finally:
        _here.update(before)
        if handler is not None:
            logging.getLogger().removeHandler(handler)
            logging.captureWarnings(False)
            sys.excepthook = hook


def bind(run: str | None) -> None:
    """The run that lines of this driver are about."""
    _here["run"] = run


def bound_run() -> str | None:
    run: str | None = _here["run"]
    return run


def step_of(folder: str) -> str:
    """The step whose folder this is: "extract" of "extract-3f9c…"."""
    return folder.rpartition("-")[0] or folder


class JsonHandler(logging.Handler):
    """Records of Python's logging as lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            if record.exc_info:
                message += "\n" + "".join(traceback.format_exception(*record.exc_info))
            write("log", _level(record.levelno), run=_here["run"], logger=record.name, message=message)
        except Exception:
            self.handleError(record)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warning"
    return "info" if number >= logging.INFO else "debug"


def _excepthook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if not _here["json"]:
        print_blanked(kind, error, where)
        return
    stack = "".join(traceback.format_exception(kind, error, where))
    write("crash", "error", run=_here["run"], error=kind.__name__, message=stack)


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        text = blanked(value)
        return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
    return value
