"""Each point of a sweep a job of a Ray cluster: submitted, followed, and found again when the sweep is given again.

Design: a job is what `python -m jobs.submit` makes of the point's command (factory/cluster), so a point that somebody
submitted by itself is attached to and not worked twice. What all points have in common is looked at and packed once,
before anything is written: whether the cluster could run them, and the working tree, so all points run the same code
however long the sweep takes. Following is a thread a job. Ctrl-C leaves the jobs alone, as it does there: they go on,
and the same command attaches to those that still run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from factory.cluster import jobs
from factory.cluster.address import url_of
from factory.cluster.command import in_words, job_of, packed_tree, require_place, with_code
from factory.cluster.dashboard import ask
from factory.cluster.options import Asked
from factory.cluster.package import Package
from factory.errors import FactoryError
from factory.leaving import INTERRUPTED_CODE
from factory.sweep.config import SweepConfig
from factory.sweep.launch import Log, Note, Outcome, Say, first_line
from factory.sweep.points import Point


@contextmanager
def launching_jobs(points: Sequence[Point], say: Say) -> Iterator[Jobs]:
    """Raises ClusterError or ConfigError where no cluster answers at `cluster.address`, or it could not run a point."""
    cluster = points[0].config.cluster
    dashboard = ask(url_of(cluster.address))
    require_place(dashboard, [point.config for point in points], say)
    with packed_tree(cluster.job) as package:
        say(f"the working tree: {in_words(package)}")
        yield Jobs(jobs.connect(dashboard), dashboard.url, package, say)


class Jobs:
    def __init__(self, client: Any, url: str, package: Package, say: Say) -> None:
        self._client, self._url, self._package, self._say = client, url, package, say
        self._submitting, self._stopped = threading.Lock(), False
        self._open: dict[int, str] = {}

    def work(self, point: Point, say: Say, note: Note) -> Outcome:
        try:
            job = with_code(job_of(_asked(point), _alone(point)), self._package)
            with self._submitting:  # the first sends the package, the others find it there
                if self._stopped:
                    return Outcome(INTERRUPTED_CODE)
                submitted = jobs.submit(self._client, job)
            self._open[point.number] = submitted.id
            note(job=submitted.id)
            say(f"job {submitted.id}" + (", which runs already" if submitted.attached else ""))
            if not submitted.same_code:
                say("note: it runs with another state of the working tree")
            log = Log(say)
            outcome = log.outcome(jobs.follow(self._client, submitted.id, log.write, say))
        except FactoryError as error:
            say(f"{type(error).__name__}: {error}")
            outcome = Outcome(error.exit_code, error=first_line(f"{type(error).__name__}: {error.what}"))
        self._open.pop(point.number, None)
        return outcome

    def stop(self) -> bool:
        self._stopped = True
        for job in list(self._open.values()):  # threads that are at work change it
            self._say(f"{job} goes on; end it: python -m jobs.submit --stop {job} cluster.address={self._url}")
        return False


def _asked(point: Point) -> Asked:
    """The point's command without what only concerns the sweep."""
    return Asked({}, tuple(item for item in point.overrides if not item.lstrip("+").startswith("sweep.")))


def _alone(point: Point) -> object:
    """Its configuration, as if it had been given by itself: then its job is the one that would have been submitted."""
    return point.config.model_copy(update={"sweep": SweepConfig()})
