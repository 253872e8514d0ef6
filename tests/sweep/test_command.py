"""Sweeps as a user starts them: shared steps paid once, points that fail beside others, the record on the store."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.corpora import write_corpus
from tests.runs import Finished, done_of, factory_cli, run_factory

pytestmark = pytest.mark.slow

THREE_BY_TWO = ("question.sampling.temperature=0.2,0.5,0.8", "answer.sampling.temperature=0.3,0.6")


def swept(corpus: Path, root: Path, *items: str, check: bool = True) -> Finished:
    return run_factory(corpus, str(root), ("-m", *items), check=check)


def record_of(root: Path, done: Finished) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((root / "sweeps" / f"{done.result['sweep']}.json").read_text())
    return record


def worked(root: Path, runs: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Of each step that asks a model: how many different sets of units the runs have of it, and requests that all runs
    together paid."""
    plans: dict[str, set[str]] = {}
    paid: Counter[str] = Counter()
    for run in runs:
        for step in json.loads((root / "runs" / f"{run}.json").read_text())["steps"]:
            done = done_of(root, run, step)
            if done["ledger"].get("requests"):
                plans.setdefault(step, set()).add(f"{done['folder']} {done['plan']}")
                paid[step] += int(done["spent_now"].get("requests", 0))
    return {step: len(found) for step, found in plans.items()}, dict(paid)


def committed(root: Path) -> dict[str, int]:
    """Requests of each step's commits, every unit once: what it takes to make all rows once."""
    once: Counter[str] = Counter()
    for path in root.glob("steps/*/commits/*/*.json"):
        once[path.parts[-4].rpartition("-")[0]] += int(json.loads(path.read_text())["ledger"].get("requests", 0))
    return {step: requests for step, requests in once.items() if requests}


def begun_twice(root: Path) -> list[str]:
    """Units of any step at which more than one attempt was begun."""
    begun = Counter("/".join(path.parts[-3:]).split(".")[0] for path in root.glob("steps/*/attempts/*.json"))
    return [unit for unit, attempts in begun.items() if attempts > 1]


@pytest.mark.parametrize("at_once", [1, 2])
def test_three_by_two_points_extract_once_ask_three_times_and_answer_six_times(tmp_path: Path, at_once: int) -> None:
    """The promise of a sweep, from the ledger: what points agree in is paid for once, also of points at once."""
    corpus, root = write_corpus(tmp_path / "corpus", 6), tmp_path / "root"
    done = swept(corpus, root, *THREE_BY_TWO, "question.levels=[2]", f"sweep.at_once={at_once}")
    record = record_of(root, done)
    runs = [point["run"] for point in record["points"]]
    assert len(set(runs)) == 6
    plans, paid = worked(root, runs)
    assert plans == {"extract": 1, "question_2": 3, "answer": 6}
    assert paid == committed(root)
    assert begun_twice(root) == []
    assert record["state"] == "finished"
    assert {point["state"] for point in record["points"]} == {"finished"}
    assert record["points"][1]["differs"] == {
        "question.sampling.temperature": 0.2,
        "answer.sampling.temperature": 0.6,
    }
    compared = factory_cli("compare", str(root), "--sweep", done.result["sweep"], "--json")
    found = json.loads(compared.stdout)
    assert [each["values"]["own_requests"] for each in found["runs"]] == [
        sum(int(done_of(root, run, step)["spent_now"].get("requests", 0)) for step in plans) for run in runs
    ]
    assert found["requests"]["paid"] == sum(paid.values())
    assert found["requests"]["alone"] == sum(
        int(done_of(root, run, step)["ledger"]["requests"]) for run in runs for step in plans
    )


def test_the_same_command_goes_on_with_its_sweep_and_pays_for_nothing_again(tmp_path: Path) -> None:
    corpus, root = write_corpus(tmp_path / "corpus", 3), tmp_path / "root"
    first = swept(corpus, root, "seed=1,2", "question.levels=[1]")
    again = swept(corpus, root, "seed=2,1", "question.levels=[1]")
    assert again.result["sweep"] == first.result["sweep"]
    assert again.stderr.count("all there before") == 2
    assert len(list((root / "sweeps").iterdir())) == 1


def test_points_that_fail_do_not_stop_the_others_and_are_named_at_the_end(tmp_path: Path) -> None:
    """A gate that no point can pass, for one of two; a point that is the same run is worked once."""
    corpus, root = write_corpus(tmp_path / "corpus", 3), tmp_path / "root"
    done = swept(
        corpus, root, "gate.min_samples=100000,1", "engine.max_num_seqs=8,16", "question.levels=[1]", check=False
    )
    assert done.code == 7
    assert "2 (gate.min_samples=100000 engine.max_num_seqs=16) is the same run as point 1" in done.stderr
    named = "  point 1 (gate.min_samples=100000 engine.max_num_seqs=8), exit code 7: GateError: "
    assert f"1 of 4 points failed:\n{named}" in done.stderr
    record = record_of(root, done)
    assert [(point["state"], point["same_as"]) for point in record["points"]] == [
        ("failed", None), ("failed", 1), ("finished", None), ("finished", 3),
    ]  # fmt: skip
    assert done.result["failed"] == ["gate.min_samples=100000 engine.max_num_seqs=8"]
    table = factory_cli("compare", str(root), "--sweep", "last")
    assert "failed" in table.stdout
    assert "2 of 4 have not finished" in table.stdout
