"""infra/k8s as Kubernetes would get it: schemas, what pods may do, failures and grace periods, what run they have."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray._private.utils import resolve_object_store_memory

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
    labels_of,
    one,
    overlay,
    pods_of,
    quantity,
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


ADDED = [name for name in COMPONENTS if name not in ("gpu", "indexed")]
"""Components that a user adds to any overlay; the other two make overlays of their own."""


@pytest.mark.parametrize("name", OVERLAYS)
def test_all_components_fit_together_in_whatever_order(name: str, tmp_path: Path) -> None:
    documents = with_components(tmp_path, name, ADDED)
    assert [problem for document in documents for problem in schema_problems(document)] == []
    assert objections(documents) == []
    assert collisions(documents) == []
    assert {document["metadata"].get("namespace") for document in documents} == {"factory"}
    backwards = with_components(tmp_path, name, ADDED[::-1])
    assert sorted(map(in_any_order, backwards)) == sorted(map(in_any_order, documents))

    work = next(document for document in documents if document["kind"] in ("Job", "RayJob"))
    assert work["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "factory"
    assert work["spec"]["suspend"] is True
    for place, pod in pods_of(work):
        if place == "job" or place.startswith("workers"):
            keys = {each["key"] for each in pod["tolerations"]}
            assert {"cloud.google.com/gke-spot", "kubernetes.azure.com/scalesetpriority"} <= keys
            wants = "nvidia.com/gpu" in pod["containers"][0]["resources"]["limits"]
            assert ("nvidia.com/gpu" in keys) == wants, "what others tolerate stays"
            assert environment_of(pod["containers"][0])["FACTORY_CACHE"].startswith("/models/")


def in_any_order(value: Any) -> str:
    """The same text for the same document, whatever the order of its lists."""
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{key}: {in_any_order(item)}' for key, item in value.items()))}}}"
    if isinstance(value, list):
        return f"[{', '.join(sorted(map(in_any_order, value)))}]"
    return repr(value)


def collisions(documents: list[Document]) -> list[str]:
    """Objects of one kind and name, and pods that two budgets hold, which the eviction API refuses to evict at all."""
    names = Counter((document["kind"], document["metadata"]["name"]) for document in documents)
    found = [f"{kind} {name} is there {number} times" for (kind, name), number in names.items() if number > 1]
    budgets = [document for document in documents if document["kind"] == "PodDisruptionBudget"]
    for place, labels in (pod for document in documents for pod in labels_of(document)):
        held = [each["metadata"]["name"] for each in budgets if selects(each, labels)]
        found += [f"{place} is held by {held}"] if len(held) > 1 else []
    return found


def selects(budget: Document, labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = budget["spec"]["selector"]["matchLabels"]
    return wanted.items() <= labels.items()


def test_runs_side_by_side_in_a_namespace_hold_their_own_pods_alone(tmp_path: Path) -> None:
    runs = {name: with_components(tmp_path, name, ["hold-node"]) for name in OVERLAYS}
    again = {
        name: with_components(tmp_path, name, ["hold-node"], prefix=f"second-{name}") for name in ("ray", "job-cpu")
    }
    runs |= {f"second {name}": documents for name, documents in again.items()}
    both = [*runs["ray"], *runs["second ray"]]
    named = [(document["kind"], document["metadata"]["name"]) for document in both]
    assert len(named) == len(set(named))
    for name, documents in runs.items():
        assert objections(documents) == []
        own = [document for document in documents if document["kind"] == "PodDisruptionBudget"]
        for other, theirs in runs.items():
            for place, labels in (pod for document in theirs for pod in labels_of(document)):
                held = [budget["metadata"]["name"] for budget in own if selects(budget, labels)]
                assert len(held) <= (1 if other == name else 0), (name, other, place, held)


def test_pods_of_an_indexed_job_spread_among_themselves(tmp_path: Path) -> None:
    for prefix in ("", "second"):
        spec = job(with_components(tmp_path, "indexed", [], prefix=prefix))["template"]
        (spread,) = spec["spec"]["topologySpreadConstraints"]
        wanted = spread["labelSelector"]["matchLabels"]
        assert wanted.items() <= spec["metadata"]["labels"].items()
        assert wanted["app.kubernetes.io/instance"] == (prefix or "indexed")


def test_rays_objects_fit_into_shared_memory() -> None:
    """Otherwise Ray puts them all on the disk, slowly, and nobody is told but a log."""
    cluster = one(overlay("ray"), "RayJob")["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        (shared,) = [each["emptyDir"] for each in pod["volumes"] if each["name"] == "shm"]
        memory = int(quantity(pod["containers"][0]["resources"]["limits"]["memory"]))
        said = group["rayStartParams"].get("object-store-memory")
        taken = resolve_object_store_memory(memory, int(said) if said else None)
        assert taken <= 0.95 * quantity(shared["sizeLimit"]), group.get("groupName", "head")


@pytest.mark.parametrize("name", ["job-cpu", "indexed", "ray"])
def test_a_scraped_run_listens_where_its_pod_says(name: str, tmp_path: Path) -> None:
    documents = with_components(tmp_path, name, ["metrics"])
    work = next(document for document in documents if document["kind"] in ("Job", "RayJob"))
    container = dict(pods_of(work))["head" if name == "ray" else "job"]["containers"][0]
    (port,) = [each["containerPort"] for each in container["ports"] if each["name"] == "run-metrics"]
    if name == "ray":
        plain = one(overlay(name), "RayJob")["spec"]["entrypoint"]
        typed = work["spec"]["entrypoint"]
        assert typed.startswith(f"{plain} "), "the component repeats the entrypoint"
        typed = typed.split()
        (rule,) = work["spec"]["rayClusterSpec"]["networkPolicy"]["head"]["ingressRules"]
        assert port in [each["port"] for each in rule["ports"]]
    else:
        typed = container["args"]
    assert f"observe.metrics_port={port}" in typed
    assert "observe.metrics_host=0.0.0.0" in typed
    spec = work["spec"]["rayClusterSpec"]["headGroupSpec"] if name == "ray" else work["spec"]
    assert spec["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(port)


def test_every_component_is_used_or_tried() -> None:
    named = [yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text()) for name in OVERLAYS]
    used = {Path(each).name for values in named for each in values.get("components", [])}
    assert sorted(used.union(ADDED)) == COMPONENTS


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
    spec = job(documents)
    container = spec["template"]["spec"]["containers"][0]
    assert spec["completionMode"] == "Indexed"
    assert spec["parallelism"] == spec["completions"] == int(environment_of(container)["JOB_COMPLETIONS"])
    assert spec["backoffLimitPerIndex"] > 0


@pytest.mark.parametrize("name", OVERLAYS)
def test_budgets_select_pods_that_there_are(name: str, tmp_path: Path) -> None:
    documents = with_components(tmp_path, name, [] if name == "ray" else ["hold-node"])
    budget = one(documents, "PodDisruptionBudget")
    held = [place for document in documents for place, labels in labels_of(document) if selects(budget, labels)]
    assert held == ["head" if name == "ray" else "job"]


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
