"""The undisturbed run that trials are compared with: made once for each corpus, settings, store and engine, and kept.

Design: kept below a folder of the commit it was made at, because another commit may publish other rows. Its corpus is
the trials' corpus too (a run's id holds the address of its corpus), put back from a pristine copy, times of change
included, before each trial: a file of another time is another unit. `reference.json` is written last, so a reference
whose making was killed is made again. Cost: one run; a few MB.
"""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from factory.identity import fingerprint
from factory.store.base import Store
from factory.store.open import open_root
from factory.store.parquet import read_parquet
from tests import s3_server
from tests.faults.case import Case
from tests.faults.observed import Observed, observe, step_of
from tests.faults.outcome import Prompts
from tests.faults.processes import MARK
from tests.runs import LLM_STEPS, dataset_rows, run_factory
from tests.s3_server import S3Server

BUCKET = "faults"


@dataclass(frozen=True)
class Reference:
    """`units`: committed units by step."""

    folder: Path
    run: str
    units: Mapping[str, int]

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus"

    @cached_property
    def tables(self) -> dict[str, pa.Table]:
        """Split -> rows in order."""
        return dataset_rows(str(self.folder / "dataset"))

    @cached_property
    def prompts(self) -> Prompts:
        found: dict[tuple[str, str], dict[str, str]] = {}
        for key, asked in json.loads((self.folder / "prompts.json").read_text()).items():
            folder, _, unit = key.partition("/")
            found[folder, unit] = asked
        return found

    def restore_corpus(self) -> None:
        """Puts the corpus back as the reference read it."""
        mirror(self.folder / "pristine", self.corpus)


def reference_of(case: Case, references: Path) -> Reference:
    """The kept reference of a case, or a new one. Raises AssertionError when the undisturbed run fails."""
    key = fingerprint([case.engine, case.store, case.overrides, case.documents, case.corpus.__qualname__])[:16]
    folder = references / key
    kept = folder / "reference.json"
    if not kept.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _make(case, folder)
    said = json.loads(kept.read_text())
    return Reference(folder, said["run"], said["units"])


def _make(case: Case, folder: Path) -> None:
    pristine = folder / "pristine"
    pristine.mkdir(parents=True)
    case.corpus(pristine, case.documents)
    mirror(pristine, folder / "corpus")
    with place_for(case, folder) as (root, server):
        store = open_root(root, server.endpoint_url if server else None)
        with _environment({MARK: str(folder), "SPT_NOENV": "1"}):
            result = run_factory(folder / "corpus", root, case.overrides).result
        download(store, key_of(store, result["dataset"]), folder / "dataset")
        seen = observe(store)
        prompts = {"/".join(unit): asked for unit, asked in prompts_of(store, seen).items()}
    (folder / "prompts.json").write_text(json.dumps(prompts))
    body = {"run": result["run"], "units": seen.units(), "case": case.name, "settings": case.overrides}
    _write_last(folder / "reference.json", json.dumps(body))


@contextlib.contextmanager
def place_for(case: Case, folder: Path) -> Iterator[tuple[str, S3Server | None]]:
    """A root for a run of the case: in `folder`, or in a fresh S3 server whose credentials are in the environment
    meanwhile."""
    if case.store == "folder":
        yield str(folder / "root"), None
        return
    with s3_server.running(BUCKET) as server, _environment(server.environment()):
        yield f"s3://{BUCKET}/root", server


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Sets variables of this process, which its children inherit, and puts them back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def mirror(source: Path, target: Path) -> None:
    """Makes `target` hold exactly the files of `source`, with their times of change."""
    target.mkdir(parents=True, exist_ok=True)
    for extra in {path.name for path in target.iterdir()} - {path.name for path in source.iterdir()}:
        (target / extra).unlink()
    for path in source.iterdir():
        copy = target / path.name
        same = copy.exists() and copy.stat().st_mtime_ns == path.stat().st_mtime_ns
        if not (same and filecmp.cmp(path, copy, shallow=False)):
            shutil.copy2(path, copy)


def prompts_of(store: Store, seen: Observed) -> Prompts:
    """Of every committed unit of the LLM steps, by request."""
    prompts = {}
    for folder, unit in seen.commits:
        other = seen.commit((folder, unit))["other_files"] if step_of(folder) in LLM_STEPS else {}
        if "requests" in other:
            table = read_parquet(store, other["requests"]["key"], columns=["request_id", "prompt_sha256"])
            columns = (table.column(name).to_pylist() for name in ("request_id", "prompt_sha256"))
            prompts[folder, unit] = dict(zip(*columns, strict=True))
    return prompts


def key_of(store: Store, address: str) -> str:
    """The key of what a run calls by its whole address."""
    return address.removeprefix(store.uri.rstrip("/")).lstrip("/")


def download(store: Store, prefix: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for info in list(store.list(f"{prefix}/")):
        path = folder / info.key.removeprefix(f"{prefix}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store.get(info.key))


def _write_last(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    temporary.replace(path)
