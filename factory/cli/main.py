"""`factory`: all that is asked before, beside and after a run, a subcommand each (`factory --help`).

Runs start with `python -m jobs.run`.

Design: a subcommand is a module with `add_parser` and `run`; only the chosen one is imported beyond its
parser, so `factory --help` answers at once. Errors of ours print their message without a stack; the exit
code says which family (factory/errors.py).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from factory import __version__
from factory.cli import (
    approve,
    bundle,
    compare,
    config,
    decon,
    diff,
    doctor,
    domain,
    erase,
    export,
    forecast,
    gc,
    impact,
    index,
    judge,
    lineage,
    plan,
    records,
    replay,
    report,
    retention,
    review,
    show,
    sign,
    status,
    top,
    trouble,
    verify,
    withdraw,
)
from factory.credentials import blanked, print_blanked
from factory.errors import FactoryError
from factory.leaving import INTERRUPTED_CODE, leave
from factory.printable import shown
from factory.store.base import AbsentObjectError
from factory.store.objects import absent

SUBCOMMANDS = (
    *(plan, status, top, verify, replay, show, report, review, judge, decon, index, forecast, compare, diff),
    *(export, records, bundle, approve, sign, withdraw, impact, erase, retention, lineage),
    *(doctor, gc, config, domain, trouble),
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="factory",
        description="Corpus-derived synthetic data whose every row can prove where it came from.",
        epilog="Start a run with: python -m jobs.run preset=demo store.root=DIR",
    )
    parser.add_argument("--version", action="version", version=f"factory {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in SUBCOMMANDS:
        module.add_parser(subparsers)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of the subcommand; 2 to 8 for the families of FactoryError, 130 when interrupted."""
    with shown():  # rows, names of files and what a model wrote may hold what a terminal obeys
        return _run(build_parser().parse_args(arguments))


def _run(parsed: argparse.Namespace) -> int:
    try:
        code: int = parsed.run(parsed)
        return code
    except FactoryError as error:
        return _said(error)
    except AbsentObjectError as error:
        return _said(absent(error))
    except KeyboardInterrupt:
        return INTERRUPTED_CODE
    except BrokenPipeError:
        return 0


def _said(error: FactoryError) -> int:
    print(blanked(f"{type(error).__name__}: {error}"), file=sys.stderr)
    return error.exit_code


def command() -> NoReturn:
    """What the shell calls: `main`, and then the end of the process at once."""
    sys.excepthook = print_blanked
    leave(main())


if __name__ == "__main__":
    command()
