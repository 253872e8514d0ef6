"""The table of rows that a mix left out, where erased rows are among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.govern.erasure import mixes
from factory.govern.erasure.matching import Matcher
from factory.govern.erasure.records import Work
from factory.identity import make_id
from factory.mix.manifest import LEFT, LEFT_OUT, PartCount
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet, to_parquet

PREFIX = "datasets/mix/v1"
GONE, STAYS = make_id("sample", 0), make_id("sample", 1)


def row(source: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"part": "synth", "role": "synthetic", "source_id": source, "reason": reason, **more}


def test_rows_left_out_lose_what_is_erased_wherever_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixes, "BATCH", 2)
    store = LocalStore(str(tmp_path))
    rows = [
        row(STAYS, "no_answer"),
        row(STAYS, "exact_duplicate", kept_id=STAYS, kept_part="people", similarity=1.0),
        row(GONE, "exact_duplicate", kept_id=STAYS, kept_part="people", similarity=1.0),
        row(STAYS, "near_duplicate", kept_id=GONE, kept_part="synth", similarity=0.9),
        row(STAYS, "contaminated", evidence=f"as {GONE} says"),
    ]
    store.put(f"{PREFIX}/{LEFT_OUT}", to_parquet(pa.Table.from_pylist(rows, schema=LEFT), {}))
    reasons = {"no_answer": 1, "exact_duplicate": 2, "near_duplicate": 1, "contaminated": 1}
    parts = {"synth": PartCount("synth", "synthetic", None, 1, 1, 9, 4, 40, reasons, {"people": 2, "synth": 1}, {})}
    gone = pa.table({"part": ["synth"], "role": ["synthetic"]})
    entry = mixes._edit_left_out(store, PREFIX, Matcher.of(Work((GONE,))), parts, [gone])
    assert entry is not None
    left = read_parquet(store, f"{PREFIX}/{LEFT_OUT}").to_pylist()
    assert entry["rows"] == len(left) == 6
    assert [each["reason"] for each in left] == [
        "no_answer", "exact_duplicate", "erased", "near_duplicate", "erased", "erased",
    ]  # fmt: skip
    assert GONE not in str(left)
    full = pa.Table.from_pylist(rows, schema=LEFT).to_pylist()
    assert left[:2] == full[:2]
    assert left[3] == {**full[3], "kept_id": ""}
    assert parts["synth"].reasons == {"no_answer": 1, "exact_duplicate": 1, "near_duplicate": 1, "erased": 2}
    assert parts["synth"].repeats == {"people": 1, "synth": 1}


def test_a_mix_that_left_out_nothing_erased_is_not_written_again(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    data = to_parquet(pa.Table.from_pylist([row(STAYS, "no_answer")], schema=LEFT), {})
    store.put(f"{PREFIX}/{LEFT_OUT}", data)
    assert mixes._edit_left_out(store, PREFIX, Matcher.of(Work((GONE,))), {}, []) is None
    assert store.get(f"{PREFIX}/{LEFT_OUT}") == data
