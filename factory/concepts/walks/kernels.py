"""One step of many walks within one partition of the graph.

Design: walks come sorted by the node they stand at, and the running sum of a node's weights is made once for all
walks at it, in the order of its neighbours: the sum is the node's own, so it does not depend on how the graph is
cut into partitions or the walks into blocks. A neighbour is found in it by bisection. Nodes that a walk may not
go to (it has been there) are taken out of the distribution exactly, by shifting the drawn number over their
intervals, and not by drawing again.

Cost, one core: 2 ns a neighbour of a distinct node for the paper's weights, more with factors by node.
"""

from __future__ import annotations

import math

import numpy as np

from factory.concepts.walks.adjacency import I64, U32
from factory.concepts.walks.draws import F64
from factory.concepts.walks.rules import ANY_SUBJECT, NodeTable, Transition
from factory.native import compiled

TAKEN, NO_NEIGHBOUR, ALL_EXCLUDED = 0, 1, 2
"""What came of a step: a node; the node has no neighbours of the wanted kind; none of them may be gone to."""


@compiled
def has_subject(starts: I64, subjects: I64, node: int, subject: int) -> bool:
    low, high = starts[node], starts[node + 1]
    while low < high:
        middle = (low + high) // 2
        if subjects[middle] < subject:
            low = middle + 1
        else:
            high = middle
    return bool(low < starts[node + 1] and subjects[low] == subject)


@compiled
def running_sums(
    dst: U32, freq: U32, low: int, high: int, nodes: NodeTable, transition: Transition, subject: int, running: F64
) -> int:
    """Writes the running sums of the weights of dst[low:high]; how many weights are above 0."""
    # Arrays by name and not through their tuples: handing a tuple on for every edge costs 50 ns in reference counts.
    table, factor = transition.table, nodes.factor
    by_node, bound = len(factor) > 0, subject != ANY_SUBJECT
    total, positives = 0.0, 0
    for edge in range(low, high):
        if freq[edge] < len(table):
            value = table[freq[edge]]
        else:
            value = math.pow(freq[edge] + transition.epsilon, transition.inverse_temperature)
        if by_node:
            value *= factor[dst[edge]]
        if bound and not has_subject(nodes.subject_starts, nodes.subjects, dst[edge], subject):
            value = 0.0
        positives += value > 0
        total += value
        running[edge - low] = total
    return positives


