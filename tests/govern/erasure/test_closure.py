"""What derives from a document, where many others say other things."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa

from factory.govern.erasure.closure import closure
from factory.govern.erasure.known import absent
from factory.identity import make_id
from factory.store.local import LocalStore
from factory.store.parquet import to_parquet

DOC = make_id("document", 0)
ROWS = 300


def extracted(root: Path, files: int) -> LocalStore:
    """Extractions of a document a row, each with names of its own and one that the next has as well."""
    store = LocalStore(str(root))
    for number in range(files):
        places = range(number * ROWS, (number + 1) * ROWS)
        table = pa.table(
            {
                "doc_id": [make_id("document", place) for place in places],
                "subject": [f"subject {place // 2}" for place in places],
                "topics": [
                    [
                        {
                            "topic": f"Topic {place}",
                            "key_concepts": [f"Shared {place // 2}", f"concept {place}", "All"],
                        }
                    ]
                    for place in places
                ],
            }
        )
        store.put(f"steps/extract-a/data/{number:04d}.x.0.parquet", to_parquet(table, {}))
    return store


def test_names_go_where_no_row_that_stays_has_them(tmp_path: Path) -> None:
    work = closure(extracted(tmp_path, 2), [DOC])
    assert work.words == ("Topic 0", "concept 0")
    assert work.normals == ("concept 0", "topic 0")
    assert work.subjects == ()
    both = closure(extracted(tmp_path, 2), [DOC, make_id("document", 1)])
    assert both.words == ("Shared 0", "Topic 0", "Topic 1", "concept 0", "concept 1", "subject 0")
    assert both.subjects == ("subject 0",)


def peak_bytes(folder: Path, files: int) -> int:
    """Of looking through so many files, as Python's allocator counts them."""
    store = extracted(folder / str(files), files)
    tracemalloc.start()
    try:
        assert closure(store, [DOC]).words
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_goes_by_what_is_erased_not_by_what_stays(tmp_path: Path) -> None:
    # In a process of its own: threads that other tests have left here allocate as well (200 kB were seen).
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        # The first imports and caches.
        _, few, many = (process.submit(peak_bytes, tmp_path, files).result() for files in (1, 4, 24))
    assert many < 1.5 * few, f"{few:,} bytes for 4 files, {many:,} for 24"


def test_a_document_that_was_turned_away_is_found_by_its_id_alone(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    rejects = pa.table({"item_id": [DOC], "reason": ["language"], "text": pa.nulls(1, pa.string())})
    store.put("steps/select-a/rejects/0000.x.parquet", to_parquet(rejects, {}))
    other = make_id("document", 1)
    assert absent(store, [other, DOC]) == [other]
