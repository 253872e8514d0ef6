"""Objects that are torn: commits, Parquet files, records of the run; before, after and long after they were written.

Design: nothing the product writes can be torn by its own death (temporary name, sync, link; or one put), so these are
disks and copies that lost their ends. A run, `factory verify` or `factory doctor` has to name the object and say what
to do, and the case then does exactly that and no more.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from factory.store.base import ObjectInfo
from tests.faults.case import Case
from tests.faults.cases_store import require_message
from tests.faults.factory_here import factory_here
from tests.faults.observed import progress, step_of
from tests.faults.trial import Trial

Disturb = Callable[[Trial], None]


def torn_commit(trial: Trial) -> None:
    """Killed, and the commit object of a committed unit cut short: the next run names it and says what to do, or
    `factory doctor` does, where the step was over and its commits are read from their index."""
    unit = killed_with_a_commit(trial)
    folder = unit.key.split("/")[1]
    unit_id = unit.key.rsplit("/", 1)[1].removesuffix(".json")
    tear(trial, unit.key)
    trial.destroyed.add((folder, unit_id))
    doctor_names(trial, unit.key)
    finished = trial.rerun()
    if finished.code != 0:
        follow(trial, require_message(finished, unit.key))
        return
    follow(trial, doctor_names(trial, unit.key))
    assert trial.rerun().code == 0


def torn_parquet(trial: Trial) -> None:
    """Killed, and a data file of a committed unit cut short: whoever reads it names it and says what to do."""
    unit = killed_with_a_commit(trial)
    folder = unit.key.split("/")[1]
    unit_id = unit.key.rsplit("/", 1)[1].removesuffix(".json")
    (data, *_) = [info.key for info in trial.store.list(f"steps/{folder}/data/{unit_id}.")]
    tear(trial, data)
    trial.destroyed.add((folder, unit_id))
    doctor_names(trial, data, "--bytes")
    message = require_message(trial.rerun(), data, "no whole Parquet file")
    follow(trial, message)


def torn_before_its_commit(trial: Trial) -> None:
    """Power cut, and of an attempt that was under way half a data file is there: nobody reads it, its unit is done
    again, and `factory gc` takes it away."""
    process = trial.start()
    trial.moment(process, steps=("extract", "question_1"))
    for _ in range(POWER_CUTS):
        while not trial.in_flight() and process.poll() is None:
            time.sleep(0.02)
        trial.end(process)
        trial.note()
        if trial.in_flight():  # else the last of them was committed in that moment
            break
        process = trial.start()
    assert trial.in_flight(), "nothing was under way, however often power was cut"
    halves = []
    for each in trial.in_flight():
        halves.append(f"steps/{each.folder}/data/{each.unit}.{each.attempt}.0.parquet")
        trial.store.put(halves[-1], b"PAR1" + trial.rng.randbytes(trial.rng.randrange(1, 4096)))
    finished = trial.rerun()
    assert finished.code == 0, finished.stderr[-3000:]
    collected = factory_here("gc", trial.root)
    assert collected.code == 0, collected.stderr
    assert not [key for key in halves if trial.store.head(key)], "gc left the half of a file"


POWER_CUTS = 5


def torn_in_published(trial: Trial) -> None:
    """A data file of a finished run cut short: `factory verify` and `factory doctor` name it; what the latter says
    makes both whole."""
    finished = trial.finish(trial.start())
    assert finished.code == 0, finished.stderr[-3000:]
    commits = [info for info in trial.store.list("steps/") if "/commits/" in info.key]
    unit = trial.rng.choice([info for info in commits if data_of(trial, info)])
    folder = unit.key.split("/")[1]
    data = trial.rng.choice(data_of(trial, unit))
    tear(trial, data)
    trial.destroyed.add((folder, unit.key.rsplit("/", 1)[1].removesuffix(".json")))
    dataset = str(finished.result["dataset"])
    verified = factory_here("verify", dataset)
    assert verified.code == 1
    assert data in verified.stderr, verified.stderr
    follow(trial, doctor_names(trial, data, "--bytes"))
    finished = trial.rerun()
    assert finished.code == 0, finished.stderr[-3000:]
    assert factory_here("verify", dataset).code == 0


def torn_record(kind: str) -> Disturb:
    """Killed, and a record of the run cut short: "run", or the "plan" or "done" of a step. `factory doctor` names it; a
    run names it where it reads it."""

    def disturb(trial: Trial) -> None:
        killed_with_a_commit(trial)
        keys = sorted(info.key for info in trial.store.list("runs/") if is_record(info.key, kind))
        key = trial.rng.choice(keys)
        tear(trial, key)
        told = doctor_names(trial, key)
        finished = trial.rerun()
        follow(trial, told if finished.code == 0 else require_message(finished, key))
        if finished.code == 0:  # it did not need what was torn, and now looks again
            trial.rerun()

    return disturb


def is_record(key: str, kind: str) -> bool:
    if kind == "run":
        return key.count("/") == 1 and key.endswith(".json")
    return key.endswith(f".{kind}.json")


def killed_with_a_commit(trial: Trial) -> ObjectInfo:
    """Ends every process of a run, as a power cut would, inside a step that has a commit; gives a seeded one of that
    step's commits that has data."""
    process = trial.start()
    step = trial.moment(process).step
    while not progress(trial.store, step)[0]:
        assert process.poll() is None, trial.execution(process).stderr[-3000:]
        time.sleep(0.02)
    trial.note()  # units were begun since the moment: this is what the power cut meets
    trial.end(process)
    found = sorted(
        (info for info in trial.store.list(f"steps/{step}-") if "/commits/" in info.key), key=lambda info: info.key
    )
    return trial.rng.choice(
        [info for info in found if step_of(info.key.split("/")[1]) == step and data_of(trial, info)]
    )


