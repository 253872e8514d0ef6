"""`factory trouble` as a user starts it, and switches it while it works."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.runs import REPOSITORY, environment, factory_cli
from tests.trouble.servers import Upstream


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


def test_the_command_passes_on_strikes_is_switched_and_says_what_it_did(upstream: Upstream) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "factory.cli.main", "trouble", "--to", upstream.url, "--rule", "503 PUT count=1"],
        cwd=REPOSITORY,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.fullmatch(r"(http://\S+) -> (http://\S+)   control: (http://\S+)\n", said)
        assert found, said
        address, to, control = found.groups()
        assert to == upstream.url
        with httpx.Client(trust_env=False) as client:
            assert client.put(f"{address}/key", content=b"x").status_code == 503
            assert client.put(f"{address}/key", content=b"x").status_code == 200
            assert client.get(control).json()["faults"] == {"503": 1}
            changed = client.put(f"{control}/rules", content="denied GET\n\n500 PUT")
            assert [each["rule"] for each in changed.json()["rules"]] == ["denied GET *", "500 PUT *"]
            assert client.get(f"{address}/key").status_code == 403
            refused = client.put(f"{control}/rules", content="nonsense")
            assert refused.status_code == 400
            assert "there is no fault" in refused.json()["error"]
            assert client.put(f"{control}/rules").json()["rules"] == []
            assert client.put(f"{control}/dark", content="60").json()["dark_for_s"] > 50
        with httpx.Client(trust_env=False) as client:
            with pytest.raises(httpx.TransportError):
                client.get(f"{address}/key")
            client.put(f"{control}/dark", content="0")
            assert client.get(f"{address}/key").status_code == 200
            rebound = client.get(control, headers={"Host": "evil.example"})
            assert rebound.status_code == 403
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    summary = json.loads(stdout.strip().splitlines()[-1])
    assert summary["faults"] == {"503": 1, "dark": 1, "denied": 1}
    assert summary["requests"] == 4


def test_a_rule_that_is_none_is_refused_with_the_faults_there_are() -> None:
    refused = factory_cli("trouble", "--to", "http://127.0.0.1:9", "--rule", "504")
    assert refused.code == 2
    assert "there is no fault '504'" in refused.stderr
    assert "lose-answer" in refused.stderr


def test_the_help_names_every_fault() -> None:
    told = factory_cli("trouble", "--help").stdout
    for fault in ("slowdown", "429", "reset-body", "reset-answer", "lose-answer", "stall", "dark"):
        assert fault in told
