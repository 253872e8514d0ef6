"""Whole runs whose model is behind an HTTP server, overloaded now and then, and whose corpus lies on S3: what they
give, and that no credential of theirs is in anything they write, be it a row, a log or what Ray keeps of a run."""

from __future__ import annotations

import contextlib
import gzip
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.corpora import write_corpus
from tests.model_server import KEY, ModelServer
from tests.runs import Finished, dataset_rows, done_of, factory_cli, requests_spent, run_factory
from tests.s3_server import S3Server, create_bucket, free_port

DOCUMENTS = 20

PLANTED = {
    "RUN_TEST_KEY": KEY,
    "AWS_ACCESS_KEY_ID": "AKIANEVERTOBESEEN042",
    "AWS_SECRET_ACCESS_KEY": "never-to-be-seen-secret-of-s3-0042",
    "HF_TOKEN": "hf_nevertobeseen0000000000000000042",
    "OPENAI_API_KEY": "sk-never-to-be-seen-of-another-0042",
    "SERVICE_PASSWORD": "never-to-be-seen-password-0042",
    "RAY_AUTH_TOKEN": "f00dfeed" * 8,
}
"""Every credential that the runs below have in their environment."""


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


@pytest.fixture(scope="module")
def s3_with_secrets() -> Iterator[S3Server]:
    """A server of its own: its keys are looked for as bytes, and those of the other tests are words."""
    folder = tempfile.mkdtemp(prefix="factory-s3-")
    s3 = S3Server(folder, free_port(), PLANTED["AWS_ACCESS_KEY_ID"], PLANTED["AWS_SECRET_ACCESS_KEY"])
    try:
        s3.start()
        create_bucket(s3, "corpora")
        yield s3
    finally:
        s3.stop()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Place:
    """Where a run writes: all of it below `folder`, but for what Ray keeps, which wants a short path."""

    folder: Path
    ray: Path
    corpus: str
    listeners: set[tuple[str, str]] = field(default_factory=set)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def run(self, overrides: list[str], check: bool = True) -> Finished:
        """Stdout and stderr are kept as files of `folder`, and so are looked through with the rest."""
        ended = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(ended,), daemon=True)
        watcher.start()
        finished = run_factory(
            Path("unused"), str(self.root), [f"corpus.paths=[{self.corpus}]", *overrides], check, alone=True
        )
        ended.set()
        watcher.join()
        (self.folder / "stdout").write_text(finished.stdout)
        (self.folder / "stderr").write_text(finished.stderr)
        return finished

    def _watch(self, ended: threading.Event) -> None:
        """Addresses on which the run's own processes listen, its Ray's among them. Other tests have a Ray as well."""
        while not ended.wait(1):
            for process in self._of_the_run():
                with contextlib.suppress(psutil.Error):
                    found = process.net_connections("tcp")
                    self.listeners |= {(process.name(), one.laddr.ip) for one in found if one.status == "LISTEN"}

    def _of_the_run(self) -> list[psutil.Process]:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if f"store.root={self.root}" in process.cmdline():
                    return process.children(recursive=True)
        return []

    def files(self) -> Iterator[Path]:
        for top in (self.folder, self.ray):
            yield from (path for path in top.rglob("*") if path.is_file())


