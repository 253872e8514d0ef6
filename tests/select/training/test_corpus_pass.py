"""Passes over a corpus and samples: exactly what one look at all of it would give, whatever its ranges."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.corpus.config import CorpusConfig
from factory.corpus.documents import document_id, normalise
from factory.corpus.sources import list_sources, plan_ranges
from factory.identity import sha256_hex
from factory.run.attempt import StepRun, begin, finish
from factory.run.outputs import Output, write_outputs
from factory.run.units import Unit
from factory.select.config import PiiConfig
from factory.select.filters import Length
from factory.select.pii import Pii
from factory.select.training.config import TrainingConfig
from factory.select.training.corpus_pass import (
    NO_IDS,
    CorpusPass,
    Draw,
    _Smallest,
    histogram_of,
    ids_in,
    order_of,
    put_ids,
    seen_by_classifiers,
)
from factory.select.training.examples import Example
from factory.select.training.models import TrainedModel, put_model, scorer_of, train
from factory.select.training.rated_texts import put_texts
from factory.select.training.ratings import Given
from factory.select.training.sample import SAMPLED, SampleStep
from factory.store.commits import Commit
from factory.store.local import LocalStore
from factory.store.parquet import read_parquet
from tests.select.training.texts import garden_text, maths_text, write_mixed

DOCUMENTS = 90
THRESHOLD = 5.0
RUN = "train-test"
FILTERS = (Length(1, 5000),)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_mixed(tmp_path_factory.mktemp("corpus"), DOCUMENTS)
    (folder / "bad.jsonl").write_text('{"text": null}\n' + json.dumps({"text": "x" * 9000}) + "\n")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    return LocalStore(str(tmp_path_factory.mktemp("store")))


@pytest.fixture(scope="module")
def model(store: LocalStore) -> TrainedModel:
    texts = [(maths_text(number), 10.0) for number in range(500, 530)]
    texts += [(garden_text(number), 1.0) for number in range(500, 530)]
    examples = [Example(text, score, document_id(text), "test", "rated", "test") for text, score in texts]
    return put_model(store, "training/models/test.json", *train(TrainingConfig(), examples, 3))


def texts_of(corpus: Path) -> dict[str, str]:
    """Every document that the filters let pass, by id."""
    rows = [json.loads(line) for path in sorted(corpus.glob("*.jsonl")) for line in path.read_text().splitlines()]
    texts = [normalise(row["text"]) for row in rows if row["text"]]
    return {document_id(text): text for text in texts if len(text) <= 5000}


def work(store: LocalStore, step: CorpusPass, corpus: Path) -> list[Commit]:
    """Works a pass over every range and commits it, as the runner does."""
    config = CorpusConfig(kind="files", paths=(str(corpus),))
    for each in step.filters:
        each.prepare(store)
    commits, outputs = [], []
    for range_ in plan_ranges(list_sources(config), config):
        unit = Unit(range_.range_id, parameters={"range": range_.to_json()})
        run = StepRun(f"{step.name}-folder", RUN)
        receipt = finish(store, run, begin(store, run, unit, {}), step.work(store, unit))
        assert receipt.commit is not None
        commits.append(receipt.commit)
        outputs += [Output(unit.unit_id, "", file) for file in receipt.commit.files]
    write_outputs(store, RUN, step.name, outputs)
    return commits


def sample(store: LocalStore, draw: Draw, over: str, unit_rows: int = 8) -> list[dict[str, Any]]:
    step = SampleStep("sample", draw, unit_rows)
    result = step.work(store, Unit("u", parameters={"outputs": f"runs/{RUN}/{over}.outputs.json", "texts": ""}))
    assert all(table.schema == SAMPLED and 0 < table.num_rows <= unit_rows for table in result.tables)
    rows = [row for table in result.tables for row in table.to_pylist()]
    assert result.inputs == result.used == len(rows)
    return rows


def test_a_sample_is_what_one_look_at_the_whole_corpus_would_give(
    corpus: Path, store: LocalStore, model: TrainedModel
) -> None:
    draw = Draw(random=12, boundary=9, threshold=THRESHOLD, seed=4)
    work(store, CorpusPass("scored", FILTERS, draw, model), corpus)
    rows = sample(store, draw, "scored")
    texts = texts_of(corpus)
    scores = dict(zip(texts, scorer_of(store, model).score(list(texts.values())), strict=True))
    by_order = sorted(texts, key=lambda doc_id: order_of(4, doc_id))
    nearest = sorted(by_order[12:], key=lambda doc_id: (abs(scores[doc_id] - THRESHOLD), order_of(4, doc_id)))
    assert [row["doc_id"] for row in rows if row["half"] == "random"] == by_order[:12]
    assert [row["doc_id"] for row in rows if row["half"] == "boundary"] == nearest[:9]
    for row in rows:
        assert row["text"] == texts[row["doc_id"]]
        assert row["score"] == pytest.approx(scores[row["doc_id"]])
        assert row["source"] in ("sums", "gardens")


def test_the_random_half_does_not_depend_on_the_classifier(
    corpus: Path, store: LocalStore, model: TrainedModel
) -> None:
    draw = Draw(random=12, boundary=9, threshold=THRESHOLD, seed=4)
    work(store, CorpusPass("with", FILTERS, draw, model), corpus)
    work(store, CorpusPass("without", FILTERS, Draw(12, 0, THRESHOLD, 4)), corpus)
    halves = [
        [row["doc_id"] for row in sample(store, draw, name) if row["half"] == "random"] for name in ("with", "without")
    ]
    assert halves[0] == halves[1]


def test_counts_histogram_and_kept_set_are_those_of_the_corpus(
    corpus: Path, store: LocalStore, model: TrainedModel
) -> None:
    commits = work(store, CorpusPass("counted", FILTERS, Draw(0, 0, THRESHOLD, 4), model), corpus)
    facts: dict[str, int] = {}
    for commit in commits:
        commit.counts.check("pass")
        for name, count in commit.facts.items():
            facts[name] = facts.get(name, 0) + count
    scores = scorer_of(store, model).score(list(texts_of(corpus).values()))
    kept = {
        row["doc_id"]: row["score"]
        for commit in commits
        for row in read_parquet(store, commit.files[2].key).to_pylist()
    }
    assert facts["documents"] == DOCUMENTS == sum(histogram_of(facts).values())
    assert facts["kept"] == len(kept) == sum(score >= THRESHOLD for score in scores)
    assert set(histogram_of(facts)) <= {round(number / 10, 1) for number in range(10, 101)}
    reasons = [commit.reasons for commit in commits if commit.reasons]
    assert reasons == [{"input": {"null_text": 1, "too_long": 1}}]


def test_what_was_sampled_before_is_not_offered_again(corpus: Path, store: LocalStore, model: TrainedModel) -> None:
    draw = Draw(random=10, boundary=10, threshold=THRESHOLD, seed=4)
    work(store, CorpusPass("first", FILTERS, draw, model), corpus)
    first = {row["doc_id"] for row in sample(store, draw, "first")}
    taken = put_ids(store, sorted(first))
    work(store, CorpusPass("second", FILTERS, draw, model, taken=taken), corpus)
    second = {row["doc_id"] for row in sample(store, draw, "second")}
    assert len(second) == 20
    assert not first & second


def test_the_overlap_with_the_pass_before_is_counted(corpus: Path, store: LocalStore, model: TrainedModel) -> None:
    lower = work(store, CorpusPass("lower", FILTERS, Draw(0, 0, 3.0, 4), model), corpus)
    step = CorpusPass("higher", FILTERS, Draw(0, 0, THRESHOLD, 4), model, previous=lower[0].step)
    facts = [commit.facts for commit in work(store, step, corpus)]
    before = sum(commit.facts["kept"] for commit in lower)
    assert sum(fact.get("kept_before", 0) for fact in facts) == before
    assert sum(fact.get("kept_both", 0) for fact in facts) == sum(fact["kept"] for fact in facts) <= before


@pytest.mark.parametrize("named_by", ["doc_id", "digest", "raw digest"])
def test_documents_that_a_ratings_file_names_are_offered_whatever_their_place(
    named_by: str, store: LocalStore, tmp_path: Path
) -> None:
    raw = maths_text(1) + "  \r\n"
    (tmp_path / "c").mkdir()
    rows = [{"text": raw}, *({"text": garden_text(number)} for number in range(30))]
    (tmp_path / "c" / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = normalise(raw)
    name = {
        "doc_id": document_id(kept),
        "digest": sha256_hex(kept.encode()),
        "raw digest": sha256_hex(raw.encode()),
    }[named_by]
    draw = Draw(random=3, boundary=0, threshold=THRESHOLD, seed=4)
    pass_name = f"named-{named_by.replace(' ', '-')}"
    work(store, CorpusPass(pass_name, FILTERS, draw, wanted=put_ids(store, [name, "f" * 64])), tmp_path / "c")
    given = [row for row in sample(store, draw, pass_name) if row["half"] == "given"]
    assert [(row["doc_id"], row["names"]) for row in given] == [(document_id(kept), [name])]


def test_rated_texts_keep_the_names_they_came_by_also_where_the_corpus_has_them(
    store: LocalStore, tmp_path: Path
) -> None:
    (tmp_path / "c").mkdir()
    texts = [garden_text(number) for number in range(6)]
    (tmp_path / "c" / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    letters = [f"{maths_text(1)} Ask {name}@acme.org." for name in ("ann", "bob")]
    rows = [Given("people", "people", document_id(text), 9, text) for text in (*letters, texts[0])]
    key, _, left_out = put_texts(store, rows, Pii(PiiConfig()))
    assert left_out == {}
    draw = Draw(random=6, boundary=0, threshold=THRESHOLD, seed=4)
    work(store, CorpusPass("rated", FILTERS, draw), tmp_path / "c")
    step = SampleStep("sample", draw, 8, "digest")
    result = step.work(store, Unit("u", parameters={"outputs": f"runs/{RUN}/rated.outputs.json", "texts": key}))
    found = [row for table in result.tables for row in table.to_pylist()]
    given = {row["doc_id"]: row["names"] for row in found if row["half"] == "given"}
    masked = f"{maths_text(1)} Ask <EMAIL>."
    assert given == {
        document_id(masked): sorted(document_id(text) for text in letters),
        document_id(texts[0]): [document_id(texts[0])],
    }
    assert len(found) == len({row["doc_id"] for row in found}) == 7
    assert not any("acme" in row["text"] for row in found)


def test_rated_texts_that_are_turned_away_are_stored_nowhere(store: LocalStore) -> None:
    letter = "Ask ann@acme.org about the second lemma."
    rows = [Given("people", "people", document_id(letter), 9, letter)]
    found = put_texts(store, rows, Pii(PiiConfig(action="reject")))
    assert found == ("", "", {document_id(letter): "pii"})


def test_copies_are_sampled_once(store: LocalStore, tmp_path: Path) -> None:
    for shard in ("a", "b"):
        (tmp_path / f"{shard}.jsonl").write_text((json.dumps({"text": garden_text(1)}) + "\n") * 3)
    draw = Draw(random=5, boundary=0, threshold=THRESHOLD, seed=4)
    work(store, CorpusPass("copies", FILTERS, draw), tmp_path)
    assert len(sample(store, draw, "copies")) == 1


def test_everything_that_decides_is_in_the_identity(model: TrainedModel) -> None:
    draw = Draw(1, 1, THRESHOLD, 4)
    steps = [
        CorpusPass("p", FILTERS, draw),
        CorpusPass("p", (Length(2, 5000),), draw),
        CorpusPass("p", FILTERS, Draw(1, 1, THRESHOLD, 5)),
        CorpusPass("p", FILTERS, draw, model),
        CorpusPass("p", FILTERS, draw, previous="other"),
        CorpusPass("p", FILTERS, draw, taken=put_ids_without_store(("a",))),
    ]
    identities = [json.dumps(step.identity(), sort_keys=True) for step in steps]
    assert len(set(identities)) == len(steps)


def put_ids_without_store(ids: Sequence[str]) -> Any:
    from factory.select.training.corpus_pass import IdList

    return IdList("k", sha256_hex("".join(ids).encode()), len(ids))


def test_id_lists_are_named_by_content(store: LocalStore) -> None:
    assert put_ids(store, ["b", "a", "a"]) == put_ids(store, ["a", "b"])
    assert ids_in(store, put_ids(store, ["b", "a"])) == {"a", "b"}
    assert put_ids(store, []) == NO_IDS
    assert ids_in(store, NO_IDS) == frozenset()


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60), st.integers(0, 8))
def test_smallest_keeps_the_smallest(places: list[tuple[int, int]], most: int) -> None:
    """Every id has one place, as scores of one text are equal."""
    place_of = {str(name): (float(place),) for place, name in reversed(places)}
    smallest = _Smallest(most)
    for _, name in places:
        smallest.add(place_of[str(name)], str(name))
    ranked = sorted(place_of[one] for one in place_of)
    assert sorted(place_of[one] for one in smallest.ids) == ranked[:most]


@given(st.text(max_size=200), st.integers(1, 400))
def test_what_classifiers_see_of_a_text_is_bounded_and_the_same_twice(text: str, times: int) -> None:
    seen = seen_by_classifiers(text * times)
    assert len(seen) <= 16_000
    assert seen_by_classifiers(seen) == seen
