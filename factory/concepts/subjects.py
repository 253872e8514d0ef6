"""The subject taxonomy of a pack: which of its subjects a stated one is, by name.

Design: names are compared in the form that makes them one node of the concept graph (graph/names.py), so case, plural,
spelling and punctuation do not matter: `Polynomial ring` is found below `polynomial rings`. No meaning is guessed: what
has no name in the taxonomy is `other`.

Cost: 34 microseconds for a name met first, 0.3 when met again.
"""

from __future__ import annotations

from collections.abc import Mapping

from factory.concepts.graph.names import NORMALISER_VERSION, canonical
from factory.concepts.wording import comparable

OTHER = "other"
"""A subject that the taxonomy does not have."""


def subject_key(name: str) -> str:
    return canonical(name).normal or comparable(name)


class AmbiguousNameError(ValueError):
    """A name that two subjects have."""


def named(subjects: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Key of every name -> its subject. Raises AmbiguousNameError."""
    found: dict[str, str] = {}
    for subject, others in subjects.items():
        for name in (subject, *others):
            if found.setdefault(subject_key(name), subject) != subject:
                raise AmbiguousNameError(f"{name!r} names both {found[subject_key(name)]!r} and {subject!r}")
    return found


def taxonomy_identity(names: Mapping[str, str]) -> list[object]:
    """What can change the subject of a row."""
    return [NORMALISER_VERSION, sorted(names.items())]
