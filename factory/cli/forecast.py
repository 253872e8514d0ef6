"""`factory forecast FILE`: a scaling law through your own (tokens, error) points, and how far it can be believed.

Design: what people read goes to stderr, the last line of stdout is one JSON object. A size more than FURTHEST times the
largest measured one is refused before anything is fitted, unless `--beyond` asks for it. No model is trained.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.evaluate.forecast.forecast import Forecast, Prediction
    from factory.evaluate.forecast.points import Points


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "forecast",
        help="fit a scaling law to your (tokens, error) points",
        description="Fits the rectified law L(D) = B / (D_l + D^beta) + E, predicts the largest point from the others, "
        "and says what the points do not determine. The last line of stdout is one JSON object. "
        "Guide: docs/forecast.md.",
    )
    parser.add_argument(
        "file", metavar="FILE", help=".csv, .jsonl, .json, .parquet: columns tokens, error[, series, weight]"
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        metavar="TOKENS",
        type=_tokens,
        help="forecast this size: 300000000, 3e8, 300M",
    )
    parser.add_argument("--beyond", action="store_true", help="also sizes far beyond the largest measured one")
    parser.add_argument("--out", metavar="PAGE.html", help="write a page with pictures to this file")
    parser.add_argument("--draws", type=_draws, default=None, metavar="N", help="bootstrap draws (200)")
    parser.add_argument("--seed", type=int, default=17, help="of the bootstrap (17)")
    parser.set_defaults(run=run)


def _tokens(text: str) -> float:
    from factory.evaluate.forecast.points import tokens_in

    try:
        value = tokens_in(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _draws(text: str) -> int:
    if not text.strip().isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of bootstrap draws, such as 200")
    number = int(text)
    if number < LEAST_DRAWS:
        raise argparse.ArgumentTypeError(f"{number} draws give no 95 % interval; {LEAST_DRAWS} do")
    return number


LEAST_DRAWS = 40
"""One draw beyond each end of a 95 % interval."""


def run(args: argparse.Namespace) -> int:
    """0. Raises ConfigError for a file that is no table of points, too few of them, or a size too far beyond."""
    import orjson

    from factory.evaluate.forecast.forecast import DRAWS, forecast
    from factory.evaluate.forecast.page import build_page, plain
    from factory.evaluate.forecast.points import read_points
    from factory.printable import json_printable

    series = read_points(args.file)
    check(series, args.at, args.beyond)
    found = [forecast(points, sorted(args.at), args.seed, args.draws or DRAWS) for points in series]
    for each in found:
        say(each)
    page = None
    if args.out:
        page = str(Path(args.out).expanduser())
        _write(page, build_page(found, Path(args.file).name))
        print(f"page: {page}", file=sys.stderr)
    result = {
        "file": args.file,
        "law": "B / (D_l + D^beta) + E",
        "page": page,
        "series": [plain(each) for each in found],
    }
    print(json_printable(orjson.dumps(result).decode()))
    return 0


def check(series: Sequence[Points], at: Sequence[float], beyond: bool) -> None:
    """Raises ConfigError where a series has too few sizes or a size lies too far beyond the measured ones."""
    from factory.errors import ConfigError
    from factory.evaluate.forecast.forecast import FURTHEST, LEAST_SIZES, ratio_of

    for points in series:
        name = f"series {points.series!r}" if points.series else "the file"
        if points.sizes < LEAST_SIZES:
            raise ConfigError(
                f"{name} has {points.sizes} different token counts; a forecast needs {LEAST_SIZES}",
                cause="the law has four parameters: fewer sizes than that fit any number of laws exactly, and nothing "
                "would be left to say how well one fits",
                remedy="measure more sizes, each about twice the one before; repeats of one size do not help",
            )
        far = [tokens for tokens in at if ratio_of(points, tokens) > FURTHEST]
        if far and not beyond:
            raise ConfigError(
                f"{name}: {far[0]:.6g} tokens are {ratio_of(points, far[0]):.3g} times the largest measured size, "
                f"{points.largest:.6g}; forecasts are given up to {FURTHEST:g} times",
                cause="laws that agree where it was measured say different things there (docs/forecast.md)",
                remedy="measure a larger size, or add --beyond and read the interval",
            )


def say(found: Forecast) -> None:
    """One series, for people."""
    from factory.evaluate.forecast.page import figure, text_plot, tokens_words

    def line(text: str) -> None:
        print(text, file=sys.stderr)

    points = found.points
    first, last = tokens_words(float(points.tokens[0])), tokens_words(points.largest)
    line(f"\n{points.series or 'all points'}: {len(points.tokens)} points, {first} to {last} tokens\n")
    line(text_plot(found) + "\n")
    for one in found.parameters:
        note = "" if one.determined else f"   not determined: {one.why}"
        line(f"  {one.name:<5} {figure(one.value):>10}   95 % {figure(one.low)} to {figure(one.high)}{note}")
    scatter = "not known" if found.fitted.noise is None else f"{found.fitted.noise:.1%}"
    line(f"  scatter of a point about the law: {scatter}")
    held = found.held_out
    if held.prediction is None or held.off is None:
        line(f"  largest size held out: not possible, {held.why}")
    else:
        guess = held.prediction
        line(
            f"  largest size held out: observed {figure(held.observed)}, predicted {figure(guess.error)} "
            f"({_intervals(guess)}), {held.off:+.1%}, at {guess.ratio:.3g} times the size before it; a power law: "
            f"{held.power_law_off or 0:+.1%}"
        )
    for each in found.predictions:
        line(
            f"  at {tokens_words(each.tokens)}: {figure(each.error)} ({_intervals(each)}), {each.ratio:.3g} times the "
            f"largest measured size; a power law says {figure(each.power_law)}"
        )
    for note in found.notes:
        line(f"  ! {note}")


def _intervals(each: Prediction) -> str:
    from factory.evaluate.forecast.page import figure

    return (
        f"the law {figure(each.low)} to {figure(each.high)}, a measured point {figure(each.measured_low)} to "
        f"{figure(each.measured_high)}"
    )


def _write(path: str, page: str) -> None:
    from factory.errors import ConfigError

    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"--out {path} cannot be written: {error}", remedy="name a file in a folder that is there"
        ) from None
