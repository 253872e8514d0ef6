"""Words that are names of medicines, or look like one: by stems of international nonproprietary names.

Design: the World Health Organization gives medicines of one group a common stem, mostly at the end (-pril, -sartan,
-mab), so an invented name is usually made of one. `data/inn_stems.txt` has the stems, `data/not_drugs.txt` words that
end alike, `data/drug_names.txt` common names without a telling stem: these only say what an amount is of, never that a
name is real. Real is what the run's vocabulary has as a `drug`, or what the passages name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from factory.domains.biomedical.writing import plain
from factory.domains.checks import Terms

DATA = Path(__file__).parent / "data"
DRUG = "drug"
"""The kind of a vocabulary's terms that are medicines."""

LEAST_LETTERS = 3
"""Letters before a stem: `statin` and `caine` alone are stems, no names."""

_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_JOINED_BY_HYPHEN = re.compile(r"-")


@dataclass(frozen=True)
class Known:
    """What is known of names besides their looks: the run's vocabulary, where it has one."""

    vocabulary: Terms | None = field(default=None)

    def is_drug(self, word: str) -> bool:
        """Whether the vocabulary has a medicine of this very name."""
        return self.vocabulary is not None and self.vocabulary.is_name(word, DRUG)

    def in_a_drug(self, word: str) -> bool:
        """Whether one of its medicines has this word in its name: `amoxicillin trihydrate`."""
        return self.vocabulary is not None and self.vocabulary.has_word(word, DRUG)


def medicines_in(read: str, known: Known) -> list[tuple[int, str]]:
    """Names of medicines in a text in lower case, with their places, in order."""
    return [
        (found.start(), found.group())
        for found in _WORD.finditer(read)
        if (word := found.group()) in _list("drug_names.txt") or looks_like_drug(word) or known.is_drug(word)
    ]


def invented(answer: str, passages: Sequence[str], known: Known) -> list[str]:
    """Words of an answer that look like names of medicines, that neither the vocabulary nor a passage has."""
    suspects = {word for word in words_of(answer) if looks_like_drug(word)}
    if not suspects:
        return []
    stated = {word for passage in passages for word in words_of(passage)}
    return sorted(
        word for word in suspects if not stated & _forms(word) and not any(map(known.in_a_drug, _forms(word)))
    )


def looks_like_drug(word: str) -> bool:
    """Whether a word in lower case ends (or begins) as names of medicines do."""
    return any(_has_stem(form) for form in _forms(word))


def words_of(text: str) -> Iterable[str]:
    """Words in lower case, of those with a hyphen the parts as well."""
    for found in _WORD.finditer(plain(text)):
        yield found.group()
        if "-" in found.group():
            yield from _JOINED_BY_HYPHEN.split(found.group())


def _forms(word: str) -> set[str]:
    """A word and its singular."""
    return {word, word[:-1]} if word.endswith("s") and not word.endswith("ss") else {word}


def _has_stem(word: str) -> bool:
    if word in _list("not_drugs.txt"):
        return False
    found = _stems().search(word)
    return found is not None and len(word) - len(found.group()) >= LEAST_LETTERS


@cache
def _stems() -> re.Pattern[str]:
    lines = _list("inn_stems.txt")
    ends = sorted((line[1:] for line in lines if line.startswith("-")), key=len, reverse=True)
    starts = sorted((line[:-1] for line in lines if line.endswith("-")), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(ends)})$|^(?:{'|'.join(starts)})(?=\w{{4,}}$)")


@cache
def _list(name: str) -> frozenset[str]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
