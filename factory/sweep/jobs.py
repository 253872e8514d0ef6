"""Each point of a sweep a job of a Ray cluster: submitted, followed, and found again when the sweep is given again.

Design: a job is what `python -m jobs.submit` makes of the point's command (factory/cluster), so a point that somebody
submitted by itself is attached to and not worked twice. Submitting is done one at a time, since each packs the working
tree; following is a thread a job. Ctrl-C leaves the jobs alone, as it does there: they go on, and the same command
attaches to those that still run.
"""

from __future__ import annotations

import threading

from factory.cluster import jobs
from factory.cluster.command import Asked, submit_run
from factory.cluster.config import ClusterConfig
from factory.cluster.dashboard import Dashboard, ask, url_of
from factory.errors import FactoryError
from factory.sweep.config import SweepConfig
from factory.sweep.launch import Log, Note, Outcome, Say, first_line
from factory.sweep.points import Point


class Jobs:
    """Raises ClusterError or ConfigError where no cluster answers at `cluster.address`."""

    def __init__(self, cluster: ClusterConfig, say: Say) -> None:
        self._dashboard: Dashboard = ask(url_of(cluster.address))
        self._say, self._submitting = say, threading.Lock()
        self._open: dict[int, str] = {}

    def work(self, point: Point, say: Say, note: Note) -> Outcome:
        try:
            client = jobs.connect(self._dashboard)
            with self._submitting:
                submitted = submit_run(client, self._dashboard, _asked(point), _alone(point))
            self._open[point.number] = submitted.id
            note(job=submitted.id)
            say(f"job {submitted.id}" + (", which runs already" if submitted.attached else ""))
            log = Log(say)
            outcome = log.outcome(jobs.follow(client, submitted.id, log.write, say))
        except FactoryError as error:
            say(f"{type(error).__name__}: {error}")
            outcome = Outcome(error.exit_code, error=first_line(f"{type(error).__name__}: {error.what}"))
        self._open.pop(point.number, None)
        return outcome

    def stop(self) -> bool:
        for job in self._open.values():
            self._say(
                f"{job} goes on; end it: python -m jobs.submit --stop {job} cluster.address={self._dashboard.url}"
            )
        return False


def _asked(point: Point) -> Asked:
    """The point's command without what only concerns the sweep."""
    return Asked({}, tuple(item for item in point.overrides if not item.startswith("sweep.")))


def _alone(point: Point) -> object:
    """Its configuration, as if it had been given by itself: then its job is the one that would have been submitted."""
    return point.config.model_copy(update={"sweep": SweepConfig()})
