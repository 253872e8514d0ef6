from __future__ import annotations

import pytest

from factory.errors import ConfigError, StoreError
from factory.publish.finalise import Published
from factory.publish.replay import Replayed, find_sample, replay
from factory.run.step import LlmStep
from factory.store.base import Store
from factory.store.parquet import read_parquet
from tests.publish.world import MODEL, ToyAnswers, World, make_world


def all_ids(world: World, published: Published) -> list[str]:
    shards = published.manifest["shards"]
    tables = [read_parquet(world.store, f"{published.prefix}/{shard['path']}", ["sample_id"]) for shard in shards]
    return [sample_id for table in tables for sample_id in table.column("sample_id").to_pylist()]


def replayed(world: World, published: Published, sample_id: str, steps: dict[str, LlmStep] | None = None) -> Replayed:
    sample = find_sample(world.store, published.prefix, published.manifest, sample_id)
    assert sample["sample_id"] == sample_id
    return replay(world.store, published.manifest, sample, world.steps if steps is None else steps)


def test_every_row_replays_to_the_prompts_that_were_sent(store: Store) -> None:
    world = make_world(store, documents=6)
    published = world.publish()
    for sample_id in all_ids(world, published)[::4]:
        result = replayed(world, published, sample_id)
        assert result.proven
        answer, question = result.requests
        assert answer.step.startswith("answer-")
        assert question.step.startswith("question_1-")
        assert answer.messages[1].content == f"Answer: {result.sample['question']}"
        assert question.messages[0].content == f"Ask about: {result.documents[0]['text']}"
        assert result.sample["final_answer"] == answer.texts[0]
        assert answer.sampling["temperature"] == 0.7
        assert answer.sampling["seed"] == 17
        assert answer.model == MODEL
        assert answer.engine["kind"] == "openai"
        assert [document["chunk_id"] for document in result.documents] == [
            source["chunk_id"] for source in result.sample["lineage"]["sources"]
        ]


def test_a_prompt_that_was_changed_since_is_not_proven(world: World) -> None:
    published = world.publish()
    sample_id = all_ids(world, published)[0]
    folder = world.dones["answer"]["folder"]
    result = replayed(world, published, sample_id, {**world.steps, folder: ToyAnswers(wording="Reply:")})
    assert [request.proven for request in result.requests] == [False, True]
    assert not result.proven


def test_an_unknown_sample_is_said_so(world: World) -> None:
    published = world.publish()
    with pytest.raises(ConfigError, match="no row of the dataset"):
        find_sample(world.store, published.prefix, published.manifest, "0" * 32)


def test_a_step_that_cannot_be_rebuilt_is_named(world: World) -> None:
    published = world.publish()
    with pytest.raises(ConfigError, match=r"answer-.* cannot be rebuilt"):
        replayed(world, published, all_ids(world, published)[0], {})


def test_a_root_that_lost_its_requests_is_said_so(world: World) -> None:
    published = world.publish()
    sample = find_sample(world.store, published.prefix, published.manifest, all_ids(world, published)[0])
    lost = {**sample, "lineage": {**sample["lineage"], "answer_request_ids": ["0" * 32]}}
    with pytest.raises(StoreError, match="no requests file"):
        replay(world.store, published.manifest, lost, world.steps)


def test_a_request_is_found_where_no_parent_leads_to_it(world: World) -> None:
    published = world.publish()
    sample = find_sample(world.store, published.prefix, published.manifest, all_ids(world, published)[0])
    moved = {**sample, "lineage": {**sample["lineage"], "answer_file": ""}}
    assert replay(world.store, published.manifest, moved, world.steps).proven
