"""`factory decon PATH...`: which rows of any dataset hold items of evaluation benchmarks.

Design: files stream through the rules of curation (factory/curate/decon/); what is counted is held, what is found goes
to `--out` as it is found. Exit code 0 when nothing is contaminated, CONTAMINATED when something is, else the error's.
What people read goes to stdout; with `--json` it goes to stderr and the last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from factory.curate.benchmarks import Benchmarks, Side
    from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
    from factory.curate.decon.hits import Hit, Screen
    from factory.curate.decon.rows import Cell, Columns

CONTAMINATED = 8
"""Exit code when a row is contaminated; 1 to 7 are those of errors."""

SELF_TEST_ROWS = 20_000
"""Rows of the user's that the self-test hides plants among, the first ones: enough to look like the whole."""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "decon",
        help="find benchmark items in any dataset",
        description="Looks for items of evaluation benchmarks in Parquet and JSONL files, folders or published "
        f"datasets. Exit code 0: clean; {CONTAMINATED}: contaminated. Guide: docs/decontamination.md.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs or s3://… to look at")
    parser.add_argument(
        "--benchmark",
        action="append",
        default=[],
        metavar="NAME=PATH[:FIELDS[:ANSWERS[:OPTIONS]]]",
        help="a benchmark: its files and, with commas between them, the columns of questions, answers, choices; "
        "without columns they are guessed",
    )
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="FILE.yaml|KEY=VALUE",
        help="curate.benchmarks and curate.decontamination of a YAML file, or overrides as for a run",
    )
    parser.add_argument(
        "--rule",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a rule's threshold, or null; embedding.model=minilm looks up similar questions by embedding as well",
    )
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="ask a model, in both orders, whether questions found by embedding are the same problem; keys of a run, "
        "one each time: engine=openai, engine.base_url=URL, model.id=NAME; or engine=vllm, model.id=FOLDER",
    )
    parser.add_argument("--field", action="append", default=[], metavar="COLUMN", help="column of questions or texts")
    parser.add_argument("--answer-field", action="append", default=[], metavar="COLUMN", help="column of answers")
    parser.add_argument("--out", metavar="HITS", help="write every hit to this .parquet or .jsonl file")
    parser.add_argument("--review", action="store_true", help="show matches side by side")
    parser.add_argument("--limit", type=_count, default=20, metavar="N", help="matches that --review shows (20)")
    parser.add_argument("--self-test", action="store_true", help="plant benchmark items among the rows and count")
    parser.add_argument("--plants", type=int, default=200, metavar="N", help="plants a class in the self-test (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the self-test's plants (0)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line of stdout")
    parser.set_defaults(run=run)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


@dataclass(frozen=True)
class Sides:
    """Screens for questions and for answers (None where no benchmark has answers to compare)."""

    question: Screen
    answer: Screen | None

    def of(self, side: Side) -> Screen | None:
        return self.question if side == "question" else self.answer


def run(args: argparse.Namespace) -> int:
    """CONTAMINATED when a row is, else 0. Raises ConfigError, CorpusError."""
    from factory.cli.decon_settings import read_named
    from factory.curate.decon.rows import data_files

    files = data_files(args.paths)
    configs, rules = settings(args)
    benchmarks = read_named(configs, args.benchmark)
    check_judge(args, rules)
    sides = screens(benchmarks, rules)
    said = sys.stderr if args.json else sys.stdout
    counted = ", ".join(f"{name} {number:,}" for name, number in _items_by_benchmark(benchmarks).items())
    print(f"{len(benchmarks.items):,} benchmark texts: {counted}", file=said)
    columns = columns_of(args)
    if args.self_test:
        return _self_test(args, sides, benchmarks, files, columns, said)
    with looking_near(args, sides, benchmarks, rules) as near:
        return _look(args, near, benchmarks, files, columns, said)


def settings(args: argparse.Namespace) -> tuple[list[BenchmarkConfig], DecontaminationConfig]:
    """Benchmarks and rules of the command line. Raises ConfigError."""
    from factory.cli.decon_settings import benchmark_of, configured, with_rules
    from factory.errors import ConfigError

    configs, rules = configured(args.config)
    configs += [benchmark_of(text) for text in args.benchmark]
    if not configs:
        raise ConfigError(
            "no benchmark is named",
            cause="there is nothing to compare with",
            remedy="name one: --benchmark gsm8k=/data/gsm8k/test.jsonl:question, or --config with curate.benchmarks",
        )
    twice = [name for name, number in Counter(config.name for config in configs).items() if number > 1]
    if twice:
        raise ConfigError(
            f"benchmark {twice[0]} is named twice",
            cause="evidence names an item by benchmark and row: those of two could not be told apart",
            remedy="give each a name of its own; one benchmark may have several files: `paths` in --config",
        )
    return configs, with_rules(rules, args.rule)


