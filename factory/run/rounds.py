"""Rounds: walks are drawn until a run has the samples it was asked for (`target_samples`).

Design: a round appends walk numbers and works every stage from `walk` to `samples` again; what earlier rounds
committed is read, not redone. Where rounds end is in the run record before a round begins, so a run that was killed
in round r goes on in round r with the same walks. The first round is as large as if every question of every walk were
accepted, later ones follow the yield of level 3 so far. The budget is the walks of all epochs (`walk.epochs`); a
target that it cannot give is said, in the record and to the user, and the samples there are go on to the gates.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from factory.run.across import walks_at_most
from factory.run.record import Record, write_record
from factory.run.stage import Session, work_stage

if TYPE_CHECKING:
    from factory.run.chain import Chain

MARGIN = 1.1
"""Walks beyond what the yield asks for: a yield is an estimate, and a round of its own costs more than a few walks."""

LARGEST_GROWTH = 4
"""Times the walks drawn so far that a round has at most: the yield of a small first round is a rough guess."""

LEAST_WALKS = 64


def first_round(target: int, questions: int, most: int) -> int:
    """Walks of the first round; `questions` a walk gives at most, `most` walks there can be."""
    return min(most, max(LEAST_WALKS, math.ceil(target / questions)))


def next_round(target: int, accepted: int, of_walks: int, drawn: int, most: int) -> int:
    """Walk number at which the next round ends, given `accepted` samples, `of_walks` of them from `drawn` walks."""
    if not of_walks:
        wanted = drawn * LARGEST_GROWTH
    else:
        wanted = math.ceil((target - accepted) * drawn / of_walks * MARGIN)
    return min(most, drawn + min(max(LEAST_WALKS, wanted), drawn * LARGEST_GROWTH))


def draw_until_enough(session: Session, chain: Chain, dones: dict[str, Record]) -> int:
    """Draws further rounds until the target is met or the walks are used up; the requests this execution made."""
    target = chain.settings.config.target_samples
    assert target is not None
    most = walks_at_most(chain.settings.config, dones)
    requests = 0
    while True:
        accepted, of_walks = _accepted(dones)
        _note(session, accepted)
        drawn = min(chain.rounds.ends[-1], most)
        if accepted >= target or drawn >= most:
            break
        begin_round(session, chain, next_round(target, accepted, of_walks, drawn, most))
        for stage in chain.between("graph_index", "samples"):
            dones[stage.name] = work_stage(session, stage, dones)
            requests += int(dones[stage.name]["spent_now"].get("requests", 0))
    session.record["target"] = {"asked": target, "accepted": accepted, "met": accepted >= target}
    write_record(session.store, session.record)
    if accepted < target:
        session.progress.say(
            f"target_samples={target} is not met: {drawn:,} walks, all that {chain.settings.config.walk.epochs} epochs "
            f"have, gave {accepted:,} samples; raise walk.epochs or bring more documents"
        )
    return requests


def begin_round(session: Session, chain: Chain, end: int) -> None:
    """A further round, up to walk number `end`, in the record before anything of it is worked."""
    chain.rounds.ends.append(end)
    session.record["rounds"].append({"walks": end})
    write_record(session.store, session.record)
    if len(chain.rounds.ends) > 1:
        session.progress.say(f"round {len(chain.rounds.ends)}: walks up to {end:,}")


def _accepted(dones: dict[str, Record]) -> tuple[int, int]:
    """Samples accepted, and how many of them level 3 gave."""
    samples = dones["samples"]
    return int(samples["counts"]["accepted"]), int(samples["facts"].get("level_3", 0))


def _note(session: Session, accepted: int) -> None:
    session.record["rounds"][-1]["samples"] = accepted
    write_record(session.store, session.record)
