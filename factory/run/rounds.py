"""Rounds: walks are drawn a part at a time, where what is drawn depends on what came before.

Design: without `target_samples` all epochs are drawn at once, or, where weights fall with earlier visits
(`walk.coverage_exponent`), one epoch a round. With a target, of samples of all levels, rounds go on until so many are
accepted. A round appends walk numbers and works every stage from `walk` to `samples` again; what earlier rounds
committed is read, not redone. Where a round ends is in the run record before it begins, so a run that was killed in
round r goes on in round r with the same walks. The first round is as large as if every question of every walk, and of
the other levels, were accepted; later ones follow the yield of level 3 so far. The budget is the walks of all epochs
(`walk.epochs`); a target that it cannot give is said, in the record and to the user, and the samples there are go on to
the gates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from factory.run.across import epoch_of, visits_stage
from factory.run.outputs import outputs_key, read_outputs
from factory.run.record import Record, write_record
from factory.run.stage import Session, work_stage
from factory.run.strands import of_kind

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


def draw_walks(session: Session, chain: Chain, dones: dict[str, Record]) -> None:
    """Works the stage `walk`: all epochs, or the rounds that the run record knows, or the first one."""
    config = chain.settings.config
    assert chain.across is not None
    epoch = epoch_of(chain.across, dones)
    most = config.walk.epochs * epoch
    if config.target_samples is None:
        each = chain.across.visits is not None
        ends = [epoch * number for number in range(1, config.walk.epochs + 1)] if each else [most]
    else:
        ends = [item["walks"] for item in session.record["rounds"]]
        if not ends:
            others = sum(
                int(dones[name]["counts"]["accepted"]) for name in of_kind("question", dones) if name != "question_3"
            )
            ends = [first_round(config.target_samples - others, config.question.level_3_questions, most)]
            _begin(session, ends[0])
    for end in ends:
        _draw(session, chain, dones, min(end, most))


def draw_until_enough(session: Session, chain: Chain, dones: dict[str, Record]) -> None:
    """Draws further rounds until the target is met or the walks are used up."""
    config = chain.settings.config
    target = config.target_samples
    assert target is not None
    assert chain.across is not None
    most = config.walk.epochs * epoch_of(chain.across, dones)
    while True:
        samples = dones["samples"]
        accepted, of_walks = int(samples["counts"]["accepted"]), int(samples["facts"].get("level_3", 0))
        drawn = chain.rounds.ends[-1]
        session.record["rounds"][-1]["samples"] = accepted
        if accepted >= target or drawn >= most:
            break
        end = next_round(target, accepted, of_walks, drawn, most)
        _begin(session, end)
        session.progress.say(f"round {len(session.record['rounds'])}: walks up to {end:,}")
        _draw(session, chain, dones, end)
        for stage in chain.through("pair", "samples"):
            dones[stage.name] = work_stage(session, stage, dones)
    session.record["target"] = {"asked": target, "accepted": accepted, "met": accepted >= target}
    write_record(session.store, session.record)
    if accepted < target:
        session.progress.say(
            f"target_samples={target} is not met: there are {accepted:,} samples, {of_walks:,} of them of level 3. Of "
            f"{drawn:,} walk numbers, all that {config.walk.epochs} epochs have, {_lost(dones)}; {_way_out(dones)}"
        )


def _lost(dones: Mapping[str, Record]) -> str:
    """How many went on from step to step."""
    walks, pairs, questions = (int(dones[step]["counts"]["accepted"]) for step in ("walk", "pair", "question_3"))
    return f"{walks:,} became walks, {pairs:,} found two documents, {questions:,} questions came of them"


def _way_out(dones: Mapping[str, Record]) -> str:
    """What may bring more samples, by where the walks were lost."""
    for step, remedy in (
        ("walk", "the graph is too thin for walks: bring more documents"),
        ("pair", "documents are too few or too much alike to stand beside each other: bring more and more varied ones"),
        ("question_3", "the model's replies are turned away: use a larger model, or look at the rejects of question_3"),
        ("answer", "answers are turned away: use a larger model, or look at the rejects of answer"),
    ):
        counts = dones[step]["counts"]
        if counts["accepted"] * LOST_MOST < counts["inputs"]:
            reasons = dones[step]["reasons"].get("input", {})
            most = max(reasons, key=lambda reason: (int(reasons[reason]), reason), default="")
            because = f", most of them for {most}" if most else ""
            return f"{step} accepted {counts['accepted']:,} of {counts['inputs']:,}{because}; {remedy}"
    return "raise walk.epochs or bring more documents"


LOST_MOST = 10
"""Where fewer than one in so many passes a step, more walks are no way out."""


def _begin(session: Session, end: int) -> None:
    """Notes a round, up to walk number `end`, before anything of it is worked."""
    session.record["rounds"].append({"walks": end})
    write_record(session.store, session.record)


def _draw(session: Session, chain: Chain, dones: dict[str, Record], end: int) -> None:
    """Draws the walks up to number `end`, by what the rounds before visited where the rules ask for that."""
    assert chain.across is not None
    visits = None
    counting = visits_stage(chain.run, chain.across) if chain.rounds.ends else None
    if counting is not None:
        # Not among the run's steps: it read the walks of some rounds, the run's walks are those of all.
        work_stage(session, counting, dones)
        visits = read_outputs(session.store, outputs_key(chain.run, "visits"))[0].file
    chain.rounds.ends.append(end)
    chain.rounds.visits.append(visits)
    dones["walk"] = work_stage(session, chain.stage("walk"), dones)
    drawn, taken = (int(dones["walk"]["facts"].get(f"implicit_{name}", 0)) for name in ("drawn", "taken"))
    if taken * 2 < drawn:
        session.progress.say(
            f"note: {taken:,} of {drawn:,} steps that were to go over an implicit edge (walk.implicit_share) could: "
            "in a graph this dense most nodes that are two edges away are neighbours as well"
        )
