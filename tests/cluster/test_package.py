"""What of a working tree travels to a cluster, and what stays."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from factory.cluster.package import MIB, PIECE, Package, pack
from factory.errors import ConfigError
from tests.resident import REPOSITORY


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    return root


def write(root: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def packed(root: Path, tmp_path: Path, **named: object) -> tuple[Package, list[str]]:
    into = tmp_path / "into"
    into.mkdir(exist_ok=True)
    package = pack(root, into, **named)  # type: ignore[arg-type]
    with zipfile.ZipFile(package.path) as archive:
        return package, archive.namelist()


def test_everything_that_the_factory_is_made_of_travels(tmp_path: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    needed = [name for name in tracked.stdout.splitlines() if name.startswith(("factory/", "jobs/", "conf/"))]
    assert len(needed) > 400
    package, names = packed(REPOSITORY, tmp_path)
    assert not set(needed) - set(names)
    assert package.held_back == ()
    assert not [name for name in names if ".venv" in name or "__pycache__" in name or name.startswith(".git/")]


def test_what_git_and_ray_ignore_stays_in_every_folder(tree: Path, tmp_path: Path) -> None:
    write(
        tree,
        **{
            ".gitignore": "*.bin\n/data/\n",
            "a.py": "1",
            "model.bin": "1",
            "data/x.jsonl": "1",
            "inner/.rayignore": "big.*\n",
            "inner/big.txt": "1",
            "inner/small.txt": "1",
            "inner/data/kept.txt": "1",
        },
    )
    _, names = packed(tree, tmp_path, exclude=["a.*"])
    assert names == [".gitignore", "inner/.rayignore", "inner/data/kept.txt", "inner/small.txt"]


def test_caches_environments_roots_and_files_of_credentials_stay(tree: Path, tmp_path: Path) -> None:
    write(
        tree,
        **{
            "kept.py": "1",
            "__pycache__/a.pyc": "1",
            ".git/config": "1",
            "env-of-mine/pyvenv.cfg": "1",
            "env-of-mine/lib/x.py": "1",
            "my-output/steps/x/data": "1",
            "my-output/runs/r.json": "1",
            ".env": "KEY=1",
            "deploy/server.pem": "1",
            "home/.aws/credentials": "1",
            "credentials.json": "{}",
            "credentials.py": "1",
        },
    )
    package, names = packed(tree, tmp_path)
    assert names == ["credentials.py", "kept.py"]
    assert package.held_back == ("credentials.json", "deploy/server.pem", "home/.aws")


def test_a_link_brings_nothing_along_that_was_to_stay(tree: Path, tmp_path: Path) -> None:
    write(tree, **{".gitignore": "*.bin", "kept.py": "1", ".env": "KEY=1", "server.pem": "1", "data.bin": "1"})
    for name, target in {
        "outside": "/etc/passwd",
        "settings": ".env",
        "certificate": "server.pem",
        "data": "data.bin",
        "nowhere": "no-such",
        "circle": "circle",
        "same.py": "kept.py",
    }.items():
        (tree / name).symlink_to(target)
    _, names = packed(tree, tmp_path)
    assert names == [".gitignore", "kept.py", "same.py"]


def test_a_secret_of_the_environment_in_a_file_stops_it(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "not-a-word-anybody-writes-42")
    write(tree, **{"notes.txt": "the key is not-a-word-anybody-writes-42, do not tell"})
    with pytest.raises(ConfigError, match=r"notes\.txt holds a credential") as refused:
        packed(tree, tmp_path)
    assert "not-a-word" not in str(refused.value)
    write(tree, **{"notes.txt": b"-" * (PIECE - 9) + b"not-a-word-anybody-writes-42"})
    with pytest.raises(ConfigError, match=r"notes\.txt holds a credential"):
        packed(tree, tmp_path)


def test_too_much_is_refused_with_the_largest_files(tree: Path, tmp_path: Path) -> None:
    import random

    noise = random.Random(5).randbytes(1_500_000)
    write(tree, **{"a.py": "1", "corpus/one.parquet": noise, "two.bin": noise[:700_000]})
    with pytest.raises(ConfigError, match="does not fit into a package of 1 MiB") as refused:
        packed(tree, tmp_path, limit_mib=1)
    assert "corpus/one.parquet (1.4 MiB), two.bin (0.7 MiB), a.py" in str(refused.value)


def test_data_among_the_code_is_not_read_into_memory(tree: Path, tmp_path: Path) -> None:
    import random
    import tracemalloc

    write(tree, **{"a.parquet": random.Random(5).randbytes(40 * MIB)})
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="does not fit"):
            packed(tree, tmp_path, limit_mib=1)
        assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    finally:
        tracemalloc.stop()


def test_a_file_that_cannot_be_read_is_named(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("factory.cluster.package._travelling", lambda *_: ["gone-meanwhile.py"])
    with pytest.raises(ConfigError, match=r"cannot be packed: .*gone-meanwhile\.py"):
        packed(tree, tmp_path)


def test_the_same_tree_is_the_same_package(tree: Path, tmp_path: Path) -> None:
    write(tree, **{"a.py": "1", "b/c.py": "2"})
    first, _ = packed(tree, tmp_path)
    (tree / "a.py").touch()
    second, _ = packed(tree, tmp_path)
    assert (first.digest, first.path) == (second.digest, second.path)
    write(tree, **{"a.py": "3"})
    third, _ = packed(tree, tmp_path)
    assert third.digest != first.digest
