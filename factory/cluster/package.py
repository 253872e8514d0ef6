"""The working tree as one archive for a cluster: what travels, what stays here, how large it may be.

Design: `.gitignore` and `.rayignore` of every folder are obeyed, by the code with which Ray packs a working directory.
Beyond them stay here: version control, environments, caches, roots of the factory (they hold the data), and files that
by their names hold credentials. A file that holds a secret of this process's environment, whatever it is called, stops
the submission: the package lies in the cluster's memory and on every node. A link to a file travels as a copy where
that file travels itself, so none brings along what was to stay. The same tree gives the same bytes, so a package that
the cluster has is not sent again.

Cost: of the tree no more is read than fills a package, and of a file no more than a piece is held at a time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from factory.credentials import holds_a_secret
from factory.errors import ConfigError

MIB = 2**20

STAYS = (
    *(".git", ".hg", ".svn", ".venv", "venv", ".env", ".envrc", ".env.*", "__pycache__", "*.pyc", ".cache", ".tox"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints", "node_modules", "*.egg-info"),
    *("outputs", "multirun", ".DS_Store"),
)
"""Names of files and folders that no job needs."""

SECRET = (
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "id_rsa*", "id_ed25519*", "id_ecdsa*"),
    *(".netrc", "_netrc", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd", ".pgpass", ".s3cfg", ".boto"),
    *(".aws", ".ssh", ".kube", ".gnupg", ".azure", ".docker", "kubeconfig*", "credentials"),
    *("*service-account*.json", "*service_account*.json", "auth_token", "*.secret"),
    *(f"{name}.{kind}" for name in ("credentials", "secrets") for kind in ("json", "yaml", "yml", "toml", "ini")),
)
"""Names of files and folders that hold credentials by custom."""

LARGEST_NAMED = 5

PIECE = MIB
"""Bytes of a file that are held at a time."""

LONGEST_SECRET = 128 * 2**10
"""Bytes of a variable of the environment, at most (Linux, execve(2)): a secret may lie across the end of a piece."""


@dataclass(frozen=True)
class Package:
    """An archive on this machine. `digest` is of its content; `held_back` names files that stayed for their names."""

    path: Path
    digest: str
    files: int
    size: int
    held_back: tuple[str, ...]


def pack(root: Path, into: Path, exclude: Sequence[str] = (), limit_mib: int = 64) -> Package:
    """Packs the tree below `root` into a ZIP archive in the folder `into`.

    `exclude` are more patterns as in .gitignore. Raises ConfigError where the archive would be above `limit_mib`,
    naming the largest files, where a file holds a secret of the environment, and where one cannot be read.
    """
    held_back: list[str] = []
    archive, most = into / "package.zip", limit_mib * MIB
    try:
        chosen = _travelling(root.resolve(), exclude, held_back)
        sizes = {name: (root / name).stat().st_size for name in chosen}
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in chosen:
                _add(packed, root / name, name, sizes[name], room=lambda: archive.stat().st_size <= most)
    except OSError as error:
        raise ConfigError(
            f"the working tree cannot be packed: {error}",
            cause="a file or folder that this user may not read, one that went meanwhile, or no room for the package",
            remedy="make it readable, or keep it here: .gitignore, .rayignore or cluster.job.exclude=[…]",
        ) from None
    size = archive.stat().st_size
    if size > most:
        raise _too_large(root, sizes, limit_mib)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()[:20]
    # Ray names what it stores after the content, and leaves a package of a name it knows where it is.
    path = archive.rename(into / f"factory-{digest}.zip")
    return Package(path, digest, len(chosen), size, tuple(held_back))


def _add(packed: zipfile.ZipFile, path: Path, name: str, size: int, *, room: Callable[[], bool]) -> None:
    """Adds a file piece by piece while there is room."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.file_size = size  # by which it is known whether its place in the archive needs 64 bits
    before = b""
    with path.open("rb") as source, packed.open(entry, "w") as target:
        while room() and (piece := source.read(PIECE)):
            if holds_a_secret(before + piece):
                raise ConfigError(
                    f"{name} holds a credential of this process's environment, word for word",
                    cause="it would travel in the package, which every node and whoever sees the cluster's storage can "
                    "read",
                    remedy="take it out of the file, or keep the file here: .gitignore, .rayignore or "
                    "cluster.job.exclude=[…]",
                )
            before = piece[-LONGEST_SECRET:]
            target.write(piece)


def _travelling(root: Path, exclude: Sequence[str], held_back: list[str]) -> list[str]:
    """Names of the files that travel, relative to `root`, sorted; fills `held_back`."""
    from ray._private.runtime_env.packaging import _get_excludes, get_excludes_from_ignore_files

    links: list[str] = []
    ignored: list[Callable[[Path], bool]] = [_get_excludes(root, list(exclude))] if exclude else []

    def walk(folder: Path, ignored: list[Callable[[Path], bool]]) -> Iterator[str]:
        here = [*ignored, *get_excludes_from_ignore_files(folder, include_gitignore=True, logger=_QUIET)]
        for path in sorted(folder.iterdir()):
            name = path.relative_to(root).as_posix()
            if _named(path.name, STAYS) or any(match(path) for match in here):
                continue
            if _named(path.name, SECRET):
                held_back.append(name)
            elif path.is_symlink():
                links.append(name)
            elif path.is_dir():
                if not _is_a_root(path) and not _is_an_environment(path):
                    yield from walk(path, here)
            elif path.is_file():
                yield name

    files = set(walk(root, ignored))
    targets = {root / name for name in files}
    copies = [name for name in links if (root / name).is_file() and (root / name).resolve() in targets]
    return sorted((*files, *copies))


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _is_a_root(folder: Path) -> bool:
    """Whether a run keeps its outputs here."""
    return (folder / "steps").is_dir() and (folder / "runs").is_dir()


def _is_an_environment(folder: Path) -> bool:
    return (folder / "pyvenv.cfg").is_file()


def _too_large(root: Path, sizes: dict[str, int], limit_mib: int) -> ConfigError:
    largest = sorted(sizes, key=lambda name: -sizes[name])[:LARGEST_NAMED]
    shown = ", ".join(f"{name} ({sizes[name] / MIB:.1f} MiB)" for name in largest)
    return ConfigError(
        f"the working tree {root} does not fit into a package of {limit_mib} MiB: its {len(sizes)} files have "
        f"{sum(sizes.values()) / MIB:.0f} MiB",
        cause=f"data among the code; the largest files: {shown}",
        remedy="keep data on the store; name what stays here in .gitignore, .rayignore or cluster.job.exclude=[…], or "
        "raise cluster.job.package_mib",
    )


class _Quiet:
    """Ray says which ignore files it read, one line a folder."""

    def info(self, *_: object) -> None: ...


_QUIET = _Quiet()
