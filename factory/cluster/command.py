"""The command behind `python -m jobs.submit`: compose and check here, run there, follow, come back with the exit code.

Design: the configuration is composed and checked on this machine: mistakes cost a second and no place on the cluster.
What runs there is the same command with `cluster=ray cluster.address=auto`: a run is a driver on the cluster, as with
`ray job submit`. Ctrl-C takes this terminal away and leaves the job alone; both ways back are printed.
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from factory.cluster import jobs
from factory.cluster.address import url_of
from factory.cluster.config import JobConfig
from factory.cluster.dashboard import Dashboard, ask, python_note
from factory.cluster.options import ENTRIES, INSTEAD, Asked, read
from factory.cluster.package import MIB, Package, pack
from factory.cluster.room import require_room
from factory.credentials import said
from factory.errors import ConfigError
from factory.identity import fingerprint
from factory.leaving import INTERRUPTED_CODE
from factory.run.command import guarded

ROOT = Path(__file__).resolve().parents[2]
"""The working tree: what travels."""

MISSING_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'\s*\Z", re.MULTILINE)

NO_SUCH_COMMAND = 127
"""A shell's exit code."""

LAST_PIECES = 4
"""Pieces of the log, a second's worth each, in which its last line is looked for."""

AGAIN = "the same command submits it, or attaches to it where it was submitted already"


def main(arguments: Sequence[str]) -> int:
    """Exit code: the job's own; 8 where the cluster is at fault, 2 for a configuration; 130 detached by Ctrl-C, or
    stopped."""
    if any(item in ("-h", "--help") for item in arguments):
        print(HELP)
        return 0
    return guarded(partial(_execute, arguments), AGAIN)


def _execute(arguments: Sequence[str]) -> int:
    asked = read(arguments)
    config = composed(asked)
    if "--dry-run" in asked.options:
        return _dry_run(asked, config)
    if not any(name in asked.options for name in INSTEAD):
        require_reachable_root(config.store.root)
    dashboard = ask(url_of(config.cluster.address))
    client = jobs.connect(dashboard)
    address = f"cluster.address={dashboard.url}"
    if "--list" in asked.options:
        for each in jobs.listed(client):
            print(said(f"{each.submission_id}  {each.status}  {each.entrypoint}"))
        return 0
    if job_id := asked.options.get("--stop"):
        return _stopped(client, job_id)
    if job_id := asked.options.get("--attach"):
        return _followed(client, job_id, address)
    submitted = _submitted(client, dashboard, asked, config)
    if submitted.attached:
        _say(f"{submitted.id} runs already, with this configuration; attached to it")
        if not submitted.same_code:
            _say("note: it runs with another state of the working tree; --stop it first to run this one")
    else:
        _say(f"submitted {submitted.id} to {dashboard.url}")
    if "--detach" in asked.options:
        _say_ways_back(submitted.id, address)
        print(submitted.id)
        return 0
    return _followed(client, submitted.id, address)


def composed(asked: Asked) -> Any:
    """The configuration that the job will run with, checked here. Raises ConfigError."""
    if asked.options.get("--job") == "train_selector":
        from factory.run.compose import compose_entry
        from factory.select.training.command import TRAIN

        return compose_entry(TRAIN, asked.overrides)
    from factory.run.compose import compose

    return compose(asked.overrides)


def _submitted(client: Any, dashboard: Dashboard, asked: Asked, config: Any) -> jobs.Submitted:
    require_place(dashboard, [config], _say)
    job = job_of(asked, config)
    if "--no-package" in asked.options:
        return jobs.submit(client, job)
    with packed_tree(config.cluster.job) as package:
        _say(f"the working tree: {in_words(package)}")
        return jobs.submit(client, with_code(job, package))


def require_place(dashboard: Dashboard, configs: Sequence[Any], say: Callable[[str], None]) -> None:
    """Raises ConfigError where runs of one `store` and one `cluster` could not work on that cluster; says what a user
    may not think of."""
    first = configs[0]
    require_reachable_root(first.store.root)
    require_room(dashboard, configs)
    found = (python_note(dashboard), *(note for config in configs for note in notes(config)))
    for note in dict.fromkeys(filter(None, found)):
        say(f"note: {note}")


@contextmanager
def packed_tree(settings: JobConfig) -> Iterator[Package]:
    """The working tree as a package that lies on this machine while the body runs. Raises ConfigError."""
    with tempfile.TemporaryDirectory(prefix="package-") as folder:
        yield pack(ROOT, Path(folder), settings.exclude, settings.package_mib)


def with_code(job: jobs.Job, package: Package) -> jobs.Job:
    return replace(job, working_dir=str(package.path), package=package.digest)


def job_of(asked: Asked, config: Any) -> jobs.Job:
    """The job as the cluster will know it, without its package."""
    entry = asked.options.get("--job", ENTRIES[0])
    digest = fingerprint([entry, config.model_dump(mode="json", exclude={"cluster"})])
    publish = getattr(config, "publish", None)
    name = config.cluster.job.name or (publish.name if publish is not None else entry.replace("_", "-"))
    command = entrypoint(entry, asked.overrides)
    return jobs.Job(name, digest, command, config.cluster.job, config.cluster.grace_seconds)


