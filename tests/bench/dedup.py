"""Deduplication beside gaoya: rows a second from files to decisions, on one core and on two, and what is found.

Each contender works in a process of its own, on one core or two, over the same Parquet files, in turn (dedup_run.py);
ours through the steps a run takes, with commits and exact comparison, gaoya through its bulk calls. Precision and
recall are against similarities computed here with plain Python sets. Memory is the largest resident set of a worker,
at a quarter, once and four times the rows. What one per cent more costs beside an index of published questions is
measured in dedup_index.py. gaoya is not among this project's requirements: without it its rows are
left out, and the table says so. With `--dedup-documents FOLDER` documents are deduplicated as well.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.curate.words import NUMBER, OPERATOR, kind_of, tokens
from tests.bench.dedup_index import measure_index
from tests.bench.dedup_rows import KINDS, Planted, documents, questions
from tests.bench.dedup_run import put_rows
from tests.bench.figures import Figures, Row
from tests.curate.reference_shingles import true_similarity

ROWS = 200_000
TINY_ROWS = 3_000
ROWS_A_FILE, SMALL_FILE_ROWS = 16_384, 4096
"""A file is a unit of ours, with four durable puts and a commit: 20 ms whatever it holds. What small ones cost is a row
of its own."""

THRESHOLD = 0.7

TARGET_RATIO, TARGET_CORES, TARGET_FOUND = 2.0, 1.8, 0.99


@dataclass(frozen=True)
class Outcome:
    """What a contender's process said; `rate` is rows/s of wall time, `kept` the row each dropped one repeats."""

    rate: float
    processor_seconds: float
    peak_mib: float
    dropped: frozenset[int]
    kept: Mapping[int, int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dedup-rows", type=int, default=ROWS, help=f"dedup: generated questions (default {ROWS:,})")
    parser.add_argument("--dedup-documents", type=Path, help="dedup: folder of Parquet files with a column `text`")


def measure(options: argparse.Namespace) -> Figures:
    count = TINY_ROWS if options.tiny else options.dedup_rows
    contenders = ["ours", "gaoya"] if importlib.util.find_spec("gaoya") else ["ours"]
    planted = questions(count)
    outcomes = _outcomes("questions", planted.texts, contenders)
    rows = [Row("questions, of which planted repeats", f"{count:,}, {len(planted.repeats):,}")]
    values: dict[str, Any] = {"sizes": {"questions": count}, "questions": _values(outcomes, count)}
    rows += _speed("questions", outcomes, "rows/s", 1)
    given = _both_at_once(planted.texts) / outcomes["ours", 1].rate
    rows.append(Row("  two whole runs at once, one a core / one alone: what the second core gives", f"{given:.2f}"))
    values["second_core_gives"] = round(given, 3)
    like = {cores: _rate(planted.texts, ROWS_A_FILE, cores, "words") for cores in (1, 2)}
    for cores, rate in like.items():
        beside = f", {rate / outcomes['gaoya', cores].rate:.2f} of gaoya" if "gaoya" in contenders else ""
        rows.append(Row(f"  with gaoya's shingles (curate.shingles=words), {cores} core(s)", f"{rate:,.0f}{beside}"))
    values["word_shingles_rows_per_second"] = {str(cores): round(rate, 1) for cores, rate in like.items()}
    small = _rate(planted.texts, SMALL_FILE_ROWS)
    rows.append(
        Row(f"  in files of {SMALL_FILE_ROWS:,} instead of {ROWS_A_FILE:,}: ours, 1 core, rows/s", f"{small:,.0f}")
    )
    values["small_files_rows_per_second"] = round(small, 1)
    found_rows, found = _found(planted, outcomes)
    rows += found_rows
    values["found"] = found
    if options.dedup_documents:
        texts = documents(options.dedup_documents)
        mib = sum(len(text.encode()) for text in texts) / 2**20
        held = _outcomes("documents", texts, contenders)
        rows.append(Row("documents, MB", f"{len(texts):,}, {mib * 1.048576:,.0f}"))
        rows += _speed("documents", held, "MB/s", mib * 1.048576 / len(texts))
        values["documents"] = {**_values(held, len(texts)), "count": len(texts), "mib": round(mib, 1)}
    memory = {scale: _peak(int(count * scale)) for scale in ((0.25, 1.0) if options.tiny else (0.25, 1.0, 4.0))}
    rows += [
        Row(f"  largest worker at {int(count * scale):,} questions", f"{peak:,.0f} MiB")
        for scale, peak in memory.items()
    ]
    values["worker_peak_mib"] = {str(int(count * scale)): round(peak, 1) for scale, peak in memory.items()}
    index = measure_index(count)
    rows += index.rows()
    values["index"] = index.to_json()
    notes = (
        [] if "gaoya" in contenders else ["gaoya is not installed (pip install gaoya==0.2.2): nothing to compare with."]
    )
    return Figures("dedup", rows, values, notes)


def _outcomes(kind: str, texts: Sequence[str], contenders: Sequence[str]) -> dict[tuple[str, int], Outcome]:
    """By contender and cores."""
    found = {}
    for cores in (1, 2):
        for contender in contenders:
            with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
                files = put_rows(Path(folder), kind, texts, ROWS_A_FILE)
                found[contender, cores] = _run(contender, cores, kind, folder, files, len(texts))
    return found


def _both_at_once(texts: Sequence[str]) -> float:
    """Rows/s of two runs of ours together, each over all texts on a core of its own: nothing is shared between them but
    the machine, so no division of one run over two cores does better."""
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as one, tempfile.TemporaryDirectory() as other:
        files = [put_rows(Path(folder), "questions", texts, ROWS_A_FILE) for folder in (one, other)]
        with ThreadPoolExecutor(2) as pool:
            runs = [
                pool.submit(_run, "ours", 1, "questions", folder, held, len(texts), core)
                for core, (folder, held) in enumerate(zip((one, other), files, strict=True))
            ]
            return sum(each.result().rate for each in runs)


def _run(
    contender: str,
    cores: int,
    kind: str,
    root: str,
    files: Sequence[str],
    count: int,
    core: int = 0,
    shingles: str = "by_length",
) -> Outcome:
    """`core`: which one of those allowed, where `cores` is 1."""
    task = {
        "contender": contender,
        "cores": cores,
        "core": core,
        "kind": kind,
        "root": root,
        "files": files,
        "shingles": shingles,
    }
    command = [sys.executable, "-m", "tests.bench.dedup_run", json.dumps(task)]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{contender} failed on {cores} cores:\n{done.stderr[-3000:]}")
    said = json.loads(done.stdout.splitlines()[-1])
    kept = dict(zip(said["dropped"], said["kept"], strict=False))
    return Outcome(
        count / said["seconds"],
        said["processor_seconds"],
        said["worker_peak_mib"],
        frozenset(said["dropped"]),
        kept,
    )


def _rate(texts: Sequence[str], rows_a_file: int, cores: int = 1, shingles: str = "by_length") -> float:
    """Rows/s of ours over questions."""
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        files = put_rows(Path(folder), "questions", texts, rows_a_file)
        return _run("ours", cores, "questions", folder, files, len(texts), shingles=shingles).rate


def _peak(count: int) -> float:
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        files = put_rows(Path(folder), "questions", questions(count).texts, ROWS_A_FILE)
        return _run("ours", 2, "questions", folder, files, count).peak_mib


def _speed(what: str, outcomes: Mapping[tuple[str, int], Outcome], unit: str, factor: float) -> list[Row]:
    rows = []
    for (contender, cores), outcome in outcomes.items():
        core = "core" if cores == 1 else "cores"
        rows.append(Row(f"{what}: {contender}, {cores} {core}, {unit}", f"{outcome.rate * factor:,.0f}"))
    if ("gaoya", 1) in outcomes:
        for cores in (1, 2):
            ratio = outcomes["ours", cores].rate / outcomes["gaoya", cores].rate
            met = ratio >= TARGET_RATIO
            rows.append(Row(f"{what}: ours / gaoya, {cores} core(s)", f"{ratio:.2f}", f">= {TARGET_RATIO:.0f}:", met))
    both = outcomes["ours", 2].rate / outcomes["ours", 1].rate
    rows.append(Row(f"{what}: ours, two cores / one", f"{both:.2f}", f">= {TARGET_CORES}:", both >= TARGET_CORES))
    return rows


def _values(outcomes: Mapping[tuple[str, int], Outcome], count: int) -> dict[str, Any]:
    return {
        f"{contender}_{cores}": {
            "rows_per_second": round(outcome.rate, 1),
            "microseconds_processor": round(outcome.processor_seconds / count * 1e6, 2),
            "peak_mib": round(outcome.peak_mib, 1),
            "dropped": len(outcome.dropped),
        }
        for (contender, cores), outcome in outcomes.items()
    }


def _found(planted: Planted, outcomes: Mapping[tuple[str, int], Outcome]) -> tuple[list[Row], dict[str, Any]]:
    """Recall on planted repeats that are duplicates by exact similarity; precision of every recorded drop."""
    true = {row: _similarity(planted.texts[row], planted.texts[source]) for row, source, _ in planted.repeats}
    made = Counter(source for _, source, _ in planted.repeats)
    rows: list[Row] = []
    values: dict[str, Any] = {}
    for contender in dict.fromkeys(name for name, _ in outcomes):
        dropped = outcomes[contender, 1].dropped
        pairs = [(row, source) for row, source, _ in planted.repeats if true[row] >= THRESHOLD]
        recall = sum(row in dropped or source in dropped for row, source in pairs) / max(1, len(pairs))
        target = (f">= {TARGET_FOUND}:", recall >= TARGET_FOUND) if contender == "ours" else ("", None)
        rows.append(Row(f"{contender}: recall on {len(pairs):,} true duplicates", f"{recall:.4f}", *target))
        kinds = {}
        for kind in KINDS:
            of_kind = [(row, source) for row, source, name in planted.repeats if name == kind and made[source] == 1]
            share = sum(row in dropped or source in dropped for row, source in of_kind) / max(1, len(of_kind))
            duplicates = sum(true[row] >= THRESHOLD for row, _ in of_kind)
            kinds[kind] = {"planted": len(of_kind), "true_duplicates": duplicates, "dropped": round(share, 4)}
            rows.append(Row(f"  {kind}: dropped of {len(of_kind):,} ({duplicates:,} true)", f"{share:.3f}"))
        values[contender] = {"recall": round(recall, 5), "kinds": kinds}
    kept = outcomes["ours", 1].kept
    right = sum(_similarity(planted.texts[row], planted.texts[other]) >= THRESHOLD for row, other in kept.items())
    precision = right / max(1, len(kept))
    rows.append(
        Row("ours: precision of what was dropped", f"{precision:.4f}", f">= {TARGET_FOUND}:", precision >= TARGET_FOUND)
    )
    values["precision"] = round(precision, 5)
    return rows, values


def _similarity(one: str, other: str) -> float:
    """Exact Jaccard similarity of the shingle sets; 0 where numbers or operators differ."""
    if _significant(tokens(one)) != _significant(tokens(other)):
        return 0.0
    return true_similarity(one, other)


def _significant(words: Sequence[str]) -> list[str]:
    return [word for word in words if not word.isalpha() and kind_of(word) in (NUMBER, OPERATOR)]