@compiled
def position_of(dst: U32, low: int, high: int, wanted: int) -> int:
    """Where `wanted` stands in the sorted dst[low:high], or -1."""
    stop = high
    while low < high:
        middle = (low + high) // 2
        if dst[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and dst[low] == wanted else -1


@compiled
def pick(
    running: F64, count: int, positives: int, excluded: I64, excluded_count: int, drawn: float
) -> tuple[int, float]:
    """Index into running[:count] and the sum it was drawn from; (-1, 0) when nothing is left.

    `running` are inclusive running sums of weights, `positives` of which are above 0; `excluded` are distinct
    indices that may not be picked.
    """
    excluded = np.sort(excluded[:excluded_count])
    left, out = running[count - 1], 0
    for index in excluded:
        own = running[index] - (running[index - 1] if index else 0.0)
        left -= own
        out += own > 0
    if out >= positives:
        return -1, 0.0
    target = drawn * left
    for index in excluded:
        before = running[index - 1] if index else 0.0
        if target < before:
            break
        target += running[index] - before
    found = np.searchsorted(running[:count], target, "right")
    # Rounding may leave the target on an excluded neighbour, on one without weight, or behind the last:
    # the nearest that may be picked is taken, forwards first.
    for candidate in range(found, count):
        if running[candidate] > (running[candidate - 1] if candidate else 0.0) and not _holds(excluded, candidate):
            return candidate, left
    for candidate in range(min(found, count) - 1, -1, -1):
        if running[candidate] > (running[candidate - 1] if candidate else 0.0) and not _holds(excluded, candidate):
            return candidate, left
    return -1, 0.0


@compiled
def _holds(values: I64, wanted: int) -> bool:
    for value in values:  # noqa: SIM110 - numba compiles no generators
        if value == wanted:
            return True
    return False


@compiled
def advance(
    starts: I64,
    topic_degrees: I64,
    dst: U32,
    freq: U32,
    nodes: NodeTable,
    transition: Transition,
    rows: I64,  # [W] the walk's node in the partition; sorted together with the next two
    to_topic: I64,  # [W] 1: to a topic, 0: to a concept
    subjects: I64,  # [W] or ANY_SUBJECT
    drawn: F64,  # [W] in [0, 1)
    path: I64,  # [W, L] nodes the walk was at
    lengths: I64,  # [W] how many of them; 0: all may be gone to again
    chosen: I64,  # [W], written
    probability: F64,  # [W], written
    outcome: I64,  # [W], written
) -> None:
    """One step of W walks to a direct neighbour."""
    widest = 1
    for row in rows:
        widest = max(widest, starts[row + 1] - starts[row])
    running, own = np.empty(widest, np.float64), np.empty(1, np.float64)
    excluded = np.empty(path.shape[1], np.int64)
    low = high = positives = 0
    for walk in range(len(rows)):
        row = rows[walk]
        new = walk == 0 or row != rows[walk - 1] or to_topic[walk] != to_topic[walk - 1]
        if new or subjects[walk] != subjects[walk - 1]:
            border = starts[row] + topic_degrees[row]
            low, high = (starts[row], border) if to_topic[walk] else (border, starts[row + 1])
            positives = running_sums(dst, freq, low, high, nodes, transition, subjects[walk], running)
        if low == high:
            outcome[walk] = NO_NEIGHBOUR
            continue
        taken = 0
        for step in range(lengths[walk]):
            place = position_of(dst, low, high, path[walk, step])
            if place >= 0 and not _holds(excluded[:taken], place - low):
                excluded[taken] = place - low
                taken += 1
        index, left = pick(running, high - low, positives, excluded, taken, drawn[walk])
        if index < 0:
            outcome[walk] = ALL_EXCLUDED
            continue
        chosen[walk] = dst[low + index]
        # Anew: the difference of two running sums has lost the last digits of a small weight.
        running_sums(dst, freq, low + index, low + index + 1, nodes, transition, subjects[walk], own)
        probability[walk] = own[0] / left
        outcome[walk] = TAKEN


@compiled
def advance_past(
    starts: I64,
    dst: U32,
    freq: U32,
    nodes: NodeTable,
    transition: Transition,
    rows: I64,  # [W] the middle node in the partition
    subjects: I64,  # [W]
    drawn: F64,  # [W]
    path: I64,  # [W, L]
    lengths: I64,  # [W]
    origins: I64,  # [W] the node the step began at
    near: U32,  # neighbours of the origins, sorted within an origin
    near_starts: I64,  # [W] where the origin's neighbours begin in `near`
    near_stops: I64,  # [W]
    chosen: I64,  # [W], written
    probability: F64,  # [W], written
    outcome: I64,  # [W], written
) -> None:
    """The second edge of a step to a concept that is no neighbour of the node it began at."""
    widest = 1
    for row in rows:
        widest = max(widest, starts[row + 1] - starts[row])
    running, own = np.empty(widest, np.float64), np.empty(1, np.float64)
    beyond, often = np.empty(widest, np.uint32), np.empty(widest, np.uint32)
    none = np.empty(0, np.int64)
    for walk in range(len(rows)):
        other, stop = near_starts[walk], near_stops[walk]
        count = 0
        for edge in range(starts[rows[walk]], starts[rows[walk] + 1]):
            node = dst[edge]
            while other < stop and near[other] < node:
                other += 1
            if (other < stop and near[other] == node) or node == origins[walk]:
                continue
            seen = False
            for step in range(lengths[walk]):
                seen = seen or path[walk, step] == node
            if not seen:
                beyond[count], often[count] = node, freq[edge]
                count += 1
        positives = running_sums(beyond, often, 0, count, nodes, transition, subjects[walk], running)
        if not positives:
            outcome[walk] = ALL_EXCLUDED
            continue
        index, left = pick(running, count, positives, none, 0, drawn[walk])
        chosen[walk] = beyond[index]
        running_sums(beyond, often, index, index + 1, nodes, transition, subjects[walk], own)
        probability[walk] = own[0] / left
        outcome[walk] = TAKEN
