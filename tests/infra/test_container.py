"""infra/docker, as far as it can be tried without an engine that builds images."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser

from factory import __version__
from tests.infra.manifests import all_pods, overlay
from tests.resident import REPOSITORY

DOCKER = REPOSITORY / "infra" / "docker"
DOCKERFILE = DOCKER / "Dockerfile"


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """Instruction and value, comments left out."""
    parser = DockerfileParser(path=str(DOCKERFILE))
    return [(each["instruction"], each["value"]) for each in parser.structure if each["instruction"] != "COMMENT"]


def values(instructions: list[tuple[str, str]], name: str) -> list[str]:
    return [value for instruction, value in instructions if instruction == name]


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "-c", DOCKER / ".hadolint.yaml", DOCKERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_a_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text(
        DOCKERFILE.read_text().replace("--no-install-recommends ", "").replace(":3.11.14-slim-bookworm", "")
    )
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, "-c", DOCKER / ".hadolint.yaml", broken], capture_output=True, text=True)
    assert done.returncode != 0
    assert "DL3015" in done.stdout


def test_targets_are_what_manifests_ask_for(instructions: list[tuple[str, str]]) -> None:
    stages = [value.split(" AS ")[1] for value in values(instructions, "FROM")]
    asked = {
        pod["containers"][0]["image"] for name in ("job-gpu", "indexed", "ray") for _, pod in all_pods(overlay(name))
    }
    assert {image.removeprefix(f"factory:{__version__}-") for image in asked} == {"cpu", "gpu"} <= set(stages)
    built = re.findall(r"--target (\S+) -t (\S+)", DOCKERFILE.read_text())
    assert {(target, f"factory:{__version__}-{target}") for target in ("cpu", "gpu")} == set(built)


def test_the_base_is_pinned_and_can_be_pinned_by_digest(instructions: list[tuple[str, str]]) -> None:
    first = instructions[0]
    assert first[0] == "ARG"
    assert re.fullmatch(r"BASE_IMAGE=python:3\.1[123]\.\d+-slim-\w+", first[1])
    outside = [value for value in values(instructions, "FROM") if value.startswith("${BASE_IMAGE}")]
    assert len(outside) == 1, "every other stage builds on that one"


def test_every_copied_path_is_here_and_let_in(instructions: list[tuple[str, str]]) -> None:
    copied = [value for value in values(instructions, "COPY") if not value.startswith("--from")]
    sources = {source for value in copied for source in value.split()[:-1]}
    assert {"factory", "jobs", "conf", "infra/environment", "infra/docker", "pyproject.toml"} <= sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert not kept_out(f"{source}/x.py" if (REPOSITORY / source).is_dir() else source), source
    stages = [value.split(" AS ")[1] for value in values(instructions, "FROM")]
    for value in values(instructions, "COPY"):
        if value.startswith("--from="):
            assert value.removeprefix("--from=").split()[0] in stages


def kept_out(path: str) -> bool:
    """Docker's rules, as far as our file uses them: the last line that matches decides; a line matches what is below
    it too."""
    out = False
    for line in (REPOSITORY / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!").strip()
        if not pattern or line.startswith("#"):
            continue
        parts = Path(path).parts
        heads = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        if pattern.startswith("**/"):
            matches = any(fnmatch.fnmatch(part, pattern[3:]) for part in parts)
        else:
            matches = any(fnmatch.fnmatch(head, pattern) and head.count("/") == pattern.count("/") for head in heads)
        if matches:
            out = not line.startswith("!")
    return out


@pytest.mark.parametrize(
    "path",
    [
        ".env", "factory/.env", ".git/config", ".venv/bin/python", "demo-output/datasets/x", ".cache/x", "secrets.yaml",
        "conf/tls.key", "factory/__pycache__/x.pyc", "tests/x.py", "infra/k8s/base/job/job.yaml", ".faults/x",
        "data/x.parquet",
    ],
)  # fmt: skip
def test_secrets_caches_and_data_stay_out(path: str) -> None:
    assert kept_out(path)


@pytest.mark.parametrize("path", ["factory/run/runner.py", "conf/preset/demo.yaml", "jobs/run.py", "README.md"])
def test_what_the_image_is_made_of_gets_in(path: str) -> None:
    assert not kept_out(path)


def test_packages_are_installed_as_make_does_it(instructions: list[tuple[str, str]]) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    recipe = re.search(r"^setup:.*\n\t@?(\S+)$", makefile, re.MULTILINE)
    assert recipe is not None
    installing = [value for value in values(instructions, "RUN") if "FACTORY_DEVICE" in value]
    assert len(installing) == 2
    for value in installing:
        assert value.split()[-1] == recipe[1]
        assert {"FACTORY_DEV=0", "FACTORY_VENV=/opt/venv"} <= set(value.split())
    assert not any(re.search(r"\b(pip3?|uv|conda) install", value) for value in values(instructions, "RUN"))
    script = (REPOSITORY / recipe[1]).read_text()
    for name in ("FACTORY_DEVICE", "FACTORY_DEV", "FACTORY_VENV", "TORCH_CPU_INDEX"):
        assert f"${{{name}:-" in script, f"{name} is a setting of the script"


def test_settings_are_those_of_make(instructions: list[tuple[str, str]]) -> None:
    exported = dict(re.findall(r"^export (\w+) := (\S+)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    said = " ".join(values(instructions, "ENV"))
    for name, value in exported.items():
        assert f"{name}={value}" in said


def stage_of(instructions: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    start = next(place for place, each in enumerate(instructions) if each[0] == "FROM" and each[1].endswith(f" {name}"))
    end = next((place for place in range(start + 1, len(instructions)) if instructions[place][0] == "FROM"), None)
    return instructions[start:end]


def test_every_target_runs_as_nobody_in_particular_and_is_labelled(instructions: list[tuple[str, str]]) -> None:
    for target in ("cpu", "gpu"):
        (start, *own) = stage_of(instructions, target)
        assert start == ("FROM", f"image AS {target}")
        assert {name for name, _ in own} <= {"ENV", "COPY"}, "all else is said once, for both"
    stage = stage_of(instructions, "image")
    (user,) = values(stage, "USER")
    ((_, pod), *_) = all_pods(overlay("job-cpu"))
    security = pod["securityContext"]
    assert user == f"{security['runAsUser']}:{security['runAsGroup']}"
    assert f"--uid {security['runAsUser']}" in " ".join(values(instructions, "RUN"))
    assert values(stage, "ENTRYPOINT") == ['["/usr/bin/tini", "--"]']
    assert values(stage, "CMD") == ['["factory", "--version"]']
    labels = " ".join(values(stage, "LABEL"))
    for label in ("title", "description", "licenses", "version", "revision"):
        assert f"org.opencontainers.image.{label}=" in labels
    assert f"VERSION={__version__}" in values(stage, "ARG")


def test_what_kuberay_and_the_hooks_call_is_installed(instructions: list[tuple[str, str]]) -> None:
    installed = " ".join(values(instructions, "RUN"))
    for package in ("procps", "tini", "wget", "g++"):  # pgrep; signals; KubeRay's probes; torch's kernels
        assert f" {package}" in installed


def test_no_secret_is_an_argument_or_stays_in_a_layer(instructions: list[tuple[str, str]]) -> None:
    for name, value in instructions:
        if name in ("ARG", "ENV", "LABEL"):
            assert not re.search(r"TOKEN|PASSWORD|SECRET|_KEY", value), value
    assert all("type=secret,id=pip" in value for value in values(instructions, "RUN") if "setup.sh" in value)


def test_the_smoke_command_works(tmp_path: Path) -> None:
    """What the image is to be tried with, here in this environment, where it may write to its folder alone; and that
    `cluster=indexed` starts nothing of Ray's, whose folder would be below TMPDIR."""
    binaries = str(Path(sys.executable).parent)
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [DOCKER / "smoke.sh", tmp_path / "out"],
        cwd=REPOSITORY,
        env={
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "HOME": str(home),
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": str(REPOSITORY),
        },
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith(f"factory {__version__}")
    assert '"state": "finished"' in done.stdout
    assert not (tmp_path / "ray").exists()
    assert "leaked" not in done.stderr, "multiprocessing's word for semaphores that nobody took back"
