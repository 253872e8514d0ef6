"""Jobs of a Ray cluster: submitted once, followed, attached to again, stopped.

Design: over Ray's job API (ray.job_submission), which runs the command on the cluster and keeps its log there, so the
terminal that submitted it may go. A job's id is made of what it is to do: its name, a hash of its configuration, and a
number that counts its tries. While one of them waits or runs, submitting the same again means to attach to it. Ids are
never used twice, as Ray advises. The command runs as on any machine; what it needs to know travels in its arguments,
the working tree as a package, and no credential in either.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from factory.cluster.address import CONNECT_S
from factory.cluster.config import JobConfig
from factory.cluster.dashboard import ANSWER_S, Dashboard
from factory.cluster.nodes import GIB
from factory.credentials import blanked
from factory.errors import ClusterError
from factory.leaving import INTERRUPTED_CODE

DIGEST_KEY, PACKAGE_KEY = "factory_config", "factory_package"
"""Names in a job's metadata: what it was to do, and with which working tree."""

LONGEST_UPLOAD_S = 300.0

POLL_S = 1.0
RECONNECT_TRIES = 5

SILENCE_S = 30.0
"""Without a line of log, after which the cluster is asked whether it is still there."""


@dataclass(frozen=True)
class Job:
    """What is to be submitted: `digest` names its configuration, `working_dir` is a packed tree here or a URI that the
    cluster reads (None: the nodes have the code), `package` the digest of that tree. `grace_s` is what it has between
    SIGTERM and SIGKILL when it is stopped."""

    name: str
    digest: str
    entrypoint: str
    settings: JobConfig
    grace_s: float
    working_dir: str | None = None
    package: str = ""


@dataclass(frozen=True)
class Submitted:
    """`attached`: the same job was there already. `same_code`: with the same package."""

    id: str
    attached: bool = False
    same_code: bool = True


def connect(dashboard: Dashboard) -> Any:
    """A client of the cluster's job API that gives up where nothing answers. Raises ClusterError."""
    from ray.job_submission import JobSubmissionClient

    class Client(JobSubmissionClient):
        """With time limits, which Ray's has none of."""

        def _do_request(self, method: str, endpoint: str, **named: Any) -> Any:
            named.setdefault("timeout", (CONNECT_S, LONGEST_UPLOAD_S if method == "PUT" else 2 * ANSWER_S))
            return super()._do_request(method, endpoint, **named)

    for name in ("dashboard_sdk", "job.sdk"):  # they say what they do; we say it once
        logging.getLogger(f"ray.dashboard.modules.{name}").setLevel(logging.WARNING)
    kept = {name: os.environ.pop(name) for name in ("RAY_API_SERVER_ADDRESS", "RAY_ADDRESS") if name in os.environ}
    try:  # Ray lets both overrule the address that it is given
        return _asked(lambda: Client(dashboard.url))
    finally:
        os.environ.update(kept)


def submit(client: Any, job: Job) -> Submitted:
    """Submits the job, or finds it waiting or running. Raises ClusterError where the cluster refuses it."""
    from ray.exceptions import RayError

    for _ in range(3):
        tries = _tries(client, job.digest)
        running = [each for each in tries if not each.status.is_terminal()]
        if running:
            known = running[-1]
            return Submitted(known.submission_id, True, known.metadata.get(PACKAGE_KEY, "") == job.package)
        wanted = f"{job.name}-{job.digest[:10]}-{1 + _last_number(tries)}"
        try:
            return Submitted(_sent(client, job, wanted))
        except (RuntimeError, ValueError, OSError, RayError) as error:
            if "already exists" not in str(error):  # somebody submitted the same between our two questions
                raise _refused(error) from None
    raise ClusterError(
        f"{job.name}: its id was taken three times", cause="many submit the same at once", remedy="try again"
    )


