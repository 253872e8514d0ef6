"""The undisturbed run that trials are compared with: made once for each corpus, settings, store and engine, and kept.

Design: kept below a folder of the code it was made with, because other code may publish other rows. It is worked
without Ray, which is the cheaper, and trials that run under Ray must come to its very rows. Its corpus is
the trials' corpus too (a run's id holds the address of its corpus), put back from a pristine copy, times of change
included, before each trial: a file of another time is another unit. A case that changes its corpus has a reference of
its own, and one trial at a time. `reference.json` is written last, so a reference whose making was killed is made
again. Cost: one run; a few MB.
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
from filelock import FileLock

from factory.identity import fingerprint
from factory.store.base import Store
from factory.store.open import open_root
from factory.store.parquet import read_parquet
from tests import s3_server
from tests.faults.case import WITHOUT_RAY, Case
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

    @contextlib.contextmanager
    def held(self, case: Case) -> Iterator[None]:
        """The corpus is as the reference read it when the body begins and after it, which one that changes it has to
        itself."""
        with FileLock(self.folder / "corpus.lock") if case.own_corpus else contextlib.nullcontext():
            self.restore_corpus()
            try:
                yield
            finally:
                self.restore_corpus()

    def restore_corpus(self) -> None:
        """Puts the corpus back as the reference read it."""
        mirror(self.folder / "pristine", self.corpus)


def reference_of(case: Case, references: Path) -> Reference:
    """The kept reference of a case, or a new one, which others wait for. Raises AssertionError when the undisturbed run
    fails."""
    shared = [case.engine, case.store, case.overrides, case.documents, case.corpus.__qualname__]
    folder = references / fingerprint([*shared, case.slug if case.own_corpus else ""])[:16]
    kept = folder / "reference.json"
    references.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
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
            result = run_factory(folder / "corpus", root, (*case.overrides, *WITHOUT_RAY), alone=True).result
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
