"""Processes that die: driver, workers, engine, Ray's own; two drivers at once; gc beside a run."""

from __future__ import annotations

import subprocess
import time

import psutil

from tests.faults.case import RAY_ALONE, Case
from tests.faults.factory_here import factory_here
from tests.faults.observed import attempts_begun
from tests.faults.outcome import Outcome, lost_attempts
from tests.faults.trial import HangError, Trial
from tests.runs import LLM_STEPS

FOUND_S = 240.0
"""A start of Ray takes 6 s alone, and took two minutes at a load of fifty."""

ENDS_S = 180.0
"""What a run may take to notice that Ray is gone and to say so. Ray itself gives a lost head 60 s."""


def driver_killed(trial: Trial) -> None:
    """SIGKILL to the driver; the command is given again at once, or when its workers have left (they take 2 to 5 s)."""
    trial.start()
    trial.moment()
    wait = trial.rng.random() < 0.5
    trial.kill(wait=wait)
    if wait:
        told = factory_here("status", str(trial.local)).stdout
        assert "stopped" in told, told
        assert "killed: it gives no sign of life" in told, told


def driver_killed_anywhere(trial: Trial) -> None:
    """SIGKILL to the driver in any step: those of curation, the graph, walks, gates and shards included."""
    trial.start()
    trial.moment(steps=sorted(trial.reference.units))
    trial.kill(wait=False)


def driver_killed_planning(trial: Trial) -> None:
    """SIGKILL to the driver in its first seconds, while it looks at the corpus, plans or starts Ray."""
    process = trial.start()
    _wait_for(trial, process, "runs/")
    time.sleep(trial.rng.uniform(0, 4))
    trial.note()
    trial.kill(wait=False)


def driver_killed_publishing(trial: Trial) -> None:
    """SIGKILL to the driver while it publishes, or just before or after."""
    process = trial.start()
    _wait_for(trial, process, "datasets/" if trial.rng.random() < 0.5 else "steps/shards-")
    time.sleep(trial.rng.uniform(0, 0.5))
    trial.note()
    trial.kill(wait=False)


def _wait_for(trial: Trial, process: subprocess.Popen[bytes], prefix: str) -> None:
    """Until there is an object below `prefix`, or the run has ended."""
    until = time.monotonic() + FOUND_S
    while not any(True for _ in trial.store.list(prefix)) and process.poll() is None:
        if time.monotonic() > until:
            raise HangError(f"the run writes nothing below {prefix}")
        time.sleep(0.01)


def driver_killed_again(trial: Trial) -> None:
    """SIGKILL to the driver, and to the one that goes on, and to the next, each time after a while of work."""
    for _ in range(3):
        process = trial.start()
        _wait_for_a_new_attempt(trial, process)
        time.sleep(trial.rng.uniform(0, 4))
        trial.note()
        trial.kill(wait=False)


def worker_killed(trial: Trial) -> None:
    """SIGKILL to a worker process in a step that has units under way; the run goes on by itself."""
    process = trial.start()
    # Without Ray units of an LLM step are threads of the driver: workers work the others.
    steps = LLM_STEPS if trial.executor == "ray" else sorted(trial.reference.units.keys() - set(LLM_STEPS))
    trial.moment(steps=steps)
    _found(trial, "worker").kill()
    finished = trial.finish(process)
    assert finished.code == 0, f"the run did not outlive the loss of a worker:\n{finished.stderr[-3000:]}"


def engine_killed(trial: Trial) -> None:
    """SIGKILL to the process of the engine; the run goes on by itself with another."""
    process = trial.start()
    trial.moment()
    _found(trial, "engine").kill()
    finished = trial.finish(process)
    assert finished.code == 0, f"the run did not outlive the loss of an engine:\n{finished.stderr[-3000:]}"


def engine_was_replaced(_trial: Trial, outcome: Outcome) -> None:
    assert outcome.replacements >= 1, "no engine was replaced"


def node_killed(trial: Trial) -> None:
    """SIGKILL to the raylet, Ray's process on a machine: the run ends with words, in time, and can be given again."""
    process = trial.start()
    trial.moment()
    _found(trial, "raylet").kill()
    _ended_in_words(trial, process)


