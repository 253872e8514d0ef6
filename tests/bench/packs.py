"""Every pack that comes with the package, in a run of its own with the real small model, as far as its rows come.

The corpus is the built-in one, or files of the field given with --packs-corpus. What a model of 135 million parameters
writes is no measure of a pack: the figures say that every prompt is answered by a real model, every answer read, judged
and counted, and what the pack's checks leave of it. A run that a gate stops is told as that, with its counts.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from factory.domains.pack import shipped_packs
from tests.bench.figures import Figures, Row
from tests.runs import dataset_rows, factory_cli, run_module

COUNTED = ("merge", "extract", "question_1", "question_2", "question_3", "answer", "check")
"""Steps whose accepted rows say how far a run came: passages, those with concepts, questions, answers."""

GATED = 7
"""Exit code of a run that a gate stopped (docs/gates.md), an end that a pack's rows may well have."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--packs-limit", type=int, default=24, help="packs: passages a pack (default 24)")
    parser.add_argument(
        "--packs-corpus",
        action="append",
        default=[],
        metavar="PACK=PATH",
        help="packs: files of its field, with a licence a row; default the built-in corpus; may be repeated",
    )
    parser.add_argument(
        "--packs-root", type=Path, help="packs: roots are kept here and gone on with; default: thrown away"
    )


def measure(options: argparse.Namespace) -> Figures:
    corpora = dict(item.split("=", 1) for item in options.packs_corpus)
    limit = 4 if options.tiny else options.packs_limit
    engine = "engine=scripted" if options.tiny else "engine=vllm"
    with tempfile.TemporaryDirectory(prefix="factory-bench-") as folder:
        packs = {
            name: _worked(name, corpora.get(name), Path(options.packs_root or folder, name), (engine, f"limit={limit}"))
            for name in shipped_packs()
        }
    rows = [Row(f"{name}: {_corpus(corpora.get(name))}", _told(found)) for name, found in packs.items()]
    ended = sum(found["state"] != "failed" for found in packs.values())
    met = ended == len(packs)
    rows.append(Row("runs that came to their rows or to a gate", f"{ended} of {len(packs)}", "all:", met))
    return Figures("packs", rows, {"packs": packs, "sizes": {"limit": limit, "corpora": sorted(corpora)}})


def _worked(name: str, corpus: str | None, root: Path, more: tuple[str, ...]) -> dict[str, Any]:
    given = ["corpus=files", f"corpus.paths=[{Path(corpus).resolve()}]"] if corpus else []
    began = time.monotonic()
    done = run_module(
        "jobs.run", "preset=demo", f"domain={name}", "gate.min_samples=1", f"store.root={root}", *given, *more
    )
    run = max(json.loads(factory_cli("status", str(root), "--json").stdout)["runs"], key=lambda each: each["started"])
    accepted = {step["step"]: step["accepted"] for step in run["steps"]}
    found: dict[str, Any] = {
        "state": {0: "published", GATED: "stopped by a gate"}.get(done.code, "failed"),
        "seconds": round(time.monotonic() - began, 1),
        "accepted": {step: accepted.get(step, 0) for step in COUNTED},
        "published": 0,
        "verified": {},
        "tasks": {},
    }
    if done.code != 0:
        return found | {"said": done.stderr.strip().splitlines()[-6:]}
    verified = factory_cli("verify", str(done.result["dataset"]))
    assert verified.code == 0, verified.stderr
    rows = pa.concat_tables(dataset_rows(done.result["dataset"]).values())
    columns = {name: rows.column(name).to_pylist() for name in ("verified", "task") if name in rows.column_names}
    return found | {
        "published": rows.num_rows,
        "verified": dict(Counter(columns["verified"])),
        "tasks": dict(Counter(columns.get("task", ()))),
    }


def _corpus(path: str | None) -> str:
    return Path(path).name if path else "built-in corpus"


def _told(found: dict[str, Any]) -> str:
    of = found["accepted"]
    asked = sum(of[f"question_{level}"] for level in (1, 2, 3))
    votes = ", ".join(f"{count} {verdict}" for verdict, count in sorted(found["verified"].items()))
    return (
        f"{of['merge']} passages, {of['extract']} with concepts, {asked} questions, {of['answer']} answers; "
        f"{found['state']}: {found['published']} rows" + (f" ({votes})" if votes else "")
    )
