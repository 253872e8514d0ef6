"""Retrieval by embedding finds what is nearest, leaves rows with hits of words alone, and is off by default."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from factory.curate.benchmarks import Item
from factory.curate.config import CurateConfig
from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig, EmbeddingConfig
from factory.curate.decon.hits import Hit, Judged, Screen
from factory.curate.decon.nearest import (
    Nearest,
    distinct_texts,
    embedding_of,
    item_vectors,
    most_similar,
    vectors_from_bytes,
    vectors_to_bytes,
)
from factory.curate.index_store import benchmark_index
from factory.curate.sketch import sketch_step
from factory.curate.words import tokenise
from factory.errors import ConfigError
from factory.select.training.embedding import unit_length
from factory.store.local import LocalStore
from tests.corpora import text_of
from tests.curate.decon.material import DUCKS, GENERIC, PLANET, SONATA, items, screen
from tests.select.training.fields import computing
from tests.select.training.tiny_model import write_tiny_model

TEXTS = tuple(text_of(number, 2) for number in range(12))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingConfig:
    folder = write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")
    return EmbeddingConfig(model=str(folder), top_k=3, min_similarity=0.0)


def nearest(config: EmbeddingConfig, given: Sequence[Item]) -> Nearest:
    model = embedding_of(config)
    assert model is not None
    return Nearest(item_vectors(given, model), config, model)


def test_of_each_row_the_nearest_items_come_first_and_at_most_k(config: EmbeddingConfig) -> None:
    near = nearest(config, items(TEXTS))
    hits = near(TEXTS, [4, 7])
    assert [hit.row for hit in hits] == [4] * 3 + [7] * 3
    assert [hits[0].item, hits[3].item] == ["4", "7"]
    assert hits[0].score == pytest.approx(1.0, abs=1e-4)
    assert all(one.score >= two.score for one, two in ((hits[0], hits[1]), (hits[1], hits[2])))
    assert {(hit.rule, hit.verdict, hit.benchmark) for hit in hits} == {("embedding", "similar", "school")}
    assert hits[0].span.split() == hits[0].span.lower().split()


def test_thresholds_say_what_is_told_and_what_falls(config: EmbeddingConfig) -> None:
    strict = config.model_copy(update={"min_similarity": 0.9999, "reject_similarity": 0.9999})
    (hit,) = nearest(strict, items(TEXTS))(TEXTS, [4])
    assert (hit.item, hit.verdict) == ("4", "contaminated")
    with pytest.raises(ValueError, match="reject_similarity is below"):
        EmbeddingConfig(min_similarity=0.9, reject_similarity=0.8)


def test_a_text_of_two_items_is_one_with_a_copy_and_what_says_nothing_needs_choices(config: EmbeddingConfig) -> None:
    given = [*items((DUCKS, DUCKS, PLANET, GENERIC)), *items((GENERIC,), options=("Venus is hot", "Mars is blue"))]
    assert distinct_texts(given) == [DUCKS, PLANET, f"{GENERIC} Venus is hot Mars is blue"]
    vectors = nearest(config, given).items
    assert vectors.copies.tolist() == [1, 0, 0]
    assert [name for _, name, _ in vectors.names] == ["0", "2", "0"]


def test_vectors_survive_the_store(config: EmbeddingConfig) -> None:
    before = nearest(config, items(TEXTS)).items
    after = vectors_from_bytes(vectors_to_bytes(before))
    assert after.names == before.names
    assert np.array_equal(after.vectors, before.vectors)


def test_only_rows_without_a_hit_of_words_are_looked_up(config: EmbeddingConfig) -> None:
    asked: list[int] = []

    def near(texts: Sequence[str], rows: Sequence[int]) -> list[Hit]:
        asked.extend(rows)
        return nearest(config, items(TEXTS))(texts, rows)

    rows = [DUCKS, DUCKS.replace("16", "29"), text_of(1, 1), f"{text_of(2, 1)} {SONATA}"]
    for similar in ("report", "ignore"):
        of = replace(screen(rules=DecontaminationConfig(similar=similar)), near=near)
        found = of.best(rows, tokenise(rows))
        assert asked == [2]
        assert found[2].rule == "embedding"
        assert found[0].rule == "exact"
        asked.clear()


def test_a_similar_vector_is_no_template_and_similar_reject_leaves_it_alone(config: EmbeddingConfig) -> None:
    of = replace(screen(rules=DecontaminationConfig(similar="reject")), near=nearest(config, items(TEXTS)))
    hit = of.best([text_of(1, 1)], tokenise([text_of(1, 1)]))[0]
    assert hit.similar
    assert not of.rejects(hit)


def test_what_a_judge_says_outranks_the_cosine() -> None:
    def hit(item: str, score: float, verdict: str) -> Hit:
        judged = Judged(verdict, None, None, "m", "r", "p")  # type: ignore[arg-type]
        return Hit(0, "school", item, "q", "embedding", score, verdict != "same", 0, 1, "x", 1, 0, judged)

    said = [hit("0", 0.99, "different"), hit("1", 0.9, "undecided"), hit("2", 0.8, "same")]
    for count, expected in ((1, "different"), (2, "undecided"), (3, "contaminated")):
        of = Screen(screen().index, DecontaminationConfig(), lambda _texts, _rows, count=count: said[:count])
        assert of.best([text_of(1, 1)], tokenise([text_of(1, 1)]))[0].verdict == expected


def test_a_run_looks_up_its_questions_and_names_the_model_in_its_identity(
    config: EmbeddingConfig, tmp_path: Path
) -> None:
    path = tmp_path / "school.jsonl"
    path.write_text("".join(json.dumps({"q": text}) + "\n" for text in TEXTS))
    benchmarks = (BenchmarkConfig(name="school", path=str(path), fields=("q",)),)
    rules = DecontaminationConfig(embedding=config)
    store = LocalStore(str(tmp_path / "root"))
    step = sketch_step(CurateConfig(benchmarks=benchmarks, decontamination=rules))
    step.prepare(store)
    of = step.index.screen(store)
    assert of is not None
    row = computing(3)
    assert of.best([row], tokenise([row]))[0].rule == "embedding"
    plain = sketch_step(CurateConfig(benchmarks=benchmarks))
    assert plain.identity() != step.identity()
    assert plain.index.key == step.index.key
    other = rules.model_copy(update={"embedding": config.model_copy(update={"top_k": 1})})
    assert benchmark_index(benchmarks, other).identity != step.index.identity
    assert str(config.model) not in json.dumps(step.identity())


def test_a_model_that_is_not_there_is_told_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match=r"curate\.decontamination\.embedding\.model: .*/no/such/folder"):
        embedding_of(EmbeddingConfig(model="/no/such/folder"))
    assert embedding_of(EmbeddingConfig()) is None


def test_the_model_that_comes_with_the_factory_finds_a_rephrased_item() -> None:
    near = nearest(EmbeddingConfig(model="smollm2", top_k=1, min_similarity=0.0), items((DUCKS, PLANET, SONATA)))
    rows = ["On which planet of our solar system does one day last longest?", "The Moonlight Sonata is by whom?"]
    assert [hit.item for hit in near(rows, [0, 1])] == ["1", "2"]


VECTORS = arrays.arrays(np.float32, st.tuples(st.integers(0, 9), st.just(4)), elements=st.integers(-3, 3).map(float))


@given(VECTORS, VECTORS, st.integers(1, 5))
def test_the_nearest_are_those_that_sorting_everything_gives(rows: np.ndarray, given: np.ndarray, top_k: int) -> None:
    ours, theirs = unit_length(rows), unit_length(given)
    _, cosines = most_similar(ours, theirs, top_k)
    whole = (ours.astype(np.float64) @ theirs.T.astype(np.float64)).round(4)
    expected = -np.sort(-whole, axis=1)[:, :top_k]
    assert np.allclose(cosines, expected, atol=2e-4)