def check_judge(args: argparse.Namespace, rules: DecontaminationConfig) -> None:
    """Raises ConfigError where a judge would have nothing to judge."""
    from factory.errors import ConfigError

    if not args.judge:
        return
    if args.self_test:
        raise ConfigError("--judge and --self-test do not go together", remedy="the self-test counts rules of words")
    if rules.embedding.model is None:
        raise ConfigError(
            "--judge has nothing to judge",
            cause="it is asked about questions found by embedding, and no embedding model is named",
            remedy="name one: --rule embedding.model=minilm (or a folder, a Hugging Face id, smollm2)",
        )


@contextmanager
def looking_near(
    args: argparse.Namespace, sides: Sides, benchmarks: Benchmarks, rules: DecontaminationConfig
) -> Iterator[Sides]:
    """`sides` with retrieval by embedding on the question side, where it is on, and with its judge."""
    from factory.cli.decon_judge import open_judge
    from factory.cli.decon_near import nearest_of
    from factory.curate.index_store import items_of

    items = items_of(benchmarks, "question")
    near = nearest_of(items, rules.embedding)
    if near is None:
        yield sides
    elif not args.judge:
        yield replace(sides, question=replace(sides.question, near=near))
    else:
        with open_judge(args.judge, near, items) as judge:
            yield replace(sides, question=replace(sides.question, near=judge))


def screens(benchmarks: Benchmarks, rules: DecontaminationConfig) -> Sides:
    from factory.curate.decon.hits import Screen
    from factory.curate.decon.index import build_index
    from factory.curate.index_store import items_of

    answers = items_of(benchmarks, "answer")
    question = Screen(build_index(items_of(benchmarks, "question")), rules)
    return Sides(question, Screen(build_index(answers), rules) if answers else None)


def columns_of(args: argparse.Namespace) -> Columns | None:
    from factory.curate.decon.rows import Columns

    if not args.field and not args.answer_field:
        return None
    return Columns(tuple(args.field), tuple(args.answer_field))


def _look(
    args: argparse.Namespace, sides: Sides, benchmarks: Benchmarks, files: Sequence[Any], columns: Columns | None,
    said: TextIO,
) -> int:  # fmt: skip
    from factory.curate.decon.out import open_out
    from factory.curate.decon.review import table

    texts = {(item.benchmark, item.item, item.field): item.text for item in benchmarks.items} if args.review else {}
    tally: Counter[tuple[str, str, str]] = Counter()
    looked = Counter[str]()
    shown = 0
    with ExitStack() as stack:
        write = stack.enter_context(open_out(args.out)) if args.out else None
        for cell, hits in _hits(sides, files, columns, looked):
            for hit in hits:
                tally[hit.benchmark, hit.rule, hit.verdict] += 1
            looked[_verdict(sides, cell, hits)] += 1
            if write is not None:
                write(cell, hits)
            if args.review and shown < args.limit:
                shown += 1
                _show(cell, hits[0], texts, said)
    for line in table(tally):
        print(line, file=said)
    print(
        f"{looked['texts']:,} texts in {looked['rows']:,} rows of {len(files):,} files: "
        f"{looked['contaminated']:,} contaminated, {looked['similar']:,} similar"
        + (f", {looked['undecided']:,} undecided, {looked['different']:,} judged different" if args.judge else ""),
        file=said,
    )
    if not looked["texts"]:
        print("note: there was no text to look at, so this says nothing of your data", file=sys.stderr)
    if args.json:
        _print_json(_summary(benchmarks, looked, tally))
    return CONTAMINATED if looked["contaminated"] else 0


def _hits(
    sides: Sides, files: Sequence[Any], columns: Columns | None, looked: Counter[str]
) -> Iterator[tuple[Cell, list[Hit]]]:
    """Texts with a hit, and all their hits; counts texts and rows into `looked`."""
    from factory.curate.decon.rows import cells
    from factory.curate.words import tokenise

    for file in files:
        for batch in cells(file, columns):
            looked["rows"] += len({cell.row for cell in batch})
            looked["texts"] += len(batch)
            for side in ("question", "answer"):
                of_side = [cell for cell in batch if cell.side == side]
                screen = sides.question if side == "question" else sides.answer
                if screen is None or not of_side:
                    continue
                texts = [cell.text for cell in of_side]
                found: dict[int, list[Hit]] = {}
                for hit in screen.hits(texts, tokenise(texts)):
                    found.setdefault(hit.row, []).append(hit)
                for place in sorted(found):
                    yield of_side[place], found[place]