@pytest.fixture
def place(tmp_path: Path, s3_with_secrets: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name, value in {**s3_with_secrets.environment(), **PLANTED}.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    # As for a user: Ray with a token, and everything that is kept in a home or a folder for temporary files is seen.
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with tempfile.TemporaryDirectory(prefix="ray") as ray:
        monkeypatch.setenv("RAY_TMPDIR", ray)
        yield Place(tmp_path, Path(ray), upload(s3_with_secrets, write_corpus(tmp_path / "corpus", DOCUMENTS)))


def upload(s3: S3Server, corpus: Path) -> str:
    from factory.store.s3_client import client

    for path in corpus.rglob("*"):
        if path.is_file():
            key = f"books/{path.relative_to(corpus).as_posix()}"
            client(s3.endpoint_url, s3.region).put_object(Bucket="corpora", Key=key, Body=path.read_bytes())
    return "s3://corpora/books"


def overrides(server: ModelServer) -> list[str]:
    return [
        "engine=openai",
        f"engine.base_url={server.base_url}",
        "engine.api_key_env=RUN_TEST_KEY",
        "model=custom",
        "model.id=served",
        "model.license=Apache-2.0",
        "model.output_terms=none",
    ]


def seen_in(place: Place, secrets: dict[str, str]) -> list[tuple[str, Path]]:
    """Which secret stands in which file: as it is, or inside what the file compresses."""
    wanted = {name: value.encode() for name, value in secrets.items()}
    return [
        (name, path)
        for path in place.files()
        for name, value in wanted.items()
        if any(value in it for it in data(path))
    ]


def data(path: Path) -> Iterator[bytes]:
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".parquet":
        table: Any = pq.read_table(path)
        yield "\n".join(map(str, table.to_pylist())).encode(errors="replace")
        yield str(table.schema.metadata).encode()
    elif path.suffix == ".gz":
        yield gzip.decompress(raw)
    elif path.suffix == ".zst":
        yield zstandard.ZstdDecompressor().stream_reader(raw).read()


def test_a_run_against_a_server_publishes_verifies_counts_and_tells_nobody_its_credentials(
    server: ModelServer, place: Place
) -> None:
    finished = place.run(overrides(server))
    result = finished.result
    assert result["samples"] > 0
    assert server.seen["refused"] > 0
    # one tiny request an engine start proves address, key and model; it is not a row's and not in the ledger
    assert requests_spent(place.root, result["run"]) == server.seen["answered"] - 1
    assert done_of(place.root, result["run"], "answer")["ledger"]["generated_tokens"] > 0
    rows = dataset_rows(result["dataset"])["train"].to_pylist()
    assert rows[0]["question_model"] == rows[0]["answer_model"] == "served"
    assert server.seen["echoed"] > 0
    assert any("***" in row["answer"] for row in rows)  # a completion that held the key
    verified = factory_cli("verify", result["dataset"])
    assert verified.code == 0, verified.stdout
    again = place.run(overrides(server)).result
    assert again["already_finished"]
    for name in ("status", "doctor", "report"):
        said = factory_cli(name, str(place.root))
        (place.folder / f"{name}.said").write_text(said.stdout + said.stderr)
    assert any(path.suffix in (".log", ".out", ".err") for path in place.ray.rglob("*"))  # Ray did write there
    assert seen_in(place, PLANTED) == []
    assert not (place.folder / "home" / ".ray" / "auth_token").exists()
    assert_loopback_only(place.listeners)


def assert_loopback_only(listeners: set[tuple[str, str]]) -> None:
    """A port of Ray that others reach runs whatever they send."""
    assert any(name.startswith(("gcs_server", "raylet")) for name, _ in listeners), listeners
    assert {address for _, address in listeners} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, listeners


def test_what_is_looked_for_would_be_found(place: Place) -> None:
    (place.folder / "a.gz").write_bytes(gzip.compress(b"a key: " + KEY.encode()))
    (place.ray / "raylet.out").write_text(f"env {PLANTED['HF_TOKEN']}")
    assert {(name, path.name) for name, path in seen_in(place, PLANTED)} == {
        ("RUN_TEST_KEY", "a.gz"),
        ("HF_TOKEN", "raylet.out"),
    }


def test_a_wrong_key_ends_the_run_with_what_to_do_and_without_the_key(
    server: ModelServer, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "sk-wrong-never-to-be-seen-0001"
    monkeypatch.setenv("RUN_TEST_KEY", wrong)
    finished = place.run(overrides(server), check=False)
    assert finished.code != 0
    assert "RUN_TEST_KEY" in finished.stderr
    assert seen_in(place, {**PLANTED, "RUN_TEST_KEY": wrong}) == []


def test_wrong_credentials_of_s3_end_the_run_without_them(
    server: ModelServer, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"AWS_SECRET_ACCESS_KEY": "wrong-never-to-be-seen", "AWS_SESSION_TOKEN": "session-never-to-be-seen-0042"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    finished = place.run(overrides(server), check=False)
    assert finished.code != 0
    assert seen_in(place, {**PLANTED, **wrong}) == []
