"""Rows, texts and completions that the tests of both levels use."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from factory.domains.config import DomainConfig
from factory.domains.pack import load_pack
from factory.engine.api import Completion
from factory.questions.config import QuestionConfig

PACK = load_pack(DomainConfig())
TEXT = "A graph has vertices and edges. A tree is a connected graph without cycles. How many edges has a tree?"
DOCUMENT: dict[str, Any] = {"chunk_id": "c" * 32, "doc_id": "d" * 32, "text": TEXT, "sources": []}
CONCEPTS: dict[str, Any] = {
    "chunk_id": "c" * 32,
    "doc_id": "d" * 32,
    "edu_level": "college",
    "subject": "Graph theory",
    "topics": [
        {"topic": "Graphs", "key_concepts": ["Vertex", "Edge"]},
        {"topic": "Trees", "key_concepts": ["Cycle", "Connected graph"]},
    ],
    "request_id": "r0",
    "sources": [],
}
TEXTS = {DOCUMENT["chunk_id"]: TEXT}
CONFIG = QuestionConfig(level_1_questions=3, level_2_questions=3, concepts_per_question=2, max_characters=200)


def completion(said: Any, finish: str = "stop") -> Completion:
    text = said if isinstance(said, str) else json.dumps(said)
    return Completion("r1", (text,), (finish,), 10, (5,))


JSON: SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["suitable", "questions", "question", "origin", "level", "concepts"]), inner, max_size=5
        )
    ),
    max_leaves=25,
)
