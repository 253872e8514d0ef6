from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factory.corpus import docstrings
from factory.corpus.config import CorpusConfig
from factory.corpus.docstring_collector import Documented, topics, url_of
from factory.corpus.docstrings import ensure_docstrings, folder_name, path_of, sha256_of
from factory.corpus.sources import list_sources, plan_ranges
from factory.engine.smollm2 import cache_root
from factory.errors import CorpusError
from tests.corpus.shards import read

DOCSTRINGS = CorpusConfig(kind="docstrings")


@pytest.fixture
def few_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting all takes half a minute; networkx and CPython's topics take a second."""
    monkeypatch.setattr(docstrings, "PACKAGES", ("networkx",))


def test_the_corpus_is_thousands_of_documents_with_their_origin() -> None:
    rows = [row for path in ensure_docstrings(cache_root()) for row in pq.read_table(path).to_pylist()]
    assert len(rows) >= 4000
    assert len({row["text"] for row in rows}) == len(rows)
    assert all(len(row["text"]) >= 400 for row in rows)
    assert {row["license"] for row in rows} == {"BSD-3-Clause", "PSF-2.0"}
    assert {row["source"].split()[0] for row in rows} == {"networkx", "numpy", "python", "scipy", "sympy"}
    by_url = {row["url"]: row for row in rows}
    import numpy
    import scipy

    numpy_page = f"https://numpy.org/doc/{numpy.__version__.rpartition('.')[0]}/reference/generated"
    scipy_page = f"https://docs.scipy.org/doc/scipy-{scipy.__version__}/reference/generated"
    norm = by_url[f"{numpy_page}/numpy.linalg.norm.html"]
    assert norm["text"].startswith("numpy.linalg.norm\n\nMatrix or vector norm.")
    assert f"{scipy_page}/scipy.optimize.minimize.html" in by_url


def test_the_corpus_is_read_like_any_other_and_named_without_folders() -> None:
    ranges = plan_ranges(list_sources(DOCSTRINGS), DOCSTRINGS)
    assert len(ranges) == 5
    assert all(str(cache_root()) not in str(range_.to_json()) for range_ in ranges)
    rows, damages = read(*ranges)
    assert len(rows) >= 4000
    assert not damages


def test_collecting_twice_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SciPy writes some docstrings when imported, from sets and with random examples."""
    monkeypatch.setattr(docstrings, "PACKAGES", ("networkx", "scipy"))
    first, second = (ensure_docstrings(tmp_path / name) for name in ("one", "two"))
    assert len(first) == 3
    assert [sha256_of(path) for path in first] == [sha256_of(path) for path in second]


@pytest.mark.usefixtures("few_packages")
def test_two_processes_that_collect_at_once_end_with_one_copy(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(ensure_docstrings, [tmp_path, tmp_path]))
    assert found[0] == found[1]
    assert [Path(path).name for path in found[0]] == ["networkx.parquet", "python.parquet"]
    assert [path.name for path in (tmp_path / "corpora").iterdir()] == [folder_name()]


@pytest.mark.usefixtures("few_packages")
def test_a_folder_that_is_there_is_not_collected_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ensure_docstrings(tmp_path)
    before = [sha256_of(path) for path in first]
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert [sha256_of(path) for path in ensure_docstrings(tmp_path)] == before


@pytest.mark.usefixtures("few_packages")
def test_a_failed_collection_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CorpusError, match="collecting the built-in corpus ended with 1"):
        ensure_docstrings(tmp_path)
    assert list((tmp_path / "corpora").iterdir()) == []


def test_a_worker_with_other_packages_says_so() -> None:
    with pytest.raises(CorpusError, match="is not the planned one"):
        path_of("docstrings://docstrings-1_numpy-1.0/numpy.parquet", "0" * 64)
    (path, *_) = ensure_docstrings(cache_root())
    with pytest.raises(CorpusError, match="is not the planned one"):
        path_of(f"docstrings://{folder_name()}/{Path(path).name}", "0" * 64)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(docstrings, "PACKAGES", ("numpy", "no-such-package"))
    with pytest.raises(CorpusError, match="needs the package no-such-package"):
        ensure_docstrings(tmp_path)


@pytest.mark.parametrize(
    ("package", "version", "item", "url"),
    [
        (
            "networkx",
            "3.6.1",
            Documented("networkx.shortest_path", "networkx.algorithms.shortest_paths.generic", "class", ""),
            "https://networkx.org/documentation/networkx-3.6.1/reference/algorithms/generated/"
            "networkx.algorithms.shortest_paths.generic.shortest_path.html",
        ),
        (
            "networkx",
            "3.6.1",
            Documented("networkx.Graph.add_node", "networkx.classes.graph", "member", ""),
            "https://networkx.org/documentation/networkx-3.6.1/reference/classes/generated/networkx.Graph.add_node.html",
        ),
        (
            "scipy",
            "1.17.1",
            Documented("scipy.optimize", "scipy.optimize", "module", ""),
            "https://docs.scipy.org/doc/scipy-1.17.1/reference/optimize.html",
        ),
        (
            "sympy",
            "1.14.0",
            Documented("sympy.solve", "sympy.solvers.solvers", "class", ""),
            "https://github.com/sympy/sympy/blob/1.14.0/sympy/solvers/solvers.py",
        ),
        (
            "python",
            "3.11.7",
            Documented("Python: assert", "assert", "module", ""),
            "https://docs.python.org/3.11/reference/simple_stmts.html#assert",
        ),
    ],
)
def test_addresses_name_the_installed_version(package: str, version: str, item: Documented, url: str) -> None:
    assert url_of(package, version, item) == url


def test_language_topics_have_a_page() -> None:
    assert len(list(topics())) > 60
