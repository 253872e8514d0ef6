from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pyarrow as pa
import pytest

from factory.publish.finalise import Published
from factory.publish.proof import verify_root
from factory.run.outputs import _files_of
from factory.run.record import plan_key
from factory.store.commit_index import fold, index_bytes, index_key, index_rows
from factory.store.commits import commit_key, read_commit
from factory.store.parquet import read_parquet, to_parquet
from tests.publish.world import RUN, World


@pytest.fixture
def made(world: World) -> tuple[World, Published]:
    return world, world.publish()


def failed(world: World, published: Published) -> list[str]:
    _files_of.cache_clear()
    checks = verify_root(world.store, world.store, published.prefix, published.manifest)
    return [check.name for check in checks if not check.ok]


def first_unit(world: World, step: str) -> tuple[str, str]:
    folder = world.dones[step]["folder"]
    units = orjson.loads(world.store.get(plan_key(RUN, step)))["units"]
    return folder, units[0]


def edit_commit(world: World, step: str, change: Callable[[dict[str, Any]], Any]) -> None:
    folder, unit = first_unit(world, step)
    commit = orjson.loads(world.store.get(commit_key(folder, unit)))
    change(commit)
    world.store.put(commit_key(folder, unit), orjson.dumps(commit))


def replace_rows(world: World, key: str, change: Callable[[pa.Table], pa.Table]) -> None:
    world.store.put(key, to_parquet(change(read_parquet(world.store, key)), {}))


def test_an_untouched_root_proves_every_check(made: tuple[World, Published]) -> None:
    assert failed(*made) == []


def test_a_lost_commit_of_any_step_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    for step in world.dones:
        folder, unit = first_unit(world, step)
        data = world.store.get(commit_key(folder, unit))
        world.store.delete(commit_key(folder, unit))
        assert "steps" in failed(world, published), step
        world.store.put(commit_key(folder, unit), data)
    assert failed(world, published) == []


def test_rows_that_vanish_from_a_commit_break_conservation(made: tuple[World, Published]) -> None:
    world, published = made

    def fewer(commit: dict[str, Any]) -> None:
        for name in ("inputs", "rejected"):
            commit["counts"][name] -= 1

    edit_commit(world, "merge", fewer)
    assert failed(world, published) == ["conservation"]


def test_a_commit_that_does_not_add_up_is_no_commit(made: tuple[World, Published]) -> None:
    world, published = made
    edit_commit(world, "merge", lambda commit: commit["counts"].update(rejected=commit["counts"]["rejected"] - 1))
    assert failed(world, published) == ["steps", "conservation"]


def test_a_step_that_read_other_rows_than_were_given_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    edit_commit(world, "answer", lambda commit: commit.update(input_ids_digest="0" * 64))
    assert failed(world, published) == ["conservation"]


def test_a_ledger_that_is_not_that_of_the_commits_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    forged = orjson.loads(orjson.dumps(published.manifest))
    answer = next(step for step in forged["steps"] if step["name"] == "answer")
    assert answer["ledger"]["requests"] > 1
    answer["ledger"]["requests"] = 1
    assert failed(world, replace(published, manifest=forged)) == ["conservation"]


def test_a_changed_source_passage_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    key = world.outputs("select")[0].file.key
    data = bytearray(world.store.get(key))
    data[len(data) // 2] ^= 1
    world.store.put(key, bytes(data))
    assert failed(world, published) == ["files of steps", "sources"]


def test_a_passage_rewritten_together_with_its_commit_no_longer_hashes_to_its_document(
    made: tuple[World, Published],
) -> None:
    from factory.identity import sha256_hex

    world, published = made
    file = world.outputs("select")[0].file

    def reworded(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index("text")
        texts = [text.replace("make", "MAKE") for text in table.column("text").to_pylist()]
        return table.set_column(place, "text", pa.array(texts))

    replace_rows(world, file.key, reworded)
    digest = sha256_hex(world.store.get(file.key))
    edit_commit(world, "select", lambda commit: commit["files"][0].update(sha256=digest))
    assert failed(world, published) == ["sources"]


def test_a_deleted_source_file_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    world.store.delete(world.outputs("select")[1].file.key)
    assert failed(world, published) == ["files of steps", "sources"]


def test_a_request_that_is_not_recorded_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    folder, unit = first_unit(world, "question_1")
    key = read_commit(world.store, folder, unit).other_files["requests"]["key"]
    replace_rows(world, key, lambda table: table.slice(1))
    assert failed(world, published) == ["files of steps", "requests"]


def test_an_answer_that_differs_from_the_published_one_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    world.store.put(world.outputs("answer")[0].file.key, world.store.get(world.outputs("answer")[1].file.key))
    assert failed(world, published) == ["files of steps", "answers"]


def test_a_shard_of_other_rows_than_the_run_committed_is_found(made: tuple[World, Published]) -> None:
    world, published = made
    edit_commit(world, "shards", lambda commit: commit["files"][0].update(content_sha256="0" * 64))
    assert failed(world, published) == ["shards"]


def test_units_of_other_runs_in_the_same_folder_do_not_disturb(made: tuple[World, Published]) -> None:
    world, published = made
    folder, unit = first_unit(world, "answer")
    commit = orjson.loads(world.store.get(commit_key(folder, unit)))
    world.store.put(commit_key(folder, "ff" * 16), orjson.dumps({**commit, "unit": "ff" * 16}))
    assert failed(world, published) == []


@pytest.mark.parametrize("kind", ["data", "rejects", "requests"])
def test_a_damaged_or_missing_file_of_any_step_is_found(made: tuple[World, Published], kind: str) -> None:
    world, published = made
    keys = [info.key for info in world.store.list("steps/") if f"/{kind}/" in info.key]
    steps = {key.split("/")[1]: key for key in keys}
    assert steps
    for key in steps.values():
        data = world.store.get(key)
        world.store.put(key, data[:-1] + bytes([data[-1] ^ 1]))
        assert "files of steps" in failed(world, published), key
        world.store.delete(key)
        assert "files of steps" in failed(world, published), key
        world.store.put(key, data)
    assert failed(world, published) == []


def test_indexes_of_commits_are_held_against_the_commits(made: tuple[World, Published]) -> None:
    world, published = made
    folder, _ = first_unit(world, "answer")
    fold(world.store, folder, at_least=1)
    assert failed(world, published) == []
    key = index_key(folder, 0)
    kept = world.store.get(key)
    rows = [(name, tag, body.replace(b'"used":', b'"used" :')) for name, tag, body in index_rows(world.store, key)]
    world.store.put(key, index_bytes(folder, rows))
    assert failed(world, published) == ["steps"]
    world.store.put(key, kept[:-1])
    assert failed(world, published) == ["steps"]
    world.store.put(key, kept)
    edit_commit(world, "answer", lambda commit: commit["ledger"].update(seconds=1e9))
    assert failed(world, published) == [], "a row of a commit that is another one now is no reader's"
