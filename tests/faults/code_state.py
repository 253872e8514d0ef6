"""Which code a result was made with: a commit, and whether the files here are that commit's.

Design: only what can change a result counts (the library, the jobs, configuration, tests, pins), so a commit to the
docs, which the suite itself rewrites, leaves results what they are. A changed tree has a key of its own, made of what
differs: its results are kept apart from those of the commit, and of any other change.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

COUNTS = ("factory", "jobs", "conf", "tests", "infra/environment", "pyproject.toml")


@dataclass(frozen=True)
class CodeState:
    """`commit`: the last one that touched what counts, 12 digits; `change`: hash of what differs from it, or ""."""

    commit: str
    change: str = ""

    @property
    def dirty(self) -> bool:
        return bool(self.change)

    @property
    def key(self) -> str:
        return f"{self.commit}+{self.change}" if self.change else self.commit


def code_state(repository: Path) -> CodeState:
    """The state of a git checkout; of other folders a hash of the files that count stands for the commit."""
    try:
        commit = _git(repository, "log", "-1", "--format=%H", "--", *COUNTS).decode().strip()[:12]
        changed = _git(repository, "diff", "HEAD", "--binary", "--", *COUNTS)
        names = _git(repository, "ls-files", "--others", "--exclude-standard", "-z", "--", *COUNTS).decode()
    except (OSError, subprocess.CalledProcessError):
        files = [path for place in COUNTS for path in sorted((repository / place).rglob("*.py"))]
        return CodeState(f"files-{_hash(b'', files)}")
    untracked = [repository / name for name in names.split("\0") if name]
    return CodeState(commit, _hash(changed, untracked) if changed or untracked else "")


def _hash(start: bytes, files: list[Path]) -> str:
    digest = hashlib.sha256(start)
    for path in files:
        digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def _git(repository: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=repository, check=True, capture_output=True).stdout
