"""What the prompts of task types must hold, and what they may hold besides.

`question_<type>.md` asks, `answer_<type>.md` answers, `message_<type>.md` is how a published chat shows a passage with
its question, and `wording_<type>.md` holds sentences that code puts together, one a line (factory/tasks/wording.py).
"""

from __future__ import annotations

from collections.abc import Mapping

_NONE: frozenset[str] = frozenset()
_ASKING = frozenset({"levels", "questions"})
_ANSWERING = frozenset({"answer_style", "edu_level", "subject"})
_DOCUMENT, _QUESTION, _BOTH = frozenset({"document"}), frozenset({"question"}), frozenset({"document", "question"})

TASK_PLACEHOLDERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "question_multiple_choice": (_DOCUMENT, _ASKING | {"wrong_options"}),
    "answer_multiple_choice": (_QUESTION, _ANSWERING | {"document", "letters"}),
    "question_extractive": (_DOCUMENT, _ASKING | {"max_span_words"}),
    "answer_extractive": (_BOTH, _ANSWERING),
    "message_extractive": (_BOTH, _NONE),
    "question_summary": (_DOCUMENT, _ASKING),
    "answer_summary": (_BOTH, _ANSWERING),
    "message_summary": (_BOTH, _NONE),
    "wording_summary": (_NONE, frozenset({"min_words", "max_words"})),
    "question_instruction": (_DOCUMENT, _ASKING | {"words"}),
    "answer_instruction": (_QUESTION, _ANSWERING | {"document"}),
    "wording_instruction": (_NONE, frozenset({"count", "word"})),
    "question_dialogue": (_DOCUMENT, _ASKING | {"turns"}),
    "answer_dialogue": (_BOTH, _ANSWERING),
    "message_dialogue": (_BOTH, _NONE),
    "wording_dialogue": (_NONE, _NONE),
    "question_records": (frozenset({"document", "schema"}), _ASKING),
    "answer_records": (frozenset({"question", "schema"}), _ANSWERING | {"document"}),
    "message_records": (frozenset({"question", "schema"}), _NONE),
    "question_program": (_DOCUMENT | {"languages", "forms", "tests"}, _ASKING),
    "answer_program": (_QUESTION, _ANSWERING | {"document", "language", "fence"}),
    "wording_program": (_NONE, frozenset({"language", "call", "expected"})),
}
