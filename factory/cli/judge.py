"""`factory judge DATASET --labels FILE`: how far the judge of a dataset agrees with people, and what sways it.

Design: labelled answers are looked up among the dataset's rows and compared with the scores that are there, which costs
nothing. With `--judge` a model is asked in this process, without a cluster, about labelled answers that no dataset
holds, and about pairs, each in both orders. What people read is printed; the last line of stdout is one JSON object.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from factory.answers.judge.labels import Labelled, Scale
    from factory.answers.judge.rubric import Rubric
    from factory.domains.pack import Pack
    from factory.engine.api import Batch, Completion
    from factory.evaluate.dataset.figures import Figure


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "judge",
        help="how far a judge agrees with people",
        description="Compares a judge's scores with labels that people gave: agreement, bias by length and position. "
        "Guide: docs/judge.md.",
    )
    parser.add_argument("dataset", metavar="DATASET", nargs="?", help="a dataset with judge scores; folder or s3://…")
    parser.add_argument(
        "--labels",
        required=True,
        metavar="FILE",
        help=".jsonl, .csv or .parquet with sample_id (or question and answer) and label; or question, first, second",
    )
    parser.add_argument("--scale", nargs=2, type=float, metavar=("LOW", "HIGH"), help="ends of the labels' scale")
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="ask a model about what the dataset does not hold; keys of a run, one each time: engine=openai, "
        "engine.base_url=URL, model.id=NAME, judge.rubric=NAME",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap intervals (0)")
    parser.add_argument("--endpoint-url", help="S3 endpoint, where it is not AWS")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0. Raises ConfigError where labels, dataset or judge are not there or do not fit together."""
    from factory.answers.judge.labels import are_pairs, labelled, read_rows, scale_of

    rows = read_rows(args.labels)
    if are_pairs(rows):
        return _pairs(args, rows)
    scale = (args.scale[0], args.scale[1]) if args.scale else None
    labels = labelled(rows, scale, args.labels)
    return _answers(args, labels, scale_of(rows, scale, args.labels))


def _answers(args: argparse.Namespace, labels: Sequence[Labelled], scale: Scale) -> int:
    from factory.answers.judge.calibration import calibrate
    from factory.errors import ConfigError

    known = _scores(args.dataset, args.endpoint_url) if args.dataset else {}
    scored: list[tuple[Labelled, float, str]] = []
    missing: list[Labelled] = []
    unscored = 0
    for label in labels:
        row = known.get(label.sample_id) or known.get((label.question, label.answer))
        if row is None:
            missing.append(label)
        elif row[1] is None:
            unscored += 1
        else:
            scored.append((label, row[1], row[0]))
    asked = [label for label in missing if label.question and label.answer]
    if args.judge and asked:
        given = _ask_about(args.judge, asked)
        found = [
            (label, score, label.answer or "") for label, score in zip(asked, given, strict=True) if score is not None
        ]
        unscored += len(asked) - len(found)
        missing = [label for label in missing if not (label.question and label.answer)]
        scored += found
    if not scored:
        raise ConfigError(
            f"none of the {len(labels)} labelled answers has a score of the judge",
            cause="they are not rows of this dataset, or it was made without judge.rubric",
            remedy="name the dataset of these answers, or let a model judge now: --judge engine=… --judge model.id=…",
        )
    figures = calibrate(
        [score for _, score, _ in scored],
        [label.label for label, _, _ in scored],
        [len(answer.split()) for _, _, answer in scored],
        args.seed,
    )
    print(f"{len(scored):,} of {len(labels):,} labelled answers have a score of the judge")
    if missing:
        print(f"{len(missing):,} are not in the dataset" + ("" if args.judge else " (--judge asks a model about them)"))
    if unscored:
        print(f"{unscored:,} got no usable score")
    if scale.assumed:
        print(
            f"no scale was stated: {scale.low:g}, the lowest label, is read as worst and {scale.high:g} as best; "
            "--scale LOW HIGH states the one that people were given"
        )
    counts = {
        "labels": len(labels),
        "scored": len(scored),
        "not_found": len(missing),
        "without_score": unscored,
        "scale": None if scale.words else [scale.low, scale.high],
        "scale_assumed": scale.assumed,
    }
    return _said(figures, counts)


