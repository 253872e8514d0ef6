"""A Ray cluster of several nodes on this machine, with token and dashboard: `python -m tests.cluster.several_nodes`.

Nodes are raylets of their own on 127.0.0.1, each with processes and resources of its own, so that one can be taken away
as a spot node is: without notice. The process obeys lines of JSON on its standard input and ends with it. Not by
ray.cluster_utils or `ray start`: they note the address where other programs of this machine look for one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.resident import LOOPBACK, REPOSITORY

OBJECT_STORE_MIB = 80


class SeveralNodes:
    """The cluster, from outside. `environment` is what a command needs to talk to it."""

    def __init__(self, **head: Any) -> None:
        # `python` of a job's command is the one that runs the tests.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {
            **os.environ,
            **LOOPBACK,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONUNBUFFERED": "1",
            "PATH": path,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.several_nodes"],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        said = self._ask({"head": head})
        self.address: str = said["address"]
        self.url: str = said["url"]
        self._numbers: dict[str, int] = {}

    def add(self, **resources: Any) -> str:
        """Adds a node (num_cpus, num_gpus, resources, labels) and gives its id."""
        said = self._ask({"add": resources})
        self._numbers[said["id"]] = said["node"]
        return str(said["id"])

    @property
    def added(self) -> list[str]:
        """Ids of the nodes that were added and are there, in that order."""
        return list(self._numbers)

    @property
    def pid(self) -> int:
        """Of the process whose children all nodes are."""
        return self._process.pid

    def remove(self, node: str, *, notice: bool = False) -> None:
        """Takes a node away; without `notice` its processes are killed."""
        self._ask({"remove": self._numbers.pop(node), "notice": notice})

    def _ask(self, said: Mapping[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(said) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError("the cluster of the tests has ended")

    def close(self) -> None:
        with self._process:  # leaving closes its pipes, by which it ends, and waits for that
            pass


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def main() -> None:
    from ray._private import parameter
    from ray._private.node import Node
    from ray._private.utils import write_ray_address

    def started(asked: Mapping[str, Any], **named: Any) -> Any:
        parameters = parameter.RayParams(
            **{"num_cpus": 1, "num_gpus": 0, **asked},
            object_store_memory=OBJECT_STORE_MIB * 2**20,
            include_log_monitor=False,
            no_monitor=True,
            temp_dir=folder,
            min_worker_port=0,
            max_worker_port=0,
            **named,
        )
        return Node(parameters, head="gcs_address" not in named, shutdown_at_exit=False, spawn_reaper=True)

    # A job looks for its cluster in the note of this folder, else among all Ray processes of the machine, of anybody.
    folder = tempfile.mkdtemp(prefix="rays-")
    nodes: list[Any] = []
    for line in sys.stdin:
        said = json.loads(line)
        answer: dict[str, Any] = {}
        if "head" in said:
            port = free_port()
            nodes.append(
                started(
                    said["head"],
                    include_dashboard=True,
                    dashboard_host="127.0.0.1",
                    dashboard_port=port,
                    dashboard_agent_listen_port=free_port(),
                )
            )
            write_ray_address(nodes[0].gcs_address, folder)
            answer = {"address": nodes[0].gcs_address, "url": f"http://127.0.0.1:{port}"}
        elif "add" in said:
            nodes.append(
                started(
                    said["add"],
                    gcs_address=nodes[0].gcs_address,
                    node_manager_port=0,
                    dashboard_agent_listen_port=free_port(),
                )
            )
            answer = {"node": len(nodes) - 1, "id": nodes[-1]._node_id}
        else:
            gone, nodes[said["remove"]] = nodes[said["remove"]], None
            gone.kill_all_processes(check_alive=False, allow_graceful=said["notice"], wait=True)
        print(json.dumps(answer), flush=True)
    for node in reversed(nodes):
        if node is not None:
            node.kill_all_processes(check_alive=False, allow_graceful=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
