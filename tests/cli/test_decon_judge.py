"""`factory decon` with retrieval by embedding and a judge behind an endpoint or in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from factory.cli.decon import CONTAMINATED
from factory.cli.main import main
from factory.engine.api import Batch, Completion
from factory.engine.scripted import WELL_BEHAVED, ScriptedEngine
from tests.corpora import text_of
from tests.model_server import KEY, ModelServer
from tests.select.training.fields import computing
from tests.select.training.tiny_model import write_tiny_model

ROWS = 6


class Fixed(ScriptedEngine):
    """Answers what it is told, by what stands first."""

    def __init__(self, item_first: str, row_first: str) -> None:
        super().__init__("fixed", shares=WELL_BEHAVED)
        self.said = {True: item_first, False: row_first}

    async def generate(self, batch: Batch) -> list[Completion]:
        return [
            Completion(
                request.request_id,
                (self.said["<first>\nEvery" in request.messages[-1].content],),
                ("stop",),
                10,
                (5,),
            )
            for request in batch.requests
        ]


YES, NO = '{"reason": "", "same": true}', '{"reason": "", "same": false}'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny"))


@pytest.fixture
def arguments(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Rows that are no benchmark's, and a benchmark of which each is near to something."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("FACTORY_CACHE", str(tmp_path / "cache"))
    benchmark, mine = tmp_path / "school.jsonl", tmp_path / "mine.jsonl"
    benchmark.write_text("".join(json.dumps({"question": text_of(number, 2)}) + "\n" for number in range(8)))
    mine.write_text("".join(json.dumps({"question": computing(number)}) + "\n" for number in range(ROWS)))
    rules = ("--rule", f"embedding.model={model}", "--rule", "embedding.min_similarity=0.0")
    return ["decon", str(mine), "--benchmark", f"school={benchmark}", *rules, "--rule", "embedding.top_k=1"]


def test_without_a_judge_what_is_near_is_similar_unless_a_threshold_says_otherwise(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert f"0 contaminated, {ROWS} similar" in out
    assert ["school", "embedding", "0", str(ROWS)] in [line.split() for line in out.splitlines()]
    assert main([*arguments, "--rule", "embedding.reject_similarity=0.0"]) == CONTAMINATED


def test_vectors_of_items_are_kept_between_calls_and_made_anew_for_other_items(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    (kept,) = (tmp_path / "cache" / "vectors").iterdir()
    before, told = kept.stat(), capsys.readouterr().out
    assert main(arguments) == 0
    assert (kept.stat().st_mtime_ns, capsys.readouterr().out) == (before.st_mtime_ns, told)
    with (tmp_path / "school.jsonl").open("a") as benchmark:
        benchmark.write(json.dumps({"question": text_of(99, 2)}) + "\n")
    assert main(arguments) == 0
    assert len(list((tmp_path / "cache" / "vectors").iterdir())) == 2


def test_without_an_embedding_model_nothing_is_looked_up(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--rule", "embedding.model=null"]) == 0
    assert "0 contaminated, 0 similar" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("item_first", "row_first", "code", "verdict"),
    [
        (YES, YES, CONTAMINATED, "contaminated"),
        (NO, NO, 0, "different"),
        (YES, NO, 0, "undecided"),
        (YES, "I think so", 0, "undecided"),
    ],
)
def test_both_answers_of_an_endpoint_decide_and_stand_in_the_evidence(
    arguments: list[str], tmp_path: Path, item_first: str, row_first: str, code: int, verdict: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    out = tmp_path / "hits.parquet"
    with ModelServer(Fixed(item_first, row_first)) as server:
        keys = ("engine=openai", f"engine.base_url={server.base_url}", "model.id=fixed", "model.license=MIT")
        keys = (*keys, "model.output_terms=none", "model.revision=v7")
        judge = [word for key in keys for word in ("--judge", key)]
        assert main([*arguments, *judge, "--out", str(out), "--json", "--review"]) == code
        assert server.seen["answered"] == 1 + 2 * ROWS  # the engine greets the server first
    printed = capsys.readouterr()
    result = json.loads(printed.out.splitlines()[-1])
    assert result[verdict] == ROWS
    assert sum(result[name] for name in ("contaminated", "similar", "undecided", "different")) == ROWS
    assert result["hits"] == [{"benchmark": "school", "rule": "embedding", "verdict": verdict, "texts": ROWS}]
    assert "the judge said" in printed.err
    for hit in pq.read_table(out).to_pylist():
        assert (hit["rule"], hit["verdict"]) == ("embedding", verdict)
        assert (hit["judged"]["model"], hit["judged"]["revision"]) == ("fixed", "v7")
        assert hit["judged"]["first"] is (item_first == YES)
        assert hit["judged"]["second"] is {YES: True, NO: False}.get(row_first)


def test_the_scripted_engine_judges_without_a_model(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    main([*arguments, "--judge", "engine=scripted", "--json"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["contaminated"] + result["undecided"] + result["different"] == ROWS


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        (["--judge", "model.id=x"], "which engine answers"),
        (["--judge", "engine=scripted", "--rule", "embedding.model=null"], "nothing to judge"),
        (["--judge", "engine=scripted", "--self-test"], "do not go together"),
        (["--judge", "engine=openai"], "engine.base_url"),
        (["--rule", "embedding.model=/no/such/folder"], "/no/such/folder"),
        (["--rule", "embedding.nonsense=1"], "nonsense"),
    ],
)
def test_what_cannot_work_is_told(
    arguments: list[str], extra: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, *extra]) == 2
    assert told in capsys.readouterr().err
