"""What every completion goes through before a step reads it, whichever engine made it.

Design: two things that no step should have to know of. A text may hold half of a surrogate pair (a server can write
`\\ud800` in its JSON), which neither Parquet nor JSON can keep: it becomes U+FFFD, the replacement character. A text
that ran into its token budget may have been on its way to an end, or in a loop it would never have left: the second
gets the finish reason "repetition", which is vLLM's word for it, and steps turn it away as `degenerate_repetition` and
not as `truncated`. The rule is that of answers (factory/answers/repetition.py, after Gopher) over the end of the text.

vLLM 0.29 can stop such a request early (RepetitionDetectionParams). It is not used: it compares every new token with
as many earlier ones as a pattern may have, ends tables and matrices that repeat for good reason, and no other engine
has it; what a loop costs is bounded by max_tokens.
"""

from __future__ import annotations

from dataclasses import replace

from factory.answers.repetition import ends_in_a_loop
from factory.engine.api import FINISH_LENGTH, FINISH_REPETITION, Completion


def readable(completion: Completion) -> Completion:
    """The completion as it may be stored and parsed; itself where there is nothing to do."""
    texts = tuple(map(unicode_text, completion.texts))
    reasons = tuple(
        FINISH_REPETITION if reason == FINISH_LENGTH and ends_in_a_loop(text) else unicode_text(reason)
        for text, reason in zip(texts, completion.finish_reasons, strict=True)
    )
    detail = unicode_text(completion.error_detail)
    if (texts, reasons, detail) == (completion.texts, completion.finish_reasons, completion.error_detail):
        return completion
    return replace(completion, texts=texts, finish_reasons=reasons, error_detail=detail)


def unicode_text(text: str) -> str:
    """`text` with U+FFFD for every half of a surrogate pair that stands alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
