"""An engine that goes with its node: nothing it held is suspected, its requests go to other engines, at once."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.cluster.several_nodes import SeveralNodes
from tests.engine.driver_on_nodes import REQUESTS
from tests.resident import REPOSITORY

NODE: dict[str, Any] = {"num_cpus": 1, "resources": {"engine": 1.0}}


@pytest.mark.slow
@pytest.mark.parametrize("notice", [True, False])
def test_requests_of_an_engine_whose_node_went_are_answered_elsewhere_and_nobody_is_blamed(notice: bool) -> None:
    nodes = SeveralNodes(**NODE)
    try:
        last = [nodes.add(**NODE) for _ in range(2)][-1]
        with subprocess.Popen(
            [sys.executable, "-m", "tests.engine.driver_on_nodes", nodes.address],
            cwd=REPOSITORY,
            env=nodes.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as driver:
            assert driver.stdout is not None
            assert driver.stdout.readline().strip() == "asking"
            nodes.remove(last, notice=notice)
            stdout, _ = driver.communicate("gone\n", timeout=200)
    finally:
        nodes.close()
    assert driver.returncode == 0
    found = json.loads(stdout.splitlines()[-1])
    # No node came back: a hunt would have waited for its replacement, an hour at most.
    assert found["ids"] == [f"r{number}" for number in range(REQUESTS)]
    assert found["errors"] == []
