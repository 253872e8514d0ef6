"""Labels as Ray compares them, and how many of a thing fit on nodes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory.cluster.nodes import Node, fitting, in_words


@pytest.mark.parametrize(
    ("wanted", "value", "matches"),
    [
        ("H100", "H100", True),
        ("H100", "A10G", False),
        ("H100", None, False),
        ("!H100", "A10G", True),
        ("!H100", "H100", False),
        ("!H100", None, True),
        ("in(H100, H200)", "H200", True),
        ("in(H100,H200)", "A10G", False),
        ("in(H100)", None, False),
        ("!in(H100, H200)", "H200", False),
        ("!in(H100, H200)", "A10G", True),
    ],
)
def test_labels_are_compared_as_ray_does(wanted: str, value: str | None, matches: bool) -> None:
    node = Node({}, {} if value is None else {"kind": value})
    assert node.has({"kind": wanted}) is matches


bundles = st.lists(
    st.fixed_dictionaries({"GPU": st.integers(0, 3)}, optional={"CPU": st.integers(1, 3)}), min_size=1, max_size=3
)
clusters = st.lists(st.fixed_dictionaries({"CPU": st.integers(0, 8), "GPU": st.integers(0, 4)}), max_size=5)


@given(bundles, clusters, st.integers(1, 30))
def test_what_fits_never_takes_more_than_there_is(
    group: list[dict[str, Any]], cluster: list[dict[str, Any]], enough: int
) -> None:
    groups = fitting(group, [Node(each) for each in cluster], enough)
    assert 0 <= groups <= enough
    for name in ("CPU", "GPU"):
        assert groups * sum(bundle.get(name, 0) for bundle in group) <= sum(each[name] for each in cluster) or any(
            not any(bundle.values()) for bundle in group
        )


@given(clusters, st.integers(1, 40))
def test_of_one_kind_of_bundle_as_many_fit_as_the_nodes_hold(cluster: list[dict[str, Any]], enough: int) -> None:
    there = sum(min(each["GPU"], each["CPU"]) for each in cluster)
    assert fitting([{"GPU": 1.0, "CPU": 1.0}], [Node(each) for each in cluster], enough) == min(there, enough)


def test_ten_thousand_engines_on_a_thousand_nodes_are_counted() -> None:
    nodes = [Node({"CPU": 64.0, "GPU": 8.0}) for _ in range(1000)]
    assert fitting([{"GPU": 1.0, "CPU": 1.0}] * 4, nodes, 10_000) == 2000


def test_equal_nodes_are_counted_in_words() -> None:
    nodes = [Node({"CPU": 4.0, "memory": 8 * 2**30, "node:1": 1.0})] * 2 + [Node({"CPU": 1.0}, {"kind": "spot"})]
    assert in_words(nodes, ["GPU"], ["kind"]) == (
        "2 nodes of 4 CPU, 0 GPU, 8.0 GiB memory (no kind); 1 node of 1 CPU, 0 GPU (kind=spot)"
    )
