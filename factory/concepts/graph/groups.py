"""Which extract files a unit of graph_pairs counts.

Design: every reducer opens every file of pairs, so there had better be few: a unit takes extract files in their order
until it has GROUP_PASSAGES. It is named by what it holds, and its commit says so. Groups that are committed and hold
nothing but files of this corpus are kept as they are, and only files in none of them are grouped anew: a corpus that
grows, at its end or in its middle, counts what is new and nothing else, and an earlier graph stays a part of the new
one (edges.py). The price is that each growth leaves a group that is not full. Where committed groups overlap (runs with
other limits over one root), those of this run's own earlier plan come first, then the larger ones. A group is closed by
what it holds and not by what follows, so a run that is killed and planned again, when some of its groups are committed
and the others not, has the same groups.

Cost: the commits of the step are read once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from factory.identity import make_id
from factory.run.units import FileRef, Unit
from factory.store.commits import Commit

GROUP_PASSAGES = 2048
"""Passages a unit has at least, the last one excepted: eight default files of `extract`. Of 45 nodes each, they give
3.5 million pairs: one block (counting.BLOCK_PAIRS) in one file, in as many ranges as the paper's subset has partitions.
Units of 256 made the reducers of that subset open eight times the files, in ranges four times as wide as they asked
for (docs/decisions/0004)."""

GROUP_FILES = 64
"""Files of a group at most: its commit lists them, 150 bytes each."""


def pairs_units(
    files: Sequence[FileRef],
    committed: Iterable[Commit] = (),
    own: Iterable[str] = (),
    passages: int = GROUP_PASSAGES,
) -> list[Unit]:
    """The units over the extract files of a run, in the order of their first files.

    `committed` are the commits of the step's folder, in any order; `own` the unit ids of an earlier plan of the run.
    Every row of `files` is in exactly one unit; files without rows are in none.
    """
    place = {holding(file): number for number, file in enumerate(files) if file.rows}
    mine = frozenset(own)
    groups: list[list[int]] = []
    taken: set[int] = set()
    for commit in sorted(committed, key=lambda each: (each.unit not in mine, -each.counts.inputs, each.unit)):
        held = [place.get((name, content)) for name, content in commit.facts["files"]]
        known = [number for number in held if number is not None]
        if len(known) == len(held) and taken.isdisjoint(known):
            groups.append(known)
            taken.update(known)
    new: list[int] = []
    for number in sorted(set(place.values()) - taken):
        new.append(number)
        if sum(files[each].rows for each in new) >= passages or len(new) == GROUP_FILES:
            groups.append(new)
            new = []
    if new:
        groups.append(new)
    return [group_unit([files[number] for number in group]) for group in sorted(groups, key=min)]


def group_unit(files: Sequence[FileRef]) -> Unit:
    """The unit over extract files; its parameter `files` are their FileRefs as JSON."""
    unit_id = make_id("graph_pairs", *(part for file in files for part in holding(file)))
    return Unit(unit_id, parameters={"files": [vars(file) for file in files]})


def holding(file: FileRef) -> tuple[str, str]:
    """What a commit says of a file it counted: name and content."""
    return file.name, file.content_sha256


def files_of(unit: Unit) -> list[FileRef]:
    """The extract files of a unit of graph_pairs."""
    given: list[dict[str, Any]] = unit.parameters["files"]
    return [FileRef(**file) for file in given]
