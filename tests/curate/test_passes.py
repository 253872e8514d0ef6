"""The three passes of curation over real stores and commits: sketch, match, curate."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from factory.corpus.sample import sample_key
from factory.curate import bands, compare, decide
from factory.curate.config import CurateConfig
from factory.curate.decide import part_of
from factory.curate.decon.config import BenchmarkConfig, DecontaminationConfig
from factory.curate.match import Sketched
from factory.curate.sketch import SketchStep, sketch_step
from factory.curate.step import CurateStep
from factory.errors import ConfigError, ConservationError
from factory.identity import make_id
from factory.run.attempt import rejects_table
from factory.run.outputs import Output
from factory.run.units import FileRef, Unit, UnitResult, unit_over
from factory.store.commits import Commit
from factory.store.local import LocalStore
from factory.tables import QUESTION
from tests.curate.passes import commit, decided_by, passes_of

LEAKED = "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?"
DUCKS = (
    "Janet keeps ducks on a small farm near the river and sells the eggs of every duck at the market in town for two "
    "dollars each. How much money does she take home in a week of seven days if every duck lays one egg a day?"
)
PRIME = "Which prime numbers below one hundred are also the sum of two squares, and why are there no others?"


def question(text: str, number: int, level: int = 1) -> dict[str, Any]:
    return {
        "question_id": make_id("question", level, number),
        "level": level,
        "text": text,
        "origin": "created",
        "edu_level": "college",
        "subject": "arithmetic",
        "concepts": ["ducks"],
        "doc_ids": [f"d{number}"],
        "walk_id": None,
        "prompt_id": "p",
        "request_id": f"r{number}",
        "sources": [],
    }


FIRST = [question(DUCKS, 1), question(LEAKED, 2), question(PRIME, 3), question(DUCKS.replace("two", "five"), 4)]
SECOND = [
    question(DUCKS.upper(), 1, level=2),
    question(DUCKS.replace("river", "lake"), 2, level=2),
    question("Explain why every finite integral domain is a field.", 3, level=2),
    question(LEAKED.replace("blue", "green"), 4, level=2),
]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


@pytest.fixture
def config(tmp_path: Path) -> CurateConfig:
    path = tmp_path / "school.jsonl"
    path.write_text(json.dumps({"id": "robe", "question": LEAKED}))
    return CurateConfig(benchmarks=(BenchmarkConfig(name="school", path=str(path), fields=("question",)),))


def put_questions(store: LocalStore, folder: str, rows: Sequence[Mapping[str, Any]]) -> FileRef:
    table = pa.Table.from_pylist(list(rows), schema=QUESTION)
    ids = UnitResult(len(rows), len(rows), (table,), "question_id")
    return commit(store, folder, Unit(make_id("unit", folder)), ids).files[0]


def curated(
    store: LocalStore,
    step: SketchStep,
    files: Sequence[FileRef],
    picks: Mapping[int, tuple[int, ...]] | None = None,
    folder: str = "0",
    template_variants: int | None = None,
) -> tuple[list[UnitResult], list[Commit]]:
    """All passes; one result a question file, and the commits of the pass that decides."""
    step.prepare(store)
    units = [unit_over(file, (picks or {}).get(number)) for number, file in enumerate(files)]
    decided = decided_by(store, passes_of(step, template_variants), units, folder)
    results = [CurateStep().work(store, replace(unit, parameters={"decisions": decided.key})) for unit in units]
    return results, decided.commits


def texts_of(results: Sequence[UnitResult]) -> list[str]:
    return [text for result in results for table in result.tables for text in table.column("text").to_pylist()]


def test_planted_duplicates_and_leaks_go_and_the_rest_stays(store: LocalStore, config: CurateConfig) -> None:
    files = [put_questions(store, "question_1-0", FIRST), put_questions(store, "question_2-0", SECOND)]
    results, (decided,) = curated(store, sketch_step(config), files)
    assert texts_of(results) == [DUCKS, PRIME, DUCKS.replace("two", "five"), SECOND[2]["text"]]
    reasons = {reject.item_id: reject.reason for result in results for reject in result.rejects}
    assert reasons == {
        FIRST[1]["question_id"]: "contaminated",
        SECOND[0]["question_id"]: "exact_duplicate",
        SECOND[1]["question_id"]: "near_duplicate",
        SECOND[3]["question_id"]: "contaminated",
    }
    assert decided.facts == {"contaminated": 2, "exact_duplicate": 1, "near_duplicate": 1, "largest_cluster": 3}
    assert decided.counts.inputs == decided.counts.used == 8
    assert decided.counts.accepted == 4


def test_every_reject_names_the_row_or_the_item_it_went_for(store: LocalStore, config: CurateConfig) -> None:
    files = [put_questions(store, "question_1-0", FIRST), put_questions(store, "question_2-0", SECOND)]
    results, _ = curated(store, sketch_step(config), files)
    rejects = {reject.item_id: reject for result in results for reject in result.rejects}
    near = rejects[SECOND[1]["question_id"]]
    assert near.evidence["kept"] == FIRST[0]["question_id"]
    assert near.evidence["kept_level"] == 1
    assert 0.7 <= near.evidence["similarity"] < 1
    assert near.text == SECOND[1]["text"]
    leak = rejects[FIRST[1]["question_id"]]
    assert (leak.evidence["benchmark"], leak.evidence["item"], leak.evidence["rule"]) == ("school", "robe", "exact")
    assert "bolts of blue fiber" in leak.evidence["span"]
    assert all(isinstance(line, str) for line in rejects_table(list(rejects.values())).column("evidence").to_pylist())


def test_accepted_rows_keep_every_column_and_their_order(store: LocalStore, config: CurateConfig) -> None:
    file = put_questions(store, "question_1-0", FIRST)
    (result,), _ = curated(store, sketch_step(config), [file])
    assert result.tables[0].schema.equals(QUESTION)
    assert result.tables[0].to_pylist() == [FIRST[0], FIRST[2], FIRST[3]]
    assert result.inputs == result.used + len(result.rejects)
    assert result.input_ids_digest == file.ids_digest


def test_rows_left_out_of_the_plan_are_neither_judged_nor_passed_on(store: LocalStore, config: CurateConfig) -> None:
    files = [put_questions(store, "question_1-0", FIRST), put_questions(store, "question_2-0", SECOND)]
    results, (decided,) = curated(store, sketch_step(config), files, {0: (2, 3), 1: (0, 1, 2)})
    assert decided.counts.inputs == 5
    # Without level 1's ducks the smaller id of level 2's two stays.
    dropped = max(SECOND[:2], key=lambda row: row["question_id"])
    left = [row["text"] for row in SECOND[:3] if row is not dropped]
    assert texts_of(results) == [PRIME, DUCKS.replace("two", "five"), *left]
    assert [reject.item_id for reject in results[1].rejects] == [dropped["question_id"]]


def test_a_clean_run_without_benchmarks_drops_nothing(store: LocalStore) -> None:
    file = put_questions(store, "question_1-0", [FIRST[0], FIRST[1], FIRST[2]])
    (result,), (decided,) = curated(store, sketch_step(CurateConfig()), [file])
    assert result.rejects == ()
    assert decided.files[0].rows == 0


def test_many_decisions_are_split_by_file_and_found_again(
    store: LocalStore, config: CurateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide, "PART_ROWS", 3)
    kept = [question(f"{PRIME} {DUCKS} Begin with the number {number}.", number) for number in range(4)]
    again = [[question(row["text"], 10 * copy + number, 2) for number, row in enumerate(kept)] for copy in range(1, 6)]
    files = [put_questions(store, f"question_{number}-0", rows) for number, rows in enumerate([kept, *again])]
    results, (decided,) = curated(store, sketch_step(config), files)
    assert len(decided.files) == 7
    assert len({part_of(file.name, 7) for file in files}) > 1
    assert texts_of(results) == [row["text"] for row in kept]
    assert sum(len(result.rejects) for result in results) == 20


def test_a_missing_part_of_the_decisions_stops_the_run(
    store: LocalStore, config: CurateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide, "PART_ROWS", 1)
    file = put_questions(store, "question_1-0", [FIRST[0], FIRST[1], question(DUCKS, 7)])
    curated(store, sketch_step(config), [file])
    key = "runs/run/decide.outputs.json"
    store.put(key, orjson.dumps(orjson.loads(store.get(key))[1:]))
    with pytest.raises(ConservationError, match="every part"):
        CurateStep().work(store, unit_over(file, decisions=key))


def test_decisions_about_another_file_content_stop_the_run(store: LocalStore, config: CurateConfig) -> None:
    file = put_questions(store, "question_1-0", FIRST)
    curated(store, sketch_step(config), [file])
    swapped = put_questions(store, "question_9-0", [FIRST[1], FIRST[0]])
    with pytest.raises(ConservationError, match="points at row"):
        CurateStep().work(store, unit_over(replace(swapped, name=file.name), decisions="runs/run/decide.outputs.json"))


def test_results_do_not_depend_on_how_questions_are_cut_into_files(store: LocalStore, config: CurateConfig) -> None:
    rows = [*FIRST, *SECOND]
    whole, _ = curated(store, sketch_step(config), [put_questions(store, "question_a-0", rows)])
    apart, _ = curated(
        store,
        sketch_step(config),
        [put_questions(store, f"question_{n}-0", [row]) for n, row in enumerate(rows)],
        folder="apart",
    )
    assert texts_of(whole) == texts_of(apart)


def test_results_do_not_depend_on_ranges_of_keys_and_places(
    store: LocalStore, config: CurateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clusters that lie across the files of several units are found whole by each."""
    texts = [f"{DUCKS} Take {number} as given." for number in range(12)]
    variants = [texts, [text.replace("river", "lake") for text in texts], [text.upper() for text in texts]]
    rows = [
        question(text, 100 * copy + number, copy + 1)
        for copy, some in enumerate(variants)
        for number, text in enumerate(some)
    ]
    files = [put_questions(store, f"question_{place}-0", rows[place::9]) for place in range(9)]
    whole, (alone,) = curated(store, sketch_step(config), files)
    monkeypatch.setattr(bands, "ENTRIES_A_PARTITION", 100)
    monkeypatch.setattr(compare, "PAIRS_A_UNIT", 50)
    monkeypatch.setattr(decide, "QUESTIONS_A_UNIT", 5)
    apart, several = curated(store, sketch_step(config), files, folder="many")
    assert len(several) > 3
    assert [texts_of([result]) for result in whole] == [texts_of([result]) for result in apart]
    assert [result.rejects for result in whole] == [result.rejects for result in apart]
    assert sum(commit.counts.accepted for commit in several) == alone.counts.accepted == 12
    assert sum(commit.ledger["clusters"] for commit in several) == alone.ledger["clusters"] == 12


