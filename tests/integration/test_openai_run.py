"""A whole run whose model is behind an OpenAI-compatible HTTP server, overloaded now and then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpora import write_corpus
from tests.model_server import KEY, ModelServer
from tests.runs import dataset_rows, done_of, factory_cli, requests_spent, run_factory

DOCUMENTS = 20


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer() as running:
        yield running


def overrides(server: ModelServer) -> list[str]:
    return [
        "engine=openai",
        f"engine.base_url={server.base_url}",
        "engine.api_key_env=RUN_TEST_KEY",
        "model=custom",
        "model.id=served",
        "model.license=Apache-2.0",
        "model.output_terms=none",
    ]


def test_a_run_against_a_server_publishes_verifies_and_counts_what_the_server_answered(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_TEST_KEY", KEY)
    corpus = write_corpus(tmp_path / "corpus", DOCUMENTS)
    root = tmp_path / "root"
    finished = run_factory(corpus, str(root), overrides(server))
    result = finished.result
    assert result["samples"] > 0
    assert server.seen["refused"] > 0
    # one tiny request an engine start proves address, key and model; it is not a row's and not in the ledger
    assert requests_spent(root, result["run"]) == server.seen["answered"] - 1
    assert done_of(root, result["run"], "answer")["ledger"]["generated_tokens"] > 0
    (row, *_) = dataset_rows(result["dataset"])["train"].to_pylist()
    assert row["question_model"] == row["answer_model"] == "served"
    verified = factory_cli("verify", result["dataset"])
    assert verified.code == 0, verified.stdout
    again = run_factory(corpus, str(root), overrides(server)).result
    assert again["already_finished"]
    written = [path for path in root.rglob("*") if path.is_file()]
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
    assert KEY not in finished.stdout + finished.stderr


def test_a_wrong_key_ends_the_run_with_what_to_do_and_without_the_key(
    server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUN_TEST_KEY", "sk-wrong-0001")
    corpus = write_corpus(tmp_path / "corpus", 4)
    finished = run_factory(corpus, str(tmp_path / "root"), overrides(server), check=False)
    assert finished.code != 0
    assert "RUN_TEST_KEY" in finished.stderr
    assert "sk-wrong-0001" not in finished.stderr