def _verdict(sides: Sides, cell: Cell, hits: Sequence[Hit]) -> str:
    """What a text is by all its hits: what is worst of them."""
    if any(_rejected(sides, cell, hit) for hit in hits):
        return "contaminated"
    verdicts = {hit.verdict for hit in hits}
    return "undecided" if "undecided" in verdicts else "different" if verdicts == {"different"} else "similar"


def _rejected(sides: Sides, cell: Cell, hit: Hit) -> bool:
    screen = sides.of(cell.side)
    return screen is not None and screen.rejects(hit)


def _show(cell: Cell, hit: Hit, texts: Mapping[tuple[str, str, str], str], said: TextIO) -> None:
    from factory.curate.decon.review import side_by_side
    from factory.printable import unguarded

    width = shutil.get_terminal_size((120, 24)).columns
    item = texts.get((hit.benchmark, hit.item, hit.field), "")
    for line in side_by_side(hit, f"{cell.file} row {cell.row} {cell.field}", item, cell.text, width, said.isatty()):
        print(line, file=unguarded(said))  # our own colours


def _self_test(
    args: argparse.Namespace, sides: Sides, benchmarks: Benchmarks, files: Sequence[Any], columns: Columns | None,
    said: TextIO,
) -> int:  # fmt: skip
    from factory.curate.decon.plants import LENGTHS
    from factory.curate.decon.review import recall_table
    from factory.curate.decon.selftest import LOOK_ALIKE, run_self_test
    from factory.curate.index_store import items_of

    rows = _first_rows(files, columns)
    result = run_self_test(sides.question, items_of(benchmarks, "question"), rows, args.plants, args.seed)
    names = [name for _, _, name in LENGTHS]
    lines: dict[str, list[str]] = {}
    for kind, by_length in result.counts.items():
        found = [by_length.get(name) for name in names] + [result.total(kind)]
        share = [
            None if one is None else (one.similar if kind == LOOK_ALIKE else one.found) / max(1, one.plants)
            for one in found
        ]
        lines[kind if kind != LOOK_ALIKE else f"{kind} (similar)"] = [
            "-" if one is None or part is None else f"{part:.3f} of {one.plants}"
            for one, part in zip(found, share, strict=True)
        ]
    print(f"recall of plants among {result.rows:,} rows, by words of the item", file=said)
    for line in recall_table(lines, [*names, "all"]):
        print(line, file=said)
    marked, share_marked = len(result.marked), len(result.marked) / result.rows
    print(
        f"without a plant {marked:,} of {result.rows:,} rows are marked ({share_marked:.3%}): leaks that were there, "
        "or false positives; --review shows them",
        file=said,
    )
    if args.json:
        counts = {
            kind: {name: {**vars(one), "recall": round(one.recall, 4)} for name, one in by_length.items()}
            for kind, by_length in result.counts.items()
        }
        _print_json({"self_test": counts, "rows": result.rows, "marked": marked, "seed": args.seed})
    return 0


def _first_rows(files: Sequence[Any], columns: Columns | None) -> list[str]:
    from factory.curate.decon.rows import cells
    from factory.errors import CorpusError

    rows: list[str] = []
    for file in files:
        for batch in cells(file, columns):
            rows += [cell.text for cell in batch if cell.side == "question"]
            if len(rows) >= SELF_TEST_ROWS:
                return rows[:SELF_TEST_ROWS]
    if not rows:
        raise CorpusError(
            "there is no text to hide plants among",
            cause="the files hold no rows, or only answers",
            remedy="name a file with questions or texts, or their column with --field",
        )
    return rows


def _items_by_benchmark(benchmarks: Benchmarks) -> dict[str, int]:
    return dict(Counter(item.benchmark for item in benchmarks.items))


def _summary(benchmarks: Benchmarks, looked: Counter[str], tally: Counter[tuple[str, str, str]]) -> dict[str, Any]:
    return {
        "clean": not looked["contaminated"],
        **{name: looked[name] for name in ("rows", "texts", "contaminated", "similar", "undecided", "different")},
        "hits": [
            {"benchmark": benchmark, "rule": rule, "verdict": verdict, "texts": number}
            for (benchmark, rule, verdict), number in sorted(tally.items())
        ],
        "benchmarks": benchmarks.identity(),
    }


def _print_json(value: Mapping[str, Any]) -> None:
    import orjson

    from factory.printable import json_printable

    print(json_printable(orjson.dumps(value).decode()))
