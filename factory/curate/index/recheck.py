"""The `recheck` step: samples that repeat what others registered while the run was going on.

Design: a run compares its questions with the index before it pays for answers, which may be days before it publishes.
Just before gates and shards its samples are compared once more, with those published questions alone that came onto
the list since: the view in `runs/<run>/index.newer.json` (pin.py). Where that is empty nothing is read. A unit is a
run of sample files; questions of the run are not compared with each other again. What repeats a published question is
a reject with the other dataset's name, and left out of everything behind (publish/left_out.py).

Cost: without news no sample is read; else texts are tokenised and signed again, and what index/lookup.py says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from factory.curate.bands import Entries, entries_of, row_of, upper_half
from factory.curate.index.known import Texts, best_known, evidence_of, reason_of
from factory.curate.index.lookup import known_candidates
from factory.curate.index.pin import View, read_view
from factory.curate.index.segment import lsh_identity
from factory.curate.index.segment_step import read_samples, sample_files
from factory.curate.minhash import LshParameters, sketch_keys
from factory.curate.shingles import chosen, shingled
from factory.identity import add_digests, ids_digest
from factory.publish.left_out import LEFT_OUT
from factory.run.reject import Reject
from factory.run.units import Unit, UnitResult
from factory.store.base import Store

STEP_VERSION = 2


@dataclass(frozen=True)
class RecheckStep:
    """Work step over runs of sample files (segment_step.sample_units); its parameter `newer` is the key of a view."""

    parameters: LshParameters

    name = "recheck"
    version = STEP_VERSION

    def identity(self) -> dict[str, Any]:
        return {"lsh": lsh_identity(self.parameters), "threshold": self.parameters.threshold}

    def work(self, store: Store, unit: Unit) -> UnitResult:
        files = [output.file for output in sample_files(store, unit)]
        rows = sum(file.rows for file in files)
        digest = add_digests(file.ids_digest for file in files)
        view = read_view(store, unit.parameters["newer"])
        if not view.parts or not rows:
            return UnitResult(rows, rows, (), "", input_ids_digest=digest, accepted=rows, accepted_ids_digest=digest)
        samples = read_samples(store, unit)
        rejects = self._rejects(store, samples, view)
        gone = pa.array([reject.item_id for reject in rejects], pa.string())
        names = np.repeat([file.name for file in files], [file.rows for file in files])
        left_out = pa.table([samples.column("sample_id"), pa.array(names, pa.string())], schema=LEFT_OUT)
        fallen = pc.is_in(left_out.column("sample_id"), value_set=gone)
        kept = left_out.column("sample_id").filter(pc.invert(fallen)).to_pylist()
        return UnitResult(
            inputs=rows,
            used=len(kept),
            tables=(left_out.filter(fallen),) if rejects else (),
            id_column="sample_id",
            rejects=tuple(rejects),
            input_ids_digest=digest,
            accepted=len(kept),
            accepted_ids_digest=ids_digest(kept),
        )

    def _rejects(self, store: Store, samples: pa.Table, view: View) -> list[Reject]:
        texts = samples.column("question").to_pylist()
        ids = samples.column("sample_id").to_pylist()
        array, views = shingled(texts, self.parameters.shingling)
        keys, owners = sketch_keys(array, views, self.parameters)
        exact = array.text_hashes[:, 0]
        entries = entries_of(keys, owners, np.arange(len(texts)), exact)
        # Unlike in `match` each text stands for itself: samples that repeat each other are gone already.
        halves = upper_half(np.concatenate((np.repeat(exact[owners], keys.shape[1]), exact)))
        ours = Entries(entries, halves, np.zeros(len(entries), np.uint32), np.array([0, len(entries)]))
        found = known_candidates(store, view.parts, 1, ours)
        concerned = np.unique(found.first)
        pairs = found.first, found.second, found.exact
        rows = concerned.astype(np.int64)
        new = Texts(concerned, chosen(views, rows), array.text_hashes[rows])
        known = best_known(store, view.parts, 1, pairs, new, self.parameters.threshold)
        rejects = []
        for place, row in zip(row_of(known.column("ref").to_numpy()).tolist(), known.to_pylist(), strict=True):
            rejects.append(Reject(ids[place], reason_of(row), "input", evidence_of(row, self.parameters), texts[place]))
        return rejects
