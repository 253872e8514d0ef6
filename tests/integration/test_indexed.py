"""Pods of an Indexed Job without Kubernetes: three processes share a run; the one that leads is killed and is back."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from factory.store.lease import holder_of
from factory.store.local import LocalStore
from tests.corpora import write_corpus
from tests.faults.outcome import differing_rows
from tests.runs import LLM_STEPS, REPOSITORY, command, dataset_rows, environment, factory_cli, run_factory
from tests.waiting import until

PODS = 3
UNITS = ("select.unit_rows=3", "curate.unit_rows=8", "engine.units_in_flight=2")
LATENCY = "engine.scripted_latency_s=0.4"
"""Of a unit's requests: long enough that all pods are at work at the same time."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), 45)


def start(corpus: Path, root: Path, index: int, log: Path) -> subprocess.Popen[str]:
    typed = command(corpus, str(root), ["cluster=indexed", "cluster.cpus=1", LATENCY, *UNITS])
    pods = {"JOB_COMPLETION_INDEX": str(index), "JOB_COMPLETIONS": str(PODS)}
    with log.open("a") as stderr:
        return subprocess.Popen(
            typed, cwd=REPOSITORY, env={**environment(), **pods}, stdout=subprocess.PIPE, stderr=stderr, text=True
        )


def commits(root: Path, step: str) -> dict[str, Path]:
    """Unit -> its commit."""
    return {path.stem: path for path in root.glob(f"steps/{step}-*/commits/*/*.json")}


def attempts(root: Path, step: str) -> list[Path]:
    return list(root.glob(f"steps/{step}-*/attempts/*.json"))


def holders(root: Path, leases: str) -> set[int]:
    """Processes that hold these leases."""
    store, folder = LocalStore(str(root)), root / "leases"
    names = [str(path.relative_to(folder).with_suffix("")) for path in folder.glob(leases)]
    return {found[0].pid for name in names if (found := holder_of(store, name))}


def at_work_together(root: Path) -> int | None:
    """Process that leads, once something of a step with a model is committed and two pods have hands on that step."""
    leads = holders(root, "run-*.json")
    for step in LLM_STEPS:
        if leads and commits(root, step) and len(holders(root, f"shares/{step}-*/*/*.json")) > 1:
            return leads.pop()
    return None


def test_three_pods_make_the_dataset_of_one_run_and_pay_once(corpus: Path, tmp_path: Path) -> None:
    alone = run_factory(corpus, str(tmp_path / "alone"), UNITS).result
    root, logs = tmp_path / "shared", [tmp_path / f"{index}.log" for index in range(PODS)]
    pods = [start(corpus, root, index, logs[index]) for index in range(PODS)]
    try:
        pid = until("two pods that work one step", lambda: at_work_together(root))
        index = next(number for number, pod in enumerate(pods) if pod.pid == pid)
        pods[index].send_signal(signal.SIGSTOP)  # it begins nothing between the look and its end
        before = {step: attempts(root, step) for step in LLM_STEPS}
        pods[index].kill()
        pods[index].communicate()
        pods[index] = start(corpus, root, index, logs[index])
        ended = [(pod.communicate(timeout=400)[0], pod.returncode) for pod in pods]
    finally:
        for pod in pods:
            pod.kill()
    said = [log.read_text() for log in logs]
    assert [code for _, code in ended] == [0] * PODS, said
    results = [json.loads(out.strip().splitlines()[-1]) for out, _ in ended]
    assert len({result["dataset"] for result in results}) == 1
    assert any("for the pod that leads" in lines for lines in said)

    assert results[0]["run"] == alone["run"]
    assert not differing_rows(dataset_rows(alone["dataset"]), dataset_rows(results[0]["dataset"]))
    assert factory_cli("verify", results[0]["dataset"]).code == 0

    for step in LLM_STEPS:
        found, begun = commits(root, step), attempts(root, step)
        if not begun:
            continue
        times = Counter(path.name.split(".")[0] for path in begun)
        assert set(times) == set(found)
        again = sum(times.values()) - len(found)
        lost = [path for path in before[step] if json.loads(path.read_text())["attempt"] not in _winners(found)]
        assert again == len(lost) <= 2, f"{step}: {again} attempts more than units"
        for path in begun:  # nobody began what was committed
            assert path.stat().st_mtime_ns <= found[path.name.split(".")[0]].stat().st_mtime_ns
    assert not holders(root, "shares/**/*.json")


def _winners(found: dict[str, Path]) -> set[str]:
    return {json.loads(path.read_text())["attempt"] for path in found.values()}


def test_a_pod_that_is_none_of_them_says_so(corpus: Path, tmp_path: Path) -> None:
    typed = command(corpus, str(tmp_path), ["cluster=indexed"])
    done = subprocess.run(
        typed,
        cwd=REPOSITORY,
        env={**environment(), "JOB_COMPLETION_INDEX": "3"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "this is pod 3 of 1" in done.stderr
    assert "JOB_COMPLETIONS" in done.stderr