def _pairs(args: argparse.Namespace, rows: Sequence[Any]) -> int:
    from factory.answers.judge.calibration import calibrate_pairs
    from factory.answers.judge.labels import labelled_pairs
    from factory.answers.judge.pairs import PROMPT, judge_pairs

    labels = labelled_pairs(rows, args.labels)
    with _engine(args.judge) as (pack, rubric, _, ask):
        verdicts = judge_pairs([label.pair for label in labels], rubric, pack.prompt(PROMPT), ask)
    decided = sum(verdict.better is not None for verdict in verdicts)
    usable = sum(verdict.usable for verdict in verdicts)
    print(
        f"{len(labels):,} pairs asked in both orders: {decided:,} decided, {usable - decided:,} changed with the order,"
    )
    print(f"{len(labels) - usable:,} without two usable replies")
    counts = {"pairs": len(labels), "decided": decided, "usable": usable}
    return _said(calibrate_pairs(verdicts, [label.preferred for label in labels], args.seed), counts)


def _scores(address: str, endpoint_url: str | None) -> dict[Any, tuple[str, float | None]]:
    """Answer and score of every row, by sample id and by (question, answer)."""
    from factory.evaluate.dataset.reading import read_dataset

    dataset = read_dataset(address, endpoint_url=endpoint_url)
    found: dict[Any, tuple[str, float | None]] = {}
    for table in dataset.tables(["sample_id", "question", "answer", "judge_score"]):
        for row in table.to_pylist():
            found[row["sample_id"]] = found[row["question"], row["answer"]] = (row["answer"], row["judge_score"])
    return found


def _ask_about(overrides: Sequence[str], labels: Sequence[Labelled]) -> list[float | None]:
    """A score for each, as the judge step of a run would give it."""
    from factory.answers.judge.step import JudgeStep, grade
    from factory.engine.api import Batch, Request
    from factory.identity import make_id

    with _engine(overrides) as (pack, rubric, config, ask):
        step = JudgeStep(config.judge, rubric, pack, config.seed)
        requests = tuple(
            Request(
                make_id("request", "judge", label.question or "", label.answer or "", number),
                step.messages(label.question or "", label.answer or "", label.document),
            )
            for number, label in enumerate(labels)
        )
        completions = ask(Batch(requests, step.sampling, step.response_schema))
    return [
        grade(rubric, completion.texts[0], completion.finish_reasons[0]).score if completion.texts else None
        for completion in completions
    ]


@contextmanager
def _engine(overrides: Sequence[str]) -> Iterator[tuple[Pack, Rubric, Any, Callable[[Batch], Sequence[Completion]]]]:
    """Pack, rubric, configuration and a function that asks. Raises ConfigError, EngineError when it does not start."""
    import asyncio

    from factory.answers.judge.rubric import load_rubric
    from factory.cli.decon_settings import UNUSED
    from factory.domains.pack import load_pack
    from factory.engine.build import build_engine
    from factory.engine.models import resolve
    from factory.errors import ConfigError
    from factory.run.compose import compose

    named = {text.partition("=")[0] for text in overrides}
    if not named & {"engine", "engine.kind"}:
        raise ConfigError(
            "a model has to be asked, and --judge does not say which engine answers",
            cause="pairs are always asked about now, in both orders",
            remedy="for example --judge engine=openai --judge engine.base_url=http://127.0.0.1:8000/v1",
        )
    unused = [f"{key}={value}" for key, value in UNUSED.items() if key != "engine" and key not in named]
    config = compose([*unused, *overrides])
    rubric = load_rubric(config.judge.rubric or "answer", config.domain)
    model = config.judge.model or config.model
    engine = build_engine(
        config.engine, resolve(model, config.engine.kind), model.max_model_len, model.dtype, config.seed
    )
    with asyncio.Runner() as runner:
        runner.run(engine.start())
        try:
            yield load_pack(config.domain), rubric, config, lambda batch: runner.run(engine.generate(batch))
        finally:
            runner.run(engine.stop())


def _said(figures: Sequence[Figure], counts: Mapping[str, Any]) -> int:
    from dataclasses import asdict

    import orjson

    from factory.printable import json_printable

    for figure in figures:
        if figure.value is None:
            print(f"  {figure.name:<16} not known: {figure.why}")
            continue
        span = f" [{figure.low:.3f}, {figure.high:.3f}]" if figure.low is not None else ""
        print(f"  {figure.name:<16} {figure.value:.3f}{span}  {figure.meaning}")
    print(json_printable(orjson.dumps({**counts, "figures": [asdict(figure) for figure in figures]}).decode()))
    return 0
