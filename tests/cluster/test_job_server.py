"""A job server that fails, for a while or for good: what it is asked again, and what is said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import AuthenticationError

from factory.cluster import jobs
from factory.cluster.config import JobConfig
from factory.errors import ClusterError

JOB = jobs.Job("try", "0123456789abcdef", "python -m jobs.run", JobConfig(), 30)


class JobServer:
    """Fails `failures` times at every list, then knows the jobs that were sent."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.left, self.error = failures, error
        self.known: list[Any] = []

    def list_jobs(self) -> list[Any]:
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return self.known

    def submit_job(self, **asked: Any) -> str:
        status = SimpleNamespace(is_terminal=lambda: False)
        job_id = str(asked["submission_id"])
        self.known.append(
            SimpleNamespace(submission_id=job_id, metadata=asked["metadata"], start_time=1, status=status)
        )
        return job_id


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "POLL_S", 0)


@pytest.mark.parametrize("error", [ConnectionError("reset"), RuntimeError("Request failed with status code 500")])
def test_a_job_server_that_fails_for_a_moment_is_asked_again(error: Exception) -> None:
    server = JobServer(2, error)
    assert jobs.submit(server, JOB).id == "try-0123456789-1"
    assert jobs.submit(server, JOB).attached
    assert [job.submission_id for job in jobs.listed(server)] == ["try-0123456789-1"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("reset"), "does not answer any more: reset"),
        (RuntimeError("status code 500"), "job server refused: status code 500"),
        (AuthenticationError("Invalid token"), "job server refused: Invalid token"),
    ],
)
def test_one_that_fails_for_good_is_said(error: Exception, said: str) -> None:
    for ask in (jobs.listed, lambda client: jobs.submit(client, JOB)):
        with pytest.raises(ClusterError, match=said):
            ask(JobServer(1000, error))