def _sent(client: Any, job: Job, wanted: str) -> str:
    settings = job.settings
    grace = {"RAY_JOB_STOP_WAIT_TIME_S": str(math.ceil(job.grace_s))}  # Ray's own is 3
    environment: dict[str, Any] = {"env_vars": {**settings.env, **grace}}
    if job.working_dir is not None:
        environment["working_dir"] = job.working_dir
    sent: str = client.submit_job(
        entrypoint=job.entrypoint,
        submission_id=wanted,
        runtime_env=environment,
        metadata={
            **settings.metadata,
            "job_name": job.name,
            DIGEST_KEY: job.digest,
            PACKAGE_KEY: job.package,
        },
        entrypoint_num_cpus=settings.cpus or None,
        entrypoint_memory=int(settings.memory_gib * GIB) or None,
        entrypoint_resources=settings.resources or None,
        entrypoint_label_selector=settings.labels or None,
    )
    return sent


def _tries(client: Any, digest: str) -> list[Any]:
    """Every job of this configuration that the cluster knows, oldest first."""
    return [job for job in listed(client) if job.metadata[DIGEST_KEY] == digest]


def _last_number(tries: Sequence[Any]) -> int:
    numbers = [int(end) for job in tries if (end := job.submission_id.rpartition("-")[2]).isdigit()]
    return max(numbers, default=0)


def follow(client: Any, job_id: str, write: Callable[[str], None], say: Callable[[str], None]) -> int:
    """Writes the job's log as it grows, until it ends; gives its exit code.

    130 for a job that was stopped. Raises ClusterError for one that never began or whose driver was lost with its node,
    and where the cluster does not answer any more.
    """
    from aiohttp import ClientError

    _wait_for_start(client, job_id, say)
    written = failed = 0

    def counted(text: str) -> None:
        nonlocal written
        written += len(text)
        write(text)

    while True:
        try:
            asyncio.run(_tail(client, job_id, counted, written))
            failed = 0
        except (RuntimeError, OSError, ClientError) as error:
            failed += 1
            if failed > RECONNECT_TRIES:
                raise _silent(job_id, error) from None
        info = _info(client, job_id)
        if info.status.is_terminal():
            return _exit_code(job_id, info)
        time.sleep(POLL_S)


async def _tail(client: Any, job_id: str, write: Callable[[str], None], skip: int) -> None:
    """Writes what comes after the first `skip` characters of the log, which Ray sends from its beginning."""
    seen = 0
    log = client.tail_job_logs(job_id)
    coming = asyncio.ensure_future(anext(log, None))
    try:
        while True:
            done, _ = await asyncio.wait([coming], timeout=SILENCE_S)
            if not done:  # a quiet job, or a connection that broke and does not know it
                await asyncio.to_thread(_info, client, job_id)
                continue
            text = coming.result()
            if text is None:
                return
            if seen + len(text) > skip:
                write(text[max(0, skip - seen) :])
            seen += len(text)
            coming = asyncio.ensure_future(anext(log, None))
    finally:
        coming.cancel()


STILL_WAITING_S = 20.0


def _wait_for_start(client: Any, job_id: str, say: Callable[[str], None]) -> None:
    begun = time.monotonic()
    said = False
    while str(_info(client, job_id).status) == "PENDING":
        if not said and time.monotonic() - begun > STILL_WAITING_S:
            said = True
            say(
                f"{job_id} has waited {STILL_WAITING_S:.0f} s for its start: the package is being unpacked, or no node "
                "has free what cluster.job reserves (`ray status` on the head)"
            )
        time.sleep(POLL_S)


def _exit_code(job_id: str, info: Any) -> int:
    status = str(info.status)
    if status == "SUCCEEDED":
        return 0
    if status == "STOPPED":
        return INTERRUPTED_CODE
    if info.driver_exit_code:
        code = int(info.driver_exit_code)
        return 128 - code if code < 0 else code
    raise _never_ran(job_id, info.error_type or "", info.message or "")


def stop(client: Any, job_id: str) -> bool:
    """Asks the job to end: SIGTERM, and SIGKILL when its grace is over. Gives whether it was there to be asked."""
    _info(client, job_id)
    there: bool = _asked(lambda: client.stop_job(job_id), job_id)
    return there


