"""Walks against the formula they are drawn by, and against themselves under other cuts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from factory.concepts.walks.adjacency import Nodes
from factory.concepts.walks.rules import Graph, Rules
from factory.concepts.walks.walk import Walks, walk
from factory.errors import CorpusError
from tests.concepts.walks.graphs import (
    concept,
    edges_of,
    graph_from,
    graph_of,
    node_sets,
    random_passages,
    topic,
)

PASSAGES = random_passages(5, 150)
EDGES = edges_of(PASSAGES)
FREQUENCY = Counter(node for nodes in node_sets(PASSAGES) for node in nodes)
WALKS = 12_000
LEAST_EXPECTED = 8.0
"""Expected count from which chi-square's approximation is trusted; rarer moves are pooled."""

Weight = Callable[[int, int], float]


def distribution(src: int, to_topic: bool, weight: Weight, shut: frozenset[int] = frozenset()) -> dict[int, float]:
    """The formula, written plainly: weights of the neighbours of the wanted kind, normalised."""
    weights = {
        dst: weight(dst, freq)
        for (start, dst), freq in EDGES.items()
        if start == src and (dst & 1 == 0) == to_topic and dst not in shut
    }
    total = sum(weights.values())
    return {dst: value / total for dst, value in weights.items() if value > 0} if total else {}


def plain(_dst: int, freq: int) -> float:
    return freq + 1e-6


def moves(walks: Walks) -> list[tuple[int, int, int, bool, float]]:
    """(row, position, src, to a topic, probability) of every step taken."""
    found = []
    for row, length in enumerate(walks.lengths.tolist()):
        for place in range(1, length):
            to_topic = place <= int(walks.topic_steps[row])
            found.append(
                (row, place, int(walks.nodes[row, place - 1]), to_topic, float(walks.probabilities[row, place]))
            )
    return found


def assert_follows(walks: Walks, weight: Weight, memory: bool = False) -> None:
    """Chi-square over all steps: each step's expected distribution is that of the formula given the walk so far."""
    observed: Counter[tuple[int, bool, int]] = Counter()
    expected: Counter[tuple[int, bool, int]] = Counter()
    cache: dict[tuple[int, bool, frozenset[int]], dict[int, float]] = {}
    for row, place, src, to_topic, probability in moves(walks):
        path = walks.nodes[row, :place].tolist()
        key = (src, to_topic, frozenset(path) if memory else frozenset())
        if key not in cache:
            cache[key] = distribution(src, to_topic, weight, key[2])
        chosen = int(walks.nodes[row, place])
        assert probability == pytest.approx(cache[key][chosen], rel=1e-9)
        observed[src, to_topic, chosen] += 1
        for dst, share in cache[key].items():
            expected[src, to_topic, dst] += share
    compare(observed, expected)


def compare(observed: Mapping[tuple[int, ...], float], expected: Mapping[tuple[int, ...], float]) -> None:
    assert observed.keys() <= expected.keys()
    common = [key for key, count in expected.items() if count >= LEAST_EXPECTED]
    counts = [observed.get(key, 0) for key in common]
    hopes = [expected[key] for key in common]
    rest, rest_hope = sum(observed.values()) - sum(counts), sum(expected.values()) - sum(hopes)
    if rest_hope >= LEAST_EXPECTED:
        counts, hopes = [*counts, rest], [*hopes, rest_hope]
    assert len(counts) > 20
    scale = sum(counts) / sum(hopes)
    # One test in 10^4 of a right sampler would fail, with this seed always or never.
    assert chisquare(counts, [hope * scale for hope in hopes]).pvalue > 1e-4


def drawn(graph: Graph, rules: Rules, count: int = WALKS, seed: int = 3) -> Walks:
    return walk(graph, rules, seed, np.arange(count))


def test_steps_follow_the_formula() -> None:
    assert_follows(drawn(graph_of(PASSAGES), Rules()), plain)


