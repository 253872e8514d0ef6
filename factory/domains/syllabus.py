"""A syllabus: what a field of study is made of, for writing documents about all of it.

Design: SynthLLM takes its positives from syllabi in the manner of GLAN (arXiv 2402.13064: disciplines, subjects,
sessions). Ours are data files of a pack, `syllabus.yaml`: a tree discipline -> subjects -> topics, each topic
with a line of scope and key terms, and the genres that documents are written in. Written by hand and in the
repository, so that a selector's positives can be traced to a line that somebody can read and correct. Checked
when loaded: a misspelt key, a topic named twice or an empty part is an error that says where.

Cost: 30 ms for 150 topics, nearly all of it the YAML parser's.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from factory.domains.config import DomainConfig
from factory.domains.pack import SYLLABUS, base_folder, load_pack, pack_folder, read_yaml
from factory.errors import ConfigError
from factory.identity import fingerprint


@dataclass(frozen=True)
class Topic:
    """One topic. `levels` are those of the pack at which it is taught, `terms` what a document on it uses."""

    discipline: str
    subject: str
    topic: str
    scope: str
    terms: tuple[str, ...]
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Genre:
    """A kind of document; `instructions` is a sentence that tells a writer what makes one."""

    name: str
    instructions: str


@dataclass(frozen=True)
class Syllabus:
    topics: tuple[Topic, ...]
    genres: tuple[Genre, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(topic.subject for topic in self.topics))

    def identity(self) -> str:
        """Hash of everything a document is written from."""
        topics = [[*(getattr(topic, name) for name in Topic.__dataclass_fields__)] for topic in self.topics]
        return fingerprint([topics, [[genre.name, genre.instructions] for genre in self.genres]])


def load_syllabus(config: DomainConfig) -> Syllabus:
    """The syllabus of the pack that `config` names, or of the one it extends.

    Raises ConfigError when there is none, and for every mistake in it at once, each with its place.
    """
    folder = pack_folder(config)
    levels = load_pack(config).levels
    base = base_folder(folder, read_yaml(folder / "pack.yaml").get("extends"))
    for place in (folder, base):
        if place is not None and (place / SYLLABUS).exists():
            return read_syllabus(place / SYLLABUS, levels)
    raise ConfigError(
        f"the domain pack in {folder} has no {SYLLABUS}",
        cause="it serves runs; documents of its field can only be written from a syllabus",
        remedy="write one (that of the pack `maths` is a model), train with domain=maths, computer_science or "
        "biomedical, or give documents of your own with training.positives.paths and set training.documents=0",
    )


def read_syllabus(path: Path, levels: Sequence[str]) -> Syllabus:
    """Reads and checks one file; `levels` are the school levels it may use. Raises ConfigError."""
    reading = _Reading(levels)
    values = read_yaml(path)
    topics = reading.disciplines(values)
    genres = reading.genres(values)
    reading.check_unique([topic.topic for topic in topics], "topic")
    reading.check_unique([genre.name for genre in genres], "genre")
    if reading.problems:
        raise ConfigError(
            f"{path} is not usable:\n" + "\n".join(f"  - {problem}" for problem in reading.problems),
            cause="a slip in the file",
            remedy="disciplines have subjects, subjects have topics, topics have topic, scope and terms; the "
            "syllabus of the pack `maths` is a model",
        )
    return Syllabus(tuple(topics), tuple(genres))


class _Reading:
    """Walks a syllabus and collects what is wrong with it; `problems` say where."""

    def __init__(self, levels: Sequence[str]) -> None:
        self.problems: list[str] = []
        self._levels = tuple(levels)

    def disciplines(self, values: Mapping[str, Any]) -> list[Topic]:
        self._keys(values, ("disciplines", "genres"), (), "the file")
        topics: list[Topic] = []
        for discipline in self._parts(values, "disciplines", "the file"):
            where = f"discipline {discipline.get('discipline', '?')!r}"
            self._keys(discipline, ("discipline", "subjects"), (), where)
            for subject in self._parts(discipline, "subjects", where):
                topics += self._subject(self._text(discipline, "discipline", where), subject)
        return topics

    def genres(self, values: Mapping[str, Any]) -> list[Genre]:
        genres = []
        for genre in self._parts(values, "genres", "the file"):
            where = f"genre {genre.get('genre', '?')!r}"
            self._keys(genre, ("genre", "instructions"), (), where)
            genres.append(Genre(self._text(genre, "genre", where), self._text(genre, "instructions", where)))
        return genres

    def check_unique(self, names: Sequence[str], what: str) -> None:
        for name, count in Counter(name.casefold() for name in names if name).items():
            if count > 1:
                self.problems.append(f"the {what} {name!r} is there {count} times")

    def _subject(self, discipline: str, subject: Mapping[str, Any]) -> list[Topic]:
        where = f"subject {subject.get('subject', '?')!r}"
        self._keys(subject, ("subject", "levels", "topics"), (), where)
        name = self._text(subject, "subject", where)
        usual = self._named_levels(subject, where) if "levels" in subject else ()
        topics = []
        for topic in self._parts(subject, "topics", where):
            place = f"topic {topic.get('topic', '?')!r} of {where}"
            self._keys(topic, ("topic", "scope", "terms"), ("levels",), place)
            topics.append(
                Topic(
                    discipline,
                    name,
                    self._text(topic, "topic", place),
                    self._text(topic, "scope", place),
                    self._texts(topic, "terms", place),
                    self._named_levels(topic, place) if "levels" in topic else usual,
                )
            )
        return topics

    def _keys(self, part: Mapping[str, Any], required: Sequence[str], optional: Sequence[str], where: str) -> None:
        known = [*required, *optional]
        for key in part:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
                hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
                self.problems.append(f"{where}: unknown key `{key}`; {hint}")
        for key in required:
            if key not in part:
                self.problems.append(f"{where}: `{key}` is missing")

    def _parts(self, part: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
        found = part.get(key)
        if key not in part:
            return []
        if not isinstance(found, list) or not found:
            self.problems.append(f"{where}: `{key}` is empty or no list")
            return []
        for item in found:
            if not isinstance(item, dict):
                self.problems.append(f"{where}: `{key}` holds {item!r}, which has no keys")
        return [item for item in found if isinstance(item, dict)]

    def _text(self, part: Mapping[str, Any], key: str, where: str) -> str:
        found = part.get(key)
        if key in part and (not isinstance(found, str) or not found.strip()):
            self.problems.append(f"{where}: `{key}` is empty or no text")
        return " ".join(found.split()) if isinstance(found, str) else ""

    def _texts(self, part: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
        found = part.get(key)
        if key in part and not (isinstance(found, list) and found and all(isinstance(text, str) for text in found)):
            self.problems.append(f"{where}: `{key}` is empty or no list of texts")
            return ()
        return tuple(found or ())

    def _named_levels(self, part: Mapping[str, Any], where: str) -> tuple[str, ...]:
        found = self._texts(part, "levels", where)
        for level in found:
            if level not in self._levels:
                near = difflib.get_close_matches(level, self._levels, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"the pack has: {', '.join(self._levels)}"
                self.problems.append(f"{where}: unknown level {level!r}; {hint}")
        return found
