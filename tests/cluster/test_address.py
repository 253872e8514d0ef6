"""What `cluster.address` may be, to submit a job and to be a driver; no address is exchanged for another."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from factory.cluster.address import require_drivers, url_of
from factory.errors import ClusterError, ConfigError
from factory.run.command import main


@pytest.fixture(autouse=True)
def _no_address_of_rays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://head:8265/", "http://head:8265"),
        ("https://ray.example.org", "https://ray.example.org"),
        ("head", "http://head:8265"),
        ("127.0.0.1:28265", "http://127.0.0.1:28265"),
        ("[fd00::1]:28265", "http://[fd00::1]:28265"),
        ("[fd00::1]", "http://[fd00::1]:8265"),
        ("auto", "http://127.0.0.1:8265"),
    ],
)
def test_a_port_that_is_given_is_asked(address: str, url: str) -> None:
    assert url_of(address) == url


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("ray://127.0.0.1:10001", "http://127.0.0.1:8265"),
        ("ray://[fd00::1]:10001", "http://[fd00::1]:8265"),
        ("gcs://head:6379", "Ray knows no gcs://"),
        ("head:port", "no HOST:PORT"),
        ("head:99999", "no HOST:PORT"),
        ("http://:8265", "names no host"),
    ],
)
def test_an_address_that_takes_no_jobs_is_refused_in_words(address: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        url_of(address)
    assert said in str(refused.value)


def test_auto_is_what_rays_own_tools_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "https://head.example.org/")
    assert url_of("auto") == "https://head.example.org"


def test_auto_does_not_exchange_another_cluster_for_the_one_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "ray://elsewhere:10001")
    with pytest.raises(ConfigError, match="RAY_ADDRESS=ray://elsewhere:10001 is no dashboard"):
        url_of("auto")


def test_without_an_address_there_is_nothing_to_submit_to() -> None:
    with pytest.raises(ConfigError, match=r"needs cluster\.address") as refused:
        url_of(None)
    assert "jobs.run" in refused.value.remedy


@pytest.mark.parametrize(
    ("address", "advised"), [("http://head:28265", "http://head:28265"), ("ray://head:10001", "http://head:8265")]
)
def test_an_address_that_takes_jobs_is_no_drivers(address: str, advised: str) -> None:
    with pytest.raises(ConfigError, match="not for a driver") as refused:
        require_drivers(address)
    assert f"jobs.submit … cluster.address={advised};" in refused.value.remedy


@pytest.mark.parametrize("address", ["head", "head:port"])
def test_half_an_address_is_none(address: str) -> None:
    with pytest.raises(ConfigError, match="no HOST:PORT"):
        require_drivers(address)


def closed_port() -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_closed_port_is_said_before_ray_is_asked() -> None:
    with pytest.raises(ClusterError, match="nothing answers") as refused:
        require_drivers(closed_port())
    assert "jobs.submit" in refused.value.remedy


@pytest.mark.parametrize(("address", "code"), [("http://head:8265", 2), ("ray://head:10001", 2), (None, 8)])
def test_a_run_looks_at_the_address_before_root_and_corpus(
    address: str | None, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "root"
    corpus = ["corpus=files", f"corpus.paths={json.dumps([str(tmp_path / 'none.jsonl')])}"]
    where = ["cluster=ray", f"cluster.address={address or closed_port()}"]
    assert main(["preset=demo", "engine=scripted", f"store.root={root}", *corpus, *where]) == code
    assert "cluster.address=" in capsys.readouterr().err
    assert not root.exists()
