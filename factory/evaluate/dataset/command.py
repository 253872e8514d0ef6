"""The command behind `python -m jobs.evaluate`: compose, check, measure, say where the report is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial

from factory.credentials import said
from factory.evaluate.dataset.config import EvaluateConfig
from factory.evaluate.dataset.figures import Section
from factory.run.command import BEGINS_ANEW, guarded
from factory.run.compose import Entry, compose_entry, key_lines

EVALUATE = Entry(
    "evaluate",
    "evaluate_schema_defaults",
    EvaluateConfig,
    "`python -m jobs.evaluate --help` prints every key with its default and meaning",
)


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 the report is written, 2-8 by family of FactoryError, 130 interrupted."""
    if any(item in ("-h", "--help") for item in arguments):
        print(HELP + "\n".join(key_lines(EvaluateConfig)))
        return 0
    return guarded(partial(_execute, arguments), BEGINS_ANEW)


def _execute(arguments: Sequence[str]) -> int:
    from factory.evaluate.dataset.job import evaluate

    written = evaluate(compose_entry(EVALUATE, arguments), say=_say)
    found = written.evaluation
    print(
        json.dumps(
            {
                "evaluation": found.digest,
                "dataset": found.address,
                "rows": found.rows,
                "report": written.page,
                "json": written.json,
                "sections": {section.name: round(section.seconds, 1) for section in found.sections},
                "unknown": [name for section in found.sections for name in unknown(section)],
                "failed": {section.name: section.failed for section in found.sections if section.failed},
                "seconds": round(found.seconds, 1),
            }
        )
    )
    return 0


def unknown(section: Section) -> list[str]:
    """Names of its figures that are not known; the section's own where nothing of it is."""
    if section.failed or not (section.figures or section.tables):
        return [section.name]
    return [figure.name for figure in section.figures if figure.value is None]


def _say(line: str) -> None:
    print(said(line), file=sys.stderr, flush=True)


HELP = """python -m jobs.evaluate dataset=DIR [real=FILE] [KEY=VALUE ...]   measures what a published dataset is worth

  dataset=DIR or s3://…         a published dataset: <root>/datasets/<name>/<version>
  real=FILE, DIR or s3://…      real data to hold it against; real_columns.text=… .label=… .question=… .answer=…
  sections=[intrinsic]          of intrinsic, privacy, utility, review
  columns=[question,answer]     the texts; strata=[level,subject] the columns that figures are broken down by
  out=DIR                       where the report goes; else beside the dataset, in records/<version>/

  The last line of stdout is one JSON object with the addresses of the page and of the JSON that says the same.
  docs/evaluation.md says what each figure means.

"""
