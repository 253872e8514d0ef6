"""Rephrased questions: what embeddings call alike goes, unless its numbers differ; the declared one stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factory.curate.compare import CompareStep
from factory.curate.config import CurateConfig
from factory.curate.decide import DecideStep
from factory.curate.match import MatchStep
from factory.curate.semantic.config import SemanticConfig
from factory.curate.semantic.hyperplanes import BANDS, SemanticParameters, plane_keys
from factory.curate.semantic.sketch import SemanticSketchStep, read_vectors, semantic_sketch_step
from factory.curate.step import CurateStep
from factory.errors import ConfigError
from factory.run.units import UnitResult, unit_over
from factory.select.training.embedding import EmbeddingModel, named_embedding, shared_embedder, unit_length
from factory.store.local import LocalStore
from tests.curate.passes import Passes, decided_by
from tests.curate.test_passes import put_questions, question, texts_of
from tests.select.training.tiny_model import write_tiny_model

RIVERS = "Which rivers of the old world flow towards the north and meet the sea far from any town"
TEXTS = [
    RIVERS,
    f"{RIVERS} now",
    "Name a theorem about rings that every student meets in the first year and explain why it holds",
    f"{RIVERS} after 3 days",
    f"{RIVERS} after 4 days",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingModel:
    return named_embedding(str(write_tiny_model(tmp_path_factory.mktemp("model") / "tiny")), None, 64)


def cosines(model: EmbeddingModel, texts: list[str]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    vectors = unit_length(shared_embedder(model).embed(texts))
    return vectors @ vectors.T


def curated(store: LocalStore, step: SemanticSketchStep, rows: list[dict[str, object]]) -> UnitResult:
    unit = unit_over(put_questions(store, "curate-0", rows))
    passes = Passes(
        step,
        MatchStep("semantic_match"),
        CompareStep(step.parameters, read_vectors, "semantic_compare"),
        DecideStep(step.parameters, "semantic_decide", "semantic_duplicate"),
    )
    decided = decided_by(store, passes, [unit])
    return CurateStep("semantic").work(store, replace(unit, parameters={"decisions": decided.key}))


@pytest.mark.parametrize("threshold", [0.8, 0.9, 0.95])
def test_pairs_just_at_the_threshold_share_a_key_and_others_hardly_ever_do(
    threshold: float, model: EmbeddingModel
) -> None:
    draw = np.random.default_rng(7)
    parameters = SemanticParameters(model, threshold)
    count, dimensions = 400, 96

    def meeting(cosine: float) -> float:
        one = unit_length(draw.standard_normal((count, dimensions), np.float32))
        other = draw.standard_normal((count, dimensions)).astype(np.float32)
        other = unit_length(other - (other * one).sum(axis=1, keepdims=True) * one)
        near = (cosine * one + np.sqrt(1 - cosine**2) * other).astype(np.float32)
        keys = [plane_keys(vectors, np.zeros(count, np.uint64), parameters) for vectors in (one, near)]
        assert keys[0].shape == (count, BANDS)
        return float((keys[0] == keys[1]).any(axis=1).mean())

    assert meeting(threshold) >= 0.95
    assert meeting(0.0) < 0.1


def test_what_is_alike_goes_with_its_cosine_and_what_differs_in_a_number_stays(
    local_store: LocalStore, model: EmbeddingModel
) -> None:
    near = cosines(model, TEXTS)
    assert near[0, 1] > near[0, 2]
    assert near[3, 4] > 0.98
    threshold = float(min(near[0, 1], near[3, 4]) + near[0, 2]) / 2
    step = SemanticSketchStep(SemanticParameters(model, threshold), ("sample", "level"))
    rows = [question(text, number) for number, text in enumerate(TEXTS)]
    result = curated(local_store, step, rows)
    kept = texts_of([result])
    assert TEXTS[2] in kept
    assert TEXTS[3] in kept
    assert TEXTS[4] in kept
    assert len(kept) == 4
    [reject] = result.rejects
    assert reject.reason == "semantic_duplicate"
    assert {reject.text, *kept} == set(TEXTS)
    assert reject.evidence["similarity"] == pytest.approx(float(near[0, 1]), abs=2e-3)
    assert reject.evidence["model_sha256"] == model.sha256
    assert reject.evidence["kept"] in {row["question_id"] for row in rows[:2]}


def test_a_grown_run_embeds_only_what_is_new(local_store: LocalStore, model: EmbeddingModel) -> None:
    """The sketch is row-wise: a file's unit is named by its content and the step's folder by model and settings."""
    step = SemanticSketchStep(SemanticParameters(model, 0.9), ("sample", "level"))
    one = unit_over(put_questions(local_store, "curate-0", [question(TEXTS[0], 1)]))
    again = unit_over(put_questions(local_store, "curate-1", [question(TEXTS[0], 1)]))
    assert one.unit_id == again.unit_id
    moved = replace(model, model="/elsewhere")
    assert replace(step, parameters=SemanticParameters(moved, 0.9)).identity() == step.identity()
    assert replace(step, parameters=SemanticParameters(model, 0.91)).identity() != step.identity()


def test_it_is_off_without_a_model_and_a_missing_one_is_told_at_once(tmp_path: Path) -> None:
    assert semantic_sketch_step(CurateConfig()) is None
    with pytest.raises(ConfigError):
        semantic_sketch_step(CurateConfig(semantic=SemanticConfig(model=str(tmp_path / "none"))))
