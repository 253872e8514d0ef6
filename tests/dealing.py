"""Which worker of xdist runs which test files, and in what order.

Design: files are dealt out whole, for their fixtures. Those that start a Ray or a vLLM of their own go to two workers,
one after the other, because Ray gives its processes 30 seconds to come up, and on two cores three that start at once
beside other work may not; the others meanwhile run all else. A fourth worker saves nothing (30 min 4 s, with three 30
min 15 s): both cores are busy nine tenths of the time. Long files come first: with one of them begun at the end, one
core waits minutes for the other.
"""

from __future__ import annotations

from collections.abc import Mapping

from xdist.scheduler import LoadFileScheduling

WITH_RAY: Mapping[str, tuple[str, ...]] = {
    "ray-1": (
        "tests/integration/test_real_engine.py",
        "tests/faults/",
        "tests/integration/test_openai_run.py",
        "tests/cluster/",
        "tests/engine/test_vllm",
    ),
    "ray-2": (
        "tests/engine/test_pool.py",
        "tests/bench/test_bench.py",
        "tests/integration/test_pipeline.py",
        "tests/integration/test_cost.py",
        "tests/run/test_window.py",
        "tests/run/test_drain.py",
        "tests/run/test_lean_ray.py",
        "tests/infra/test_container.py",
    ),
}
"""Group -> its files and folders, some twelve minutes each, longest first."""

LONG = (
    *WITH_RAY["ray-1"],
    *WITH_RAY["ray-2"],
    "tests/select/training/test_job.py",
    "tests/integration/",
    "tests/concepts/walks/test_walk_step.py",
    "tests/observe/",
    "tests/evaluate/diversity/test_after_a_run.py",
    "tests/select/test_document_duplicates.py",
)
"""Files and folders that take a minute and more; the groups, each dealt out as a whole, are first."""


def rank(nodeid: str) -> int:
    """Place in LONG; what is not there comes after all that is."""
    return next((place for place, start in enumerate(LONG) if nodeid.startswith(start)), len(LONG))


class Dealing(LoadFileScheduling):
    """Files, or a group of files, to the worker that is free."""

    def _split_scope(self, nodeid: str) -> str:
        for group, files in WITH_RAY.items():
            if nodeid.startswith(files):
                return group
        return nodeid.partition("::")[0]
