"""Coverage and diversity facts as a run would give them, made by the computing parts from seeded numbers."""

from __future__ import annotations

import numpy as np

from factory.evaluate.diversity.communities import Part, strongest
from factory.evaluate.diversity.facts import DiversityFacts, Picture, Similarity
from factory.evaluate.diversity.layout import picture_of
from factory.evaluate.diversity.saturation import curve
from factory.evaluate.diversity.similarity import Drawn, likenesses
from factory.evaluate.diversity.starts import starts_of
from factory.evaluate.diversity.visits import Tally, coverage_of
from tests.evaluate.sample_report import CONTROL, HANDLER, LONG, SCRIPT

HOSTILE_NAMES = (SCRIPT, HANDLER, CONTROL, LONG, "]]></svg></title>", "Zürich-Übersetzung ∀ε>0")


def part(groups: int = 9, size: int = 40, seed: int = 5) -> Part:
    """A planted graph: `groups` communities, linked inside forty times as often as between."""
    generator = np.random.default_rng(seed)
    nodes = groups * size
    group = generator.permutation(np.repeat(np.arange(groups), size))
    doc_freq = np.sort(generator.zipf(1.6, nodes).clip(1, 4_000))[::-1].astype(np.int64)
    low, high = np.triu_indices(nodes, 1)
    linked = generator.random(len(low)) < np.where(group[low] == group[high], 0.2, 0.005)
    low, high = low[linked].astype(np.int64), high[linked].astype(np.int64)
    freq = generator.integers(1, 6, len(low))
    chosen, strength = strongest(low, high, freq, doc_freq)
    ids = generator.integers(0, 2**63, nodes, dtype=np.uint64) * np.uint64(2) + (generator.random(nodes) < 0.8)
    names = [f"concept {number} of group {group[number]}" for number in range(nodes)]
    names[: len(HOSTILE_NAMES)] = HOSTILE_NAMES
    visits = generator.poisson(2, nodes).astype(np.int64)
    return Part(
        ids.astype(np.uint64), tuple(names), doc_freq, visits, low[chosen], high[chosen], strength, len(low)
    )  # fmt: skip


def picture() -> Picture:
    found = picture_of(part(), 5_000)
    assert found is not None
    return found


def facts() -> DiversityFacts:
    generator = np.random.default_rng(3)
    ids = np.sort(generator.integers(0, 2**63, 2_000, dtype=np.uint64) * np.uint64(2) + (np.arange(2_000) % 4 > 0))
    names = {
        int(node): HOSTILE_NAMES[place % 3] if place % 50 == 0 else f"node {place}" for place, node in enumerate(ids)
    }
    frequency = generator.zipf(1.8, 2_000).clip(1, 900).astype(np.int64)
    steps = generator.poisson(frequency * 0.4).astype(np.int64)
    tally = Tally(ids, frequency, frequency * 5, steps + (ids & np.uint64(1) == 0), steps, steps // 2)
    coverage = coverage_of(
        tally,
        lambda wanted: {int(node): names[int(node)] for node in wanted.tolist()},
        walks=2_100,
        numbers=2_500,
        dead_ends={"isolated_topic": 380, HANDLER: 20},
        nodes_in_graph=2_000,
        named=900,
        unknown=12,
    )
    at = np.sort(generator.random(900) * 400)
    new_at = np.sort(at[generator.random(900) > at / 500])
    curves = (
        curve(1, at, new_at, 400),
        curve(2, np.arange(300.0) + 1, np.arange(300.0) + 1, 300),
        curve(3, at, new_at, 400, (150.0, 400.0), 2_000),
    )
    documents = [f"d{number}" for number in range(40)]
    drawn = []
    rows = 0
    for level in (1, 2, 3):
        own = {
            document: tuple(range(rows + 4 * place, rows + 4 * place + 4)) for place, document in enumerate(documents)
        }
        drawn.append(Drawn(level, own, dict.fromkeys(own, (True, True, False, True))))
        rows += 4 * len(documents)
    centres = np.repeat(generator.normal(size=(rows // 4, 32)), 4, axis=0)
    noise = np.repeat([0.5, 1.0, 2.0], rows // 3)[:, None]
    vectors = (centres + noise * generator.normal(size=(rows, 32))).astype(np.float32)
    similarity = Similarity("all-MiniLM-L6-v2", "ab" * 32, likenesses(drawn, vectors, 7), len(documents), 900, 10)
    moulds = [f"What is the value of thing {number}?" for number in range(60)]
    starts = starts_of(1, moulds + [f"{SCRIPT} {number // 8}" for number in range(40)]) + starts_of(2, moulds)
    return DiversityFacts(coverage, curves, similarity, False, starts, 3, picture())
