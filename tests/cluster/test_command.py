"""The command line of jobs.submit, as far as it goes without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from factory.cluster.command import composed, entrypoint, job_of, notes, read, require_reachable_root
from factory.cluster.config import JobConfig
from factory.errors import ConfigError

DEMO = ("preset=demo", "engine=scripted", "store.root=/data/out")


def job(*overrides: str, **options: str) -> Any:
    given = {item.partition("=")[0]: item for item in (*DEMO, *overrides)}
    asked = read([*given.values(), *(f"--{name}={value}" for name, value in options.items())])
    return job_of(asked, composed(asked))


def test_the_job_runs_the_same_command_on_its_own_cluster() -> None:
    made = job("cluster=ray", "cluster.address=http://head:8265", "cluster.job.cpus=1", "question.levels=[1,2]")
    assert made.entrypoint == (
        "python -m jobs.run preset=demo engine=scripted store.root=/data/out 'question.levels=[1,2]' "
        "cluster=ray cluster.address=auto"
    )


def test_what_the_job_is_does_not_depend_on_how_it_is_submitted() -> None:
    plain = job("cluster.address=http://head:8265")
    other = job("cluster.address=http://127.0.0.1:8265", "cluster.job.cpus=2", "cluster.nodes_wait_s=900")
    assert plain.digest == other.digest
    assert job("seed=3").digest != plain.digest
    assert job("store.root=/data/elsewhere").digest != plain.digest


def test_a_job_is_named_after_its_dataset_or_as_asked() -> None:
    assert job().name == "demo"
    assert job("cluster.job.name=nightly").name == "nightly"


def test_selectors_are_trained_by_jobs_too() -> None:
    asked = read(["--job", "train_selector", "domain=maths", "engine=scripted", "store.root=/data/out"])
    made = job_of(asked, composed(asked))
    assert made.name == "train-selector"
    assert "jobs.train_selector domain=maths" in made.entrypoint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--detached"], "did you mean `--detach`"),
        (["-m", "seed=1,2"], "a sweep is no single job"),
        (["--attach"], "given without a value"),
        (["--job", "mix"], "choose one of: run, train_selector"),
    ],
)
def test_a_slip_in_an_option_is_named(arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(arguments)
    assert said in str(refused.value)


def test_a_root_that_would_end_with_the_job_is_refused() -> None:
    require_reachable_root("/data/out")
    require_reachable_root("s3://bucket/prefix")
    with pytest.raises(ConfigError, match=r"store\.root=\./out"):
        require_reachable_root("./out")


def test_what_a_node_must_have_is_said(tmp_path: Any) -> None:
    (tmp_path / "a.jsonl").write_text("{}")
    s3 = composed(read(["preset=demo", "engine=scripted", "store=s3", "store.root=s3://bucket/x"]))
    assert any("no credentials travel" in note for note in notes(s3))
    here = composed(read([*DEMO, "corpus=files", f"corpus.paths=[{tmp_path}/*.jsonl]"]))
    assert any(note.startswith("corpus.paths: paths of this machine") for note in notes(here))
    server = ["preset=demo", "engine=openai", "engine.base_url=http://10.0.0.1/v1", "store.root=/data"]
    assert any("OPENAI_API_KEY in their own" in note for note in notes(composed(read(server))))


@pytest.mark.parametrize("name", ["HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "OPENAI_API_KEY", "MY_PASSWORD"])
def test_no_credential_travels_in_a_jobs_environment(name: str) -> None:
    with pytest.raises(ValueError, match=f"cluster.job.env.{name} is the name of a credential"):
        JobConfig(env={name: "x"})
    with pytest.raises(ConfigError, match="credential"):
        composed(read([*DEMO, f"cluster.job.env={{{name}: value-of-it}}"]))


def test_a_value_of_the_environments_secrets_is_refused_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "of-which-nobody-knows-1")
    with pytest.raises(ConfigError, match=r"cluster\.job\.metadata\.note holds a credential") as refused:
        composed(read([*DEMO, "cluster.job.metadata={note: of-which-nobody-knows-1}"]))
    assert "nobody-knows" not in str(refused.value)


def test_the_entry_is_quoted_for_the_shell_that_runs_it() -> None:
    assert entrypoint("run", ["publish.name=a b; rm"]).startswith("python -m jobs.run 'publish.name=a b; rm'")
