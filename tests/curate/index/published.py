"""Published datasets for tests of the index: samples as tables, segments on a store, and a run's passes over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pyarrow as pa

from factory.curate.config import CurateConfig
from factory.curate.index.build import build_segment
from factory.curate.index.listing import Listed, change_list, read_list, with_segment
from factory.curate.index.pin import View, pin_key, view_bytes, view_of
from factory.curate.index.segment import Segment
from factory.curate.minhash import LshParameters
from factory.curate.sketch import sketch_step
from factory.curate.step import CurateStep
from factory.identity import make_id
from factory.run.units import FileRef, UnitResult, unit_over
from factory.store.base import Store
from factory.store.commits import Commit
from tests.curate.passes import decided_by, passes_of

PARAMETERS = LshParameters(3, 128, 0.7)


def samples(texts: Sequence[str], name: str = "sample") -> pa.Table:
    return pa.table(
        {
            "sample_id": [make_id(name, text) for text in texts],
            "level": pa.array([1] * len(texts), pa.int8()),
            "question": list(texts),
        }
    )


def sample_id(text: str, name: str = "sample") -> str:
    return make_id(name, text)


def publish(store: Store, dataset: str, texts: Sequence[str], version: str = "v1") -> Segment:
    """Registers the questions of a dataset."""
    made = build_segment(store, [samples(texts, dataset)], (dataset, version), PARAMETERS)
    assert made is not None
    change_list(store, lambda listed: with_segment(listed, made))
    return made


def view_now(store: Store, *datasets: str) -> View:
    """Everything on the list, or these datasets of it."""
    listed: Listed = read_list(store)
    return view_of(store, listed, frozenset(m for m in listed.members if not datasets or m[0] in datasets))


def curated(
    store: Store, files: Sequence[FileRef], view: View, folder: str = "0"
) -> tuple[list[UnitResult], list[Commit]]:
    """All passes of curation against a view; one result a question file, and the commits of the pass that decides."""
    step = sketch_step(CurateConfig())
    pin = pin_key(f"run-{folder}")
    store.put(pin, view_bytes(view))
    units = [unit_over(file) for file in files]
    passes = passes_of(step)
    decisions, commits = decided_by(store, passes, units, folder, pin)
    return [CurateStep().work(store, replace(unit, parameters={"decisions": decisions})) for unit in units], commits


def reasons(results: Sequence[UnitResult]) -> dict[str, tuple[str, Mapping[str, object]]]:
    """Text of every reject -> its reason and evidence."""
    return {str(reject.text): (reject.reason, reject.evidence) for result in results for reject in result.rejects}
