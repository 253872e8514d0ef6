"""A document is withdrawn: the run that published rows of it, given again, publishes without them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from factory.govern.impact import asked, impact
from factory.run.withdrawn import pin_key
from factory.store.local import LocalStore
from tests.corpora import write_corpus
from tests.govern.signing_off import factory
from tests.runs import Finished, dataset_rows, done_of, run_factory


@dataclass(frozen=True)
class Published:
    root: Path
    corpus: Path
    first: dict[str, Any]

    def again(self) -> Finished:
        return run_factory(self.corpus, str(self.root))

    def rows(self, dataset: str) -> pa.Table:
        return pa.concat_tables(dataset_rows(dataset).values())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"), 8)
    root = tmp_path_factory.mktemp("root")
    return Published(root, corpus, run_factory(corpus, str(root)).result)


def withdraw(root: Path, doc_id: str, *more: str) -> int:
    return factory(
        "withdraw", "--document", doc_id, "--root", root, "--as", "ada", "--reason", "its author asked", *more
    )


def test_what_is_withdrawn_is_dropped_by_the_run_given_again_and_comes_back_when_taken_back(
    published: Published, capsys: pytest.CaptureFixture[str]
) -> None:
    root, first = published.root, published.first
    store = LocalStore(str(root))
    before = published.rows(first["dataset"])
    doc_id = before.column("doc_ids")[0].as_py()[0]
    rests = before.select(["sample_id", "doc_ids"]).to_pylist()
    resting = {row["sample_id"] for row in rests if doc_id in row["doc_ids"]}
    assert withdraw(root, "f" * 32) == 2, "no run has read it"
    assert withdraw(root, "f" * 32, "--unknown") == 0
    other = published.again()
    assert other.result["already_finished"], "a document that the run does not rest on changes nothing"

    assert withdraw(root, doc_id) == 0
    assert f"{len(resting)} rows of" in capsys.readouterr().err
    second = published.again()
    assert not second.result["already_finished"]
    assert "rows that rest on 1 withdrawn documents are left out" in second.stderr
    assert second.result["requests"] == 0, "nothing is paid for again"
    after = published.rows(second.result["dataset"])
    assert set(after.column("sample_id").to_pylist()) == set(before.column("sample_id").to_pylist()) - resting
    assert second.result["run"] == first["run"]
    assert second.result["dataset"] != first["dataset"]
    reasons = done_of(root, first["run"], "samples")["reasons"]
    assert reasons["input"]["withdrawn"] == len(resting)
    assert "withdrawn" in (Path(second.result["dataset"]) / "README.md").read_text()
    manifest = json.loads((Path(second.result["dataset"]) / "manifest.json").read_text())
    (samples,) = [step for step in manifest["steps"] if step["name"] == "samples"]
    assert samples["identity"]["own"]["withdrawn"] == [doc_id]
    for dataset in (first["dataset"], second.result["dataset"]):
        assert factory("verify", dataset) == 0
    (hit,) = impact(store, asked(doc_id, None, None)).hits
    assert (hit.dataset.version, hit.rows) == (Path(first["dataset"]).name, len(resting))
    assert published.again().result["already_finished"]

    assert factory("approve", first["dataset"], "--as", "ada") == 7
    assert f"{len(resting)} of its rows rest on document {doc_id}, which is withdrawn" in capsys.readouterr().err
    assert factory("approve", second.result["dataset"], "--as", "ada") == 0

    assert withdraw(root, doc_id, "--reinstate") == 0
    third = published.again()
    assert third.result["dataset"] == first["dataset"], "the rows are what they were, so is the dataset"
    assert json.loads((root / pin_key(first["run"])).read_text()) == {"documents": ["f" * 32]}