def test_a_distribution_that_is_not_the_formula_fails_the_test() -> None:
    walks = drawn(graph_of(PASSAGES), replace(Rules(), temperature=1.3))
    with pytest.raises(AssertionError):
        assert_follows(walks, plain)


@pytest.mark.parametrize("temperature", [0.5, 2.0, 20.0])
def test_temperature_and_epsilon(temperature: float) -> None:
    rules = replace(Rules(), temperature=temperature, epsilon=0.5)
    assert_follows(drawn(graph_of(PASSAGES), rules), lambda _dst, freq: (freq + 0.5) ** (1 / temperature))


def test_without_revisits_the_rest_is_renormalised_exactly() -> None:
    walks = drawn(graph_of(PASSAGES), replace(Rules(), revisit=False))
    assert_follows(walks, plain, memory=True)
    for row, length in enumerate(walks.lengths.tolist()):
        assert len(set(walks.nodes[row, :length].tolist())) == length


def test_hubs_are_not_walked_to() -> None:
    cap = 0.2 * len(PASSAGES)
    walks = drawn(graph_of(PASSAGES), replace(Rules(), max_doc_freq_share=0.2))
    assert_follows(walks, lambda dst, freq: plain(dst, freq) if FREQUENCY[dst] <= cap else 0.0)
    assert max(FREQUENCY.values()) > cap


def test_hubs_weigh_less() -> None:
    walks = drawn(graph_of(PASSAGES), replace(Rules(), hub_exponent=0.75))
    assert_follows(walks, lambda dst, freq: plain(dst, freq) * FREQUENCY[dst] ** -0.75)


def test_what_was_visited_weighs_less() -> None:
    graph = graph_of(PASSAGES)
    visits = np.arange(len(graph.nodes.ids)) % 7
    count = dict(zip(graph.nodes.ids.tolist(), visits.tolist(), strict=True))
    walks = drawn(replace(graph, visits=visits), replace(Rules(), coverage_exponent=1.5))
    assert_follows(walks, lambda dst, freq: plain(dst, freq) * (1 + count[dst]) ** -1.5)


def test_walks_within_a_subject_keep_to_its_nodes() -> None:
    subjects = ["algebra" if number % 3 else "logic" for number in range(len(PASSAGES))]
    graph = graph_of(PASSAGES, subjects=subjects)
    walks = drawn(graph, replace(Rules(), within_subject=True))
    held = {
        number: {
            node for nodes, name in zip(node_sets(PASSAGES), subjects, strict=True) if name == subject for node in nodes
        }
        for number, subject in enumerate(("algebra", "logic"))
    }
    seen = Counter(walks.subjects.tolist())
    assert seen.keys() == {0, 1}
    for row, length in enumerate(walks.lengths.tolist()):
        assert set(walks.nodes[row, :length].tolist()) <= held[int(walks.subjects[row])]
    for subject in (0, 1):
        rows = np.flatnonzero(walks.subjects == subject)
        chosen = replace(
            walks, nodes=walks.nodes[rows], probabilities=walks.probabilities[rows], lengths=walks.lengths[rows],
            topic_steps=walks.topic_steps[rows],
        )  # fmt: skip
        assert_follows(chosen, lambda dst, freq, own=held[subject]: plain(dst, freq) if dst in own else 0.0)  # type: ignore[misc]


def test_the_subject_of_a_walk_is_drawn_as_its_start_occurs_in_it() -> None:
    subjects = ["algebra" if number % 3 else "logic" for number in range(len(PASSAGES))]
    graph = graph_of(PASSAGES, subjects=subjects)
    walks = drawn(graph, replace(Rules(), within_subject=True))
    observed = Counter(zip(walks.nodes[:, 0].tolist(), walks.subjects.tolist(), strict=True))
    starts = Counter(walks.nodes[:, 0].tolist())
    expected = Counter()
    for nodes, subject in zip(node_sets(PASSAGES), subjects, strict=True):
        for node in nodes & starts.keys():
            expected[node, ("algebra", "logic").index(subject)] += starts[node] / FREQUENCY[node]
    counts, hopes = zip(*((observed[key], expected[key]) for key in expected), strict=True)
    assert chisquare(counts, hopes).pvalue > 1e-4


