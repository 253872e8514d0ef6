"""What every pod of ours must be, beyond what Kubernetes would accept; each rule gives its objections in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from factory import __version__
from tests.infra.manifests import Document, all_pods, environment_of, quantity

SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
SECRET_VALUE = re.compile(
    r"AKIA[0-9A-Z]{16}|hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9]{20,}|-----BEGIN|[a-z0-9]+://[^/\s]+:[^/\s]+@"
)
RESOURCES = ("cpu", "memory", "ephemeral-storage")
LEAST_USER = 10_000
"""Below it users of the node may have the same number."""


def objections(documents: Sequence[Document]) -> list[str]:
    found: list[str] = []
    for place, pod in all_pods(documents):
        found += [f"{place}: {each}" for each in (*_of_pod(place, pod), *_of_volumes(pod))]
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            found += [f"{place}/{container['name']}: {each}" for each in _of_container(container)]
    return found + _of_references(documents) + _of_secrets(documents)


def _of_pod(place: str, pod: Document) -> list[str]:
    found = []
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or security.get("runAsUser", 0) < LEAST_USER:
        found.append("may run as root, or as a user of the node")
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        found.append("has no seccomp profile")
    if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        found.append("shares a namespace of the node")
    if pod.get("automountServiceAccountToken") is not (place == "head"):
        found.append("mounts a token of the Kubernetes API" if place != "head" else "the autoscaler lacks its token")
    if pod.get("restartPolicy") != "Never":
        found.append("is restarted in place, past what counts failures")
    return found


def _of_volumes(pod: Document) -> list[str]:
    found = []
    for volume in pod.get("volumes", []):
        if "hostPath" in volume:
            found.append(f"volume {volume['name']} is a folder of the node")
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            found.append(f"volume {volume['name']} may fill the node's disk")
    memory = sum(
        quantity(volume["emptyDir"].get("sizeLimit", "0"))
        for volume in pod.get("volumes", [])
        if volume.get("emptyDir", {}).get("medium") == "Memory"
    )
    limits = [container.get("resources", {}).get("limits", {}).get("memory") for container in pod["containers"]]
    if memory and all(limits) and 2 * memory > sum(quantity(limit) for limit in limits):
        found.append("more than half of the memory may be taken by volumes in memory")
    return found


def _of_container(container: Document) -> list[str]:
    found = []
    security = container.get("securityContext", {})
    if security.get("readOnlyRootFilesystem") is not True:
        found.append("its root file system can be written")
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        found.append("may gain privileges")
    if security.get("capabilities") != {"drop": ["ALL"]}:
        found.append("keeps capabilities")
    for kind in ("requests", "limits"):
        missing = [name for name in RESOURCES if name not in container.get("resources", {}).get(kind, {})]
        if missing:
            found.append(f"has no {kind} of {', '.join(missing)}")
    image = container.get("image", "")
    if not (image.partition(":")[2].startswith(__version__) or re.search(r"@sha256:[0-9a-f]{64}$", image)):
        found.append(f"image {image!r} is not this version's, by tag or digest")
    mounts = {mount["mountPath"] for mount in container.get("volumeMounts", [])}
    home = environment_of(container).get("HOME")
    if "/tmp" not in mounts or home not in mounts:
        found.append("has no place to write to (/tmp, HOME)")
    if "livenessProbe" in container and container["name"] == "factory":
        found.append("a liveness probe would end a pod that is at work; the run watches its engines itself")
    return found


def _of_references(documents: Sequence[Document]) -> list[str]:
    """What pods name and no manifest has."""
    there = {(document["kind"], document["metadata"]["name"]) for document in documents}
    found = []
    for place, pod in all_pods(documents):
        wanted = [("ServiceAccount", pod.get("serviceAccountName"))]
        for volume in pod.get("volumes", []):
            wanted += [("ConfigMap", volume["configMap"]["name"])] if "configMap" in volume else []
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            wanted += [("PersistentVolumeClaim", claim)] if claim else []
        mounted = {volume["name"] for volume in pod.get("volumes", [])}
        used = {mount["name"] for each in pod["containers"] for mount in each.get("volumeMounts", [])}
        found += [f"{place}: {kind} {name} is in no manifest" for kind, name in wanted if (kind, name) not in there]
        found += [f"{place}: volume {name} is mounted or defined alone" for name in sorted(mounted ^ used)]
    return found


def _of_secrets(documents: Sequence[Document]) -> list[str]:
    found = [f"{document['kind']} in a manifest" for document in documents if document["kind"] == "Secret"]
    for place, pod in all_pods(documents):
        for container in pod["containers"]:
            for name, value in environment_of(container).items():
                if value is not None and SECRET_NAME.search(name):
                    found.append(f"{place}/{container['name']}: {name} is given by value")
    found += [f"a credential in {text[:40]!r}" for text in _texts(documents) if SECRET_VALUE.search(text)]
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.items() for text in _texts(list(item))]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []
