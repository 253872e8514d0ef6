"""The built-in corpus: thousands of openly licensed documents that every installation already has.

Design: the documentation of numpy, scipy, sympy and networkx and CPython's language topics, collected in a
process of its own (see `docstring_collector`) into one Parquet shard a package, under a folder named by all
versions involved. The folder appears by one rename, so two processes that collect at once end with one
complete copy, and a kill leaves none. Collected once; then a lookup.

Cost: 15 to 30 s once for 6,900 documents (14 MB of text), 4 MB of cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from factory.corpus.docstring_collector import PYTHON
from factory.errors import CorpusError

COLLECTOR_VERSION = 1
"""Raise when other rows are collected from the same packages."""

PACKAGES = ("networkx", "numpy", "scipy", "sympy")
SCHEMA = pa.schema([(name, pa.string()) for name in ("text", "source", "license", "url")])
SCHEME = "docstrings://"
TIME_LIMIT_S = 900
"""20 s on two free cores; a slow disk under a busy machine has taken minutes to import sympy."""


def ensure_docstrings(cache: Path) -> list[str]:
    """Paths of the corpus's shards below `cache`, sorted; collects them when they are not there.

    Raises CorpusError when a package is missing or collecting fails.
    """
    target = cache / "corpora" / folder_name()
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        _publish(_collect(), target)
    return sorted(str(path) for path in target.glob("*.parquet"))


def folder_name() -> str:
    """Says every version that decides the content."""
    versions = [f"{package}-{_version(package)}" for package in PACKAGES]
    return "_".join([f"docstrings-{COLLECTOR_VERSION}", *versions, f"{PYTHON}-{platform.python_version()}"])


def path_of(uri: str, etag: str) -> Path:
    """This machine's copy of a shard that another planned as `uri`; makes it when it is not there.

    Raises CorpusError when the packages here are not those the shard was made from.
    """
    from factory.engine.smollm2 import cache_root

    folder, _, name = uri.removeprefix(SCHEME).partition("/")
    here = {Path(path).name: path for path in ensure_docstrings(cache_root())}
    if folder != folder_name() or name not in here or sha256_of(here[name])[1] != etag:
        raise CorpusError(
            f"the built-in corpus on this machine ({folder_name()}) is not the planned one ({folder}, {name})",
            cause="machines of the cluster have different versions of Python or of the documented packages",
            remedy="install the same pinned environment everywhere (`make setup`, or the container image)",
        )
    return Path(here[name])


def sha256_of(path: str) -> tuple[int, str]:
    """Size and SHA-256 of a shard."""
    status = Path(path).stat()
    return status.st_size, _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: str, size: int, mtime_ns: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        raise CorpusError(
            f"the built-in corpus needs the package {package}, which is not installed",
            cause="the environment is not the pinned one",
            remedy=f"run `make setup`, or `pip install {package}`, or use a corpus of your own (corpus=files)",
        ) from None


def _collect() -> dict[str, list[dict[str, str]]]:
    """Rows by package, from a fresh process."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONOPTIMIZE", "PYTHONSTARTUP")}
    environment |= {
        "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path),
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
        "PYTHONIOENCODING": "utf-8",
    }
    command = [sys.executable, "-W", "ignore", "-m", f"{__package__}.docstring_collector", *PACKAGES, PYTHON]
    try:
        with tempfile.TemporaryDirectory(prefix="factory-docstrings-") as folder:
            done = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, timeout=TIME_LIMIT_S, check=False
            )
    except subprocess.TimeoutExpired:
        raise _failed(f"took longer than {TIME_LIMIT_S} s") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise _failed(f"ended with {done.returncode}: {' '.join(last)}")
    rows: dict[str, list[dict[str, str]]] = {package: [] for package in (*PACKAGES, PYTHON)}
    for line in done.stdout.splitlines():
        row = json.loads(line)
        rows[row.pop("package")].append(row)
    empty = [package for package, found in rows.items() if not found]
    if empty:
        raise _failed(f"found nothing in {', '.join(empty)}")
    return rows


def _failed(how: str) -> CorpusError:
    return CorpusError(
        f"collecting the built-in corpus {how}",
        cause="one of the documented packages is broken or was installed without its docstrings",
        remedy=f"import {', '.join(PACKAGES)} by hand to see which; reinstall it, or use corpus=files",
    )


def _publish(rows: Mapping[str, Sequence[dict[str, str]]], target: Path) -> None:
    work = Path(tempfile.mkdtemp(prefix=".docstrings-", dir=target.parent))
    try:
        for package, found in rows.items():
            path = work / f"{package}.parquet"
            pq.write_table(pa.Table.from_pylist(list(found), schema=SCHEMA), path, compression="zstd")
            with path.open("rb") as file:
                os.fsync(file.fileno())
        work.chmod(0o755)
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            # Another process was faster, with the same content.
    finally:
        shutil.rmtree(work, ignore_errors=True)
