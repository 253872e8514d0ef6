"""A whole run whose model is behind an OpenAI-compatible HTTP server, overloaded now and then."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from factory.engine.api import Batch, Message, Request, Sampling
from factory.engine.scripted import ScriptedEngine
from tests.corpora import write_corpus
from tests.runs import dataset_rows, done_of, factory_cli, requests_spent, run_factory

KEY = "sk-never-to-be-seen-0042"
DOCUMENTS = 20


class ModelServer:
    """Chat completions on a loopback port; every ninth request is answered 429 first."""

    def __init__(self) -> None:
        self.engine = ScriptedEngine("served")
        self.seen: Counter[str] = Counter()
        self.base_url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _listen(self) -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _answer(self, http: web.Request) -> web.Response:
        if http.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": f"no key {KEY}"}}, status=401)
        self.seen["all"] += 1
        if self.seen["all"] % 9 == 0:
            self.seen["refused"] += 1
            return web.json_response({"error": {"message": "slower"}}, status=429, headers={"Retry-After": "0"})
        body: dict[str, Any] = await http.json()
        form = body.get("response_format", {}).get("json_schema", {}).get("schema")
        messages = tuple(Message(item["role"], item["content"]) for item in body["messages"])
        sampling = Sampling(
            temperature=body["temperature"], top_p=body["top_p"], max_tokens=body["max_tokens"],
            seed=body["seed"], samples=body.get("n", 1),
        )  # fmt: skip
        request = Request(http.headers.get("X-Request-Id", ""), messages)
        (completion,) = await self.engine.generate(Batch((request,), sampling, form))
        self.seen["answered"] += 1
        choices = [
            {"index": index, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
            for index, (text, reason) in enumerate(zip(completion.texts, completion.finish_reasons, strict=True))
        ]
        usage = {"prompt_tokens": completion.prompt_tokens, "completion_tokens": sum(completion.generated_tokens)}
        return web.json_response({"choices": choices, "usage": usage})


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
