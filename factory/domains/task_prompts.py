"""What the prompts of task types must hold, and what they may hold besides.

`question_<type>.md` asks, `answer_<type>.md` answers, `message_<type>.md` is how a published chat shows a passage."""

from __future__ import annotations

from collections.abc import Mapping

_ASKING = frozenset({"levels", "questions"})
_ANSWERING = frozenset({"answer_style", "edu_level", "subject"})

TASK_PLACEHOLDERS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "question_multiple_choice": (frozenset({"document"}), _ASKING | {"wrong_options"}),
    "answer_multiple_choice": (frozenset({"question"}), _ANSWERING | {"document", "letters"}),
}
