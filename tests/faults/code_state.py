"""Which code a result was made with: what of it can change a result, and the commit that people find it by.

Design: a state is the content of what counts (the library, the jobs, configuration, pins, and what trials are made of),
not a commit: so a commit to the docs, which the suite itself rewrites, or to other tests leaves results what they are,
and so does a rebase. Files that are changed and not committed count as they are.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

OF_TRIALS = ("faults", "runs.py", "resident.py", "zygote.py", "corpora.py", "s3_server.py")

COUNTS = ("factory", "jobs", "conf", "infra/environment", "pyproject.toml", *(f"tests/{name}" for name in OF_TRIALS))

BESIDE = "tests/faults/test_"
"""Tests of the suite itself."""


@dataclass(frozen=True)
class CodeState:
    """`code`: 12 digits of the hash of what counts, by which states are told apart; `commit`: the last one that touched
    it, 12 digits, or "" outside of git; `dirty`: files differ from that commit's."""

    code: str
    commit: str = ""
    dirty: bool = False

    @property
    def name(self) -> str:
        """For people: the commit, marked where it is not quite that."""
        return f"{self.commit}+{self.code[:6]}" if self.dirty or not self.commit else self.commit


def code_state(repository: Path) -> CodeState:
    """The state of a git checkout, or of another folder."""
    try:
        of_trials = ("--", *COUNTS, f":(exclude){BESIDE}*")
        commit = _git(repository, "log", "-1", "--format=%H", *of_trials).strip()[:12]
        dirty = bool(_git(repository, "status", "--porcelain", *of_trials))
        listed = _git(repository, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *COUNTS)
        names = listed.split("\0")[:-1]
    except (OSError, subprocess.CalledProcessError):
        commit, dirty = "", False
        found = [path for place in COUNTS for path in [repository / place, *(repository / place).rglob("*.py")]]
        names = [str(path.relative_to(repository)) for path in found]
    digest = hashlib.sha256()
    for name in sorted(set(names)):
        path = repository / name
        if path.is_file() and not name.startswith(BESIDE):
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return CodeState(digest.hexdigest()[:12], commit, dirty)


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True, text=True)
    return done.stdout
