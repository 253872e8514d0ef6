"""Faults of the store: an S3 that errs, resets, throttles, denies, forgets to answer or dies; a disk that is full.

Design: cases on S3 put the factory's own proxy (factory/trouble) before a real server; what the trial itself asks goes
past it. Where a fault is one that passes, the run must get to its end by itself; where it is one that a user has to
mend, the run must end with one message that says what to do, and the case then does exactly that and no more.
"""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import string
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from factory.trouble.proxy import TroubleProxy
from tests.corpora import row_of, text_of, write_shard
from tests.faults.case import Case
from tests.faults.trial import Trial
from tests.runs import Finished

Disturb = Callable[[Trial], None]

STORE_ERROR = 4
"""Exit code of StoreError."""

OUTAGE_S = (1.0, 8.0)
"""How long a server that died stays away; a call is tried again for 90 s."""


@contextlib.contextmanager
def before_s3(trial: Trial, *rules: str) -> Iterator[TroubleProxy]:
    """A proxy between what the trial starts and its S3 server, until the block is left."""
    assert trial.server is not None
    direct = trial.environment.get("AWS_ENDPOINT_URL")
    with TroubleProxy(trial.server.endpoint_url, rules, seed=trial.seed) as proxy:
        trial.environment["AWS_ENDPOINT_URL"] = proxy.url
        try:
            yield proxy
        finally:
            trial.environment["AWS_ENDPOINT_URL"] = direct or trial.server.endpoint_url


def passes(*rules: str, steady: bool = False) -> Disturb:
    """Trouble that a run gets through by itself: from the seeded moment on or, where `steady`, from the beginning."""

    def disturb(trial: Trial) -> None:
        with before_s3(trial, *(rules if steady else ())) as proxy:
            process = trial.start()
            trial.moment(process)
            if not steady:
                proxy.set(*rules)
            finished = trial.finish(process)
            struck = dict(proxy.faults)
        assert finished.code == 0, f"struck {struck}:\n{finished.stderr[-3000:]}"
        assert sum(struck.values()) > 0, "no request was struck"

    return disturb


def mended(rule: str, *expected: str) -> Disturb:
    """Trouble that ends the run with one message (it must hold all of `expected`) and is over before the next."""

    def disturb(trial: Trial) -> None:
        with before_s3(trial) as proxy:
            process = trial.start()
            trial.moment(process)
            proxy.set(rule)
            require_message(trial.finish(process), *expected)

    return disturb


def require_message(finished: Finished, *expected: str) -> str:
    """What a run that ended with a StoreError said, which must be one message without a stack."""
    assert finished.code == STORE_ERROR, f"exit code {finished.code}:\n{finished.stderr[-3000:]}"
    found = re.findall(r"^\w*StoreError: .+\n(?:  .+\n?)*", finished.stderr, re.MULTILINE)
    assert len(found) == 1, f"{len(found)} messages:\n{finished.stderr[-3000:]}"
    assert "Traceback" not in finished.stderr, finished.stderr[-3000:]
    for words in (*expected, "likely cause:", "what to do:"):
        assert words in found[0], f"{words!r} is not in the message:\n{found[0]}"
    message: str = found[0]
    return message


def server_killed(trial: Trial) -> None:
    assert trial.server is not None
    process = trial.start()
    trial.moment(process)
    trial.server.kill()
    time.sleep(trial.rng.uniform(*OUTAGE_S))
    trial.server.start()
    finished = trial.finish(process)
    assert finished.code == 0, finished.stderr[-3000:]


def credentials_renewed(trial: Trial) -> None:
    """They expire for good, as far as the run knows: it ends. Renewed, the same command goes on. Before, they expire
    for one answer each in several calls, as where a mounted token is renewed late: nobody should notice."""
    with before_s3(trial) as proxy:
        process = trial.start()
        trial.moment(process)
        proxy.set(f"expired share=0.2 count={trial.rng.randint(1, 3)}")
        until = time.monotonic() + 60
        while not proxy.faults["expired"] and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert process.poll() is None, "one answer that says ExpiredToken must not end a run"
        proxy.set("expired")
        require_message(trial.finish(process), "ExpiredToken", "renew them", "run the same command again")


def disk_full(trial: Trial) -> None:
    """The root's own small file system fills up at the moment; after space is made the same command goes on there."""
    root = trial.local
    with own_file_system(root, DISK_MIB):
        process = trial.start()
        trial.moment(process)
        ballast = root / ".~tmp.ballast"  # a name no listing shows, as a neighbour's data on the same disk
        fill(ballast)
        require_message(
            trial.finish(process), "No space left on device", "the disk is full", "the same command goes on"
        )
        ballast.unlink()
        finished = trial.rerun()
        assert finished.code == 0, finished.stderr[-3000:]


