"""Bookkeeping of examples: who decides about a document, and which documents are never learnt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from factory.identity import make_id
from factory.select.training.book import Book, examples_of, is_held_out, measured_on
from factory.select.training.config import RaterConfig, TrainingConfig
from factory.select.training.examples import Example
from factory.select.training.ratings import Rating

RATERS = (RaterConfig(name="people", kind="file", path="x.csv"), RaterConfig(name="model"))
ALL = TrainingConfig(raters=RATERS, held_out=0)


def row(name: str) -> dict[str, Any]:
    return {"doc_id": name, "text": f"text of {name}", "source": "corpus", "license": "MIT", "shard": "a.jsonl"}


def book() -> Book:
    made = Book()
    made.add([row("u1"), row("u2")], "user_positive")
    made.add([row("w1"), row("w2")], "cold_start_positive", "written by m")
    made.add([row("n1"), row("n2"), row("u1")], "corpus_negative")
    made.add([row("s1")])
    return made


def labels(examples: Sequence[Example]) -> dict[str, tuple[float, str, str]]:
    return {example.doc_id: (example.score, example.origin, example.rater) for example in examples}


def test_the_cold_start_learns_from_origins() -> None:
    split = examples_of(book(), ALL, seed=1, refined=False)
    training = list(split.training)
    assert split.held_out == split.unseen == ()
    assert labels(training) == {
        "n1": (1, "corpus_negative", ""),
        "n2": (1, "corpus_negative", ""),
        "u1": (10, "user_positive", ""),
        "u2": (10, "user_positive", ""),
        "w1": (10, "cold_start_positive", ""),
        "w2": (10, "cold_start_positive", ""),
    }
    assert [example.doc_id for example in training] == sorted(example.doc_id for example in training)
    assert {example.source for example in training} == {"corpus", "written by m"}


def test_a_rating_outweighs_the_origin_and_the_first_rater_the_others() -> None:
    made = book()
    made.ratings += [Rating("n1", "model", "model", 8), Rating("s1", "model", "model", 2)]
    made.ratings += [Rating("s1", "people", "ann", 6), Rating("u2", "people", "ann", 3)]
    found = labels(examples_of(made, ALL, seed=1, refined=False).training)
    assert found["n1"] == (8, "rated", "model")
    assert found["s1"] == (6, "rated", "people")
    assert found["u2"] == (3, "rated", "people")
    assert found["n2"] == (1, "corpus_negative", "")


def test_refined_classifiers_leave_the_guesses_behind_and_keep_what_the_user_brought() -> None:
    made = book()
    made.ratings.append(Rating("s1", "model", "model", 2))
    assert set(labels(examples_of(made, ALL, seed=1, refined=True).training)) == {"u1", "u2", "s1"}
    carried = ALL.model_copy(update={"carry_cold_start": True})
    assert len(examples_of(made, carried, seed=1, refined=True).training) == 7


def test_a_document_is_held_out_by_its_id_in_every_iteration() -> None:
    made = Book()
    names = [make_id("d", number) for number in range(2000)]
    made.add([row(name) for name in names], "corpus_negative")
    config = ALL.model_copy(update={"held_out": 0.2})
    cold = examples_of(made, config, seed=1, refined=False)
    made.ratings += [Rating(name, "model", "model", 5) for name in names[:500]]
    refined = examples_of(made, config, seed=1, refined=True)
    assert 0.15 < len(cold.held_out) / 2000 < 0.25
    held = {example.doc_id for example in cold.held_out}
    assert {example.doc_id for example in refined.held_out} == held & set(names[:500])
    assert not held & {example.doc_id for example in (*cold.training, *refined.training)}
    assert sum(is_held_out(name, 0.2, 2) != is_held_out(name, 0.2, 1) for name in names) > 300


def test_figures_are_about_rated_documents_where_there_are_any() -> None:
    made = book()
    config = ALL.model_copy(update={"held_out": 0.999})
    unrated = examples_of(made, config, seed=1, refined=False).held_out
    assert measured_on(unrated) == list(unrated)
    made.ratings.append(Rating("n1", "model", "model", 8))
    held = examples_of(made, config, seed=1, refined=False).held_out
    assert [example.doc_id for example in measured_on(held)] == ["n1"]
    assert Counter(example.origin for example in held)["rated"] == 1


def test_documents_count_once() -> None:
    made = Book()
    assert made.add([row("a"), row("a")], "user_positive") == 1
    assert made.add([row("a"), row("b")], "user_positive") == 1


def test_nothing_is_learnt_from_a_source_that_is_to_stay_unseen() -> None:
    config = TrainingConfig(raters=RATERS, held_out=0.5, unseen_sources=("written by m",))
    split = examples_of(book(), config, seed=1, refined=False)
    assert {example.doc_id for example in split.unseen} == {"w1", "w2"}
    assert not {"w1", "w2"} & {example.doc_id for example in (*split.training, *split.held_out)}
