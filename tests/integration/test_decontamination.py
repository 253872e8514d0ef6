"""Benchmarks and a whole run: a page with an item has no children, no answer of a benchmark is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from factory.corpus.documents import document_id
from factory.run.outputs import outputs_key, read_outputs
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.corpora import row_of, text_of, write_corpus, write_shard
from tests.runs import dataset_rows, done_of, factory_cli, run_factory
from tests.select.training.tiny_model import write_tiny_model

DOCUMENTS = 8
ITEM = (
    "A baker fills 12 trays with 24 rolls each and sells three quarters of them before noon. "
    "How many rolls are left over for the afternoon customers?"
)
CONTAMINATED_PAGE = f"{text_of(900, 6)} {ITEM} {text_of(901, 6)}"


def benchmarks(path: Path, question: str, answer: str) -> str:
    path.write_text(json.dumps({"question": question, "answer": answer}) + "\n")
    return f"curate.benchmarks=[{{name: school, path: {path}, fields: [question], answer_fields: [answer]}}]"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp("corpus"), DOCUMENTS)
    write_shard(folder / "shard-900", [{**row_of(0), "text": CONTAMINATED_PAGE}], 1)
    return folder


@pytest.fixture(scope="module")
def runs(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str, dict[str, Any]]:
    """Root; a run against a benchmark whose item is in one document; an answer it published; the same run against a
    benchmark with that answer, and with retrieval by embedding."""
    root = tmp_path_factory.mktemp("root")
    first = run_factory(corpus, str(root), [benchmarks(root.parent / "first.jsonl", ITEM, "288 / 4 = 72")]).result
    answers = sorted(dataset_rows(str(first["dataset"]))["train"].column("answer").to_pylist())
    leaked = next(text for text in answers if len(text.split()) > 20)
    told = benchmarks(root.parent / "second.jsonl", f"{ITEM} {text_of(901, 1)}", leaked)
    model = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
    near = [f"curate.decontamination.embedding.{key}" for key in (f"model={model}", "min_similarity=0.0")]
    return root, first, leaked, run_factory(corpus, str(root), [told, *near]).result


def test_a_page_with_a_benchmark_item_has_no_children(
    runs: tuple[Path, dict[str, Any], str, dict[str, Any]],
) -> None:
    root, first, _, _ = runs
    run, store = str(first["run"]), LocalStore(str(root))
    assert done_of(root, run, "select")["reasons"]["input"] == {"benchmark_page": 1}
    page = document_id(CONTAMINATED_PAGE)
    asked: set[str] = set()
    for step in ("extract", "question_1", "question_2"):
        for output in read_outputs(store, outputs_key(run, step)):
            for row in read_parquet(store, output.file.key).to_pylist():
                asked |= {source["doc_id"] for source in row["sources"]}
    assert len(asked) == DOCUMENTS
    assert page not in asked


def test_an_answer_of_a_benchmark_is_rejected_with_its_evidence_and_counted(
    runs: tuple[Path, dict[str, Any], str, dict[str, Any]],
) -> None:
    root, first, leaked, second = runs
    done = done_of(root, str(second["run"]), "samples")
    dropped = done["reasons"]["input"]["contaminated_answer"]
    assert dropped >= 1
    assert done["counts"]["inputs"] == done["counts"]["used"] + done["counts"]["rejected"]
    assert sum(count for name, count in done["facts"].items() if name.startswith("answer_leak=school: ")) == dropped
    assert second["samples"] == first["samples"] - dropped
    published = [text for rows in dataset_rows(str(second["dataset"])).values() for text in rows["answer"].to_pylist()]
    assert leaked not in published
    evidence = [
        orjson.loads(row["evidence"])
        for path in root.glob(f"steps/{done['folder']}/rejects/*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    assert {one["item"] for one in evidence if "item" in one} == {"second.jsonl:0"}


def test_what_is_near_by_embedding_is_reported_and_kept(
    runs: tuple[Path, dict[str, Any], str, dict[str, Any]],
) -> None:
    root, _, _, second = runs
    done = done_of(root, str(second["run"]), "sketch")
    assert done["facts"]["alike=school: embedding"] == done["ledger"]["similar"] > 0
    assert done["ledger"]["contaminated"] == 0


def test_the_dataset_without_it_verifies(runs: tuple[Path, dict[str, Any], str, dict[str, Any]]) -> None:
    verified = factory_cli("verify", str(runs[3]["dataset"]))
    assert verified.code == 0, verified.stdout
