"""Columns of walks, and of what options of walks read."""

from __future__ import annotations

import pyarrow as pa

from factory.tables import SOURCES

TRACE = pa.struct(
    [
        ("nodes", pa.list_(pa.uint64())),  # every node the walk was at, in order, revisits included
        ("kinds", pa.list_(pa.int8())),  # 0 topic, 1 concept
        ("via", pa.list_(pa.uint64())),  # the middle node of a step over an implicit edge, else null
        ("subject", pa.string()),  # the walk was bound to; null where it was not
    ]
)

WALK = pa.schema(
    [
        ("walk_id", pa.string()),
        ("number", pa.int64()),
        ("epoch", pa.int64()),
        ("seed", pa.int64()),
        ("topic_ids", pa.list_(pa.uint64())),  # distinct, in order of the first visit
        ("concept_ids", pa.list_(pa.uint64())),
        ("topics", pa.list_(pa.string())),  # their names
        ("concepts", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float64())),  # of each step of the trace: one fewer than its nodes
        ("trace", TRACE),
    ]
)

VISITS = pa.schema([("node_id", pa.uint64()), ("visits", pa.int64())])
"""How many walks of earlier rounds hold a node; nodes that are not there were visited by none."""

SUBJECTS = pa.schema([("node_id", pa.uint64()), ("subject", pa.string()), ("passages", pa.int64())])
"""How many passages of a subject hold a node. Sorted by node, then by subject."""

PAIRED_WALK = pa.schema(
    [
        *WALK,
        # Two each, the better passage first:
        ("doc_ids", pa.list_(pa.string())),
        ("chunk_ids", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float64())),
        ("overlap", pa.list_(pa.int32())),  # nodes of the walk that the passage holds
        ("edu_level", pa.string()),  # of the first passage
        ("subject", pa.string()),
        ("sources", SOURCES),
    ]
)