def entrypoint(entry: str, overrides: Sequence[str]) -> str:
    """The command that the cluster runs: the same, with the cluster it is on as its Ray. What only concerned the
    submission is left out."""
    submission = ("cluster=", "cluster.address=", "cluster.job.")
    kept = [item for item in overrides if not item.lstrip("+").startswith(submission)]
    return shlex.join(["python", "-m", f"jobs.{entry}", *kept, "cluster=ray", "cluster.address=auto"])


def require_reachable_root(root: str) -> None:
    """Raises ConfigError for a root that would end with the job."""
    if "://" not in root and not Path(root).is_absolute():
        raise ConfigError(
            f"store.root={root} is a folder beside the job's code, on one node, and gone when the job is",
            cause="a relative path; on a cluster it means the unpacked working tree",
            remedy="store=s3 store.root=s3://bucket/prefix, or the absolute path of a folder that all nodes share",
        )


def notes(config: Any) -> list[str]:
    """What a user may not think of when a command that worked here runs elsewhere."""
    found: list[str] = []
    root = config.store.root
    if root.startswith("s3://"):
        found.append(f"no credentials travel: the nodes need their own for {root} (environment, instance role, …)")
    else:
        found.append(f"store.root={root} has to be one folder that every node sees")
    if config.engine.kind == "openai":
        found.append(f"the nodes need {config.engine.api_key_env} in their own environment")
    here = sorted(
        {
            path
            for path, value in _texts(config.model_dump(mode="json", exclude={"store", "cluster"}))
            if value.startswith(("/", "./", "../", "~")) and Path(value.split("*")[0]).expanduser().exists()
        }
    )
    if here:
        found.append(f"{', '.join(here)}: paths of this machine; every node has to have them too")
    return found


def _texts(value: Any, path: str = "") -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [pair for key, item in value.items() for pair in _texts(item, f"{path}.{key}" if path else str(key))]
    if isinstance(value, list):
        return [pair for item in value for pair in _texts(item, path)]
    return [(path, value)] if isinstance(value, str) else []


def _dry_run(asked: Asked, config: Any) -> int:
    require_reachable_root(config.store.root)
    with packed_tree(config.cluster.job) as package:
        print(said(f"package:    {in_words(package)}"))
    print(said(f"entrypoint: {job_of(asked, config).entrypoint}"))
    for note in notes(config):
        print(said(f"note:       {note}"))
    return 0


def in_words(package: Package) -> str:
    words = f"{package.files} files, {package.size / MIB:.1f} MiB packed"
    if not package.held_back:
        return words
    shown = ", ".join(package.held_back[:5]) + (", …" if len(package.held_back) > 5 else "")
    return f"{words}; held back for their names, which are those of credentials: {shown}"


def _followed(client: Any, job_id: str, address: str) -> int:
    end: deque[str] = deque(maxlen=LAST_PIECES)

    def write(text: str) -> None:
        end.append(text)
        _write(text)

    try:
        code = jobs.follow(client, job_id, write, _say)
    except KeyboardInterrupt:
        _say(f"detached: {job_id} goes on")
        _say_ways_back(job_id, address)
        return INTERRUPTED_CODE
    if code == INTERRUPTED_CODE:
        _say(f"{job_id} was stopped; the same command goes on where it stopped")
    elif code and (wrong := wrong_python(code, "".join(end))):
        _say(wrong)
    return code


def wrong_python(code: int, log_end: str) -> str:
    """What to say of a job whose command the cluster's Python could not run; else nothing."""
    missing = MISSING_MODULE.search(log_end)
    if missing is None and code != NO_SUCH_COMMAND:
        return ""
    what = f"the cluster's Python has no module {missing[1]}" if missing else "the cluster found no `python` to run"
    return (
        f"{what}: `python` on the PATH with which the head was started is not the one that Ray runs in (activate its "
        "environment, then `ray start`; docs/cluster.md), or the image was not built for this checkout (infra/docker)"
    )


def _stopped(client: Any, job_id: str) -> int:
    if jobs.stop(client, job_id):
        _say(f"{job_id} is asked to end, and made to when cluster.grace_seconds are over; what is committed is kept")
    else:
        _say(f"{job_id} had ended already")
    return 0


def _say_ways_back(job_id: str, address: str) -> None:
    _say(f"  follow it:  python -m jobs.submit --attach {job_id} {address}")
    _say(f"  end it:     python -m jobs.submit --stop {job_id} {address}")


def _write(text: str) -> None:
    # Lines of a run are clean already; what its libraries print is not.
    sys.stdout.write(said(text))
    sys.stdout.flush()


def _say(line: str) -> None:
    print(said(line), file=sys.stderr, flush=True)


HELP = """python -m jobs.submit [KEY=VALUE ...] cluster.address=http://HEAD:8265   runs the factory as a Ray job

  KEY=VALUE          as for `python -m jobs.run`; store.root has to be where all nodes reach it
  cluster.job.*      what is reserved for the driver, its node's labels, metadata, environment, the package

  --detach           submits, prints the id, and leaves
  --attach ID        follows a job that runs or ran: its whole log, then its exit code
  --stop ID          asks a job to end (SIGTERM, and SIGKILL after cluster.grace_seconds)
  --list             the factory's jobs that the cluster knows
  --dry-run          what would travel, and the command that would run; asks no cluster
  --no-package       the nodes have the code already (an image from infra/docker)
  --job NAME         run (as it is), or train_selector

  The same command while its job runs attaches to it. Ctrl-C detaches; the job goes on. The exit code is the job's own
  (docs/cluster.md): 8 where the cluster is at fault, 130 stopped or detached.
"""
