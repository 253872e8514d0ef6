"""Whether examples can train anything: enough of them, on both sides, with words in their texts."""

from __future__ import annotations

from collections.abc import Sequence

from factory.errors import ConfigError
from factory.select.preprocessing import words_of
from factory.select.training.examples import Example

MINIMUM = 20
"""Examples with words at least, for anything to be learnt and checked."""

MINIMUM_A_SIDE = 5
"""At or above MIDDLE, and below it."""

MIDDLE = 5.5
"""Between 1 and 10: above it lies what is rather of the domain."""


def usable(examples: Sequence[Example]) -> list[Example]:
    """The examples whose texts have words; emoji, numbers and markup alone teach nothing."""
    return [example for example in examples if words_of(example.text).strip()]


def check(examples: Sequence[Example]) -> list[Example]:
    """`usable` ones of a set that can be trained on. Raises ConfigError where it cannot."""
    kept = usable(examples)
    if not examples:
        raise _refused("the training set is empty", "no example was written, sampled or read")
    if not kept:
        raise _refused(
            f"none of the {len(examples)} training examples has a word in its text",
            "the wrong column was read as text, or the texts were lost on the way",
        )
    if len(kept) < MINIMUM:
        raise _refused(
            f"the training set has {len(kept)} examples with words, at least {MINIMUM} are needed",
            "too few documents were written or sampled",
        )
    high = sum(example.score >= MIDDLE for example in kept)
    for side, count, wanted in (("positive", high, "from 5.5 up"), ("negative", len(kept) - high, "below 5.5")):
        if count < MINIMUM_A_SIDE:
            raise _refused(
                f"the training set has {count} {side} examples (scores {wanted}) of {len(kept)}, "
                f"at least {MINIMUM_A_SIDE} are needed",
                "every document was rated alike: a weak rater, or a corpus of one kind",
            )
    return kept


def _refused(what: str, cause: str) -> ConfigError:
    return ConfigError(
        what,
        cause=cause,
        remedy="add examples of the missing kind: cold-start positives, your own positives, negatives from the "
        "corpus, or ratings by a stronger rater",
    )
