"""What each step reads, gives and does, in the words that progress lines and reports share.

Design: a step's input and output are often of different kinds (documents in, passages out), so no line may
call both rows: 6,937 rows that become 2,728 while 4,234 are turned away do not add up for a reader.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Words:
    """What a step reads, what it gives, and what it does."""

    reads: str
    gives: str
    does: str


WORDS = {
    "select": Words("documents", "passages", "reads the corpus, normalises and chunks it"),
    "document_sketch": Words("passages", "document sketches", "MinHash bands of whole documents"),
    "document_match": Words("document sketches", "document sketches", "finds documents that share a MinHash band"),
    "document_compare": Words("document sketches", "document sketches", "measures how alike these are, exactly"),
    "document_decide": Words("document sketches", "documents to keep", "decides which of the alike is kept"),
    "merge": Words("passages", "passages", "joins documents met more than once, leaves out near-duplicates, samples"),
    "extract": Words("passages", "passages with concepts", "level, subject, topics and key concepts of a passage"),
    "graph_pairs": Words("passages with concepts", "passages in the graph", "normalises names, counts pairs of nodes"),
    "graph_edges": Words("passages in the graph", "nodes", "sums pairs to the edges of the concept graph"),
    "graph_merges": Words("nodes", "nodes compared", "finds names that are one: abbreviations, embeddings"),
    "graph_joined": Words("passages in the graph", "nodes", "the graph in which merged names are one node"),
    "graph_index": Words("passages in the graph", "passages indexed", "which passages hold a node"),
    "walk_subjects": Words("passages indexed", "pairs of node and subject", "counts subjects of nodes"),
    "visits": Words("walks", "nodes visited", "counts how many walks hold a node"),
    "walk": Words("walk numbers", "walks", "seeded walks over the concept graph"),
    "pair": Words("walks", "walks with two passages", "finds the two passages each walk is grounded in"),
    "question_1": Words("passages", "questions", "level 1: questions a passage holds, and new ones"),
    "question_2": Words("passages", "questions", "level 2: questions around concepts drawn in code"),
    "question_3": Words("walks", "questions", "level 3: questions across two documents"),
    "sketch": Words("questions", "sketches", "MinHash bands, overlaps with benchmarks"),
    "match": Words("sketches", "sketches", "finds questions that share a MinHash band"),
    "compare": Words("sketches", "sketches", "measures how alike these are, exactly"),
    "decide": Words("sketches", "questions to keep", "decides which of the alike is kept"),
    "curate": Words("questions", "questions", "takes out duplicates and benchmark leaks"),
    "semantic_sketch": Words("questions", "sketches", "embeds questions, and makes band keys of their vectors"),
    "semantic_match": Words("sketches", "sketches", "finds questions whose vectors point the same way"),
    "semantic_compare": Words("sketches", "sketches", "measures the cosine of these, exactly"),
    "semantic_decide": Words("sketches", "questions to keep", "decides which of the rephrased is kept"),
    "semantic": Words("questions", "questions", "takes out rephrased questions"),
    "answer": Words("questions", "answers", "samples answers and counts votes"),
    "check": Words("answers", "answers", "verifies answers where they can be checked"),
    "judge": Words("answers", "graded answers", "grades answers by a rubric"),
    "samples": Words("answers", "samples", "adds split, licences, token counts and lineage"),
    "recheck": Words("samples", "samples", "takes out what other runs registered in the meantime"),
    "gate": Words("samples", "samples", "holds the whole against thresholds"),
    "shards": Words("samples", "published samples", "puts samples into their final order"),
    "segment": Words("samples", "samples", "indexes the published questions for later runs"),
    "publish": Words("samples", "published samples", "writes shards, card and manifest"),
}
UNKNOWN_STEP = Words("rows", "rows", "")


OF_TASKS = {
    "question": Words("passages", "questions", "asks for a task type: "),
    "curate": Words("questions", "questions", "takes out duplicates and benchmark leaks: "),
    "semantic": Words("questions", "questions", "takes out rephrased questions: "),
    "answer": Words("questions", "answers", "answers a task type: "),
}
"""The stages of a task type, by what their names begin with."""


def words_of(step: str) -> Words:
    """The words of a step, or `rows` for one that has none of its own."""
    kind, _, task = step.partition("_")
    if step not in WORDS and task and kind in OF_TASKS:
        return replace(OF_TASKS[kind], does=OF_TASKS[kind].does + task.replace("_", " "))
    return WORDS.get(step, UNKNOWN_STEP)
