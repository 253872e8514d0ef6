"""Manifests as Kubernetes would get them: rendered by kustomize, held against schemas, and their pods looked at."""

from __future__ import annotations

import copy
import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.resident import REPOSITORY

K8S = REPOSITORY / "infra" / "k8s"
RAYJOB_SCHEMA = K8S / "schemas" / "ray.io_rayjobs.yaml"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir() if path.is_dir())
COMPONENTS = sorted(path.name for path in (K8S / "components").iterdir() if path.is_dir())

VERSIONS = ("1.33", "1.37")
"""Of Kubernetes: the oldest in which all fields are stable or on by default, and the newest there are schemas for."""

Document = dict[str, Any]


def render(folder: Path) -> list[Document]:
    """What `kubectl apply -k` would send. kubectl comes with the development packages; no cluster is asked."""
    done = subprocess.run(
        [Path(sys.executable).with_name("kubectl"), "kustomize", folder], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@functools.cache
def _overlay(name: str) -> list[Document]:
    return render(K8S / "overlays" / name)


def overlay(name: str) -> list[Document]:
    return copy.deepcopy(_overlay(name))


def with_components(tmp: Path, name: str, components: Sequence[str], *, prefix: str = "") -> list[Document]:
    """An overlay with more components before its own, and as the second of its kind in a namespace: what the guide
    tells a user to write."""
    shutil.copytree(K8S, tmp / "k8s", dirs_exist_ok=True)
    file = tmp / "k8s" / "overlays" / name / "kustomization.yaml"
    values = yaml.safe_load((K8S / "overlays" / name / "kustomization.yaml").read_text())
    values["components"] = [*(f"../../components/{each}" for each in components), *values.get("components", [])]
    if prefix:
        values["namePrefix"] = f"{prefix}-"
        values["labels"][0]["pairs"]["app.kubernetes.io/instance"] = prefix
    file.write_text(yaml.safe_dump(values))
    return render(file.parent)


def one(documents: Sequence[Document], kind: str) -> Document:
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


def schema_problems(document: Document) -> list[str]:
    """What its schema has against a manifest; a field that it does not know is a problem."""
    if document["apiVersion"].startswith("ray.io/"):
        pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": spec} for _, spec in pods_of(document)]
        return [*_by_crd(document), *(problem for pod in pods for problem in _by_kubernetes(pod))]
    return _by_kubernetes(document)


def _by_kubernetes(document: Document) -> list[str]:
    problems = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(document, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{'.'.join(map(str, error.path))}: {error.message} ({version})")
    return problems


def _by_crd(document: Document) -> list[str]:
    errors = _crd().iter_errors(document)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


@functools.cache
def _crd() -> jsonschema.Draft202012Validator:
    definition = yaml.load(RAYJOB_SCHEMA.read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    (version,) = [each for each in definition["spec"]["versions"] if each["name"] == "v1"]
    schema = _strict(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft202012Validator(schema)


def _strict(schema: Any) -> Any:
    """A structural schema as JSON Schema that refuses what the API server would silently drop, and does not ask for
    fields that it would fill in."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items() if key not in ("properties", "required", "format")}
    if "properties" in schema:
        strict["properties"] = {name: _strict(value) for name, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict.setdefault("additionalProperties", False)
    if "required" in schema:
        filled = {name for name, value in schema.get("properties", {}).items() if "default" in value}
        strict["required"] = [name for name in schema["required"] if name not in filled]
    if schema.get("x-kubernetes-int-or-string"):
        strict = {"type": ["integer", "string"]}
    return strict


def pods_of(document: Document) -> Iterator[tuple[str, Document]]:
    """Pod specs with what they are."""
    spec = document.get("spec", {})
    if document["kind"] == "Job":
        yield "job", spec["template"]["spec"]
    elif document["kind"] == "RayJob":
        cluster = spec["rayClusterSpec"]
        yield "submitter", spec["submitterPodTemplate"]["spec"]
        yield "head", cluster["headGroupSpec"]["template"]["spec"]
        for group in cluster["workerGroupSpecs"]:
            yield f"workers {group.get('groupName')}", group["template"]["spec"]


def labels_of(document: Document) -> Iterator[tuple[str, dict[str, str]]]:
    """Labels of the pods with what they are."""
    spec = document.get("spec", {})
    if document["kind"] == "Job":
        yield "job", spec["template"]["metadata"]["labels"]
    elif document["kind"] == "RayJob":
        cluster = spec["rayClusterSpec"]
        yield "submitter", spec["submitterPodTemplate"]["metadata"]["labels"]
        yield "head", cluster["headGroupSpec"]["template"]["metadata"]["labels"]
        for group in cluster["workerGroupSpecs"]:
            yield f"workers {group['groupName']}", group["template"]["metadata"]["labels"]


def all_pods(documents: Sequence[Document]) -> list[tuple[str, Document]]:
    return [pod for document in documents for pod in pods_of(document)]


def environment_of(container: Mapping[str, Any]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in container.get("env", [])}


BYTES = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def quantity(said: str) -> float:
    """Kubernetes' quantities, as far as manifests here use them."""
    if said[-2:] in BYTES:
        return float(said[:-2]) * BYTES[said[-2:]]
    return float(said[:-1]) / 1000 if said.endswith("m") else float(said)