def test_implicit_steps_go_to_no_neighbour_and_name_the_middle() -> None:
    passages = random_passages(8, 40, topics=6, concepts=60, per_passage=4)
    edges = edges_of(passages)
    walks = walk(graph_of(passages), replace(Rules(), implicit_share=0.4), 3, np.arange(8_000))
    observed: Counter[tuple[int, ...]] = Counter()
    expected: Counter[tuple[int, ...]] = Counter()

    def near(src: int) -> dict[int, float]:
        found = {dst: freq + 1e-6 for (start, dst), freq in edges.items() if start == src and dst & 1}
        total = sum(found.values())
        return {dst: value / total for dst, value in found.items()}

    def outcomes(src: int) -> dict[tuple[int, int], float]:
        found: Counter[tuple[int, int]] = Counter()
        for middle, share in near(src).items():
            found[0, middle] += 0.6 * share
            beyond = {dst: part for dst, part in near(middle).items() if dst != src and dst not in near(src)}
            if not beyond:
                found[0, middle] += 0.4 * share
            for dst, part in beyond.items():
                found[middle, dst] += 0.4 * share * part / sum(beyond.values())
        return found

    cache: dict[int, dict[tuple[int, int], float]] = {}
    for row, length in enumerate(walks.lengths.tolist()):
        for place in range(int(walks.topic_steps[row]) + 2, length):
            src = int(walks.nodes[row, place - 1])
            if src not in cache:
                cache[src] = outcomes(src)
            via, dst = int(walks.via[row, place]), int(walks.nodes[row, place])
            assert (via == 0) == ((src, dst) in edges)
            observed[src, via, dst] += 1
            for (middle, end), share in cache[src].items():
                expected[src, middle, end] += share
            if via:
                assert float(walks.probabilities[row, place]) == pytest.approx(cache[src][via, dst], rel=1e-9)
    assert sum(count for (_, via, _), count in observed.items() if via) > 500
    compare(observed, expected)


OPTIONS = (
    Rules(),
    Rules(temperature=1.7, revisit=False, hub_exponent=0.4, max_doc_freq_share=0.5, implicit_share=0.3),
    Rules(topic_steps=(0, 3), concept_steps=(0, 6), implicit_share=0.5),
)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    cuts=st.lists(st.integers(0, 300), max_size=5),
    partitions=st.sampled_from([1, 2, 4, 16, 64]),
    rules=st.sampled_from(OPTIONS),
    passages=st.integers(0, 1000),
)
def test_a_walk_is_the_same_in_any_block_and_over_any_partitions(
    seed: int, cuts: list[int], partitions: int, rules: Rules, passages: int
) -> None:
    corpus = random_passages(passages, 30)
    together = walk(graph_of(corpus), rules, seed, np.arange(300))
    blocks = np.split(np.random.default_rng(seed).permutation(300), sorted(cuts))
    graph = graph_of(corpus, partitions)
    for block in blocks:
        alone = walk(graph, rules, seed, block)
        for name in ("nodes", "via", "probabilities", "lengths", "failures", "topic_steps", "concept_steps"):
            assert getattr(alone, name).tobytes() == getattr(together, name)[block].tobytes()
        assert [alone.reasons.get(row) for row in range(len(block))] == [together.reasons.get(row) for row in block]


def test_implicit_steps_in_turns_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, rules = graph_of(PASSAGES, 4), Rules(implicit_share=0.5)
    at_once = drawn(graph, rules, 500)
    monkeypatch.setattr("factory.concepts.walks.walk.NEAR_POOL", 40)
    in_turns = drawn(graph, rules, 500)
    assert at_once.nodes.tobytes() == in_turns.nodes.tobytes()
    assert at_once.via.tobytes() == in_turns.via.tobytes()
    assert at_once.via.any()


