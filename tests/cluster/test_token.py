"""A token that is missing or cannot be sent: what is said of it, and that it is not said itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.resident import REPOSITORY

# Ray reads the mode of tokens when it is imported: a process of its own, one for all cases.
ASK = """
import json, os, sys
from ray._raylet import AuthenticationTokenLoader
from factory.cluster.dashboard import ask
from factory.errors import FactoryError
said = {}
for case, variables in json.loads(sys.argv[1]).items():
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        os.environ.pop(name, None)
    os.environ.update(variables)
    AuthenticationTokenLoader.instance().reset_cache()
    try:
        ask("http://127.0.0.1:1")
    except FactoryError as error:
        said[case] = [error.exit_code, str(error)]
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    home = tmp_path_factory.mktemp("home")
    (home / "binary").write_bytes(b"hidden-part\xff")
    cases: dict[str, dict[str, str]] = {
        "none": {},
        "no file": {"RAY_AUTH_TOKEN_PATH": str(home / "absent")},
        "letters": {"RAY_AUTH_TOKEN": "hidden-tökén"},
        "lines": {"RAY_AUTH_TOKEN": "hidden\npart"},
        "binary": {"RAY_AUTH_TOKEN_PATH": str(home / "binary")},
        "good": {"RAY_AUTH_TOKEN": "hidden-part"},
    }
    environment = {**os.environ, "HOME": str(home), "RAY_AUTH_MODE": "token"}
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(cases)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert "hidden" not in done.stdout + done.stderr
    found: dict[str, tuple[int, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("none", "neither RAY_AUTH_TOKEN nor RAY_AUTH_TOKEN_PATH is set"),
        ("no file", "there is no such file"),
        ("letters", "the token in RAY_AUTH_TOKEN cannot be sent"),
        ("lines", "the token in RAY_AUTH_TOKEN cannot be sent"),
        ("binary", "(RAY_AUTH_TOKEN_PATH) cannot be sent"),
        ("good", "no Ray cluster answers"),
    ],
)
def test_a_token_is_named_by_where_it_lies(said: dict[str, tuple[int, str]], case: str, words: str) -> None:
    code, error = said[case]
    assert code == 8
    assert words in error


def test_where_the_right_token_is_stands_with_every_one(said: dict[str, tuple[int, str]]) -> None:
    for case in said.keys() - {"good"}:
        assert "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN" in said[case][1]


def test_a_file_that_is_named_is_shown_by_its_path(said: dict[str, tuple[int, str]]) -> None:
    assert "/absent" in said["no file"][1]