def head_killed(trial: Trial) -> None:
    """SIGKILL to the process of Ray's head (GCS): likewise."""
    process = trial.start()
    trial.moment()
    _found(trial, "head").kill()
    _ended_in_words(trial, process)


def _ended_in_words(trial: Trial, process: subprocess.Popen[bytes]) -> None:
    finished = trial.finish(process, limit_s=ENDS_S)
    assert finished.code != 0, "the run says that it ended well"
    said = trial.said(process, "the same command")
    assert "the same command" in said, f"exit code {finished.code}:\n{said[-3000:]}"
    assert "Traceback" not in said, said[-3000:]


def out_of_memory(trial: Trial) -> None:
    """Memory is taken until Ray's memory monitor kills a process of the run, then given back."""
    from ray._common.utils import get_system_memory
    from ray._private.utils import get_used_memory

    total = get_system_memory()
    threshold = (get_used_memory() + MARGIN_BYTES) / total
    process = trial.start(
        environment={"RAY_memory_usage_threshold": f"{threshold:.4f}", "RAY_memory_monitor_refresh_ms": "100"}
    )
    trial.moment()
    kinds = trial.processes()
    watched = [each for kind in ("worker", "idle", "engine") for each in kinds[kind]]
    hog: list[bytearray] = []
    until = time.monotonic() + FOUND_S
    try:
        while all(each.is_running() for each in watched):
            if time.monotonic() > until:
                raise HangError("Ray's memory monitor killed nothing")
            if process.poll() is not None:
                raise HangError("the run ended before memory did")
            if len(hog) * HOG_STEP_BYTES < 2 * MARGIN_BYTES:
                hog.append(bytearray(b"\1") * HOG_STEP_BYTES)
            time.sleep(0.05)
    finally:
        hog.clear()
    finished = trial.finish(process)
    assert finished.code == 0, f"the run did not outlive it:\n{finished.stderr[-3000:]}"


MARGIN_BYTES = 1 << 30
"""Beyond what is used when the run starts: a run takes 1.5 GB less Ray's own part of what was cached."""

HOG_STEP_BYTES = 64 << 20


def two_drivers(trial: Trial) -> None:
    """The same command twice, within two seconds: the second waits for the first and has nothing to do."""
    first = trial.start()
    time.sleep(trial.rng.uniform(0, 2))
    second = trial.start()
    one, other = trial.finish(first), trial.finish(second)
    assert (one.code, other.code) == (0, 0), (one.stderr + other.stderr)[-4000:]
    assert "waiting for the same run" in one.stderr + other.stderr
    assert min(one.result["requests"], other.result["requests"]) == 0, "both paid"
    assert one.result["dataset"] == other.result["dataset"]


def nothing_lost(_trial: Trial, outcome: Outcome) -> None:
    assert outcome.lost_attempts == 0, f"{outcome.lost_attempts} units were begun twice"


def second_takes_over(trial: Trial) -> None:
    """The same command twice, and SIGKILL to the one that works: the other goes on by itself."""
    first = trial.start()
    _wait_for_a_new_attempt(trial, first)
    # Before the moment: started at it, on a busy machine the second was not there before the first had ended.
    second = trial.start()
    _wait_until_said(trial, second, "waiting for the same run")
    trial.moment(first)
    trial.kill(first, wait=False)
    other = trial.finish(second)
    assert other.code == 0, other.stderr[-3000:]


def runs_that_agree(trial: Trial) -> None:
    """Two runs at once that agree up to the answers: what they share is paid for once."""
    first = trial.start()
    trial.moment()
    second = trial.start("answer.sampling.temperature=0.2")
    one, other = trial.finish(first), trial.finish(second)
    assert (one.code, other.code) == (0, 0), (one.stderr + other.stderr)[-4000:]
    assert one.result["run"] != other.result["run"]


def shared_steps_paid_once(_trial: Trial, outcome: Outcome) -> None:
    shared = [each for each in outcome.after.attempts if each.step in ("extract", "question_1", "question_2")]
    committed = [unit for unit in outcome.after.commits if unit[0] in {each.folder for each in shared}]
    assert len(shared) == len(committed), "units of steps that both runs need were begun twice"


