"""infra/k8s as Kubernetes would get it: schemas, what pods may do, failures and grace periods, what run they have."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from factory import __version__
from factory.config import FactoryConfig
from factory.errors import ClusterError, ConfigError, ConservationError, CorpusError, EngineError, GateError, StoreError
from factory.leaving import INTERRUPTED_CODE
from factory.run import compose as composing
from tests.infra.manifests import (
    COMPONENTS,
    K8S,
    OVERLAYS,
    RAYJOB_SCHEMA,
    Document,
    all_pods,
    environment_of,
    one,
    overlay,
    pods_of,
    schema_problems,
    with_components,
)
from tests.infra.policy import objections
from tests.resident import REPOSITORY

JOBS = [name for name in OVERLAYS if name != "ray"]
NO_USE_TRYING = (ConfigError, CorpusError, ConservationError, GateError)
MAY_PASS = (StoreError, EngineError, ClusterError)
WORKDIR = "/opt/factory"


def test_every_way_of_running_is_here() -> None:
    assert OVERLAYS == ["indexed", "indexed-gpu", "job-cpu", "job-gpu", "ray"]
    assert RAYJOB_SCHEMA.exists(), "the schema of RayJob is part of the repository"
    assert "Apache License" in (RAYJOB_SCHEMA.parent / "LICENSE").read_text()


@pytest.mark.parametrize("name", OVERLAYS)
def test_manifests_fit_their_schemas_and_our_rules(name: str) -> None:
    documents = overlay(name)
    assert [problem for document in documents for problem in schema_problems(document)] == []
    assert objections(documents) == []
    assert {document["metadata"].get("namespace") for document in documents} == {"factory"}


TRIED = [
    ("job-gpu", ["spot", "kueue", "hold-node", "model-cache"]),
    ("indexed-gpu", ["spot", "kueue", "model-cache"]),
    ("job-cpu", ["spot"]),
    ("ray", ["kueue"]),
]


@pytest.mark.parametrize(("name", "components"), TRIED)
def test_components_fit_as_well(name: str, components: list[str], tmp_path: Path) -> None:
    documents = with_components(tmp_path, name, components)
    assert [problem for document in documents for problem in schema_problems(document)] == []
    assert objections(documents) == []
    work = next(document for document in documents if document["kind"] in ("Job", "RayJob"))
    if "kueue" in components:
        assert work["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "factory"
        assert work["spec"]["suspend"] is True
    if "spot" in components:
        ((_, pod),) = pods_of(work)
        keys = {each["key"] for each in pod["tolerations"]}
        assert {"cloud.google.com/gke-spot", "kubernetes.azure.com/scalesetpriority"} <= keys
        assert ("nvidia.com/gpu" in keys) == ("gpu" in name), "what others tolerate stays"
    if "model-cache" in components:
        ((_, pod),) = pods_of(work)
        assert environment_of(pod["containers"][0])["FACTORY_CACHE"].startswith("/models/")


def test_every_component_is_used_or_tried() -> None:
    named = [yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text()) for name in OVERLAYS]
    used = {Path(each).name for values in named for each in values.get("components", [])}
    assert sorted(used.union(*(components for _, components in TRIED))) == COMPONENTS


def job(documents: list[Document]) -> Document:
    found: Document = one(documents, "Job")["spec"]
    return found


@pytest.mark.parametrize("name", JOBS)
def test_failures_count_as_the_exit_codes_say(name: str) -> None:
    spec = job(overlay(name))

    def action(code: int, disrupted: bool = False) -> str:
        for rule in spec["podFailurePolicy"]["rules"]:
            codes = rule.get("onExitCodes", {}).get("values", [])
            conditions = [each["type"] for each in rule.get("onPodConditions", [])]
            if code in codes or (disrupted and "DisruptionTarget" in conditions):
                return str(rule["action"])
        return "Count"

    for kind in NO_USE_TRYING:
        assert action(kind.exit_code) == "FailJob", kind
    for kind in MAY_PASS:
        assert action(kind.exit_code) == "Count", kind
    assert action(INTERRUPTED_CODE) == "Ignore"
    assert action(137, disrupted=True) == "Ignore"
    assert action(137) == "Count", "killed for want of memory"
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["ttlSecondsAfterFinished"] > 0


def grace(pod: Document) -> int:
    found: int = pod["terminationGracePeriodSeconds"]
    return found


def grace_seconds(documents: list[Document]) -> float:
    """What the run is told that it has."""
    found: float = yaml.safe_load(one(documents, "ConfigMap")["data"]["run.yaml"])["cluster"]["grace_seconds"]
    return found


@pytest.mark.parametrize("name", JOBS)
def test_a_pod_has_longer_than_the_run_takes_to_leave(name: str) -> None:
    documents = overlay(name)
    ((_, pod),) = all_pods(documents)
    assert 30 < grace_seconds(documents) < grace(pod)
    assert "lifecycle" not in pod["containers"][0], "SIGTERM reaches the run; a hook would use up its time"


def test_ray_nodes_drain_and_the_driver_is_told_within_the_grace_period() -> None:
    documents = overlay("ray")
    for place, pod in all_pods(documents):
        if place == "submitter":
            continue
        (container,) = pod["containers"]
        drain = float(environment_of(container)["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
        assert drain < grace(pod)
        if place == "head":
            script, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
            assert (REPOSITORY / script).stat().st_mode & 0o111
            assert grace_seconds(documents) < int(seconds) < grace(pod)


@pytest.mark.parametrize("name", ["indexed", "indexed-gpu"])
def test_the_number_of_pods_is_the_same_wherever_it_stands(name: str) -> None:
    documents = overlay(name)
    spec, budget = job(documents), one(documents, "PodDisruptionBudget")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"] == int(environment_of(container)["JOB_COMPLETIONS"])
    assert budget["minAvailable"] == spec["completions"] - 1
    assert spec["backoffLimitPerIndex"] > 0


@pytest.mark.parametrize("name", OVERLAYS)
def test_budgets_select_pods_that_there_are(name: str) -> None:
    documents = overlay(name)
    for budget in documents:
        if budget["kind"] != "PodDisruptionBudget":
            continue
        wanted = budget["spec"]["selector"]["matchLabels"]
        if name == "ray":
            head = one(documents, "RayJob")["spec"]["rayClusterSpec"]["headGroupSpec"]
            labels = {**head["template"]["metadata"]["labels"], "ray.io/node-type": "head"}  # KubeRay adds the latter
        else:
            labels = job(documents)["template"]["metadata"]["labels"]
        assert wanted.items() <= labels.items()


@pytest.mark.parametrize("name", OVERLAYS)
def test_gpus_are_asked_for_where_the_engine_runs(name: str) -> None:
    for place, pod in all_pods(overlay(name)):
        resources = pod["containers"][0]["resources"]
        image = pod["containers"][0]["image"]
        wants = "nvidia.com/gpu" in resources["limits"]
        assert wants == (name.endswith("-gpu") or place == "workers gpu")
        assert image.endswith("-gpu" if wants else "-cpu")
        assert resources["requests"].get("nvidia.com/gpu") == resources["limits"].get("nvidia.com/gpu")
        assert wants == any(each["key"] == "nvidia.com/gpu" for each in pod.get("tolerations", []))
        assert wants == ("requiredDuringSchedulingIgnoredDuringExecution" in str(pod.get("affinity")))


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_pod_is_given_a_configuration_that_composes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = overlay(name)
    config = one(documents, "ConfigMap")["data"]["run.yaml"]
    if name == "ray":
        typed = one(documents, "RayJob")["spec"]["entrypoint"].split()
        pod = dict(all_pods(documents))["head"]
    else:
        ((_, pod),) = all_pods(documents)
        typed = pod["containers"][0]["args"]
    assert typed[:3] == ["python", "-m", "jobs.run"]
    (mount,) = [each for each in pod["containers"][0]["volumeMounts"] if each.get("subPath") == "run.yaml"]

    shutil.copytree(REPOSITORY / "conf", tmp_path / "conf")
    place = tmp_path / Path(mount["mountPath"]).relative_to(WORKDIR)
    place.write_text(config)
    monkeypatch.setattr(composing, "CONF", tmp_path / "conf")
    composed: FactoryConfig = composing.compose(typed[3:])
    assert composed.store.root.startswith("s3://")
    assert composed.walk.epochs == 5, "preset=production is beneath"
    expected = {"indexed": ("processes", None), "indexed-gpu": ("processes", None), "ray": ("ray", "auto")}
    assert (composed.cluster.executor, composed.cluster.address) == expected.get(name, ("ray", None))
    assert composed.engine.kind == ("vllm" if name.endswith("-gpu") or name == "ray" else "openai")


def test_versions_are_those_of_the_image() -> None:
    cluster = one(overlay("ray"), "RayJob")["spec"]["rayClusterSpec"]
    assert cluster["rayVersion"] == metadata.version("ray")
    assert cluster["authOptions"] == {"mode": "token"}
    for name in OVERLAYS:
        file = yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text())
        assert all(image["newTag"].startswith(__version__) for image in file["images"])


def at(document: Any, *path: Any) -> Any:
    for step in path:
        document = document[step]
    return document


POD = ("spec", "template", "spec")
WORKER = ("spec", "rayClusterSpec", "workerGroupSpecs", 1)

MISTAKES: list[tuple[str, Callable[[Document], Any], str]] = [
    ("job-gpu", lambda job: job["spec"].update(backoffLimits=3), "backoffLimits"),
    ("job-gpu", lambda job: job["spec"].update(backoffLimit="three"), "three"),
    ("job-gpu", lambda job: at(job, *POD).update(tolerations={"key": "x"}), "not of type"),
    ("job-gpu", lambda job: at(job, *POD, "containers", 0).update(imagePullPolice="Always"), "imagePullPolice"),
    ("ray", lambda job: job["spec"].update(entryPoint="x"), "entryPoint"),
    ("ray", lambda job: at(job, *WORKER).update(minReplicas="one"), "one"),
    ("ray", lambda job: at(job, *WORKER).pop("groupName"), "groupName"),
    ("ray", lambda job: at(job, *WORKER, *POD[1:]).update(toleration=[]), "toleration"),
    ("ray", lambda job: at(job, "spec", "rayClusterSpec").update(enableAutoscaling=True), "enableAutoscaling"),
    ("ray", lambda job: at(job, "spec", "rayClusterSpec", "authOptions").update(mode="tokens"), "tokens"),
]


@pytest.mark.parametrize(("name", "mistake", "said"), MISTAKES)
def test_a_mistake_is_found_by_the_schema(name: str, mistake: Callable[[Document], Any], said: str) -> None:
    document = one(overlay(name), "RayJob" if name == "ray" else "Job")
    mistake(document)
    problems = schema_problems(document)
    assert problems
    assert said in " ".join(problems)


CONTAINER = (*POD, "containers", 0)


def volume(document: Document, name: str) -> Any:
    return next(each for each in at(document, *POD, "volumes") if each["name"] == name)


BREACHES: list[tuple[Callable[[Document], Any], str]] = [
    (lambda job: at(job, *POD, "securityContext").pop("runAsNonRoot"), "may run as root"),
    (lambda job: at(job, *POD, "securityContext").update(runAsUser=0), "may run as root"),
    (lambda job: at(job, *POD, "securityContext").pop("seccompProfile"), "no seccomp"),
    (lambda job: at(job, *POD).update(hostNetwork=True), "namespace of the node"),
    (lambda job: at(job, *POD).update(automountServiceAccountToken=True), "token of the Kubernetes API"),
    (lambda job: at(job, *CONTAINER, "securityContext").pop("readOnlyRootFilesystem"), "can be written"),
    (lambda job: at(job, *CONTAINER, "securityContext").update(capabilities={"add": ["SYS_ADMIN"]}), "capabilities"),
    (lambda job: at(job, *CONTAINER, "securityContext").pop("allowPrivilegeEscalation"), "gain privileges"),
    (lambda job: at(job, *CONTAINER, "resources", "limits").pop("memory"), "no limits of memory"),
    (lambda job: at(job, *CONTAINER, "resources").pop("requests"), "no requests of cpu, memory, ephemeral-storage"),
    (lambda job: at(job, *CONTAINER).update(image="factory:latest"), "not this version's"),
    (lambda job: at(job, *CONTAINER).update(image="factory"), "not this version's"),
    (lambda job: at(job, *CONTAINER, "env").append({"name": "HF_TOKEN", "value": "x"}), "HF_TOKEN is given by value"),
    (lambda job: at(job, *CONTAINER, "args").append("key=AKIAABCDEFGHIJKLMNOP"), "a credential in"),
    (lambda job: volume(job, "tmp")["emptyDir"].pop("sizeLimit"), "fill the node's disk"),
    (lambda job: volume(job, "shm")["emptyDir"].update(sizeLimit="60Gi"), "volumes in memory"),
    (lambda job: volume(job, "run")["configMap"].update(name="other"), "ConfigMap other is in no manifest"),
    (lambda job: at(job, *POD).update(serviceAccountName="other"), "ServiceAccount other is in no manifest"),
    (lambda job: at(job, *CONTAINER, "volumeMounts").pop(1), "no place to write to"),
    (lambda job: at(job, *CONTAINER).update(livenessProbe={"exec": {"command": ["true"]}}), "liveness probe"),
    (lambda job: at(job, *POD, "volumes").append({"name": "x", "hostPath": {"path": "/"}}), "folder of the node"),
]


@pytest.mark.parametrize(("breach", "said"), BREACHES)
def test_a_breach_of_our_rules_is_found(breach: Callable[[Document], Any], said: str) -> None:
    documents = overlay("job-gpu")
    breach(one(documents, "Job"))
    assert said in " ".join(objections(documents))


DRIVER = """
import pathlib, signal, sys, time
def leave(number, frame):
    time.sleep(1)
    pathlib.Path("left").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, leave)
print("at work", flush=True)
time.sleep(120)
"""


def test_the_driver_on_a_head_is_told_to_end_and_waited_for(tmp_path: Path) -> None:
    module = f"driver_of_a_test_{os.getpid()}"
    (tmp_path / f"{module}.py").write_text(DRIVER)
    driver = subprocess.Popen([sys.executable, "-m", module], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    try:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "at work\n"
        script = REPOSITORY / "infra" / "docker" / "end-driver.sh"
        subprocess.run([script, "60", module], check=True, timeout=90)
        assert (tmp_path / "left").exists(), "it was waited for"
        assert driver.wait(timeout=30) == 130
        subprocess.run([script, "60", module], check=True, timeout=30)  # nobody there: nothing to wait for
    finally:
        driver.kill()
        driver.communicate()


def test_the_guide_names_every_overlay_and_component() -> None:
    guide = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    for name in (*(f"overlays/{each}" for each in OVERLAYS), *(f"components/{each}" for each in COMPONENTS)):
        assert name in guide
    for code in (kind.exit_code for kind in (*NO_USE_TRYING, *MAY_PASS)):
        assert re.search(rf"^\| {code} \|", guide, re.MULTILINE), f"exit code {code}"
