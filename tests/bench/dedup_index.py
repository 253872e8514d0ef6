"""What it costs to add one per cent more questions to an index of published ones, beside what building it cost.

Everything runs in this process, through the functions and steps a run uses, on files and commits in a local folder.
Building is a first run: curation of its questions (sketch, match, compare, decide, curate) and the segment of those
that were kept. Adding is a second run, with one per cent as many questions, of which a tenth repeat published ones
word by word, compared with that index. Processor seconds, user and system, of all threads; compiled code is warm. To
be called by the benchmark of deduplication:

    measure_index(1_000_000).rows()
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from dataclasses import replace as with_
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from factory.curate.config import CurateConfig
from factory.curate.index.build import build_segment
from factory.curate.index.listing import change_list, read_list, with_segment
from factory.curate.index.pin import pin_key, view_bytes, view_of
from factory.curate.index.segment import Segment
from factory.curate.sketch import sketch_step
from factory.curate.step import CurateStep
from factory.identity import make_id
from factory.run.units import FileRef, Unit, UnitResult, unit_over
from factory.store.local import LocalStore
from tests.bench.dedup_rows import question_table, questions
from tests.bench.figures import Row
from tests.curate.passes import commit, decided_by, passes_of

SHARE, REPEATED = 0.01, 0.1
ROWS_A_FILE = 4096
TARGET = 0.03


@dataclass(frozen=True)
class IndexCost:
    """Processor seconds: of the first run, of that for its segment alone, of the second run, and of the second run
    without an index. `index_bytes` are of the segment's files, `dropped` counts the questions that repeat published
    ones, of which `repeats` were planted word by word."""

    published: int
    added: int
    build_s: float
    segment_s: float
    add_s: float
    without_index_s: float
    index_bytes: int
    repeats: int
    dropped: int

    @property
    def share(self) -> float:
        return self.add_s / self.build_s

    def rows(self) -> list[Row]:
        each = self.build_s / self.published * 1e6
        own = (self.add_s - self.without_index_s) / self.published * 1e6
        return [
            Row("index of published questions: first run", f"{self.build_s:.2f} s of a core, {each:.1f} us a question"),
            Row("  of it for the segment", f"{self.segment_s / self.published * 1e6:.1f} us a question"),
            Row("  size", f"{self.index_bytes / self.published:.0f} bytes a question"),
            Row(
                f"  a run that adds {SHARE:.0%}", f"{self.share:.1%} of that", f"<= {TARGET:.0%}", self.share <= TARGET
            ),
            Row("  of it for the published ones", f"{own:.3f} us each"),
            Row("  dropped because of them", f"{self.dropped}, of which planted verbatim {self.repeats}"),
        ]

    def to_json(self) -> dict[str, float]:
        return {**asdict(self), "share": self.share}


def measure_index(count: int, folder: Path | None = None) -> IndexCost:
    """Builds an index of `count` generated questions and runs one per cent more against it."""
    _once(2_000, None)  # compiles
    return _once(count, folder)


def _once(count: int, folder: Path | None) -> IndexCost:
    with tempfile.TemporaryDirectory(prefix="dedup-index-", dir=folder) as root:
        store = LocalStore(root)
        added = max(10, round(count * SHARE))
        repeats = max(1, round(added * REPEATED))
        texts = list(dict.fromkeys(questions(int(count * 1.05) + 2 * added).texts))  # a sixtieth is verbatim repeats
        published, fresh = texts[:count], texts[-(added - repeats) :]
        new = [*fresh, *published[:: max(1, count // repeats)][:repeats]]
        first = _add(store, _files(store, published, "first"), None, "published")
        listed = read_list(store)
        view = view_of(store, listed, frozenset(listed.members))
        store.put(pin_key("run"), view_bytes(view))
        files = _files(store, new, "second")
        alone, known = _add(store, files, None, "alone"), _add(store, files, pin_key("run"), "known")
        size = sum(Path(root, file.key).stat().st_size for part in first.made.parts for file in part.files)
        return IndexCost(
            count, len(new), first.seconds, first.segment_s, known.seconds, alone.seconds, size, repeats, known.dropped
        )


class Run(NamedTuple):
    """Processor seconds of all and of the segment alone, questions that repeat published ones, and the segment."""

    seconds: float
    segment_s: float
    dropped: int
    made: Segment


def _add(store: LocalStore, files: Sequence[FileRef], pin: str | None, name: str) -> Run:
    """Curation of questions and the segment of those that are kept."""
    began = time.process_time()
    step = sketch_step(CurateConfig())
    passes = passes_of(step)
    units = [unit_over(file) for file in files]
    decided = decided_by(store, passes, units, name, pin)
    results = [CurateStep().work(store, with_(unit, parameters={"decisions": decided.key})) for unit in units]
    curated = time.process_time()
    samples = [_samples(table) for result in results for table in result.tables]
    resumed = time.process_time()
    made = build_segment(store, samples, (name, "v1"), step.parameters)
    assert made is not None
    if pin is None and name == "published":
        change_list(store, lambda listed: with_segment(listed, made))
    ended = time.process_time()
    dropped = sum(int(each.facts.get("repeat_published", 0)) for each in decided.commits)
    return Run(curated - began + ended - resumed, ended - resumed, dropped, made)


def _samples(questions_kept: pa.Table) -> pa.Table:
    """Samples as the step of that name gives them, as far as a segment reads them."""
    columns = ["question_id", "level", "text"]
    return questions_kept.select(columns).rename_columns(["sample_id", "level", "question"])


def _files(store: LocalStore, texts: Sequence[str], name: str) -> list[FileRef]:
    files = []
    for start in range(0, len(texts), ROWS_A_FILE):
        table = question_table(texts[start : start + ROWS_A_FILE], start)
        result = UnitResult(table.num_rows, table.num_rows, (table,), "question_id")
        files.append(commit(store, f"question_1-{name}", Unit(make_id("unit", start)), result).files[0])
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    cost = measure_index(parser.parse_args().rows)
    for row in cost.rows():
        print(f"  {row.what:<44} {row.value:>34}  {row.target} {'' if row.met is None else row.met}".rstrip())
    print(json.dumps(cost.to_json()))


if __name__ == "__main__":
    main()
