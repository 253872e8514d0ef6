"""An evaluation as a whole: open what is named, measure section after section, write the page and the JSON.

Design: the report lies beside the dataset on its store, `records/<version>/evaluation-<hash>/`, never inside it: a
published dataset is immutable and `factory verify` knows its every file. The hash is of the dataset's and the real
data's content and of every key that can change a figure, so the same evaluation has the same address and another one
does not overwrite it. What can fail early does: dataset, columns, real data and the report's place are checked before
anything is measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from factory.errors import ConfigError
from factory.evaluate.dataset.config import EvaluateConfig
from factory.evaluate.dataset.figures import Section
from factory.evaluate.dataset.page import JSON, PAGE, Evaluation, to_html, to_json
from factory.evaluate.dataset.reading import Dataset, read_dataset
from factory.evaluate.dataset.real_data import RealData, read_held_out, read_real
from factory.evaluate.dataset.sections import Data, measured
from factory.identity import fingerprint
from factory.publish.places import records_beside
from factory.run.record import now
from factory.store.base import Store
from factory.store.open import open_root

Say = Callable[[str], None]


@dataclass(frozen=True)
class Written:
    """Where the report lies: full addresses."""

    evaluation: Evaluation
    page: str
    json: str


def evaluate(config: EvaluateConfig, say: Say = print) -> Written:
    """Measures a dataset and writes its report. Raises ConfigError, CorpusError or StoreError for what is named
    wrongly, StoreError for a dataset that is not as it was published; a section that fails is told in the report."""
    started = time.monotonic()
    dataset = read_dataset(config.dataset, config.root, config.endpoint_url)
    dataset.require([*config.columns, *config.strata])
    if "utility" in config.sections:
        dataset.require([config.utility.text], "utility.text")
        if config.utility.label is not None:
            dataset.require([config.utility.label], "utility.label")
    if not dataset.rows:
        raise ConfigError(f"the dataset {dataset.name} has no rows", remedy="publish one that has")
    real = read_real(config.real, config.real_columns) if config.real is not None else None
    digest = config.digest(dataset.manifest["digest"], digest_of_files(config, real))
    store, prefix = place_of_report(config, dataset, digest)
    dataset.check()  # a section that fails is told in the report: there a damaged shard would not stop anything
    data = Data(dataset, real, config.columns, config.strata, config.seed, say)
    sections = measured(data, config, config.sections)
    evaluation = evaluation_of(config, dataset, real, digest, sections, time.monotonic() - started)
    store.put(f"{prefix}{JSON}", to_json(evaluation))
    store.put(f"{prefix}{PAGE}", to_html(evaluation).encode())
    where = f"{store.uri.rstrip('/')}/{prefix}"
    return Written(evaluation, f"{where}{PAGE}", f"{where}{JSON}")


def digest_of_files(config: EvaluateConfig, real: RealData | None) -> str | None:
    """Of what lies at the addresses in the configuration, so that other files under the same name are told apart."""
    held_out = config.privacy.held_out if "privacy" in config.sections else None
    others = read_held_out(held_out, config.privacy.held_out_column) if held_out is not None else None
    files = {name: dict(found.sha256) for name, found in (("real", real), ("held_out", others)) if found is not None}
    return fingerprint(files) if files else None


def evaluation_of(
    config: EvaluateConfig,
    dataset: Dataset,
    real: RealData | None,
    digest: str,
    sections: list[Section],
    seconds: float,
) -> Evaluation:
    return Evaluation(
        name=dataset.name,
        version=dataset.version,
        address=dataset.store.uri,
        dataset_digest=str(dataset.manifest["digest"]),
        rows=dataset.rows,
        digest=digest,
        created=now(),
        seconds=seconds,
        seed=config.seed,
        real_path=config.real,
        real_rows=real.rows if real else 0,
        real=dict(real.sha256) if real else {},
        recipe=config.recipe(),
        sections=tuple(sections),
    )


def place_of_report(config: EvaluateConfig, dataset: Dataset, digest: str) -> tuple[Store, str]:
    """The store that the report goes to, and the prefix of its files there. Raises ConfigError where the dataset does
    not lie under its version's name, and so has no records beside it."""
    if config.out is not None:
        return open_root(str(Path(config.out)) if "://" not in config.out else config.out, config.endpoint_url), ""
    parent, _, last = dataset.store.uri.rstrip("/").rpartition("/")
    if last != dataset.version:
        raise ConfigError(
            f"{dataset.store.uri} is version {dataset.version}, but its folder has another name",
            cause="the dataset was copied, so there are no records of it beside it",
            remedy="say where the report goes: out=DIR",
        )
    return open_root(parent, config.endpoint_url), f"{records_beside(dataset.version)}/evaluation-{digest}/"