def data_of(trial: Trial, commit: ObjectInfo) -> Sequence[str]:
    folder, unit = commit.key.split("/")[1], commit.key.rsplit("/", 1)[1].removesuffix(".json")
    return sorted(info.key for info in trial.store.list(f"steps/{folder}/data/{unit}."))


def tear(trial: Trial, key: str) -> None:
    """Cuts an object short, somewhere."""
    data = trial.store.get(key)
    trial.store.put(key, data[: trial.rng.randrange(len(data))])


def doctor_names(trial: Trial, key: str, *options: str) -> str:
    """What `factory doctor` says of the object, which it must find."""
    told = factory_here("doctor", trial.root, *options)
    assert told.code == 1, told.stdout
    blocks = re.findall(r"^broken .*\n(?: .*\n?)*", told.stdout, re.MULTILINE)
    found: list[str] = [block for block in blocks if key in block]
    assert found, f"doctor does not name {key}:\n{told.stdout}"
    assert "what to do:" in found[0], found[0]
    return found[0]


NAMED = re.compile(r"(?:delete|move|folder|and) ((?:steps|runs)/[\w*./-]*[\w/])")
"""What a remedy tells a user to delete or to move away; what to restore, it names after other words."""


def follow(trial: Trial, message: str) -> None:
    """Does what a message tells the user to: "delete X and Y", "move X and the folder Y away"."""
    places = NAMED.findall(message.partition("what to do:")[2])
    assert places, f"the message names nothing to delete or to move away:\n{message}"
    for place in places:
        keys = [info.key for info in trial.store.list(place.partition("*")[0])]
        named = [key for key in keys if key.startswith(place) or fnmatchcase(key, place)]
        assert named, f"there is no {place}, which the message names:\n{message}"
        for key in named:
            trial.store.delete(key)


CASES = (
    Case("torn commit", torn_commit, told="power cut, a commit object cut short; then what the message says"),
    Case("torn Parquet file", torn_parquet, told="power cut, a committed file cut short; then what the message says"),
    Case("torn Parquet file before its commit", torn_before_its_commit),
    Case(
        "torn Parquet file of a published run",
        torn_in_published,
        told="a committed file cut short after the end; then what `factory doctor` says",
    ),
    Case("torn run record", torn_record("run"), told="power cut, the record cut short; then what the message says"),
    Case("torn plan", torn_record("plan"), told="the same of a step's plan"),
    Case("torn done record", torn_record("done"), told="the same of a finished step's record"),
)
