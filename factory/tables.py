"""Columns that rooms share: one Arrow schema a table, and the source reference every row carries.

Design: a row carries its `sources` (which document, which characters, where its committed copy lies, under
which licence) from extraction to publication, so lineage needs no joins, and the text of a source is one
point lookup away (`file` and `row`). Costs about 200 bytes a row before compression, far less after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 1

SOURCE = pa.struct(
    [
        ("doc_id", pa.string()),
        ("chunk_id", pa.string()),
        ("span_start", pa.int64()),  # characters into the normalised document text
        ("span_end", pa.int64()),
        ("file", pa.string()),  # key of the committed Parquet file below the root
        ("row", pa.int64()),  # row in that file
        ("source", pa.string()),
        ("license", pa.string()),
        ("url", pa.string()),
        ("shard", pa.string()),  # the user's own file, and the row in it
        ("shard_row", pa.int64()),
        ("lang", pa.string()),  # what `select` found, null where the filter is off
        ("lang_prob", pa.float64()),
        ("domain_score", pa.float64()),
        ("duties", pa.list_(pa.string())),
    ]
)
SOURCES = pa.list_(SOURCE)

MASKED = pa.list_(pa.struct([("kind", pa.string()), ("start", pa.int64()), ("end", pa.int64())]))

FINDINGS = pa.schema(
    [
        ("lang", pa.string()),
        ("lang_prob", pa.float64()),
        ("quality", pa.map_(pa.string(), pa.float64())),  # measure -> value, of the rules that are on
        ("domain_score", pa.float64()),  # 1 to 10
        ("masked", MASKED),  # personal data: what a placeholder stands for, and where it stands in the text
        ("duties", pa.list_(pa.string())),  # of the licence: attribution, share-alike, ...
    ]
)
"""What the filters of `select` found out about a document; null where a filter is off."""

DOCUMENT = pa.schema(
    [
        ("chunk_id", pa.string()),
        ("doc_id", pa.string()),
        ("text", pa.string()),
        ("span_start", pa.int64()),
        ("span_end", pa.int64()),
        ("chunk", pa.int32()),  # 0-based position among the document's chunks
        ("chunks", pa.int32()),
        ("source", pa.string()),
        ("license", pa.string()),
        ("url", pa.string()),
        ("shard", pa.string()),
        ("shard_row", pa.int64()),
        *FINDINGS,
    ]
)

TOPICS = pa.list_(pa.struct([("topic", pa.string()), ("key_concepts", pa.list_(pa.string()))]))

CONCEPTS = pa.schema(
    [
        ("chunk_id", pa.string()),
        ("doc_id", pa.string()),
        ("edu_level", pa.string()),
        ("subject", pa.string()),
        ("topics", TOPICS),
        ("request_id", pa.string()),
        ("sources", SOURCES),
    ]
)

QUESTION = pa.schema(
    [
        ("question_id", pa.string()),
        ("level", pa.int8()),  # 1 from a document, 2 with sampled concepts, 3 across documents
        ("text", pa.string()),
        ("origin", pa.string()),  # "extracted" or "created"
        ("edu_level", pa.string()),
        ("subject", pa.string()),
        ("concepts", pa.list_(pa.string())),
        ("doc_ids", pa.list_(pa.string())),
        ("walk_id", pa.string()),  # level 3: the walk over the concept graph that chose concepts and documents
        ("prompt_id", pa.string()),  # hash of the prompt template
        ("request_id", pa.string()),
        ("sources", SOURCES),
    ]
)

TAGS_COLUMN = pa.field("tags", pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())])))
"""A column that only runs whose pack has tags have (factory/questions/tags.py); null for questions of a task type."""


def with_tags(schema: pa.Schema, tags: Mapping[str, Any]) -> pa.Schema:
    """`schema`, with the column of tags where a pack has any."""
    return pa.schema([*schema, TAGS_COLUMN]) if tags else schema


TASK_COLUMNS = [
    pa.field("task", pa.string()),  # the task type, or "open" beside others
    pa.field("task_data", pa.string()),  # canonical JSON: options, span, turns, constraints, …; null for open questions
]
"""Columns that only runs with task types have (factory/tasks)."""

TASK_QUESTION = pa.schema([*QUESTION, *TASK_COLUMNS])

VOTES = pa.list_(pa.struct([("final_answer", pa.string()), ("count", pa.int32())]))

ANSWER = pa.schema(
    [
        *QUESTION,
        ("answer_id", pa.string()),
        ("answer", pa.string()),
        ("final_answer", pa.string()),
        ("votes", VOTES),
        ("samples", pa.int32()),  # completions that voted
        ("agreement", pa.float64()),  # share of votes for the winner
        ("copied_share", pa.float64()),  # share of the answer's word 8-grams that stand in its sources
        ("answer_prompt_id", pa.string()),
        ("answer_request_ids", pa.list_(pa.string())),
    ]
)

TASK_ANSWER = pa.schema([*ANSWER, *TASK_COLUMNS])

JUDGE_SCORES = pa.list_(pa.struct([("criterion", pa.string()), ("score", pa.int32()), ("reason", pa.string())]))

JUDGED = pa.schema(
    [
        ("answer_id", pa.string()),
        ("judge_score", pa.float64()),  # in [0, 1]; null where the reply is not usable: see judge_problem
        ("judge_scores", JUDGE_SCORES),  # one a criterion of the rubric
        ("judge_reason", pa.string()),  # of the criterion that was met least
        ("judge_problem", pa.string()),
        ("judge_rubric", pa.string()),
        ("judge_request_id", pa.string()),
    ]
)
"""What a language model said of an answer."""

EVIDENCE_SPANS = pa.list_(
    pa.struct(
        [
            ("answer_start", pa.int32()),  # characters
            ("answer_end", pa.int32()),
            ("source", pa.int32()),  # place among the answer's distinct passages, in order of `sources`
            ("source_start", pa.int32()),
            ("source_end", pa.int32()),
            ("words", pa.int32()),
        ]
    )
)

CHECK = pa.schema(
    [
        ("answer_id", pa.string()),
        ("verified", pa.string()),  # yes | no | unchecked
        ("verified_by", pa.string()),  # the verifier that said yes or no; null where none could
        ("check_evidence", pa.string()),  # canonical JSON: what was worked out, and what the answer says instead
        ("grounded_share", pa.float64()),  # of the answer's content words: with evidence in a source
        ("extracted_share", pa.float64()),  # of its words: in runs copied from a source
        ("longest_copied_words", pa.int32()),
        ("evidence_position", pa.float64()),  # mean place of the evidence, 0 the beginning of its source
        ("embedded_share", pa.float64()),  # of its sentences: near one of a source by embedding; null where that is off
        ("evidence_spans", EVIDENCE_SPANS),
    ]
)
"""What is known about an answer, one row an answer and in its order."""

REJECT = pa.schema(
    [
        ("item_id", pa.string()),
        ("side", pa.string()),  # "input", "output" or "quarantine"
        ("reason", pa.string()),
        ("evidence", pa.string()),  # canonical JSON
        ("text", pa.string()),  # what was turned away, where it is text
    ]
)

REQUEST = pa.schema(
    [
        ("request_id", pa.string()),
        ("item_id", pa.string()),
        ("round", pa.int32()),
        ("prompt_sha256", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("cached_tokens", pa.int64()),
        ("generated_tokens", pa.list_(pa.int64())),
        ("finish_reasons", pa.list_(pa.string())),
        ("texts", pa.list_(pa.string())),
        ("latency", pa.float64()),  # seconds
        ("error", pa.string()),
    ]
)


def source_of(document: dict[str, object], file: str, row: int) -> dict[str, object]:
    """The source reference of a row of the document table that lies at `row` of the object `file`."""
    return {
        "doc_id": document["doc_id"],
        "chunk_id": document["chunk_id"],
        "span_start": document["span_start"],
        "span_end": document["span_end"],
        "file": file,
        "row": row,
        "source": document["source"],
        "license": document["license"],
        "url": document["url"],
        "shard": document["shard"],
        "shard_row": document["shard_row"],
        "lang": document["lang"],
        "lang_prob": document["lang_prob"],
        "domain_score": document["domain_score"],
        "duties": document["duties"],
    }