def gc_beside(trial: Trial) -> None:
    """Files of lost attempts lie there; the command is given again, and `factory gc` over and over beside it."""
    trial.start()
    trial.moment()
    trial.kill(wait=trial.rng.random() < 0.5)
    planted = []
    for folder, unit in list(trial.moments[-1].seen.commits)[:ORPHANS]:
        planted.append(f"steps/{folder}/data/{unit}.{'0' * 12}.0.parquet")
        trial.store.put(planted[-1], b"what an attempt wrote before another one's commit")
    process = trial.start()
    while process.poll() is None:
        collect(trial.root)
        time.sleep(0.2)
    assert trial.finish(process).code == 0, trial.execution(process).stderr[-3000:]
    collect(trial.root)
    assert not [key for key in planted if trial.store.head(key)], "gc left files of attempts that lost their unit"


ORPHANS = 5


def collect(root: str) -> None:
    collected = factory_here("gc", root)
    assert collected.code == 0, collected.stdout + collected.stderr


def no_orphan_of_a_committed_unit(trial: Trial, outcome: Outcome) -> None:
    """After the last gc no file of an attempt is left that lost its unit."""
    lost = {each.attempt for each in lost_attempts(outcome.after, set())}
    kinds = ("data", "rejects", "requests")
    left = [
        info.key
        for info in trial.store.list("steps/")
        if info.key.split("/")[2] in kinds and info.key.rsplit("/", 1)[1].split(".")[1] in lost
    ]
    assert not left, f"gc left {left[:3]}"


def _found(trial: Trial, kind: str) -> psutil.Process:
    """A process of the last run of this kind; of several a seeded one."""
    until = time.monotonic() + FOUND_S
    while time.monotonic() < until:
        if found := sorted(trial.processes()[kind], key=lambda each: each.pid):
            return trial.rng.choice(found)
        time.sleep(0.02)
    raise HangError(f"the run has no process of kind {kind}")


def _wait_for_a_new_attempt(trial: Trial, process: subprocess.Popen[bytes]) -> None:
    """Until the run has begun a unit, or has ended."""
    store, until = trial.store, time.monotonic() + FOUND_S
    before = attempts_begun(store)
    while attempts_begun(store) == before and process.poll() is None:
        if time.monotonic() > until:
            raise HangError("the run begins no unit")
        time.sleep(0.05)


def _wait_until_said(trial: Trial, process: subprocess.Popen[bytes], words: str) -> None:
    until = time.monotonic() + FOUND_S
    while words not in trial.execution(process).stderr:
        if time.monotonic() > until or process.poll() is not None:
            raise HangError(f"the run never said {words!r}:\n{trial.execution(process).stderr[-2000:]}")
        time.sleep(0.05)


LEVEL_3 = ("question.levels=[1,2,3]", "question.level_3_questions=1", "walk.epochs=2", "pair.unit_rows=8")
"""With the concept graph, walks and pairs of documents: every step there is."""

CASES = (
    Case("driver killed", driver_killed, quick=True),
    Case("driver killed in any step", driver_killed_anywhere, settings=LEVEL_3, documents=36),
    Case("driver killed while it plans", driver_killed_planning),
    Case("driver killed while it publishes", driver_killed_publishing),
    Case("driver killed three times", driver_killed_again),
    Case("worker killed", worker_killed, quick=True),
    Case("engine killed", engine_killed, check=engine_was_replaced),
    Case("Ray node process killed", node_killed, executors=RAY_ALONE),
    Case("Ray head killed", head_killed, executors=RAY_ALONE),
    Case("out of memory", out_of_memory, executors=RAY_ALONE, alone=True),
    Case("two drivers at once", two_drivers, check=nothing_lost, quick=True),
    Case("second driver takes over", second_takes_over),
    Case("two runs that share steps", runs_that_agree, check=shared_steps_paid_once),
    Case("gc beside a run", gc_beside, check=no_orphan_of_a_committed_unit),
)
