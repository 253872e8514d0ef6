"""What the coverage and diversity part of a report is made of: plain, frozen, and bounded by bins and names.

Design: as factory/evaluate/facts.py: gathering fills these, rendering reads them, and no size grows with rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class NamedNode:
    name: str
    kind: int  # 0 topic, 1 concept
    doc_freq: int
    visits: int = 0
    degree: int = 0


@dataclass(frozen=True)
class Visited:
    """How much of one kind of node was visited: `nodes` there are, `visited` of them at least once.

    entropy: of the distribution of visits, in bits; evenness: entropy / log2(nodes), 1 when every node is visited
    alike; None without a visit (evenness also for a single node). `by_frequency`: share of the passages' mentions
    that are of visited nodes.
    """

    nodes: int
    visited: int
    visits: int
    entropy: float | None
    evenness: float | None
    by_frequency: float | None


@dataclass(frozen=True)
class Spread:
    """Quantiles of a whole number over nodes, and how many of them are 0 and 1."""

    median: float
    p90: float
    p99: float
    maximum: int
    zeros: int
    ones: int


@dataclass(frozen=True)
class KindCoverage:
    """One kind of node (0 topic, 1 concept).

    walked: by walks, starts included; stepped: by their steps alone (topics are also started from in turn); asked:
    topics of walks with a published question, concepts that published questions name. `unvisited`: the commonest nodes
    that no walk met.
    """

    kind: int
    walked: Visited
    stepped: Visited
    asked: Visited
    frequency: Spread
    degree: Spread
    unvisited: tuple[NamedNode, ...]


@dataclass(frozen=True)
class Coverage:
    """`walks` that ended well, of `numbers` drawn; `dead_ends` by reason. hubs: the top 1 % of nodes by edges, their
    share of walk steps and of edge ends, and the first of them. `nodes` were looked at, of `nodes_in_graph`.
    unknown_concepts: concepts named by published questions that are no node of the graph, of `named_concepts`
    mentions. implicit_drawn: steps that were to go over an implicit edge, implicit_taken: those that did."""

    kinds: tuple[KindCoverage, ...]
    walks: int
    numbers: int
    dead_ends: Mapping[str, int]
    nodes: int
    nodes_in_graph: int
    edges: int
    hubs: int
    hub_steps: float | None
    hub_edges: float | None
    top_hubs: tuple[NamedNode, ...]
    named_concepts: int = 0
    unknown_concepts: int = 0
    samples_without_walk: int = 0
    implicit_drawn: int = 0
    implicit_taken: int = 0


@dataclass(frozen=True)
class CurvePoint:
    """After `requests` requests: `questions` that passed their checks, `new` of them were the first of their kind."""

    requests: float
    questions: int
    new: int


@dataclass(frozen=True)
class Curve:
    """New unique questions of one level in the order of its requests; the last point is the whole level.
    `round_ends`: requests after which each round ended. `questions_in_run` is above the last point's where the curve
    stops at a bound."""

    level: int
    points: tuple[CurvePoint, ...]
    round_ends: tuple[float, ...] = ()
    questions_in_run: int = 0


@dataclass(frozen=True)
class Interval:
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Likeness:
    """Cosine similarity between questions of one document, for one level.

    mean: of the documents' means, with a 95 % bootstrap interval over documents (no width with a single one). `bins`
    are counts of pairs in equal steps from LOWEST to 1. kept: the same over
    questions that curation let pass. against_first: difference of means to the lowest level, over `shared` documents
    that have both.
    """

    level: int
    documents: int
    questions: int
    pairs: int
    mean: Interval
    bins: tuple[int, ...]
    kept: Interval | None
    kept_pairs: int
    shared: int = 0
    against_first: Interval | None = None


LOWEST = -0.2
"""Left edge of the histogram of cosines. Sentence embeddings hardly ever go below; what does is in the first bin."""


@dataclass(frozen=True)
class Similarity:
    """model: as configured; sha256 of its weights and tokenizer; `documents` sampled of `documents_in_run`."""

    model: str
    sha256: str
    levels: tuple[Likeness, ...]
    documents: int
    documents_in_run: int
    per_document: int


@dataclass(frozen=True)
class SharedStarts:
    """Questions of one level whose first `tokens` words more than `others` other questions share."""

    level: int
    tokens: int
    others: int
    questions: int
    shared: int
    distinct: int
    commonest: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class PictureNode:
    """A node of the picture: place in units of the picture, radius, community (None: none of the main ones)."""

    name: str
    kind: int
    doc_freq: int
    visits: int
    x: float
    y: float
    radius: float
    community: int | None


@dataclass(frozen=True)
class Community:
    number: int
    nodes: int
    topics: int
    visited: int
    visits: int
    names: tuple[str, ...]
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Picture:
    """The main communities of the part of the graph that fits the bounds. Edges are pairs of places in `nodes`.

    `nodes_chosen` and `edges_chosen` were clustered, of `nodes_in_graph` nodes and `edges_between` edges between the
    chosen nodes; `small` communities of `small_nodes` nodes are not drawn."""

    nodes: tuple[PictureNode, ...]
    edges: tuple[tuple[int, int], ...]
    communities: tuple[Community, ...]
    width: float
    height: float
    nodes_chosen: int
    nodes_in_graph: int
    edges_chosen: int
    edges_between: int
    small: int
    small_nodes: int
    modularity: float


@dataclass(frozen=True)
class DiversityFacts:
    """What could be found out; None or empty where the run has nothing of it."""

    coverage: Coverage | None = None
    curves: tuple[Curve, ...] = ()
    similarity: Similarity | None = None
    similarity_off: bool = True
    starts: tuple[SharedStarts, ...] = ()
    starts_of: int = 1  # every how many-th file of questions was read for starts and likeness
    picture: Picture | None = None

    @property
    def any(self) -> bool:
        return bool(self.coverage or self.curves or self.similarity or self.starts or self.picture)
