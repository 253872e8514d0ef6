from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from factory.errors import ConfigError, CorpusError, GateError, StoreError
from factory.mix.config import MixConfig
from factory.mix.job import Made, make
from factory.mix.verify import verify_mix
from factory.store.local import LocalStore
from tests.mix.planted import chats, config, pairs, words, write

NO_ANCHOR = {"anchor": {"min_rows": 0, "min_share": 0.0}}


def made(given: MixConfig) -> Made:
    return make(given, LocalStore(given.store.root))


def rows_of(given: MixConfig, found: Made, name: str = "data") -> list[dict[str, Any]]:
    folder = Path(given.store.root, found.prefix)
    files = sorted(folder.glob("data/*.parquet")) if name == "data" else [folder / name]
    return list(pa.concat_tables([pq.read_table(file) for file in files]).to_pylist())


@pytest.fixture
def planted(tmp_path: Path) -> dict[str, Any]:
    """Three parts: of the synthetic rows 6 repeat human ones, 4 real ones (nearly), 3 are benchmark items, 1 has a
    benchmark's answer, 1 has no answer; of the real ones 5 repeat human ones, 1 is an item; a human one is an item."""
    human, real, synthetic = pairs(200, license="CC-BY-4.0"), chats(300), pairs(400, synthetic=True)
    items = [{"question": words(25), "answer": words(40)} for _ in range(20)]
    for number in range(6):
        synthetic[number]["question"] = human[number]["question"]
    for number in range(10, 15):
        real[number]["messages"][0]["content"] = human[number]["question"].upper() + " !"
    for number in range(20, 24):
        synthetic[number]["question"] = real[number]["messages"][0]["content"] + " moreover"
    for number in range(30, 33):
        synthetic[number]["question"] = items[number - 30]["question"]
    synthetic[33]["answer"] = items[4]["answer"]
    synthetic[34]["answer"] = ""
    real[40]["messages"][0]["content"] = items[5]["question"]
    human[50]["question"] = items[6]["question"]
    return {
        "parts": [
            {"name": "synth", "role": "synthetic", "paths": [write(tmp_path / "s.jsonl", synthetic)], "license": "MIT"},
            {"name": "found", "role": "real", "paths": [write(tmp_path / "r.jsonl", real)]},
            {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", human)]},
        ],
        "curate": {
            "benchmarks": [
                {
                    "name": "exam",
                    "path": write(tmp_path / "exam.jsonl", items),
                    "fields": ["question"],
                    "answer_fields": ["answer"],
                }
            ]
        },
    }


def test_repeats_and_leaks_fall_across_parts_and_every_row_is_accounted_for(
    planted: dict[str, Any], tmp_path: Path
) -> None:
    given = config(tmp_path / "root", planted["parts"], curate=planted["curate"])
    found = made(given)
    parts = {part["name"]: part for part in found.manifest["parts"]}
    assert parts["synth"]["reasons"] == {"contaminated": 4, "exact_duplicate": 6, "near_duplicate": 4, "no_answer": 1}
    assert parts["found"]["reasons"] == {"contaminated": 1, "exact_duplicate": 5}
    assert parts["people"]["reasons"] == {"contaminated": 1}
    assert parts["synth"]["repeats"] == {"found": 4, "people": 6}
    assert parts["found"]["repeats"] == {"people": 5}
    assert found.manifest["totals"]["rows"] == 200 + 300 + 400 - 22

    left = rows_of(given, found, "left_out.parquet")
    mixed = {row["sample_id"]: row for row in rows_of(given, found)}
    assert len(left) == 22
    assert len(mixed) == found.manifest["totals"]["rows"]
    near = [row for row in left if row["reason"] == "near_duplicate"]
    assert all(0.7 <= row["similarity"] < 1 and mixed[row["kept_id"]]["part"] == "found" for row in near)
    assert {row["kept_part"] for row in left if row["reason"] == "exact_duplicate"} == {"people"}
    assert all("exam" in row["evidence"] for row in left if row["reason"] == "contaminated")
    assert {row["row"] for row in left if row["part"] == "synth" and row["reason"] == "contaminated"} == {
        *range(30, 34)
    }


def test_every_row_says_where_it_comes_from_and_carries_its_licence(planted: dict[str, Any], tmp_path: Path) -> None:
    given = config(tmp_path / "root", planted["parts"], curate=planted["curate"])
    found = made(given)
    rows = rows_of(given, found)
    source = {part["name"]: Path(part["paths"][0]).read_text().splitlines() for part in planted["parts"]}
    for row in rows[:50]:
        assert row["question"] in source[row["part"]][row["lineage"]["row"]]
        assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    by_role = {role: {row["license"] for row in rows if row["role"] == role} for role in ("human", "real", "synthetic")}
    assert by_role == {"human": {"CC-BY-4.0"}, "real": {"LicenseRef-unknown"}, "synthetic": {"MIT"}}
    assert all(row["synthetic"] == (row["role"] == "synthetic") for row in rows)
    assert set(found.manifest["license"]["rows"]) == {"CC-BY-4.0", "LicenseRef-unknown", "MIT"}
    assert "unknown" in found.manifest["license"]["duties"]


def test_a_mix_without_enough_human_rows_is_refused_and_leaves_no_dataset(
    planted: dict[str, Any], tmp_path: Path
) -> None:
    given = config(tmp_path / "root", planted["parts"][:2])
    with pytest.raises(GateError, match="0 human rows; it needs 125"):
        made(given)
    assert not list((tmp_path / "root" / "datasets").rglob("manifest.json"))


@pytest.mark.parametrize(("size", "share"), [(100, 0.6), (250, 0.6), (100, None)])
def test_an_anchor_that_does_not_fit_beside_the_shares_is_refused_with_the_ways_out(
    size: int, share: float | None, tmp_path: Path
) -> None:
    parts = [
        {"name": "synth", "role": "synthetic", "paths": [write(tmp_path / "s.jsonl", pairs(300))], "share": share},
        {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", pairs(200))]},
    ]
    with pytest.raises(GateError) as error:
        made(config(tmp_path / "root", parts, mix={"size": size}))
    for said in ("125", "mix.anchor.min_rows=", "mix.anchor.below=flag", "mix.size="):
        assert said in str(error.value)
    if share:
        assert "synth 0.6" in error.value.cause
        assert "mix.size=313" in error.value.remedy
        flagged = made(config(tmp_path / "root", parts, mix={"size": size, "anchor": {"below": "flag"}})).manifest
        assert [part["got_rows"] for part in flagged["parts"]] == [0.6, 0.4]
        assert flagged["anchor"]["flagged"]


def test_a_mix_below_the_anchor_is_flagged_where_the_config_says_so(planted: dict[str, Any], tmp_path: Path) -> None:
    given = config(tmp_path / "root", planted["parts"][:2], mix={"anchor": {"below": "flag"}})
    found = made(given)
    assert found.manifest["anchor"]["flagged"]
    assert "Below the human anchor" in (tmp_path / "root" / found.prefix / "README.md").read_text()
    assert verify_mix(LocalStore(str(tmp_path / "root" / found.prefix))).ok


def test_the_mix_does_not_depend_on_the_order_of_paths_or_on_where_files_lie(tmp_path: Path) -> None:
    one, two = pairs(150), pairs(150)
    two[3]["question"] = one[7]["question"]
    mixes = []
    for place, order in (("a", ("one", "two")), ("b", ("two", "one"))):
        for name, rows in (("one", one), ("two", two)):
            write(tmp_path / place / "files" / f"{name}.jsonl", rows)
        paths = [str(tmp_path / place / "files" / f"{name}.jsonl") for name in order]
        part = {"name": "people", "role": "human", "paths": paths, "license": "MIT"}
        given = config(tmp_path / place / "root", [part], mix={"size": 140})
        found = made(given)
        mixes.append((found.manifest["version"], rows_of(given, found)))
    assert mixes[0] == mixes[1]
    given = config(tmp_path / "a" / "root", [part], mix={"size": 140}, seed=18)
    other = rows_of(given, made(given))
    assert {row["sample_id"] for row in other} != {row["sample_id"] for row in mixes[0][1]}


def test_rows_are_drawn_by_stratum(tmp_path: Path) -> None:
    skewed = [{**row, "level": "hard" if number < 30 else "easy"} for number, row in enumerate(pairs(300))]
    part = {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", skewed)]}
    keys = {"size": 100, **NO_ANCHOR}
    proportional = made(config(tmp_path / "p", [part], mix={**keys, "stratify": {"column": "level"}}))
    equal = made(config(tmp_path / "e", [part], mix={**keys, "stratify": {"column": "level", "rule": "equal"}}))
    assert proportional.manifest["parts"][0]["strata"] == {"easy": 90, "hard": 10}
    assert equal.manifest["parts"][0]["strata"] == {"easy": 70, "hard": 30}


def test_a_size_that_a_part_cannot_fill_is_refused_or_shrunk(tmp_path: Path) -> None:
    parts = [
        {"name": "synth", "role": "synthetic", "paths": [write(tmp_path / "s.jsonl", pairs(300))], "share": 0.75},
        {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", pairs(150))], "share": 0.25},
    ]
    with pytest.raises(ConfigError, match="synth has 300 of 600") as error:
        made(config(tmp_path / "root", parts, mix={"size": 800, **NO_ANCHOR}))
    assert "mix.size=400" in error.value.remedy
    shrunk = made(config(tmp_path / "root", parts, mix={"size": 800, "shortage": "shrink", **NO_ANCHOR}))
    assert [part["written"] for part in shrunk.manifest["parts"]] == [300, 100]


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the code under test may catch it."""


@dataclass(frozen=True)
class DyingStore(LocalStore):
    """A local store whose process dies before it puts a manifest."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if key.endswith("manifest.json"):
            raise KilledError
        return super().put_if_absent(key, data)


def test_a_second_run_finds_the_mix_and_a_killed_one_starts_anew(planted: dict[str, Any], tmp_path: Path) -> None:
    given = config(tmp_path / "root", planted["parts"])
    store = LocalStore(given.store.root)
    with pytest.raises(KilledError):
        make(given, DyingStore(given.store.root))
    assert not list((tmp_path / "root").rglob("manifest.json"))
    stray = next((tmp_path / "root").rglob("data")) / "train-00000-of-99999.parquet"
    stray.write_bytes(b"of an attempt with other shards")
    first = make(given, store)
    assert not first.already
    assert not stray.exists()
    second = make(given, store)
    assert second.already
    assert second.manifest == first.manifest


def test_another_mix_under_the_same_version_is_refused(planted: dict[str, Any], tmp_path: Path) -> None:
    made(config(tmp_path / "root", planted["parts"], mix={"version": "v1"}))
    with pytest.raises(StoreError, match="already another dataset"):
        made(config(tmp_path / "root", planted["parts"], mix={"version": "v1"}, seed=3))


def test_synthetic_rows_are_no_human_anchor(tmp_path: Path) -> None:
    part = {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", pairs(150, synthetic=True))]}
    with pytest.raises(CorpusError, match="says that it is synthetic"):
        made(config(tmp_path / "root", [part]))


def test_a_line_that_is_no_json_is_named_as_an_editor_counts_it(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "h.jsonl", pairs(3)))
    path.write_text("\n" + path.read_text() + "{broken\n")
    with pytest.raises(CorpusError, match="line 5 is not JSON"):
        made(config(tmp_path / "root", [{"name": "people", "role": "human", "paths": [str(path)]}]))


def test_one_file_in_two_parts_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "h.jsonl", pairs(10))
    parts = [{"name": name, "role": "real", "paths": [path]} for name in ("one", "two")]
    with pytest.raises(ConfigError, match="byte for byte"):
        made(config(tmp_path / "root", parts))


def test_whole_conversations_are_compared_where_the_config_says_so(tmp_path: Path) -> None:
    rows = pairs(150)
    again = [{**row, "answer": words(60)} for row in rows]
    part = {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", [*rows, *again])]}
    by_question = made(config(tmp_path / "q", [part]))
    by_chat = made(config(tmp_path / "c", [part], mix={"duplicates": "conversation"}))
    assert by_question.manifest["totals"]["rows"] == 150
    assert by_chat.manifest["totals"]["rows"] == 300


def test_turns_keep_their_roles_in_todays_names_and_unknown_ones_are_counted(tmp_path: Path) -> None:
    chat = [{"from": "human", "value": words(20)}, {"from": "gpt", "value": words(20)}]
    rows: list[dict[str, Any]] = [{"conversations": chat}]
    rows.append({"conversations": [{"from": "narrator", "value": words(20)}, *chat]})
    rows.append({"conversations": [{"from": "human", "value": None}, *chat]})
    part = {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", rows)]}
    given = config(tmp_path / "root", [part], mix=NO_ANCHOR)
    found = made(given)
    (row,) = rows_of(given, found)
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    assert Counter(found.manifest["parts"][0]["reasons"]) == {"unknown_role": 1, "turn_without_text": 1}


def test_more_rows_than_a_place_holds_keep_their_numbers_and_meet_each_other(tmp_path: Path) -> None:
    human = pairs(4500)
    synthetic = pairs(4000)
    synthetic[3999]["question"] = human[4499]["question"]
    parts = [
        {"name": "synth", "role": "synthetic", "paths": [write(tmp_path / "s.jsonl", synthetic)]},
        {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", human)]},
    ]
    given = config(tmp_path / "root", parts, mix={"shard_mib": 1})
    found = made(given)
    (left,) = rows_of(given, found, "left_out.parquet")
    assert (left["part"], left["row"], left["kept_part"]) == ("synth", 3999, "people")
    rows = rows_of(given, found)
    assert len(rows) == 8499
    assert len(found.manifest["shards"]) > 1
    assert all(row["question"] == (human if row["role"] == "human" else synthetic)[row["lineage"]["row"]]["question"]
               for row in rows)  # fmt: skip
    assert verify_mix(LocalStore(str(tmp_path / "root" / found.prefix))).ok


def test_the_size_that_is_named_for_a_human_share_works(tmp_path: Path) -> None:
    parts = [
        {"name": "synth", "role": "synthetic", "paths": [write(tmp_path / "s.jsonl", pairs(200))], "license": "MIT"},
        {"name": "people", "role": "human", "paths": [write(tmp_path / "h.jsonl", pairs(200))], "share": 0.6},
    ]
    with pytest.raises(GateError) as error:
        made(config(tmp_path / "root", parts, mix={"size": 50}))
    assert "people 0.6" in error.value.cause
    size = int(error.value.remedy.partition("mix.size=")[2].split()[0])
    assert made(config(tmp_path / "root", parts, mix={"size": size})).manifest["anchor"]["rows"] >= 125


@pytest.mark.parametrize(("name", "said"), [("h.jsonl", "has no rows"), ("h.csv", "CSV is not taken")])
def test_a_part_without_rows_or_of_another_format_is_called_so(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_text("" if name.endswith("jsonl") else "question,answer\na,b\n")
    parts = [{"name": "people", "role": "human", "paths": [str(tmp_path / name)]}]
    with pytest.raises(CorpusError, match=said):
        made(config(tmp_path / "root", parts))
