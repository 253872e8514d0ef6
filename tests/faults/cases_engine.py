"""What happens to engines: they hang, die of a prompt, are killed again and again, and so does vLLM itself.

With the scripted engine the dataset must come out row by row as without the fault, less the rows of a document that
kills or hangs engines. With vLLM, SmolLM2 on a CPU, every death is vLLM's own: its engine core is killed or stopped
from outside, or raises («CPU Generator does not use offset»: `engine.extra.die_on` gives one request a seed, and
prompts are read in parts of 64 tokens).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.corpora import row_of, write_shard
from tests.faults.case import REQUESTS_IN_FLIGHT, Case, Row
from tests.runs import LLM_STEPS

if TYPE_CHECKING:
    from tests.faults.outcome import Outcome
    from tests.faults.trial import Trial

MARKER = "treacherous-xyzzy"
POISONED = 7
"""The document that carries the marker."""

HANG_S = 10
"""engine.timeout_s of the scripted case: a batch takes 0.3 s, on a busy machine some seconds."""

VLLM_HANG_S = 60
"""Of the vLLM case: a step of the engine with 16 short requests takes well under a second on two cores, and seconds
where others use them."""

WAIT_S = 240


def poisoned_corpus(folder: Path, documents: int) -> None:
    """Three shards; one document mentions a word that engines can be told to die or to hang of."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row_of(number) for number in range(documents)]
    rows[POISONED]["text"] += f" Here stands the word {MARKER}, which no engine survives."
    for shard in range(3):
        write_shard(folder / f"shard-{shard:03d}", rows[shard::3], shard)


def of_the_poisoned(row: Row) -> bool:
    return f"http://example.org/{POISONED}" in json.dumps(row, default=str)


def undisturbed(trial: Trial) -> None:
    """The fault comes with the corpus: the run itself is left alone, and has to end well at once."""
    finished = trial.finish(trial.start())
    assert finished.code == 0, finished.stderr[-3000:]


def one_replica_killed_again_and_again(trial: Trial) -> None:
    process = trial.start()
    trial.moment()
    replica = trial.rng.randrange(2)
    victims: set[int] = set()
    for _ in range(3):
        if (pid := next_engine(trial, replica, victims)) is None:
            break
        victims.add(pid)
        kill(pid, signal.SIGKILL)
        time.sleep(trial.rng.uniform(0.2, 1.5))
    finished = trial.finish(process)
    assert finished.code == 0, finished.stderr[-3000:]
    assert victims


def next_engine(trial: Trial, place: int, victims: set[int]) -> int | None:
    """The process of an engine that was not killed yet: at first that at `place`, then whatever replaced it. None when
    the run ended."""
    process = trial.executions[-1].process
    until = time.monotonic() + WAIT_S
    before = sorted(each.pid for each in trial.processes().get("engine", []))
    if not victims:
        return before[place % len(before)] if before else None
    others = set(before) - victims
    while process.poll() is None and time.monotonic() < until:
        new = {each.pid for each in trial.processes().get("engine", [])} - victims - others
        if new:
            return new.pop()
        if len(others) > 1:  # the replacement was there already
            return max(others)
        time.sleep(0.2)
    return None


def engine_core_killed(trial: Trial) -> None:
    signalled(trial, signal.SIGKILL)


def engine_core_stopped(trial: Trial) -> None:
    signalled(trial, signal.SIGSTOP)


def signalled(trial: Trial, number: signal.Signals) -> None:
    """Sends `number` to vLLM's engine core in the middle of a step; the run goes on and ends by itself."""
    process = trial.start()
    trial.moment()
    cores = engine_cores(trial)
    assert cores, "no engine core was found"
    for core in cores:
        kill(core.pid, number)
    try:
        finished = trial.finish(process)
    finally:
        for core in cores:
            kill(core.pid, signal.SIGKILL)  # one that was only stopped, should the run not have ended it
    assert finished.code == 0, finished.stderr[-3000:]
    if number == signal.SIGSTOP:
        assert not [core for core in cores if core.is_running() and core.status() != psutil.STATUS_ZOMBIE]


