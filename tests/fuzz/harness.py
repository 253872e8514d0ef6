"""What every fuzz target stands under: only declared errors, a bound of processor time and of memory an example.

Design: `fuzzed` is hypothesis' `given` with three things around the body. A timer of processor time (another program on
the machine does not count) ends a body that hangs; the kernel's limit on address space makes a decompression bomb a
MemoryError, which no parser declares; and the dotted names of the functions under test are kept beside the test, so
that test_targets.py can say what has no target. `refused` is how a body calls a parser that may refuse: it lets the
declared errors pass and looks whether their message is one for people.

Cost: 30 microseconds an example.
"""

from __future__ import annotations

import contextlib
import functools
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, given

from factory.errors import FactoryError

CPU_SECONDS = 20.0
"""Of one example. Nothing here takes a second; a slow machine under load must not look like a hang."""

MEMORY_BYTES = 3 << 30
"""Beyond what the process has at the start of an example: room for Arrow's and numpy's pools, none for a bomb."""

FRAMES = 900
"""Calls deep that an example may go: what Python's own limit of 1,000 leaves a worker's code. Hypothesis raises it."""

COUNTS = "FACTORY_FUZZ_COUNTS"
"""Environment variable: the file to which `python -m tests.fuzz` wants each test's examples counted."""

EXAMPLES = "FACTORY_FUZZ_EXAMPLES"
"""Environment variable: examples a test of the long profile."""

SHORT_EXAMPLES = 12

_SUPPRESSED = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.function_scoped_fixture,
    HealthCheck.large_base_example,
]

executed: dict[str, int] = {}
"""Test -> examples run in this process."""


class HangError(BaseException):
    """An example took more processor time than any input should."""


def load_profiles() -> None:
    """`short` is part of `make test`: the same examples every time. `long` draws new ones and keeps what failed."""
    common: dict[str, Any] = {"deadline": None, "suppress_health_check": _SUPPRESSED, "print_blob": True}
    hypothesis.settings.register_profile(
        "short",
        max_examples=SHORT_EXAMPLES,
        derandomize=True,
        database=None,
        # Making a failing example small can take minutes; the long profile does it.
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        **common,
    )
    folder = Path(__file__).resolve().parents[2] / ".fuzz" / "examples"
    hypothesis.settings.register_profile(
        "long",
        max_examples=int(os.environ.get(EXAMPLES, "1000")),
        database=hypothesis.database.DirectoryBasedExampleDatabase(folder),
        **common,
    )


def profile() -> hypothesis.settings:
    load_profiles()
    return hypothesis.settings.get_profile("long" if EXAMPLES in os.environ else "short")


def fuzzed(*targets: str, share: float = 1.0, **strategies: Any) -> Callable[[Callable[..., None]], Any]:
    """`given(**strategies)` around a test of the functions `targets` (dotted names), bounded and counted. `share` of
    the profile's examples are run: below 1 where an example costs tens of milliseconds."""

    def decorate(body: Callable[..., None]) -> Any:
        name = f"{body.__module__.rpartition('.')[2]}.{body.__name__}"

        @functools.wraps(body)
        def bounded_body(*args: Any, **drawn: Any) -> None:
            executed[name] = executed.get(name, 0) + 1
            with bounded():
                body(*args, **drawn)

        own = profile()
        examples = max(5, round(own.max_examples * share))
        test = hypothesis.settings(own, max_examples=examples)(given(**strategies)(bounded_body))
        test.fuzz_targets = targets
        return test

    return decorate


@contextlib.contextmanager
def bounded(memory_bytes: int = MEMORY_BYTES) -> Iterator[None]:
    """Ends the block with HangError after CPU_SECONDS, and lets no allocation pass `memory_bytes`."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    before = signal.signal(signal.SIGPROF, _too_long)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + memory_bytes, limits[1]))
    deepest = sys.getrecursionlimit()
    sys.setrecursionlimit(_depth() + FRAMES)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.setrecursionlimit(deepest)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def _too_long(signum: int, frame: Any) -> None:
    raise HangError(f"more than {CPU_SECONDS:g} s of processor time")


def _depth() -> int:
    """Frames of the calls that led here."""
    frame, found = sys._getframe(), 0
    while frame is not None:
        frame, found = frame.f_back, found + 1
    return found


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


@contextlib.contextmanager
def refused(*declared: type[Exception]) -> Iterator[None]:
    """Lets the errors pass that a parser declares. A FactoryError has to say what happened, and a cause or a remedy."""
    try:
        yield
    except declared as error:
        if isinstance(error, FactoryError):
            said_for_people(error)
    # Everything else is the finding.


def said_for_people(error: FactoryError) -> None:
    """Asserts that an error is one for people: what happened, and what to do or why; short, and printable."""
    assert error.what.strip()
    assert error.cause.strip() or error.remedy.strip(), error.what
    assert len(str(error)) < MOST_SAID, f"{len(str(error))} characters"
    str(error).encode()
    assert "Traceback" not in str(error)


MOST_SAID = 200_000
"""Characters of a message. Lists of every bad key may be long; a copy of the input may not."""


def write_counts() -> None:
    """Adds what this process ran to the file that the long run names."""
    if path := os.environ.get(COUNTS):
        with Path(path).open("a", encoding="utf-8") as file:
            for name, count in executed.items():
                file.write(f"{name}\t{count}\n")