def compared_in(files: int, rows: int, pairs: int) -> int:
    """Units that compare so many pairs of so many rows in all."""

    def file(name: str, rows: int) -> FileRef:
        return FileRef(name, "", "", "", rows)

    sketched = [Sketched("", file(f"sketch/{number}/0", rows // files), file("", 0)) for number in range(files)]
    return len(compare.compare_units("compare", "", "", sketched, [Output("u", "", file("match/u/0", pairs))]))


def test_a_crowd_of_few_questions_is_compared_in_few_units_and_many_questions_in_many() -> None:
    most = compare.PAIRS_A_UNIT
    assert compared_in(1000, 50 * most, 50 * most) == 50
    assert compared_in(1000, most // 4, 50 * most) == 50 // compare.CROWDED


@pytest.mark.parametrize(("files", "count"), [(1, 1), (2, 2), (3, 3), (98, 2), (98, 7), (1000, 16)])
def test_ranges_of_places_share_the_pairs_out_evenly(files: int, count: int) -> None:
    bounds = compare.pair_bounds(files, count)
    assert (bounds[0], bounds[-1]) == (0, files)
    assert 2 <= len(bounds) <= count + 1
    begin_at = np.array([files - place for place in range(files)])  # partners, where any two files are as alike
    shares = [begin_at[start:stop].sum() for start, stop in itertools.pairwise(bounds)]
    # A range cannot end within a file.
    assert max(shares) <= begin_at.sum() / count + files


def test_identity_follows_benchmarks_and_settings_but_not_paths(tmp_path: Path, config: CurateConfig) -> None:
    step = sketch_step(config)
    moved = tmp_path / "elsewhere" / "school.jsonl"
    moved.parent.mkdir()
    moved.write_bytes((tmp_path / "school.jsonl").read_bytes())
    benchmark = BenchmarkConfig(name="school", path=str(moved), fields=("question",))
    assert sketch_step(config.model_copy(update={"benchmarks": (benchmark,)})).identity() == step.identity()
    moved.write_text(json.dumps({"id": "robe", "question": LEAKED + " Why?"}))
    assert sketch_step(config.model_copy(update={"benchmarks": (benchmark,)})).identity() != step.identity()
    rules = DecontaminationConfig(aligned_share=None)
    for change in ({"shingle_words": 5}, {"permutations": 64}, {"decontamination": rules}, {"benchmarks": ()}):
        assert sketch_step(config.model_copy(update=change)).identity() != step.identity()


def test_workers_take_the_index_from_the_store(
    store: LocalStore, config: CurateConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = sketch_step(config)
    step.prepare(store)
    (tmp_path / "school.jsonl").unlink()  # a worker on another machine has no such file
    monkeypatch.setattr("factory.curate.index_store._INDEXES", {})
    file = put_questions(store, "question_1-0", FIRST)
    assert step.work(store, unit_over(file)).ledger["contaminated"] == 1


def test_an_index_gone_missing_is_said_and_not_skipped(
    store: LocalStore, config: CurateConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("factory.curate.index_store._INDEXES", {})
    file = put_questions(store, "question_1-0", FIRST)
    with pytest.raises(ConfigError, match="benchmark index"):
        sketch_step(config).work(store, unit_over(file))


def test_benchmark_files_changed_after_planning_are_noticed(
    store: LocalStore, config: CurateConfig, tmp_path: Path
) -> None:
    step = sketch_step(config)
    (tmp_path / "school.jsonl").write_text(json.dumps({"question": "Another one?"}))
    with pytest.raises(ConfigError, match="changed"):
        step.prepare(store)


TOLD = "Ann has {} apples and gives {} of them to Bob. How many apples does Ann have left at the end of the day?"


def test_questions_of_one_template_stay_and_are_counted(store: LocalStore) -> None:
    rows = [question(TOLD.format(10 + number, 2), number) for number in range(6)]
    rows += [question(TOLD.format(10, 2).upper(), 90), question(PRIME, 91)]
    files = [put_questions(store, f"question_{place}-0", rows[place::2]) for place in range(2)]
    results, _ = curated(store, sketch_step(CurateConfig()), files)
    assert sum(len(result.rejects) for result in results) == 1
    (matched,) = store.list("steps/match-0/commits/")
    ledger = orjson.loads(store.get(matched.key))["ledger"]
    assert (ledger["templates"], ledger["template_variants"]) == (1, 6)


def test_a_cap_keeps_the_first_of_a_template_whatever_the_files_and_ranges(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [question(TOLD.format(10 + number, 2), number) for number in range(6)]
    rows += [question(TOLD.format(10, 2).upper(), 90), question(PRIME, 91)]
    step = sketch_step(CurateConfig())
    whole, _ = curated(store, step, [put_questions(store, "question_a-0", rows)], template_variants=4)
    monkeypatch.setattr(bands, "ENTRIES_A_PARTITION", 20)
    files = [put_questions(store, f"question_{place}-0", [row]) for place, row in enumerate(rows)]
    apart, _ = curated(store, step, files, folder="apart", template_variants=4)
    reasons = Counter(reject.reason for result in whole for reject in result.rejects)
    assert reasons == {"template_variant": 2, "exact_duplicate": 1}
    kept = texts_of(whole)
    assert kept == texts_of(apart)
    assert len(kept) == 5
    evidence = [reject.evidence for result in whole for reject in result.rejects if reject.reason == "template_variant"]
    assert {(each["variants"], each["place"]) for each in evidence} == {(6, 5), (6, 6)}
    assert {each["like"] for each in evidence} <= {row["question_id"] for row in rows}


def source(file: str, row: int, score: float | None) -> dict[str, Any]:
    return {"file": file, "row": row, "domain_score": score}


@pytest.mark.parametrize(
    ("keep", "stays"), [(("score", "sample"), "better"), (("level", "sample"), "lower"), (("sample", "level"), "first")]
)
def test_of_repeats_the_declared_order_says_which_one_stays(
    keep: tuple[Any, ...], stays: str, store: LocalStore
) -> None:
    early, late = sorted(("select-0/a/0", "select-0/b/0"), key=lambda name: sample_key(name, 0))
    rows = {
        "better": question(DUCKS, 1, 2) | {"sources": [source(late, 0, 9.5)]},
        "first": question(DUCKS, 2, 2) | {"sources": [source(early, 0, 2.0)]},
        "lower": question(DUCKS, 3, 1) | {"sources": [source(late, 1, None)]},
        "across": question(DUCKS, 4, 3) | {"sources": [source(early, 0, 10.0)]},
    }
    file = put_questions(store, "question_1-0", list(rows.values()))
    (result,), _ = curated(store, sketch_step(CurateConfig(keep=keep)), [file])
    assert result.tables[0].column("question_id").to_pylist() == [rows[stays]["question_id"]]
    assert {reject.evidence["kept"] for reject in result.rejects} == {rows[stays]["question_id"]}