def engine_cores(trial: Trial) -> list[psutil.Process]:
    found = []
    for child in trial.processes().get("engine child", []):
        with contextlib.suppress(psutil.Error):
            if "EngineCore" in " ".join(child.cmdline()):
                found.append(child)
    return found


def driver_killed(trial: Trial) -> None:
    trial.start()
    trial.moment()
    trial.kill()


def kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def the_killer_alone_is_set_aside(trial: Trial, outcome: Outcome) -> None:
    """One row a step is quarantined as engine_killed, with its evidence, after no more restarts than promised."""
    hunts = quarantined = 0
    for step in steps_done(trial):
        reasons = step["reasons"].get("quarantine", {})
        assert set(reasons) <= {"engine_killed"}, reasons
        assert reasons.get("engine_killed", 0) <= 1
        hunts += bool(reasons)
        quarantined += sum(reasons.values())
    assert quarantined, "nobody was set aside"
    most = math.ceil(math.log2(REQUESTS_IN_FLIGHT)) + 1
    assert outcome.replacements <= hunts * most, f"{outcome.replacements} restarts for {hunts} killers"


def engines_were_replaced(trial: Trial, outcome: Outcome) -> None:
    assert outcome.replacements >= 1, "no engine was replaced"
    nobody_is_set_aside(trial, outcome)


def nobody_is_set_aside(trial: Trial, _outcome: Outcome) -> None:
    assert not any(step["reasons"].get("quarantine") for step in steps_done(trial))


def steps_done(trial: Trial) -> list[dict[str, dict[str, dict[str, int]]]]:
    paths = [path for step in LLM_STEPS for path in trial.local.glob(f"runs/*/{step}.done.json")]
    return [json.loads(path.read_text()) for path in paths]


LEVEL_1 = ("question.levels=[1]",)
"""One step reads documents, so a document that kills engines is hunted once."""

CASES = (
    Case(
        "poison prompt",
        undisturbed,
        settings=LEVEL_1,
        disturbing=(f"+engine.extra.die_on={MARKER}",),
        corpus=poisoned_corpus,
        may_lose=of_the_poisoned,
        check=the_killer_alone_is_set_aside,
        told="one document kills every engine that is given it",
    ),
    Case(
        "engine hang",
        undisturbed,
        settings=LEVEL_1,
        disturbing=(f"+engine.extra.hang_on={MARKER}", f"engine.timeout_s={HANG_S}"),
        corpus=poisoned_corpus,
        may_lose=of_the_poisoned,
        check=the_killer_alone_is_set_aside,
        told="one document stops every engine that is given it, while its process lives",
    ),
    Case(
        "one replica of two killed again and again",
        one_replica_killed_again_and_again,
        disturbing=("engine.replicas=2", "engine.units_in_flight=1", "engine.scripted_latency_s=1.0"),
        check=engines_were_replaced,
        told="SIGKILL to an engine's process, and to each of its replacements, three times",
    ),
    Case(
        "vLLM: engine core killed",
        engine_core_killed,
        engine="vllm",
        settings=LEVEL_1,
        documents=12,
        check=engines_were_replaced,
        told="SIGKILL to vLLM's engine core in the middle of a step",
    ),
    Case(
        "vLLM: poison prompt",
        undisturbed,
        engine="vllm",
        settings=LEVEL_1,
        disturbing=(f"+engine.extra.die_on={MARKER}", "+engine.extra.max_num_batched_tokens=64"),
        documents=12,
        corpus=poisoned_corpus,
        may_lose=of_the_poisoned,
        check=the_killer_alone_is_set_aside,
        told="one document whose request kills vLLM's engine core by itself",
    ),
    Case(
        "vLLM: engine core stopped",
        engine_core_stopped,
        engine="vllm",
        settings=LEVEL_1,
        disturbing=(f"engine.timeout_s={VLLM_HANG_S}",),
        documents=12,
        check=engines_were_replaced,
        told="SIGSTOP to vLLM's engine core: it lives and makes no token",
    ),
    Case(
        "vLLM: driver killed",
        driver_killed,
        engine="vllm",
        settings=LEVEL_1,
        documents=12,
        told="SIGKILL to the driver, vLLM at work",
    ),
)
