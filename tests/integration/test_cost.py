"""A run measured, planned, worked and held against its plan; what it cost adds up, whoever paid."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.corpora import write_corpus
from tests.resident import resident
from tests.runs import command, done_of, environment, factory_cli, requests_spent, run_factory

DOCUMENTS, SAMPLE = 32, 8
PRICED = (
    "question.levels=[1,2]",
    "select.unit_rows=4",
    "prices.currency=EUR",
    "prices.engine_hour=36",
    "prices.cpu_core_hour=0",
    "+prices.models={scripted: {prompt: 1.0, generated: 4.0}, mistyped: {prompt: 1.0, generated: 1.0}}",
)


@dataclass(frozen=True)
class Full:
    """`measured`: requests in the root when the plan was made."""

    root: Path
    planned: dict[str, Any]
    result: dict[str, Any]
    measured: float

    @property
    def run(self) -> str:
        return str(self.result["run"])


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), DOCUMENTS)


@pytest.fixture(scope="module")
def full(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Full:
    root = tmp_path_factory.mktemp("root")
    joined = f"cluster.address={resident(environment()).join()}"
    planned = factory_cli(
        "plan", "--json", "--measure", str(SAMPLE), *command(corpus, str(root), (*PRICED, joined))[3:]
    )
    assert planned.code == 0, planned.stderr
    measured = requests_in(root)
    return Full(root, planned.result, run_factory(corpus, str(root), PRICED, ray=True).result, measured)


def requests_in(root: Path) -> float:
    commits = [json.loads(path.read_text()) for path in root.glob("steps/*/commits/*/*.json")]
    return sum(float(commit["ledger"].get("requests", 0)) for commit in commits)


def status(root: Path, run: str) -> dict[str, Any]:
    said = json.loads(factory_cli("status", str(root), "--run", run, "--json").stdout)
    cost: dict[str, Any] = said["runs"][0]["cost"]
    return cost


def test_what_the_sample_paid_for_is_not_paid_again(full: Full) -> None:
    assert full.measured > 3 * SAMPLE - 5
    assert requests_in(full.root) == full.measured + full.result["requests"]
    done = done_of(full.root, full.run, "extract")
    assert done["ledger"]["requests"] == DOCUMENTS
    assert sorted(paid["requests"] for paid in done["paid"].values()) == [SAMPLE, DOCUMENTS - SAMPLE]


def test_the_plan_was_kept_and_says_how_far_off_it_was(full: Full) -> None:
    assert full.planned["run"] == full.run
    assert full.planned["kept"] == f"runs/{full.run}/estimate.json"
    planned = {step["step"]: step for step in full.planned["estimate"]["steps"]}
    assert planned["extract"]["already"] == SAMPLE
    assert planned["extract"]["requests"]["middle"] == pytest.approx(DOCUMENTS - SAMPLE, rel=0.25)
    assert all(step["measured"] for step in planned.values())
    money = full.planned["estimate"]["money"]
    assert money["low"] < money["middle"] < money["high"]
    lines = {(line["step"], line["what"]): line for line in status(full.root, full.run)["planned"]}
    assert lines["total", "requests"]["came_to"] == full.result["requests"]
    assert abs(lines["total", "requests"]["error"]) < 0.35
    page = Path(str(full.result["report"])).read_text()
    assert "Planned and come to" in page
    assert "Money by level" in page


def test_steps_levels_and_payers_add_up_to_what_the_rows_cost(full: Full) -> None:
    cost = status(full.root, full.run)
    whole = cost["all"]["amount"]
    assert cost["currency"] == "EUR"
    assert cost["all"]["no_price"] == []
    assert sum(step["cost"]["amount"] or 0 for step in cost["steps"].values()) == pytest.approx(whole)
    assert sum(level["cost"]["amount"] for level in cost["levels"].values()) == pytest.approx(whole)
    assert sum(level["samples"] for level in cost["levels"].values()) == cost["samples"] == full.result["samples"]
    reused = sum(part["amount"] or 0 for step in cost["steps"].values() for part in step["reused"].values())
    assert reused > 0
    assert cost["paid"]["amount"] + reused == pytest.approx(whole)


def test_engines_took_the_time_that_units_were_charged(full: Full) -> None:
    (use,) = status(full.root, full.run)["engines"]
    paid = [done_of(full.root, full.run, step)["paid"][full.run] for step in ("extract", "question_1", "answer")]
    paid.append(done_of(full.root, full.run, "question_2")["paid"][full.run])
    busy = sum(ledger["engine_busy_seconds"] for ledger in paid)
    assert use["requests"] == sum(ledger["requests"] for ledger in paid) == full.result["requests"]
    assert busy == pytest.approx(use["busy_seconds"], abs=0.01)
    charged = busy + sum(ledger["engine_idle_seconds"] for ledger in paid)
    assert charged <= use["alive_seconds"] + 0.01
    assert 0 < use["idle_share"] < 1


@pytest.mark.slow
def test_a_run_that_found_everything_done_paid_nothing_and_says_who_did(corpus: Path, full: Full) -> None:
    other = run_factory(corpus, str(full.root), (*PRICED, "answer.verify.tolerance=0.001")).result
    assert requests_spent(full.root, str(other["run"])) == 0
    cost = status(full.root, str(other["run"]))
    assert cost["steps"]["answer"]["paid"]["amount"] is None
    assert full.run in cost["steps"]["answer"]["reused"]
    assert cost["per_thousand_samples"]["amount"] > 0
    text = factory_cli("status", str(full.root), "--run", str(other["run"])).stdout
    assert f"answer: reused, paid by run {full.run}" in text


def test_prices_can_be_given_afterwards(full: Full, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("currency: CHF\ncpu_core_hour: 3600\n")
    text = factory_cli("status", str(full.root), "--run", full.run, "--prices", str(file)).stdout
    assert " CHF, without engine hours or tokens of " in text
    assert "(no price given); this run paid: " in text
    root = tmp_path / "root"
    shutil.copytree(full.root, root)
    written = factory_cli("report", str(root), "--run", full.run, "--prices", str(file))
    assert written.code == 0, written.stderr
    assert "CHF" in Path(written.stdout.strip()).read_text()
    file.write_text("cpu_core_hour: -1\n")
    refused = factory_cli("status", str(full.root), "--prices", str(file))
    assert refused.code == 2
    assert "cpu_core_hour" in refused.stderr


def test_a_plan_names_models_that_prices_know_and_the_run_does_not(corpus: Path, full: Full) -> None:
    said = factory_cli("plan", *command(corpus, str(full.root), (*PRICED, "seed=3"))[3:])
    assert "note: prices.models names 'mistyped', which is no model of this run" in said.stdout
    assert "under other settings" in said.stdout
    assert "kept:" not in said.stdout


def test_a_sample_as_large_as_the_run_is_refused(corpus: Path, tmp_path: Path) -> None:
    refused = factory_cli("plan", "--measure", "5", *command(corpus, str(tmp_path), ("limit=5",))[3:])
    assert refused.code == 2
    assert "--measure 5 is no part of limit=5" in refused.stderr


def test_a_plan_over_an_empty_corpus_is_no_stack(tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_text("")
    said = factory_cli("plan", *command(tmp_path / "none.jsonl", str(tmp_path / "root"))[3:])
    assert "Traceback" not in said.stderr
    assert said.code in (0, 3)