DISK_MIB = 64


@contextlib.contextmanager
def own_file_system(folder: Path, mib: int) -> Iterator[None]:
    """A tmpfs at `folder`; what is in it at the end stays there without it. Raises AssertionError where this user may
    not mount."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "factory-fault", str(folder)], capture_output=True, text=True
    )
    assert mounted.returncode == 0, f"this case mounts a small tmpfs, which takes the right to: {mounted.stderr}"
    kept = folder.with_name(folder.name + ".kept")
    try:
        yield
        copy_in_order(folder, kept)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()
    kept.rename(folder)


def copy_in_order(source: Path, target: Path) -> None:
    """Copies files in the order in which they were last changed: the times of change, by which commits and attempts are
    told apart, are new, and their order stays."""
    for path in sorted(
        (path for path in source.rglob("*") if path.is_file()), key=lambda path: path.stat().st_ctime_ns
    ):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)


def mountable() -> str | None:
    """Why this user may mount no tmpfs; None where they may."""
    with tempfile.TemporaryDirectory() as folder:
        made = subprocess.run(["mount", "-t", "tmpfs", "factory-fault", folder], capture_output=True, text=True)
        if made.returncode == 0:
            subprocess.run(["umount", folder], check=True)
            return None
    return f"a small file system has to be mounted, which this user may not ({made.stderr.strip()})"


def fill(ballast: Path) -> None:
    """Writes until there is no room for another byte."""
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass


LARGE_CHARACTERS = 90_000
"""Of a document, most of them nonsense that cannot be compressed: 280 make one file of some 19 MB, which is uploaded in
two parts (factory/store/s3.py, PART_BYTES); the run's limit lets a few of them into what follows."""


def large_documents(folder: Path, documents: int) -> None:
    letters = string.ascii_letters + string.digits
    rows = []
    for number in range(documents):
        draw = random.Random(number)
        noise = "".join(draw.choices(letters + " ", k=LARGE_CHARACTERS))
        rows.append({**row_of(number), "text": f"{text_of(number)} {noise}"})
    folder.mkdir(parents=True, exist_ok=True)
    write_shard(folder / "shard", rows, 1)


S3_DOCUMENTS = 12
"""Half of what other cases have: there are requests enough to strike."""

CASES = (
    Case(
        "S3 errors at random",
        passes("500 share=0.04", "503 share=0.04", "slowdown share=0.08", steady=True),
        store="s3",
        documents=S3_DOCUMENTS,
        told="4 % InternalError, 4 % ServiceUnavailable and 8 % SlowDown from beginning to end",
    ),
    Case(
        "S3 connections reset",
        passes("reset share=0.05", "reset-body PUT share=0.1", "reset-answer share=0.1"),
        store="s3",
        documents=S3_DOCUMENTS,
        told="before the request, in the middle of its body, in the middle of the answer",
    ),
    Case(
        "S3 reset in the middle of an upload in parts",
        passes("reset-body PUT *uploadId=* count=3", steady=True),
        store="s3",
        settings=(
            "select.unit_rows=300",
            "select.chunk_tokens=100000",
            "select.max_characters=100000",
            "limit=12",
            "model.max_model_len=110000",
        ),
        documents=280,
        corpus=large_documents,
        told="three times a part of a file of some 19 MB",
    ),
    Case(
        "S3 answers lost",
        passes("lose-answer PUT */commits/* share=0.3", "lose-answer PUT share=0.1"),
        store="s3",
        documents=S3_DOCUMENTS,
        told="of puts that succeeded: 30 % of commits, 10 % of all others",
    ),
    Case(
        "S3 slow",
        passes("slow share=0.2 rate=20000", "stall share=0.02 seconds=5"),
        store="s3",
        documents=S3_DOCUMENTS,
        told="20 % of bodies at 20 kB a second, 2 % of answers silent for 5 s",
    ),
    Case(
        "S3 server killed and restarted",
        server_killed,
        store="s3",
        documents=S3_DOCUMENTS,
        told="SIGKILL, back after 1 to 8 s",
    ),
    Case(
        "S3 credentials expired",
        credentials_renewed,
        store="s3",
        documents=S3_DOCUMENTS,
        told="for single answers, which nobody notices; then for all, which ends the run; then renewed",
    ),
    Case(
        "S3 bucket denies",
        mended("denied", "AccessDenied", "these credentials lack a permission", "grant s3:GetObject"),
        store="s3",
        documents=S3_DOCUMENTS,
        told="every request from the moment on; allowed again before the next start",
    ),
    Case("disk full", disk_full, needs=mountable, told="of the root's own small file system; then space is made"),
)
