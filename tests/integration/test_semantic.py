"""A run that takes out rephrased questions: the stage stands between curation and answers, and the dataset verifies."""

from __future__ import annotations

from pathlib import Path

from tests.corpora import write_corpus
from tests.runs import done_of, factory_cli, run_factory
from tests.select.training.tiny_model import write_tiny_model


def test_only_questions_that_stay_are_answered(tmp_path: Path) -> None:
    corpus, root = write_corpus(tmp_path / "corpus", 12), tmp_path / "root"
    model = write_tiny_model(tmp_path / "model")
    settings = [f"curate.semantic.model={model}", "curate.semantic.threshold=0.97", "gate.min_yield=null"]
    result = run_factory(corpus, str(root), settings).result
    run = result["run"]
    before, after, answered = (done_of(root, run, step)["counts"] for step in ("curate", "semantic", "answer"))
    assert after["inputs"] == before["accepted"] > after["accepted"] == answered["inputs"] > 0
    assert set(done_of(root, run, "semantic")["reasons"]["input"]) == {"semantic_duplicate"}
    assert factory_cli("verify", result["dataset"]).code == 0
    assert "semantic_duplicate" in Path(str(result["report"])).read_text()
    assert run_factory(corpus, str(root), settings).result["already_finished"]
