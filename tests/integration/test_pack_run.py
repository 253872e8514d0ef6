"""A pack that uses every part of the contract, from `factory domain new` to its published rows and report."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.corpora import write_corpus
from tests.runs import dataset_rows, done_of, factory_cli, run_factory

MORE = """
subjects: {Linear algebra: [matrices], Analysis: [calculus]}
tags:
  bloom: [remember, apply]
strata: [bloom, edu_level]
"""
CODE = """

def noted(samples):
    if any(sample.question.count("?") > 1 for sample in samples):
        raise ValueError("two questions in one")
    return ["no number" if not any(sign.isdigit() for sign in sample.answer) else None for sample in samples]


gates = {**gates, "numberless": Gate(noted, "share of answers without a number", threshold=None)}
known = verify


def verify(question, answers):
    if question.level == 2:
        raise LookupError("no table for level 2")
    return [Verdict("yes", evidence={"passages": len(question.passages)}) for _ in answers]
"""


@dataclass(frozen=True)
class Made:
    root: Path
    pack: Path
    corpus: Path
    result: dict[str, Any]
    said: str

    @property
    def rows(self) -> pa.Table:
        return pa.concat_tables(dataset_rows(self.result["dataset"]).values())

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((Path(self.result["dataset"]) / "manifest.json").read_text())
        return found


def overrides(pack: Path) -> list[str]:
    return [f"domain.path={pack}", "domain.variant=zero_shot", "limit=24", "gate.pack.numberless.threshold=1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("pack-run")
    pack, corpus, root = folder / "volcanoes", write_corpus(folder / "corpus", 24), folder / "root"
    assert factory_cli("domain", "new", "volcanoes", "--path", str(pack)).code == 0
    text = (pack / "pack.yaml").read_text()
    (pack / "pack.yaml").write_text(text.replace("benchmarks: []", "benchmarks: [PIQA]") + MORE)
    with (pack / "checks.py").open("a") as checks:
        checks.write(CODE)
    finished = run_factory(corpus, str(root), overrides(pack))
    return Made(root, pack, corpus, finished.result, finished.stderr)


def test_every_row_has_the_packs_tags_and_subjects(made: Made) -> None:
    tags = made.rows.column("tags").to_pylist()
    assert {tag["name"] for row in tags for tag in row} == {"bloom"}
    assert {tag["value"] for row in tags for tag in row} <= {"remember", "apply"}
    level_2 = made.rows.filter(pc.equal(made.rows.column("level"), 2))
    assert set(level_2.column("subject").to_pylist()) <= {"Linear algebra", "Analysis", "other"}
    reasons = done_of(made.root, made.result["run"], "extract")["reasons"]["output"]
    assert reasons["subject_not_in_taxonomy"] > 0
    assert set(made.rows.column("domain").to_pylist()) == {"volcanoes"}


def test_the_packs_verifier_is_asked_and_its_errors_leave_rows_unchecked(made: Made) -> None:
    rows = made.rows.select(["level", "verified", "verified_by"]).to_pylist()
    assert {row["verified_by"] for row in rows if row["level"] == 1} == {"pack"}
    assert "yes" not in {row["verified"] for row in rows if row["level"] == 2}
    facts = done_of(made.root, made.result["run"], "check")["facts"]
    failed = facts["verified_by=the pack's checks.py failed: unchecked"]
    assert failed == facts["verified=level 2: unchecked"]
    found = [pq.read_table(path) for path in (made.root / "steps").glob("check-*/data/*.parquet")]
    evidence = [json.loads(text) for text in pa.concat_tables(found).column("check_evidence").to_pylist()]
    errors = {item["checks_error"] for item in evidence if "checks_error" in item}
    lines = (made.pack / "checks.py").read_text().splitlines()
    raised = lines.index('        raise LookupError("no table for level 2")') + 1
    assert errors == {f"LookupError: no table for level 2 at {made.pack / 'checks.py'}:{raised}"}


def test_the_packs_gates_are_measured_with_the_thresholds_of_the_command(made: Made) -> None:
    assert "gate.severity.max_refusals=error" in made.said
    gates = {gate["name"]: gate for gate in made.manifest["gates"]}
    assert gates["pack.unfinished"]["threshold"] == 0.01
    assert gates["pack.numberless"]["threshold"] == 1
    assert gates["max_refusals"]["severity"] == "error"  # of the pack's settings


def test_the_report_breaks_figures_down_by_the_packs_strata_and_names_the_benchmark_left_out(made: Made) -> None:
    report = Path(made.result["report"]).read_text()
    assert re.findall(r"<h3>By ([^<]*)</h3>", report) == ["bloom", "edu level"]
    assert "names benchmarks that this run is not held against (curate.benchmarks): PIQA" in report
    planned = factory_cli("plan", "engine=scripted", "corpus=files", f"corpus.paths=[{made.corpus}]",
                          f"store.root={made.root}", *overrides(made.pack))  # fmt: skip
    assert "PIQA" in planned.stdout


def test_the_dataset_verifies_replays_and_is_found_again(made: Made) -> None:
    assert factory_cli("verify", made.result["dataset"]).code == 0
    sample = made.rows.column("sample_id")[0].as_py()
    assert factory_cli("replay", made.result["dataset"], sample).code == 0
    assert "bloom=" in factory_cli("show", made.result["dataset"]).stdout
    again = run_factory(made.corpus, str(made.root), overrides(made.pack)).result
    assert again["already_finished"]


def test_another_gate_costs_no_new_tokens_and_a_gate_that_fails_stops_publishing(made: Made) -> None:
    path = made.pack / "checks.py"
    before = path.read_text()
    always = 'threshold=0.01), "all": Gate(lambda samples: ["x" for _ in samples], "all", 0.5, "error")'
    path.write_text(before.replace("threshold=0.01)", always))
    asked = [*overrides(made.pack), "publish.name=other"]
    try:
        stopped = run_factory(made.corpus, str(made.root), asked, check=False)
    finally:
        path.write_text(before)
    assert stopped.code == 7
    assert "pack.all: all is 1, must be at most 0.5" in stopped.stderr
    assert "gate.pack.all.threshold" in stopped.stderr
    asking = [line for line in stopped.stderr.splitlines() if re.match(r"(?:extract|question_\d|answer) ", line)]
    assert asking
    assert all(" reused)" in line for line in asking), asking
