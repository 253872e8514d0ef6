"""What `factory decon` is told on its command line: benchmarks, rules, and settings read from files or a run's keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from factory.corpus.small_tables import rows_of, table_format
from factory.curate.benchmarks import Benchmarks, read_benchmarks
from factory.curate.config import CurateConfig
from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
from factory.errors import ConfigError
from factory.section import checked
from factory.yaml_text import parse_yaml

QUESTIONS = ("question", "problem", "prompt", "Question", "query", "input", "text")
ANSWERS = ("answer", "solution", "canonical_solution", "code", "output")
"""Columns of the benchmarks in use, looked for where none is named; of the first list one is taken."""


def configured(given: Sequence[str]) -> tuple[list[BenchmarkConfig], DecontaminationConfig]:
    """Benchmarks and rules of `--config`: YAML files with a section `curate` (or its keys alone), or a run's
    overrides. Raises ConfigError."""
    benchmarks: list[BenchmarkConfig] = []
    rules = DecontaminationConfig()
    overrides = [text for text in given if not _is_file(text)]
    sections = [_section(text) for text in given if _is_file(text)]
    if overrides:
        from factory.run.compose import compose

        named = {text.partition("=")[0] for text in overrides}
        unused = [f"{key}={value}" for key, value in UNUSED.items() if key not in named]
        sections.append(compose([*unused, *overrides]).curate)
    for section in sections:
        benchmarks += section.benchmarks
        rules = section.decontamination
    return benchmarks, rules


UNUSED = {"engine": "scripted", "store.root": "unused"}
"""Keys a run must have and this command has no use for."""


def _is_file(text: str) -> bool:
    return text.lower().endswith((".yaml", ".yml"))


def _section(path: str) -> CurateConfig:
    try:
        values = parse_yaml(Path(path).expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: "~name" of nobody
        raise ConfigError(
            f"--config {path} cannot be read: {str(error).splitlines()[0]}", remedy="name a YAML file that is there"
        ) from None
    if not isinstance(values, Mapping):
        raise ConfigError(f"--config {path} holds no keys", remedy="write a section `curate` with `benchmarks` into it")
    return checked(CurateConfig, values.get("curate", values))


def benchmark_of(text: str) -> BenchmarkConfig:
    """NAME=PATH[:FIELDS[:ANSWERS[:OPTIONS]]]. Raises ConfigError."""
    name, equals, rest = text.partition("=")
    path, *columns = rest.split(":")
    if not equals or not name or not path or len(columns) > 3:
        raise ConfigError(
            f"--benchmark {text} is not understood",
            cause="it is NAME=PATH, and behind colons columns of questions, answers, choices",
            remedy="for example --benchmark gsm8k=/data/test.jsonl:question:answer",
        )
    fields, answers, options = ([*map(_split, columns), (), (), ()])[:3]
    if not columns:
        fields, answers = _guessed(name, path)
    return BenchmarkConfig(name=name, path=path, fields=fields, answer_fields=answers, option_fields=options)


OPTION = "--benchmark NAME=PATH:FIELDS:ANSWERS:OPTIONS"

IN_OPTIONS = {
    "curate.benchmarks[].path or .fields": f"PATH or FIELDS of {OPTION}",
    "curate.benchmarks[].fields, .answer_fields or .option_fields": f"the columns of {OPTION}",
    "curate.benchmarks[].option_fields": f"OPTIONS of {OPTION}",
    "curate.benchmarks[].path": f"PATH of {OPTION}",
    "curate.benchmarks[].format": "its name to end in .jsonl, .json, .csv or .parquet, or curate.benchmarks[].format "
    "in a --config file,",
}
"""How a run's keys are called on this command's line; the longest come first."""


def read_named(configs: Sequence[BenchmarkConfig], options: Sequence[str]) -> Benchmarks:
    """The benchmarks. Raises ConfigError, which speaks of `--benchmark` where that named what is at fault."""
    try:
        return read_benchmarks(configs)
    except ConfigError as error:
        names = [text.partition("=")[0] for text in options]
        if not any(error.what.startswith(f"benchmark {name}: ") for name in names):
            raise
        key = next((key for key in IN_OPTIONS if key in error.remedy), "")
        remedy = error.remedy.replace(key, IN_OPTIONS[key]) if key else error.remedy
        raise ConfigError(error.what, cause=error.cause, remedy=remedy) from None


def _split(columns: str) -> tuple[str, ...]:
    return tuple(column for column in columns.split(",") if column)


def _guessed(name: str, path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The question's and the answers' columns by the first row of the first file. An answer as short as a letter is no
    text to compare, which the index sees to."""
    try:
        row = _first_row(Path(path))
    except (OSError, ValueError):
        row = None  # reading it all says what is wrong with it
    if not isinstance(row, Mapping):
        return QUESTIONS[:1], ()
    found = [column for column in QUESTIONS if isinstance(row.get(column), str)]
    if not found:
        raise ConfigError(
            f"benchmark {name}: none of the columns of {path} is called like a question and holds text; it "
            f"has: {', '.join(f'{name} ({type(value).__name__})' for name, value in row.items())}",
            remedy=f"name it: --benchmark {name}={path}:COLUMN",
        )
    return (found[0],), tuple(column for column in ANSWERS if isinstance(row.get(column), str) and column != found[0])


def _first_row(path: Path) -> Any:
    """The first row of the first file there, None where there is none."""
    first = next(iter(sorted(path.rglob("*"))), None) if path.is_dir() else path
    kind = table_format(first.name) if first is not None else None
    if first is None or kind is None or not first.is_file():
        return None
    return next(iter(rows_of(first.name, first.read_bytes(), kind)), None)


def with_rules(rules: DecontaminationConfig, given: Sequence[str]) -> DecontaminationConfig:
    """`rules` with those of `--rule NAME=VALUE`. Raises ConfigError."""
    values: dict[str, Any] = rules.model_dump()
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--rule {text} is not NAME=VALUE", remedy="for example --rule aligned_share=0.8")
        section, dot, key = name.partition(".")
        if dot and isinstance(values.get(section), dict):
            values[section] = {**values[section], key: _value(text, value)}
        else:
            values[name] = _value(text, value)
    return checked(DecontaminationConfig, values)


def _value(text: str, value: str) -> Any:
    try:
        return parse_yaml(value)
    except ValueError as error:
        raise ConfigError(
            f"--rule {text} cannot be read: {str(error).splitlines()[0]}", remedy="for example --rule aligned_share=0.8"
        ) from None
