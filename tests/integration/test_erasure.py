"""A real run whose document is erased: nothing is left, the run given again pays for little and leaves it out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from factory.corpus.documents import document_id, normalise
from factory.errors import ConfigError
from factory.govern.erasure.erase import erase
from factory.govern.erasure.files import unknown_files
from factory.store.local import LocalStore
from tests.corpora import row_of, text_of, write_corpus, write_shard
from tests.govern.erasure.worlds import KilledError, derived, holding, killed, tables
from tests.runs import dataset_rows, done_of, factory_cli, requests_spent, run_factory

Erased = tuple[Path, dict[str, Any], dict[str, Any], set[str]]
"""Root, the closing objects of the run before the erasure and after it, and all that nobody may find."""

ERASED = 5
SETTINGS = (
    "question.levels=[1,2,3]", "walk.epochs=2", "walk.block_walks=64", "pair.unit_rows=16", "gate.min_yield=null",
    "curate.index.use=all", "curate.index.register=true", "select.duplicates.threshold=0.8",
)  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents of which one is met twice, the second time under another licence."""
    folder = write_corpus(tmp_path_factory.mktemp("corpus"), 24)
    write_shard(folder / "shard-900", [{**row_of(ERASED), "url": "http://example.org/again", "license": "MIT"}], 1)
    return folder


@pytest.fixture(scope="module")
def finished(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("root") / "root"
    return root, run_factory(corpus, str(root), SETTINGS).result


@pytest.fixture(scope="module")
def erased(corpus: Path, finished: tuple[Path, dict[str, Any]]) -> Erased:
    root, before = finished
    doc_id = document_id(normalise(text_of(ERASED)))
    sentences = {each for each in text_of(ERASED).replace("\n", " ").split(". ") if len(each) > 40}
    wanted = {*derived(root, doc_id), *sentences, "http://example.org/again"}
    assert holding(root, wanted)
    shutil.copytree(root, root.with_name("copy"))
    names = names_of(root, doc_id)
    assert names & names_in(root)
    done = erase(LocalStore(str(root)), [doc_id], "asked for", "me", lambda _line: None)
    assert done.left == ()
    assert not names & names_in(root)
    assert holding(root, wanted) == {}
    return root, before, run_factory(corpus, str(root), SETTINGS).result, wanted


def names_of(root: Path, doc_id: str) -> set[str]:
    """Concepts that only this document's extraction named."""
    own, others = set[str](), set[str]()
    for key, rows in tables(root).items():
        for row in rows if key.startswith("steps/extract-") and "/data/" in key else ():
            found = {name for topic in row["topics"] for name in (topic["topic"], *topic["key_concepts"])}
            (own if row["doc_id"] == doc_id else others).update(found)
    return own - others


def names_in(root: Path) -> set[str]:
    """Names that the graph, walks and pairs hold."""
    found: set[str] = set()
    for key, rows in tables(root).items():
        for row in rows if key.startswith(("steps/graph_", "steps/walk", "steps/pair")) else ():
            found.update({row.get("name"), row.get("normal"), row.get("form")} - {None})
            for column in ("aliases", "topics", "concepts"):
                found.update(row.get(column) or ())
    return found


def test_every_kind_of_file_that_a_run_leaves_is_known(finished: tuple[Path, dict[str, Any]]) -> None:
    assert unknown_files(LocalStore(str(finished[0]))) == []


def test_the_run_given_again_does_not_bring_the_document_back(
    erased: Erased,
) -> None:
    root, before, after, wanted = erased
    assert not after["already_finished"]
    assert after["dataset"] != before["dataset"]
    assert holding(root, wanted) == {}
    assert done_of(root, after["run"], "select")["reasons"]["input"] == {"erased": 2}
    assert unknown_files(LocalStore(str(root))) == []


def test_what_was_paid_for_other_documents_is_not_paid_again(
    erased: Erased,
) -> None:
    root, _, after, _ = erased
    for step in ("extract", "question_1"):
        done = done_of(root, after["run"], step)
        # Of the two parts that held the document one has others, and is new; of the other nothing is left.
        assert done["units_reused"] >= done["units"] - 1
    assert requests_spent(root, after["run"]) < int(erased[1]["requests"])


def test_a_sample_pays_only_for_the_parts_that_held_the_document(corpus: Path, tmp_path: Path) -> None:
    """A sample is drawn by the names of files, which name their step: the list of what was erased is in that name."""
    settings = (
        "question.levels=[1]", "limit=8", "select.unit_rows=4", "gate.min_yield=null",
    )  # fmt: skip
    root = tmp_path / "root"
    run = run_factory(corpus, str(root), settings).result["run"]
    first = requests_spent(root, run)
    asked = [row for key, rows in tables(root).items() if "/question_1-" in key and "/data/" in key for row in rows]
    erase(LocalStore(str(root)), [asked[0]["doc_ids"][0]], "asked for", "me", lambda _line: None)
    run_factory(corpus, str(root), settings)
    done = done_of(root, run, "question_1")
    # The part that held it, and the one of the document that takes its place, which may be the same.
    assert 0 < done["units"] - 2 <= done["units_reused"] < done["units"]
    assert 0 < requests_spent(root, run) < first


def test_both_versions_are_proven_and_the_old_one_says_what_it_lost(
    erased: Erased,
) -> None:
    for result, told in ((erased[1], "erased in part"), (erased[2], "")):
        verified = factory_cli("verify", result["dataset"])
        assert verified.code == 0, verified.stderr
        assert told in verified.stderr
    rows = sum(table.num_rows for table in dataset_rows(erased[1]["dataset"]).values())
    assert rows < erased[1]["samples"]


def test_report_status_and_replay_work_on_a_root_that_lost_rows(
    erased: Erased,
) -> None:
    root, before, after, wanted = erased
    assert factory_cli("report", str(root), "--run", after["run"]).code == 0
    assert factory_cli("status", str(root)).code == 0
    sample = next(iter(dataset_rows(before["dataset"]).values()))["sample_id"][0].as_py()
    assert factory_cli("replay", before["dataset"], sample).code == 0
    assert json.loads(factory_cli("gc", str(root), "--dry-run").stdout.splitlines()[-1])["files"] == 0
    assert holding(root, wanted) == {}


def test_no_run_starts_while_an_erasure_is_not_finished(corpus: Path, erased: Erased) -> None:
    copy = erased[0].with_name("copy")
    doc_id = document_id(normalise(text_of(ERASED)))
    with pytest.raises(KilledError):
        erase(killed(copy, 40), [doc_id], "asked for", "me", lambda _line: None)
    refused = run_factory(corpus, str(copy), SETTINGS, check=False)
    assert refused.code == ConfigError.exit_code
    assert "is not finished" in refused.stderr
    erase(LocalStore(str(copy)), [doc_id], "asked for", "me", lambda _line: None)
    assert (
        factory_cli(
            "verify", str(copy / "datasets" / Path(erased[1]["dataset"]).relative_to(erased[0] / "datasets"))
        ).code
        == 0
    )
