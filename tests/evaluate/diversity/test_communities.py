"""Communities and where the picture puts them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from factory.evaluate.diversity.communities import Part, communities_of, network_of, strongest
from factory.evaluate.diversity.labels import CHARACTER_WIDTH, LINE, SIZES, labels_of, short
from factory.evaluate.diversity.layout import MAIN, picture_of
from tests.evaluate.diversity.sample_facts import part, picture


def test_planted_communities_are_found() -> None:
    planted = part(groups=6, size=40)
    graph = network_of(len(planted.ids), planted.low, planted.high, planted.strength)
    found, modularity = communities_of(graph)
    assert modularity > 0.5
    large = [members for members in found if len(members) > 20]
    assert len(large) == 6
    for members in large:
        groups = [planted.names[member].rsplit(" ", 1)[-1] for member in members if "group" in planted.names[member]]
        assert max(groups.count(group) for group in set(groups)) > 0.9 * len(groups)


def test_the_strongest_edges_stay_and_every_node_keeps_one() -> None:
    # node 4 is linked once, weakly; the rest is a clique of strong edges
    low, high = np.array([0, 0, 0, 1, 1, 2, 0]), np.array([1, 2, 3, 2, 3, 3, 4])
    freq, doc_freq = np.array([9, 9, 9, 9, 9, 8, 1]), np.array([10, 10, 10, 10, 10])
    chosen, strength = strongest(low, high, freq, doc_freq, most=4)
    pairs = {(int(low[place]), int(high[place])) for place in chosen}
    assert (0, 4) in pairs
    assert (2, 3) not in pairs
    assert set(itertools.chain(*pairs)) == set(range(5))
    assert strength.tolist() == sorted(strength.tolist(), reverse=True)
    assert strongest(low, high, freq, doc_freq)[0].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_common_company_counts_for_less_than_exclusive_company() -> None:
    chosen, _ = strongest(np.array([0, 1]), np.array([1, 2]), np.array([5, 3]), np.array([1000, 4, 3]), most=2)
    assert chosen.tolist() == [1, 0]


def test_the_same_graph_gives_the_same_picture() -> None:
    assert picture() == picture()


def test_discs_and_nodes_do_not_overlap_and_lie_inside_the_picture() -> None:
    found = picture()
    for one, other in itertools.combinations(found.communities, 2):
        assert np.hypot(one.x - other.x, one.y - other.y) > one.radius + other.radius
    for node in found.nodes:
        assert node.community is not None
        home = found.communities[node.community]
        assert np.hypot(node.x - home.x, node.y - home.y) <= home.radius + 0.5
        assert node.x - node.radius >= 0
        assert node.x + node.radius <= found.width
        assert node.y - node.radius >= 0
        assert node.y + node.radius <= found.height
    overlapping = sum(
        np.hypot(one.x - other.x, one.y - other.y) < 0.8 * (one.radius + other.radius)
        for one, other in itertools.combinations(found.nodes, 2)
    )
    assert overlapping < 0.02 * len(found.nodes)


def test_what_is_left_out_is_counted() -> None:
    many = part(groups=MAIN + 4, size=12)
    found = picture_of(many, 10_000)
    assert found is not None
    assert len(found.communities) <= MAIN
    assert len(found.nodes) + found.small_nodes == found.nodes_chosen == len(many.ids)
    assert sum(community.nodes for community in found.communities) == len(found.nodes)
    assert found.small > 0


def test_a_graph_without_edges_or_nodes_has_no_picture() -> None:
    none = np.zeros(0, np.int64)
    for count in (0, 3):
        ids = np.arange(1, count + 1, dtype=np.uint64)
        alone = Part(
            ids, ("x",) * count, np.ones(count, np.int64), np.zeros(count, np.int64), none, none, none * 1.0, 0
        )
        assert picture_of(alone, count) is None


def test_one_community_alone_is_drawn() -> None:
    low, high = np.array([0, 0, 1]), np.array([1, 2, 2])
    ids = np.array([2, 3, 5], np.uint64)
    found = picture_of(
        Part(ids, ("a", "b", "c"), np.array([3, 2, 1]), np.array([1, 0, 4]), low, high, np.ones(3), 3), 3
    )
    assert found is not None
    assert [(node.kind, node.visits) for node in found.nodes] == [(0, 1), (1, 0), (1, 4)]
    assert found.edges == ((0, 1), (0, 2), (1, 2))


@pytest.mark.parametrize("size", range(len(SIZES)))
def test_names_never_lie_over_each_other(size: int) -> None:
    found = picture()
    labels = labels_of(found.nodes, found.width)
    shown = [
        (len(short(node.name)) * CHARACTER_WIDTH * SIZES[size], label)
        for node, label in zip(found.nodes, labels, strict=True)
        if label is not None and label.size <= size
    ]
    assert len(shown) >= len(found.communities) * (size + 1) * 0.5
    for (width, one), (other_width, other) in itertools.combinations(shown, 2):
        aside = abs(one.x - other.x) >= (width + other_width) / 2 - 0.2
        assert aside or abs(one.y - other.y) >= LINE * SIZES[size] - 0.2


def test_names_stay_inside_the_picture_at_the_size_they_appear_at() -> None:
    found = picture()
    for node, label in zip(found.nodes, labels_of(found.nodes, found.width), strict=True):
        if label is not None:
            half = len(short(node.name)) * CHARACTER_WIDTH * SIZES[label.size] / 2
            assert half - 0.1 <= label.x <= found.width - half + 0.1