def listed(client: Any) -> list[Any]:
    """The factory's jobs that the cluster knows, oldest first."""
    known = _asked(client.list_jobs)
    jobs = [job for job in known if job.submission_id and DIGEST_KEY in (job.metadata or {})]
    return sorted(jobs, key=lambda job: job.start_time or 0)


def _info(client: Any, job_id: str) -> Any:
    return _asked(lambda: client.get_job_info(job_id), job_id)


def _asked(question: Callable[[], Any], job_id: str = "") -> Any:
    """The answer, asked again where the connection fails. Raises ClusterError."""
    from ray.exceptions import RayError

    for attempt in range(RECONNECT_TRIES + 1):
        try:
            return question()
        except RuntimeError as error:
            if "does not exist" in str(error):
                raise ClusterError(
                    f"the cluster knows no job {job_id}",
                    cause="a slip in the id, or the cluster was started anew: it forgets its jobs with its head",
                    remedy="`python -m jobs.submit --list cluster.address=…` shows what it knows; submit again",
                ) from None
            if attempt == RECONNECT_TRIES:
                raise _refused(error) from None
        except RayError as error:  # the token: a head that was started anew has another
            raise _refused(error) from None
        except OSError as error:
            if attempt == RECONNECT_TRIES:
                raise _silent(job_id, error) from None
        time.sleep(POLL_S)
    raise AssertionError("unreachable")


LINES_SHOWN = 6


def _words(message: str) -> str:
    """The last lines of a message of Ray's, which may hold a whole stack."""
    lines = [line.strip() for line in blanked(message).strip().splitlines() if line.strip()]
    return "; ".join(lines[-LINES_SHOWN:])[-1500:]


def _refused(error: Exception) -> ClusterError:
    return ClusterError(
        f"the cluster's job server refused: {_words(str(error))}",
        cause="it failed, what was asked for is not valid there, or its head was started anew, with another token",
        remedy="look at the head's dashboard and dashboard_JobHead.log; submit again: what is committed is kept",
    )


def _silent(job_id: str, error: Exception) -> ClusterError:
    attach = f"attach again: python -m jobs.submit --attach {job_id} cluster.address=…; if the head was lost, "
    again = f"{attach}submit again" if job_id else "give the same command again"
    return ClusterError(
        f"the cluster does not answer any more: {_words(str(error)) or type(error).__name__}",
        cause="its head is gone or was restarted, or the connection to it broke; what runs there may run on",
        remedy=f"{again}: what is committed is kept",
    )


def _never_ran(job_id: str, kind: str, message: str) -> ClusterError:
    said = _words(message) or "Ray gave no reason"
    if kind == "RUNTIME_ENV_SETUP_FAILURE":
        return ClusterError(
            f"{job_id} never began: its environment could not be set up: {said}",
            cause="the node has no room for the package, or could not fetch it",
            remedy="look at runtime_env_setup*.log on the head; free its disk, or put the code into the image and "
            "submit with --no-package",
        )
    if kind in ("JOB_SUPERVISOR_ACTOR_UNSCHEDULABLE", "JOB_SUPERVISOR_ACTOR_START_TIMEOUT"):
        return ClusterError(
            f"{job_id} never began: no node took its driver: {said}",
            cause="what cluster.job reserves or the labels it wants were never there, or never free",
            remedy="lower cluster.job.cpus, memory_gib or resources, or correct cluster.job.labels",
        )
    if kind == "JOB_SUPERVISOR_ACTOR_DIED":
        return ClusterError(
            f"{job_id} ended with its node: {said}",
            cause="the node of its driver went away, or its memory ran out",
            remedy="submit again: what is committed is kept. Without cluster.job.cpus and the like the driver stays on "
            "the head, which should be no spot node",
        )
    return ClusterError(
        f"{job_id} failed and left no exit code ({kind or 'no kind given'}): {said}",
        cause="Ray could not start its command, or lost sight of it",
        remedy="look at the head's dashboard; submit again: what is committed is kept",
    )
