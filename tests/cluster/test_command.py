"""The command line of jobs.submit, as far as it goes without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from factory.cluster.command import composed, entrypoint, job_of, main, notes, require_reachable_root, wrong_python
from factory.cluster.config import JobConfig
from factory.cluster.options import read
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
        (["-m", "seed=1,2"], "python -m jobs.run -m KEY=A,B sweep.jobs=true"),
        (["--attach"], "given without a value"),
        (["--stop", "--list"], "given without a value"),
        (["--attach", "http://head:8265"], "write --attach ID cluster.address=http://head:8265"),
        (["--stop", "cluster.address=http://head:8265"], "write --stop ID cluster.address=http://head:8265"),
        (["--attach=head:8265"], "it is an address"),
        (["--attach", "a-1", "--stop", "a-1"], "--attach and --stop exclude each other"),
        (["--list", "--dry-run"], "--list and --dry-run exclude each other"),
        (["--attach", "a-1", "--detach"], "--attach and --detach exclude each other"),
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


@pytest.mark.parametrize("instead", [["--dry-run"], ["cluster.address=http://no-such-head.invalid"]])
def test_a_root_that_would_end_with_the_job_is_refused_before_anything_is_asked(
    instead: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preset=demo", "engine=scripted", "store.root=out", *instead]) == 2
    assert "store.root=out is a folder beside the job's code" in capsys.readouterr().err


def test_the_dry_run_lists_what_every_node_has_to_have(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.jsonl").write_text("{}")
    assert main([*DEMO, "corpus=files", f"corpus.paths=[{tmp_path}/*.jsonl]", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "note:       corpus.paths: paths of this machine" in said
    assert "store.root=/data/out has to be one folder that every node sees" in said


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


def test_a_job_that_got_another_python_is_told_of_the_heads_path() -> None:
    traceback = "Traceback (most recent call last):\n  …\nModuleNotFoundError: No module named 'hydra'\n"
    assert "no module hydra: `python` on the PATH with which the head was started" in wrong_python(1, traceback)
    assert "found no `python`" in wrong_python(127, "/bin/sh: 1: python: not found\n")
    assert wrong_python(2, "ConfigError: …") == ""
