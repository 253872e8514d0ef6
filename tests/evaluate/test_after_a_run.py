"""The report that a real run leaves: the records the runner writes are the ones the report reads."""

from __future__ import annotations

import pytest

from factory.evaluate.checks import broken_equations
from factory.evaluate.facts import ReportInput
from factory.evaluate.gather import gather
from factory.evaluate.report import report_key
from factory.store.local import LocalStore
from tests.corpora import write_corpus
from tests.runs import run_factory


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalStore, ReportInput]:
    folder = tmp_path_factory.mktemp("reported")
    corpus = write_corpus(folder / "corpus", 24)
    run = run_factory(corpus, str(folder / "root"), ("answer.samples=4", "answer.samples_per_round=2"))
    store = LocalStore(str(folder / "root"))
    return store, gather(store, run.result["run"])


def test_every_step_is_there_and_every_equation_holds(finished: tuple[LocalStore, ReportInput]) -> None:
    _, data = finished
    assert data.problems == ()
    assert {"select", "extract", "question_1", "question_2", "curate", "answer"} <= {step.name for step in data.steps}
    assert all(step.finished for step in data.steps)
    assert broken_equations(data) == []


def test_samples_gates_models_and_sources_are_found(finished: tuple[LocalStore, ReportInput]) -> None:
    _, data = finished
    assert data.dataset is not None
    assert data.distributions.rows == data.dataset.rows > 0
    assert {"question_tokens", "answer_tokens", "agreement", "copied_share"} == set(data.distributions.numbers)
    assert data.gates
    assert data.models
    assert len(data.examples) == min(12, data.dataset.rows)
    assert all(source.excerpt for example in data.examples for source in example.sources)
    assert all(example.sources for example in data.examples)
    assert data.engine_starts[0].starts == 1


def test_the_run_wrote_its_report_and_it_says_which_engine(finished: tuple[LocalStore, ReportInput]) -> None:
    store, data = finished
    page = store.get(report_key(data.run)).decode()
    assert "No language model wrote these samples." in page
    assert data.examples[0].row["sample_id"] in page
