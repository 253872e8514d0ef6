from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from factory.export.job import Made, export
from factory.export.recipe import Recipe
from factory.export.source import Source, open_source
from factory.publish.finalise import Published
from factory.store.local import LocalStore
from tests.publish.world import make_world


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Published]:
    root = tmp_path_factory.mktemp("published")
    return root, make_world(LocalStore(str(root)), documents=12).publish()


@dataclass(frozen=True)
class Exports:
    """A published dataset, and what is exported of it into folders of the test's own."""

    root: Path
    dataset: Path
    folder: Path

    @property
    def source(self) -> Source:
        return open_source(str(self.dataset))

    def __call__(self, form: str, name: str = "export", **keys: Any) -> Made:
        asked: dict[str, Any] = {"processes": keys.pop("processes", 1)}
        recipe = Recipe(form, **{"splits": ("train",), **keys})
        return export(self.source, recipe, LocalStore(str(self.folder / name)), "draft", **asked)

    def rows(self, name: str = "export") -> list[dict[str, Any]]:
        """As people read them: with `datasets`."""
        return read_rows(self.folder / name)


def read_rows(folder: Path) -> list[dict[str, Any]]:
    from datasets import load_dataset

    files = sorted(map(str, (folder / "data").iterdir()))
    kind = "parquet" if files[0].endswith(".parquet") else "json"
    return [
        dict(row) for row in load_dataset(kind, data_files=files, split="train", cache_dir=str(folder.parent / "hf"))
    ]


@pytest.fixture
def exports(published: tuple[Path, Published], tmp_path: Path) -> Exports:
    root, made = published
    return Exports(root, root / made.prefix, tmp_path)


@pytest.fixture
def own(published: tuple[Path, Published], tmp_path: Path) -> Callable[[], Exports]:
    """The same in a copy of its root that the test may change."""

    def copied() -> Exports:
        root = Path(shutil.copytree(published[0], tmp_path / "root"))
        return Exports(root, root / published[1].prefix, tmp_path / "root" / "exports")

    return copied
