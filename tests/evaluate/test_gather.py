"""From a root to facts: what is read, and what happens when something of it is missing or damaged."""

from __future__ import annotations

import orjson
import pytest

from factory.cli.main import main
from factory.errors import ConfigError
from factory.evaluate.checks import broken_equations
from factory.evaluate.facts import EngineStarts
from factory.evaluate.gather import gather
from factory.evaluate.report import report_key, write_report
from factory.store.base import Store
from factory.store.local import LocalStore
from tests.evaluate.small_root import DATASET, NAME, PASSAGE, RUN, dataset, passages, records, sample, small_root


def test_a_finished_run_is_gathered_from_either_store(store: Store) -> None:
    small_root(store)
    data = gather(store, RUN)
    assert data.problems == ()
    assert [step.name for step in data.steps] == ["select", "answer", "shards"]
    assert data.dataset is not None
    assert data.dataset.rows == data.distributions.rows == 40
    assert data.dataset.address == f"{store.uri.rstrip('/')}/{DATASET}"
    assert [gate.name for gate in data.gates] == ["min_samples"]
    assert data.engine_starts == (EngineStarts("abc", 1, 2),)
    assert data.software == {"factory": "0.1.0", "vllm": "0.29.0"}
    assert broken_equations(data) == []


def test_a_model_in_two_roles_is_one_model_whose_size_the_engine_tells(local_store: LocalStore) -> None:
    small_root(local_store)
    (model,) = gather(local_store, RUN).models
    assert model.roles == ("concepts and questions", "answers")
    assert model.parameters == 7_000_000_000


def test_examples_take_turns_over_levels_and_show_the_grounding(local_store: LocalStore) -> None:
    small_root(local_store)
    examples = gather(local_store, RUN).examples
    assert len(examples) == 12
    # level 2 has only four rows of forty; they alternate with level 1 until they run out
    assert [example.row["level"] for example in examples] == [1, 2] * 4 + [1] * 4
    assert len({example.row["sample_id"] for example in examples}) == 12
    (source,) = examples[0].sources
    assert source.excerpt is not None
    assert "determinant of a triangular matrix" in source.excerpt
    assert source.excerpt in PASSAGE
    assert source.cut_before
    assert "sources" not in examples[0].row["lineage"]


def test_a_passage_that_is_gone_is_said_and_costs_nothing_else(local_store: LocalStore) -> None:
    dataset(local_store, [sample(number) for number in range(5)])
    records(local_store, 5)
    data = gather(local_store, RUN)
    assert data.problems == ()
    assert all(source.excerpt is None for example in data.examples for source in example.sources)
    assert "could not be read (it is gone)" in data.examples[0].sources[0].problem
    assert NAME not in data.examples[0].sources[0].problem


def test_a_damaged_shard_is_named_and_the_rest_is_reported(local_store: LocalStore) -> None:
    small_root(local_store)
    key = f"{DATASET}/data/train-00001-of-00002.parquet"
    local_store.put(key, local_store.get(key)[:500])
    data = gather(local_store, RUN)
    assert len(data.problems) == 1
    assert "distributions and examples are left out" in data.problems[0]
    assert data.dataset is not None
    assert write_report(local_store, RUN) == report_key(RUN)


def test_a_missing_manifest_is_named_and_shards_are_found_all_the_same(local_store: LocalStore) -> None:
    small_root(local_store)
    local_store.delete(f"{DATASET}/manifest.json")
    data = gather(local_store, RUN)
    assert data.dataset is None
    assert f"the manifest of {DATASET} is missing" in data.problems[0]
    assert data.distributions.rows == 40


def test_a_run_that_stopped_halfway_is_reported_up_to_there(local_store: LocalStore) -> None:
    records(local_store, 5, state="failed", error="EngineError: gone", dataset=None)
    local_store.delete(f"runs/{RUN}/shards.done.json")
    data = gather(local_store, RUN)
    assert [step.finished for step in data.steps] == [True, True, False]
    assert data.distributions.rows == 0
    assert data.problems == ()


def test_records_without_optional_parts_are_read(local_store: LocalStore) -> None:
    local_store.put(
        f"runs/{RUN}.json", orjson.dumps({"run": RUN, "state": "running", "steps": {"extract": "extract-1"}})
    )
    local_store.put(f"runs/{RUN}/extract.done.json", orjson.dumps({"folder": "extract-1", "counts": {}, "ledger": {}}))
    assert [step.name for step in gather(local_store, RUN).steps] == ["extract"]
    write_report(local_store, RUN)


def test_rows_of_another_version_lack_columns_and_are_still_described(local_store: LocalStore) -> None:
    import pyarrow as pa

    from factory.store.parquet import to_parquet

    records(local_store, 3)
    rows = pa.table({"sample_id": ["a", "b", "c"], "question": ["q", "r", "s"], "question_tokens": [1, 2, None]})
    local_store.put(f"{DATASET}/data/train-00000-of-00001.parquet", to_parquet(rows, {}))
    data = gather(local_store, RUN)
    assert data.distributions.rows == 3
    assert set(data.distributions.numbers) == {"question_tokens"}
    assert data.distributions.numbers["question_tokens"].missing == 1
    assert len(data.examples) == 3
    write_report(local_store, RUN)


def test_an_unknown_run_is_an_error_that_says_what_to_do(local_store: LocalStore) -> None:
    with pytest.raises(ConfigError, match="there is no run 'nope'"):
        gather(local_store, "nope")


def test_the_command_rewrites_the_report_of_the_last_run(
    local_store: LocalStore, capsys: pytest.CaptureFixture[str]
) -> None:
    passages(local_store)
    small_root(local_store)
    assert main(["report", local_store.uri]) == 0
    assert capsys.readouterr().out.strip() == f"{local_store.uri}/{report_key(RUN)}"
    assert b"Rows through the steps" in local_store.get(report_key(RUN))


def test_the_command_says_when_a_root_has_no_run(local_store: LocalStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", local_store.uri]) == 2
    assert "there is no run under" in capsys.readouterr().err
