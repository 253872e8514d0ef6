"""The command behind `python -m jobs.train_selector`: compose, check, open the store, train, say where it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from factory.cluster.address import require_drivers
from factory.run.command import guarded
from factory.run.compose import Entry, compose_entry, key_lines
from factory.select.training.config import TrainConfig, TrainingConfig

TRAIN = Entry(
    "train_selector",
    "train_schema_defaults",
    TrainConfig,
    "`python -m jobs.train_selector --help` prints every key with its default and meaning",
)


def main(arguments: Sequence[str]) -> int:
    """Exit code: 0 trained (or nothing to do), 2-8 by family of FactoryError, 130 interrupted."""
    if any(item in ("-h", "--help") for item in arguments):
        print(HELP + "\n".join(key_lines(TrainingConfig, "training.")))
        return 0
    return guarded(partial(_execute, arguments))


def _execute(arguments: Sequence[str]) -> int:
    print(json.dumps(train(compose_entry(TRAIN, arguments))))
    return 0


def train(config: TrainConfig) -> dict[str, Any]:
    """Executes one configuration and gives the closing JSON object."""
    from factory.run.progress import progress_for
    from factory.select.training.job import execute
    from factory.store.open import open_store, probe

    require_drivers(config.cluster.address)
    store = open_store(config.store)
    probe(store)
    progress = progress_for(sys.stderr)
    try:
        result = execute(config, store, progress)
        if result.already_finished:
            progress.say(f"job {result.job} is finished already; nothing to do")
    finally:
        progress.close()
    root = store.uri.rstrip("/")
    return {
        "job": result.job,
        "state": "finished",
        "already_finished": result.already_finished,
        "fingerprint": result.fingerprint,
        "path": f"{root}/{result.path}",
        "sha256": result.sha256,
        "metrics": dict(result.metrics),
        "report": f"{root}/{result.report}",
        "requests": result.requests,
        "seconds": round(result.seconds, 2),
    }


HELP = """python -m jobs.train_selector [KEY=VALUE ...]   trains a domain classifier, or goes on with a job that stopped

  domain=maths|computer_science|biomedical   the field; domain.path=DIR for a pack of your own
  corpus=docstrings|files       corpus.paths=[/data/shards,s3://bucket/prefix] with corpus=files
  model=smollm2|custom          writes documents and rates; model.id=… model.license=… model.output_terms=…
  engine=vllm|openai|scripted   engine.base_url=http://127.0.0.1:8000/v1 with engine=openai
  store=local|s3                store.root=DIR or s3://bucket/prefix; the selector lies in selectors/ below it
  select.*  curate.benchmarks   the filters of the run it is for: a selector learns from what they let pass

  The last line of stdout is one JSON object. Its `path` is for select.selector.path of a run, its `sha256` for
  select.selector.sha256. docs/selector.md is the guide.

"""