def test_every_topic_begins_one_walk_an_epoch() -> None:
    graph = graph_of(PASSAGES)
    topics = graph.nodes.topics
    starts = walk(graph, Rules(), 0, np.arange(3 * len(topics))).nodes[:, 0]
    assert starts.reshape(3, -1).tolist() == [topics.tolist()] * 3


def test_numbers_of_steps_are_uniform_and_kinds_in_order() -> None:
    walks = drawn(graph_of(PASSAGES), Rules())
    sizes = Counter(zip(walks.topic_steps.tolist(), walks.concept_steps.tolist(), strict=True))
    assert sizes.keys() == {(1, 3), (1, 4), (2, 3), (2, 4)}
    assert chisquare(list(sizes.values())).pvalue > 1e-4
    for row in np.flatnonzero(walks.finished)[:200]:
        topics, concepts = int(walks.topic_steps[row]), int(walks.concept_steps[row])
        kinds = [node & 1 for node in walks.nodes[row, : int(walks.lengths[row])].tolist()]
        assert kinds == [0] * (1 + topics) + [1] * (1 + concepts)


def test_dead_ends_have_names() -> None:
    passages = [(["alone"], ["a", "b"]), (["left", "right"], []), (["up", "down"], ["single"])]
    graph = graph_of(passages)
    walks = walk(graph, Rules(topic_steps=(1, 1)), 1, np.arange(5))
    reasons = {int(walks.nodes[row, 0]): walks.reasons.get(row) for row in range(5)}
    assert reasons == {
        topic("alone"): "isolated_topic",
        topic("left"): "topic_without_concept",
        topic("right"): "topic_without_concept",
        topic("up"): "isolated_concept",
        topic("down"): "isolated_concept",
    }


def test_a_walk_that_has_been_everywhere_is_told_from_an_isolated_node() -> None:
    graph = graph_of([(["t", "s"], ["a", "b"])])
    walks = walk(graph, Rules(topic_steps=(1, 1), revisit=False), 1, np.arange(50))
    assert set(walks.reasons.values()) == {"all_neighbours_excluded"}
    assert walks.lengths.tolist() == [4] * 50
    assert {frozenset(row.tolist()) for row in walks.nodes[:, 2:4]} == {frozenset((concept("a"), concept("b")))}


def test_a_graph_without_topics_is_an_error_and_no_walk() -> None:
    graph = graph_from({}, {}, 0)
    with pytest.raises(CorpusError, match="no topics"):
        walk(graph, Rules(), 1, np.arange(3))


def test_an_unknown_node_is_named() -> None:
    with pytest.raises(KeyError, match="is not in the graph"):
        Nodes(np.array([2, 4], np.uint64), np.array([1, 1], np.uint32)).positions(np.array([3], np.uint64))


def test_excluding_nearly_everything_leaves_the_rest() -> None:
    """Rounding: what is left is 10^-9 of the sum that the running sums were made of."""
    hub, others = concept("hub"), [concept(f"rare{number}") for number in range(3)]
    start, other = topic("s"), topic("o")
    edges = {(start, other): 1, (other, start): 1, (other, hub): 1}
    frequencies = {start: 1, other: 1, hub: 1} | dict.fromkeys(others, 1)
    for node in others:
        edges |= {(hub, node): 1, (node, hub): 2_000_000_000}
        edges |= {(node, peer): 1 for peer in others if peer != node}
    graph = graph_from(frequencies, edges, 1)
    rules = Rules(topic_steps=(1, 1), concept_steps=(3, 3), revisit=False)
    numbers = np.arange(40_000)
    walks = walk(graph, rules, 9, numbers[numbers % 2 == graph.nodes.topics.tolist().index(start)])
    assert walks.finished.all()
    paths = Counter(tuple(row) for row in walks.nodes[:, 3:6].tolist())
    assert len(paths) == 6
    assert chisquare(list(paths.values())).pvalue > 1e-4
    assert walks.probabilities[:, 3:6].prod(axis=1) == pytest.approx(np.full(len(walks.numbers), 1 / 6), rel=1e-6)
