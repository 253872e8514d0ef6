"""Small roots to erase from, and an independent look for what was erased in every byte of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from factory.publish.proof import verify_root
from factory.publish.verify import verify_bytes
from factory.run.outputs import forget_committed
from factory.store.base import Store
from factory.store.local import LocalStore

DATASET = "datasets/toy/v1"
"""What worlds of `tests.publish.world` publish."""


def tables(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Rows of every Parquet file of a root, by key."""
    return {path.relative_to(root).as_posix(): pq.read_table(path).to_pylist() for path in root.rglob("*.parquet")}


def said(root: Path) -> Iterator[tuple[str, str]]:
    """Key and everything that a file says: the cells and metadata of Parquet, the bytes of all others."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="replace")
            if path.suffix == ".parquet":
                text += json.dumps(pq.read_table(path).to_pylist(), default=_readable, ensure_ascii=False)
            yield path.relative_to(root).as_posix(), text


def _readable(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def holding(root: Path, strings: Iterable[str]) -> dict[str, str]:
    """Files that hold one of these strings, with the first they hold."""
    wanted = sorted(strings)
    found = ((key, next((each for each in wanted if each in text), None)) for key, text in said(root))
    return {key: each for key, each in found if each is not None}


def derived(root: Path, doc_id: str) -> set[str]:
    """Ids of everything made of a document, read off its published rows and the rows of steps, by plain lineage."""
    ids = {doc_id}
    for _ in range(4):
        for key, rows in tables(root).items():
            if not key.startswith(("steps/", "datasets/")):
                continue
            for row in rows:
                own = {row.get(name) for name in ("doc_id", "chunk_id", "question_id", "answer_id", "item_id")}
                if ids & (own | set(row.get("doc_ids") or ())):
                    for name in ("chunk_id", "question_id", "answer_id", "sample_id", "request_id"):
                        ids |= {row[name]} if row.get(name) else set()
    return {each for each in ids if len(each) == 32}


def document(root: Path, place: int = 0) -> dict[str, Any]:
    """A passage of a document that published rows rest on."""
    rows = tables(root)
    published = [row for key, found in rows.items() if key.startswith(f"{DATASET}/") for row in found]
    used = sorted({doc for row in published for doc in row["doc_ids"]})
    chunks = [row for key, found in rows.items() if key.startswith("steps/select") for row in found]
    return next(row for row in chunks if row["doc_id"] == used[place])


def silent(_line: str) -> None:
    pass


def checks(root: Path) -> dict[str, tuple[bool, str]]:
    forget_committed()
    store = LocalStore(str(root))
    verified = verify_bytes(store, DATASET)
    assert verified.manifest is not None
    every = [*verified.checks, *verify_root(store, store, DATASET, verified.manifest)]
    return {check.name: (check.ok, check.detail) for check in every}


class KilledError(Exception):
    """The process ended here."""


@dataclass
class Watched:
    """A store that calls `before` with the number of each write before it is done."""

    store: LocalStore
    before: Callable[[int], None]
    writes: int = field(default=0)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        if name not in ("put", "put_if_absent", "put_if_match", "put_file", "delete"):
            return found

        def write(*arguments: Any) -> Any:
            self.before(self.writes)
            self.writes += 1
            return found(*arguments)

        return write

    def __hash__(self) -> int:
        return hash(self.store)


def watched(root: Path, before: Callable[[int], None]) -> Store:
    store: Any = Watched(LocalStore(str(root)), before)
    return store  # type: ignore[no-any-return]


def killed(root: Path, write: int) -> Store:
    """A store whose writer is killed before that write."""

    def before(number: int) -> None:
        if number == write:
            raise KilledError(str(number))

    return watched(root, before)
