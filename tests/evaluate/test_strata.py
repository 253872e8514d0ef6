"""Figures by the columns and tags that a pack names."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from factory.evaluate import strata
from factory.evaluate.strata import strata_of
from factory.store.local import LocalStore
from factory.tables import TAGS_COLUMN


def stored(store: LocalStore, key: str, rows: list[dict[str, Any]]) -> str:
    columns = [("subject", pa.string()), ("verified", pa.string()), ("agreement", pa.float64())]
    schema = pa.schema([*columns, ("answer_tokens", pa.int32()), TAGS_COLUMN])
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    store.put(key, sink.getvalue())
    return key


def row(subject: str | None, bloom: str | None, verified: str = "yes", **more: Any) -> dict[str, Any]:
    tags = None if bloom is None else [{"name": "bloom", "value": bloom}]
    return {"subject": subject, "tags": tags, "verified": verified, "agreement": 1.0, "answer_tokens": 10, **more}


def test_figures_come_from_all_files_by_column_and_by_tag(local_store: LocalStore) -> None:
    one = stored(local_store, "a.parquet", [row("Optics", "apply"), row("Optics", "apply", "no", agreement=0.5)])
    two = stored(local_store, "b.parquet", [row(None, None, "unchecked", answer_tokens=40, agreement=None)])
    subject, bloom = strata_of(local_store, [one, two], ["subject", "bloom", "nothing_of_that_name"])
    assert [(group.name, group.rows, group.yes, group.no, group.unchecked) for group in subject.groups] == [
        ("Optics", 2, 1, 1, 0),
        ("", 1, 0, 0, 1),
    ]
    assert (subject.groups[0].agreement, subject.groups[1].agreement) == (0.75, None)
    assert subject.groups[1].answer_tokens == 40
    assert [(group.name, group.rows) for group in bloom.groups] == [("apply", 2)]  # rows without tags are in no group


def test_of_many_groups_the_largest_are_shown_and_every_row_is_counted(
    local_store: LocalStore, monkeypatch: Any
) -> None:
    monkeypatch.setattr(strata, "KEPT", 30)
    rows = [row(f"subject {number % 40}", None) for number in range(400)] + [row("subject 7", None)] * 5
    (found,) = strata_of(local_store, [stored(local_store, "a.parquet", rows)], ["subject"])
    assert found.groups[0].name == "subject 7"
    assert len(found.groups) == strata.SHOWN
    assert sum(group.rows for group in found.groups) + found.other == 405
