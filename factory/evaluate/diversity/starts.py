"""Template collapse: how many questions begin with the same words.

Design: words are what white space separates, in lower case, without punctuation at their ends. The starts of a level
are counted exactly, by 64-bit hashes (8 bytes a question and length), and only those of the commonest hashes are kept
as text. A question shorter than n words is its own start: it counts with the questions that say just that.

Cost: most of what gather_questions.py states.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xxhash

from factory.evaluate.diversity.facts import SharedStarts

LENGTHS = (3, 5, 8)
OTHERS = 5
"""k: a start counts as a template when more than so many other questions have it. Three questions that begin with
"What is the" are English, a hundred of a thousand are a mould."""

SHOWN = 8
TEXTS_KEPT = 20_000
"""Distinct starts remembered as text, 2 MB: the first met, which of a start common enough to matter is certain."""

EDGES = ".,;:!?\"'()[]{}`*#“”‘’"


@dataclass
class StartCounter:
    """Starts of one level's questions; mutable because it is a running count."""

    hashes: dict[int, list[npt.NDArray[np.uint64]]] = field(default_factory=lambda: {length: [] for length in LENGTHS})
    texts: dict[int, dict[int, str]] = field(default_factory=lambda: {length: {} for length in LENGTHS})

    def add(self, questions: Sequence[str]) -> None:
        found: dict[int, list[int]] = {length: [] for length in LENGTHS}
        longest = max(LENGTHS)
        for question in questions:
            words = first_words(question, longest)
            for length in LENGTHS:
                start = " ".join(words[:length])
                key = xxhash.xxh64_intdigest(start.encode())
                found[length].append(key)
                known = self.texts[length]
                if len(known) < TEXTS_KEPT:
                    known.setdefault(key, start)
        for length in LENGTHS:
            self.hashes[length].append(np.array(found[length], np.uint64))

    def result(self, level: int, others: int = OTHERS) -> tuple[SharedStarts, ...]:
        """One entry a length; nothing for a level without a question."""
        return tuple(self._of(level, length, others) for length in LENGTHS if any(map(len, self.hashes[length])))

    def _of(self, level: int, length: int, others: int) -> SharedStarts:
        keys, counts = np.unique(np.concatenate(self.hashes[length]), return_counts=True)
        # The text breaks ties, so that the list does not depend on hashes.
        candidates = np.flatnonzero(counts >= np.sort(counts)[-min(SHOWN, len(counts))])
        known = self.texts[length]
        named = [
            (known[int(keys[place])], int(counts[place])) for place in candidates.tolist() if int(keys[place]) in known
        ]
        commonest = sorted(named, key=lambda item: (-item[1], item[0]))[:SHOWN]
        return SharedStarts(
            level=level,
            tokens=length,
            others=others,
            questions=int(counts.sum()),
            shared=int(counts[counts > others + 1].sum()),
            distinct=len(counts),
            commonest=tuple(item for item in commonest if item[1] > 1),
        )


def first_words(question: str, count: int) -> list[str]:
    """The first `count` words, as they are compared."""
    words = (word.strip(EDGES) for word in question.lower().split(None, count + 4)[: count + 4])
    return [word for word in words if word][:count]


def starts_of(level: int, questions: Iterable[str], others: int = OTHERS) -> tuple[SharedStarts, ...]:
    counter = StartCounter()
    counter.add(list(questions))
    return counter.result(level, others)
