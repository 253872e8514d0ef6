"""Which points a command line asks for, and which it is refused for before anything starts."""

from __future__ import annotations

import pytest

from factory.errors import ConfigError
from factory.sweep.points import points_of, sweep_id_of

BASE = ("engine=scripted", "store.root=/nowhere")


def test_the_last_key_varies_fastest_and_points_are_named_by_what_differs() -> None:
    points = points_of([*BASE, "seed=1,2", "answer.samples=3,4"])
    assert [point.name for point in points] == [
        "seed=1 answer.samples=3", "seed=1 answer.samples=4", "seed=2 answer.samples=3", "seed=2 answer.samples=4",
    ]  # fmt: skip
    assert points[2].differs == {"answer.samples": 3, "seed": 2}


def test_a_group_differs_in_all_that_it_sets() -> None:
    points = points_of([*BASE, "preset=demo,paper"])
    assert points[0].differs["limit"] == 104
    assert points[1].differs["limit"] is None
    assert not any(key.startswith(("store", "cluster", "sweep")) for key in points[0].differs)


def test_the_same_points_are_the_same_sweep_in_any_order() -> None:
    usual = points_of([*BASE, "seed=1,2", "answer.samples=3,4"])
    assert sweep_id_of(points_of([*BASE, "answer.samples=4,3", "seed=2,1"])) == sweep_id_of(usual)


def test_another_engine_kind_is_another_sweep_and_another_cluster_is_not() -> None:
    usual = sweep_id_of(points_of([*BASE, "seed=1,2"]))
    served = ("engine=openai", "engine.base_url=http://127.0.0.1:1/v1", "store.root=/nowhere")
    assert sweep_id_of(points_of([*served, "seed=1,2"])) != usual
    assert sweep_id_of(points_of([*BASE, "seed=1,2", "cluster=ray", "sweep.at_once=4"])) == usual


def test_points_that_differ_in_nothing_that_changes_a_row_are_one_run() -> None:
    points = points_of([*BASE, "engine.max_num_seqs=8,16", "seed=1,1"])
    assert [point.same_as for point in points] == [None, 1, 1, 1]


REFUSED = [
    (["seed=range(1,1)"], "the sweep has no points"),
    (["seed=range(1,100000000)"], "more than 1,000 points"),
    (["seed=range(0,100)", "limit=range(1,101)"], "more than 1,000 points"),
    (["seed=1,-1"], "1 of the 2 points of this sweep cannot run, and nothing was started:\n  point 2 of 2 (seed=-1): "),
    (["seed=-1,-2,3"], "2 of the 3 points"),
    (["no.such.key=1,2"], "2 of the 2 points"),
    (["store.root=/a,/b"], "different keys of `store`"),
    (["sweep.at_once=1,2"], "different keys of `sweep`"),
    (["seed=1,2", "sweep.at_once=2", "observe.metrics_port=9000"], "cannot all serve metrics at port 9000"),
    (["seed=1,2", "publish.version=v1"], "2 points would publish demo v1"),
    (["seed=1,2", "preset=production"], "each point would leave out what the points before it have published"),
]


@pytest.mark.parametrize(("items", "said"), REFUSED, ids=[" ".join(items)[:40] for items, _ in REFUSED])
def test_a_sweep_that_cannot_be_or_would_spoil_itself_is_refused(items: list[str], said: str) -> None:
    own = [item for item in BASE if item.partition("=")[0] not in {each.partition("=")[0] for each in items}]
    with pytest.raises(ConfigError) as error:
        points_of([*own, *items])
    assert said in str(error.value)


def test_versions_and_the_index_are_fine_where_points_do_not_meet() -> None:
    assert len(points_of([*BASE, "publish.version=v1,v2"])) == 2
    assert len(points_of([*BASE, "preset=production", "curate.index.register=false", "seed=1,2"])) == 2
    assert len(points_of([*BASE, "preset=production"])) == 1
