"""Credentials: configurations that hold one are refused by key, and what is said or recorded loses them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.credentials import BLANK, blanked, print_blanked, without_credentials
from factory.errors import ConfigError
from factory.run.command import main
from factory.run.compose import compose

SECRET = "never-to-be-seen-0042"
BASE = ("preset=demo", "engine=scripted")

HELD = {
    "a password in the root": ["store=s3", f"store.root=s3://KEY:{SECRET}@bucket/prefix"],
    "a password in the endpoint": [
        "store=s3",
        "store.root=s3://b-b-b/p",
        f"store.endpoint_url=http://user:{SECRET}@h:1",
    ],
    "a password in the address of models": ["engine=openai", f"engine.base_url=http://user:{SECRET}@127.0.0.1:1/v1"],
    "a password in the address of Ray": [f"cluster.address=ray://user:{SECRET}@host:10001"],
    "a password in a path of the corpus": ["corpus=files", f"corpus.paths=[s3://KEY:{SECRET}@bucket/books]"],
    "a signed address": ["corpus=files", f"'corpus.paths=[https://b.example/a?X-Amz-Signature={SECRET}]'"],
    "a token of the engine": [f"+engine.extra.hf_token={SECRET}"],
    "what the environment holds": [f"publish.license={SECRET}"],
    "a key in place of its variable": [
        "engine=openai",
        "engine.base_url=http://h/v1",
        f"engine.api_key_env=sk-{SECRET}",
    ],
}


@pytest.mark.parametrize("case", HELD)
def test_a_command_that_holds_a_credential_is_refused_without_repeating_it(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOME_TOKEN", SECRET)
    monkeypatch.chdir(tmp_path)
    given = [item.strip("'") for item in HELD[case]]
    if case == "a signed address":
        given[-1] = f"corpus.paths=['https://b.example/a?X-Amz-Signature={SECRET}']"
    root = [] if any(item.startswith("store.root=") for item in given) else [f"store.root={tmp_path}/root"]
    engine = [] if "engine=openai" in given else ["engine=scripted"]
    assert main(["preset=demo", *engine, *root, *given]) == 2
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert "what to do:" in err
    assert list(tmp_path.rglob("*")) == []  # nothing was written: no root, no outputs/, no .hydra


def test_hydras_own_complaints_lose_it_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_nevertobeseen0000000000000000042")
    for item in (
        "no.such.password=" + SECRET,
        "store.root=hf_nevertobeseen0000000000000000042 'x",
        "seed=hf_nevertobeseen0000000000000000042",
    ):
        assert main([*BASE, "store.root=/tmp/unused", item]) == 2
    said = "".join(capsys.readouterr())
    assert SECRET not in said
    assert "hf_never" not in said
    assert BLANK in said


def test_ordinary_configurations_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "data")  # a short one may stand in a path
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdef0123")
    config = compose(
        [
            "preset=demo", "engine=openai", "engine.base_url=http://127.0.0.1:8000/v1", "engine.api_key_env=MY_KEY_2",
            "store=s3", "store.root=s3://bucket/data", "store.endpoint_url=https://host:9000",
            "gate.canaries=['postgres://user:planted-on-purpose@host/db']",
        ]
    )  # fmt: skip
    assert config.engine.api_key_env == "MY_KEY_2"


@pytest.mark.parametrize(
    "text",
    [
        "cannot open s3://KEY:{}@bucket/x",
        "GET https://h/a?x=1&X-Amz-Security-Token={}&y=2",
        '{{"api_key": "{}", "model": "m"}}',
        "AWS_SECRET_ACCESS_KEY={}",
        "export HF_TOKEN='{}'",
        "engine.extra.hf_token={}",
        "headers: Authorization: Bearer {}",
        "aws_session_token = {}",
    ],
)
def test_words_lose_what_stands_behind_a_telling_name(text: str) -> None:
    said = blanked(text.format(SECRET))
    assert SECRET not in said
    assert BLANK in said
    assert "bucket" in said or "bucket" not in text


@pytest.mark.parametrize(
    "text",
    [
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) for this endpoint",
        "set the environment variable RUN_TEST_KEY (engine.api_key_env) to a valid key",
        "engine.api_key_env=MY_KEY",
        "select.chunk_tokens=512, answer.sampling.max_tokens=1024",
        "http://127.0.0.1:8000/v1 answered HTTP 401 for model 'served'",
        "tokens 1,024 in, 5 out; units 3/4",
        "s3://bucket/prefix@v2/data",
    ],
)
def test_words_that_hold_none_stay_as_they_are(text: str) -> None:
    assert blanked(text) == text


@given(st.text())
def test_what_was_blanked_once_stays_as_it_is(text: str) -> None:
    once = blanked(text)
    assert blanked(once) == once


def test_stacks_lose_what_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", SECRET)
    try:
        raise RuntimeError(f"a library quotes {SECRET}\x1b[2J")
    except RuntimeError:
        kind, error, where = sys.exc_info()
    assert kind is not None
    assert error is not None
    print_blanked(kind, error, where)
    said = capsys.readouterr().err
    assert "RuntimeError: a library quotes ***" in said
    assert SECRET not in said
    assert "\x1b" not in said


def test_records_from_before_are_shown_without() -> None:
    shown = without_credentials(
        {"extra": {"hf_token": SECRET}, "paths": [f"s3://K:{SECRET}@b/x", f"https://h/?sig={SECRET}"], "max_tokens": 5}
    )
    assert SECRET not in str(shown)
    assert shown["max_tokens"] == 5


def test_the_error_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"corpus\.paths\.0 holds a user name or password in an address"):
        compose([*BASE, f"store.root={tmp_path}", "corpus=files", f"corpus.paths=[s3://K:{SECRET}@bucket/x]"])
