"""What runs beside a run on one machine. Ray is started in a process of its own: this one may have joined another."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

from tests.runs import REPOSITORY, environment

PROGRAM = """
import json
import psutil
from factory.cluster.config import ClusterConfig
from factory.run.session import ray_session

with ray_session(ClusterConfig(cpus=2, object_store_mib=100), engines=1):
    import ray
    from ray.data._internal.execution import streaming_executor
    rows = ray.data.range(40, override_num_blocks=8).map(lambda row: {"id": row["id"] * 2}).take_all()
    titles = [" ".join(each.cmdline()[:3]).strip() for each in psutil.Process().children(recursive=True)]
    replaced = streaming_executor.create_cluster_autoscaler.__module__
    held = ray.cluster_resources()["CPU"]
print(json.dumps({
    "rows": sorted(row["id"] for row in rows),
    "titles": titles,
    "replaced": replaced,
    "after": streaming_executor.create_cluster_autoscaler.__module__,
    "cpus": held,
}))
"""


def test_a_local_ray_has_no_process_that_only_a_cluster_asks() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["rows"] == [2 * number for number in range(40)]
    assert said["cpus"] == 2
    actors = Counter(title for title in said["titles"] if title.startswith("ray::") and "Agent" not in title)
    assert set(actors) <= {"ray::IDLE", "ray::MapBatches", "ray::Map"}, said["titles"]
    assert sum(actors.values()) <= 2, "a worker more than there are cores"
    for absent in ("monitor.py", "log_monitor.py", "dashboard/dashboard.py"):
        assert not any(absent in title for title in said["titles"]), said["titles"]
    assert said["replaced"] == "factory.run.lean_ray"
    assert said["after"] == "ray.data._internal.cluster_autoscaler", "a Ray that is joined later keeps its own"
