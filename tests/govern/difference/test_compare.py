"""Two real datasets of one small run, and what is said of how they differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from factory.cli.main import main
from factory.errors import StoreError
from factory.evaluate.dataset.reading import Dataset, read_dataset
from factory.govern.difference import spill
from factory.govern.difference.compare import compare
from factory.govern.difference.found import Difference, Section
from factory.identity import canonical_json, sha256_hex
from factory.publish.finalise import encode_shard
from factory.publish.gates.shape import NONE
from factory.publish.manifest import GeneratorTerms, seal
from factory.publish.samples import SAMPLE
from factory.publish.wording import PROMPTS
from factory.store.local import LocalStore
from tests.publish.world import World

PROMPT = {"name": "answer", "prompt_id": "p1", "steps": ["answer"], "system": "Be exact.", "template": "Q: {{q}}\nA:"}


@pytest.fixture(scope="module")
def first(worked: World) -> Dataset:
    return _dataset(worked, "before", wording={"prompts": [PROMPT], "rubrics": []})


def _dataset(world: World, version: str, **changes: Any) -> Dataset:
    published = world.publish(version=version, **changes)
    assert isinstance(world.store, LocalStore)
    return read_dataset(str(Path(world.store.root, published.prefix)))


def _rewritten(dataset: Dataset, folder: Path, change: Any) -> Dataset:
    """A copy of a dataset whose shards hold what `change` makes of their rows, with a manifest that fits."""
    assert isinstance(dataset.store, LocalStore)
    store = LocalStore(str(folder))
    for info in dataset.store.list(""):
        store.put(info.key, dataset.store.get(info.key))
    manifest = orjson.loads(orjson.dumps(dataset.manifest))
    for shard in manifest["shards"]:
        table = change(pq.read_table(pa.BufferReader(store.get(shard["path"]))).cast(SAMPLE))
        data = encode_shard(table, {})
        store.put(shard["path"], data)
        shard |= {"rows": table.num_rows, "bytes": len(data), "sha256": sha256_hex(data)}
    manifest["totals"]["rows"] = sum(shard["rows"] for shard in manifest["shards"])
    store.put("manifest.json", seal(manifest))
    return read_dataset(str(folder))


def _section(difference: Difference, name: str) -> Section:
    return next(section for section in difference.sections if section.name == name)


def _changes(difference: Difference, name: str) -> dict[str, tuple[Any, Any]]:
    return {change.what: (change.before, change.now) for change in _section(difference, name).changes}


def test_a_dataset_is_the_same_as_itself_and_as_its_copy_of_another_version(worked: World, first: Dataset) -> None:
    assert compare(first, first).same
    again = _dataset(worked, "again", wording={"prompts": [PROMPT], "rubrics": []})
    difference = compare(first, again)
    assert difference.same
    assert _changes(difference, "dataset")["version"] == ("before", "again")
    assert [(shared.same, shared.changed) for shared in difference.rows] == [(first.rows, 0), (first.rows, 0)]


def test_settings_models_and_prompts_that_changed_are_told(worked: World, first: Dataset) -> None:
    terms = tuple(GeneratorTerms(role, "toy/other", "r2", "MIT", "none") for role in ("question", "answer"))
    other = {**PROMPT, "prompt_id": "p2", "template": "Q: {{q}}\nAnswer:"}
    now = _dataset(
        worked,
        "changed",
        generators=terms,
        recipe={"seed": 18, "answer": {"samples": 3}},
        software={"factory": "0.2.0"},
        wording={"prompts": [other], "rubrics": []},
        governance={"owner": "Example Ltd"},
    )
    difference = compare(first, now)
    assert not difference.same
    assert _changes(difference, "config") == {"seed": (17, 18), "answer.samples": (None, 3)}
    assert _changes(difference, "models")["answer model"] == ("toy/answer@r1", "toy/other@r2")
    assert _changes(difference, "models")["question model licence"] == ("Apache-2.0", "MIT")
    assert _changes(difference, "software") == {"factory": ("0.1.0", "0.2.0")}
    assert _changes(difference, "governance") == {"owner": (None, "Example Ltd")}
    (text,) = difference.texts
    assert (text.name, text.before_id, text.now_id) == ("prompt answer", "p1", "p2")
    assert [line for line in text.lines if line[0] in "+-"][2:] == ["-A:", "+Answer:"]


def test_rows_are_the_same_changed_or_only_in_one(first: Dataset, tmp_path: Path) -> None:
    ids = [value for table in first.tables(["sample_id"]) for value in table.column("sample_id").to_pylist()]
    left_out, relicensed = ids[0], ids[-1]

    def change(table: pa.Table) -> pa.Table:
        kept = table.filter(pc.not_equal(table.column("sample_id"), left_out))
        licence = pc.if_else(pc.equal(kept.column("sample_id"), relicensed), "X11", kept.column("license"))
        return kept.set_column(kept.schema.get_field_index("license"), "license", licence)

    difference = compare(first, _rewritten(first, tmp_path / "copy", change))
    by_id, by_question = difference.rows
    assert (by_id.same, by_id.changed, by_id.only_before, by_id.only_now) == (first.rows - 2, 1, 1, 0)
    assert by_id.changed_in == {"text": 0, "verdicts": 0, "rights": 1, "origin": 0}
    assert [example.sample_id for example in by_id.examples["changed"]] == [relicensed]
    assert [example.sample_id for example in by_id.examples["only_before"]] == [left_out]
    assert by_question.only_before == 1
    licence = next(each for each in difference.distributions if each.column == "license")
    assert any(bin.name == "X11" and bin.before == 0 for bin in licence.divergence.bins)


def test_rows_parted_over_many_files_are_counted_as_in_one(
    first: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def change(table: pa.Table) -> pa.Table:
        return table.slice(0, table.num_rows // 2)

    half = _rewritten(first, tmp_path / "half", change)
    whole = compare(first, half).rows
    monkeypatch.setattr(spill, "PART_ROWS", 4)
    assert spill.parts_for(first.rows) >= 4
    parted = compare(first, half).rows
    assert [(each.same, each.changed, each.only_before, each.only_now) for each in parted] == [
        (half.rows, 0, first.rows - half.rows, 0)
    ] * 2
    assert [each.examples for each in parted] == [each.examples for each in whole]


def test_questions_asked_twice_count_once(first: Dataset, tmp_path: Path) -> None:
    def alike(table: pa.Table) -> pa.Table:
        same = pa.array(["What is asked?"] * table.num_rows)
        return table.set_column(table.schema.get_field_index("question"), "question", same)

    by_id, by_question = compare(first, _rewritten(first, tmp_path / "alike", alike)).rows
    assert by_id.changed_in["text"] == first.rows
    assert by_question.only_now == 1
    assert by_question.only_before == first.rows


def test_agreement_and_verdicts_have_distributions(first: Dataset, tmp_path: Path) -> None:
    def doubted(table: pa.Table) -> pa.Table:
        none = pa.nulls(table.num_rows, pa.float64())
        table = table.set_column(table.schema.get_field_index("agreement"), "agreement", none)
        return table.set_column(table.schema.get_field_index("verified"), "verified", pa.array(["no"] * table.num_rows))

    found = {
        each.column: each.divergence
        for each in compare(first, _rewritten(first, tmp_path / "x", doubted)).distributions
    }
    assert {bin.name: (bin.before, bin.now) for bin in found["agreement"].bins} == {"1.0": (1.0, 0.0), NONE: (0.0, 1.0)}
    assert found["verified"].jensen_shannon > 0.9
    assert found["length of the answer"].raw_jensen_shannon == 0


def test_a_damaged_shard_is_refused(first: Dataset, tmp_path: Path) -> None:
    copy = _rewritten(first, tmp_path / "copy", lambda table: table)
    path = tmp_path / "copy" / copy.shards[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StoreError, match=copy.shards[0]):
        compare(first, copy)


def test_prompts_with_other_bytes_than_published_are_refused(first: Dataset, tmp_path: Path) -> None:
    copy = _rewritten(first, tmp_path / "copy", lambda table: table)
    (tmp_path / "copy" / PROMPTS).write_bytes(canonical_json({"prompts": []}))
    with pytest.raises(StoreError, match=PROMPTS):
        compare(first, copy)


def test_the_command_tells_prints_json_and_writes_a_page(
    worked: World, first: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = _dataset(worked, "command", recipe={"seed": 18}, wording={"prompts": [], "rubrics": []})
    addresses = [first.store.uri, now.store.uri]
    page = tmp_path / "diff.html"
    assert main(["diff", *addresses, "--html", str(page)]) == 0
    told = capsys.readouterr().out
    assert "seed  17 -> 18 (+1, +5.9%)" in told
    assert "prompt answer: only in A (p1)" in told
    assert f"Rows by sample_id: {first.rows:,} the same, 0 changed" in told
    assert "17" in page.read_text()
    assert main(["diff", *addresses, "--json", "--exit-code"]) == 1
    found = orjson.loads(capsys.readouterr().out)
    assert found["same"] is False
    assert {section["name"] for section in found["sections"] if section["changes"]} == {"dataset", "config"}
    assert main(["diff", addresses[0], addresses[0], "--exit-code"]) == 0
    assert main(["diff", addresses[0], str(tmp_path)]) == 2
