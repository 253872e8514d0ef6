"""Which steps' tables a step reads, beyond those whose every accepted row it has to have read.

Design: `Stage.reads` says what is conserved, one step mostly; a step also looks things up in tables of others (passages
in `select`, decisions of deduplication, places of the graph). Steps that a run did not take are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from factory.run.strands import kind_of, of_kind

PASSAGES = ("extract", "question_1", "question_2", "question_3", "answer", "check", "judge")
"""Steps that fetch the text of passages, which lies with `select`."""

ALSO_READS: Mapping[str, tuple[str, ...]] = {
    "merge": ("document_decide",),
    "graph_edges": ("graph_pairs",),
    "graph_joined": ("graph_edges", "graph_merges"),
    "visits": ("walk",),
    "pair": ("graph_index",),
    "curate": ("decide",),
    "semantic": ("semantic_decide",),
    "samples": ("answer", "judge", "merge"),
    "gate": ("samples",),
    "shards": ("samples",),
    "segment": ("samples",),
    **{f"{kind}compare": (f"{kind}sketch",) for kind in ("", "document_", "semantic_")},
    **{f"{kind}decide": (f"{kind}sketch", f"{kind}match") for kind in ("", "document_", "semantic_")},
    **dict.fromkeys(PASSAGES, ("select",)),
}


def inputs_of(step: str, reads: Collection[str], taken: Collection[str]) -> tuple[str, ...]:
    """Names of the steps whose tables `step` reads, those it conserves first. `taken` are the steps of the run."""
    # A task type's stages read what those of open questions read; its questions are those of level 1.
    kind = kind_of(step)
    also = ALSO_READS.get(step) or ALSO_READS.get("question_1" if kind == "question" else kind, ())
    answers = of_kind("answer", taken) if step == "samples" else ()
    found = (name for name in (*reads, *_walked(step, taken), *answers, *also) if name in taken)
    return tuple(dict.fromkeys(name for name in found if name != step))


def _walked(step: str, taken: Collection[str]) -> Iterator[str]:
    """The graph that walks go over is the one with merged names, where names are merged."""
    if step in ("walk", "walk_subjects"):
        yield "graph_joined" if "graph_joined" in taken else "graph_edges"
    if step == "walk":
        yield "walk_subjects"
