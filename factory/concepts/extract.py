"""Extraction: what a document teaches, as level, subject, topics and key concepts.

Design: SynthLLM's prompt p_k (arXiv 2503.19551, section 4.2 and Fig. 11: educational level, subject, 1-5
topics with 5-20 key concepts each) as one schema-constrained JSON object. Names are bounded: a grammar for a
bounded string admits no quote, backslash or line break, which plain names do not need, and stops a model that
will not end. Names that are empty, cut by the bound or go
round in circles are rejects of their own and cost the passage nothing else; topics left without concepts are dropped;
the same concept under two topics stays, since both edges of the graph are real. Every reply that yields no concept is
a reject with its own reason, and so is one whose concepts come from the prompt's examples instead of the document.
Where the pack has a taxonomy of subjects, the subject that the model states is put into it by its name; one that it
does not have becomes `other`, and what was stated is kept as an output reject, which the report counts.

Cost: parsing takes 20-150 microseconds a row (1-100 concepts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from factory.concepts.config import ExtractConfig
from factory.concepts.reply import SCHEMA_MISMATCH, read_reply, text_of
from factory.concepts.subjects import OTHER, named, subject_key, taxonomy_identity
from factory.concepts.wording import clean_name, comparable, names_in
from factory.domains.pack import Pack
from factory.engine.api import Completion, Message, Sampling
from factory.engine.config import SamplingConfig
from factory.run.reject import Reject
from factory.run.step import Parsed, Row, Texts
from factory.tables import CONCEPTS
from factory.vocabulary.given import Vocabulary

STEP_VERSION = 3

NAME_CHARACTERS = 80
"""Bound of a topic, concept or subject. A name that fills it was cut by it, and is dropped."""

SHOWN_CHARACTERS = 200
"""Of a name that is turned away."""

# Below this share of distinct concepts a reply is a model going round in circles; only from six names on,
# because two equal ones of three say nothing.
_MIN_DISTINCT_SHARE = 0.5
_MIN_NAMES_TO_JUDGE = 6
_MIN_WORDS_TO_LOOP = 4  # "set of set of" loops, "divide and conquer" does not

# More than this share of concepts from the prompt that the document does not hold: the examples were copied.
_MAX_COPIED_SHARE = 0.5

NO_CONCEPTS, REPETITION, COPIES_PROMPT = "no_concepts", "repetition", "copies_prompt"
NAME_TOO_LONG, NAME_LOOPS, NAME_EMPTY = "name_too_long", "name_repeats_itself", "name_empty"
SUBJECT_UNKNOWN = "subject_not_in_taxonomy"


def sampling_from(config: SamplingConfig, seed: int) -> Sampling:
    """Configured sampling parameters as the engine takes them: one completion a request."""
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        max_tokens=config.max_tokens,
        top_k=config.top_k,
        repetition_penalty=config.repetition_penalty,
        seed=seed,
    )


@dataclass(frozen=True)
class ExtractStep:
    """LlmStep: DOCUMENT rows (with `sources`) -> CONCEPTS rows."""

    config: ExtractConfig
    pack: Pack
    seed: int
    vocabulary: Vocabulary | None = None

    @property
    def name(self) -> str:
        return "extract"

    @property
    def version(self) -> int:
        return STEP_VERSION

    @property
    def schema(self) -> pa.Schema:
        return CONCEPTS

    @property
    def id_column(self) -> str:
        return "chunk_id"

    @property
    def max_rounds(self) -> int:
        return 1

    @cached_property
    def sampling(self) -> Sampling:
        return sampling_from(self.config.sampling, self.seed)

    @cached_property
    def response_schema(self) -> dict[str, Any]:
        name = {"type": "string", "minLength": 1, "maxLength": NAME_CHARACTERS}
        topic = closed_object(
            {
                "topic": name,
                "key_concepts": {
                    "type": "array",
                    "items": name,
                    "minItems": self.config.min_concepts,
                    "maxItems": self.config.max_concepts,
                },
            }
        )
        return closed_object(
            {
                "level": {"type": "string", "enum": list(self.pack.levels)},
                "subject": name,
                "topics": {"type": "array", "items": topic, "minItems": 1, "maxItems": self.config.max_topics},
            }
        )

    @cached_property
    def _levels(self) -> dict[str, str]:
        return {comparable(level): level for level in self.pack.levels}

    @cached_property
    def _prompt_words(self) -> str:
        return comparable(self.pack.prompt("extract").template)

    @cached_property
    def _subjects(self) -> dict[str, str]:
        return named(self.pack.subjects)

    def identity(self) -> dict[str, Any]:
        return {
            **({"subjects": taxonomy_identity(self._subjects)} if self._subjects else {}),
            "prompt": self.pack.prompt("extract").prompt_id,
            "levels": list(self.pack.levels),
            "max_topics": self.config.max_topics,
            "min_concepts": self.config.min_concepts,
            "max_concepts": self.config.max_concepts,
            "response_schema": self.response_schema,
            **({"vocabulary": self.vocabulary.identity()} if self.vocabulary else {}),
        }

    def samples_for_round(self, number: int) -> int:
        return self.sampling.samples

    def item_id(self, row: Row) -> str:
        chunk_id: str = row["chunk_id"]
        return chunk_id

    def prompt(self, row: Row, texts: Texts, folder: str) -> tuple[Message, ...]:
        return self.pack.prompt("extract").messages(
            document=texts[row["chunk_id"]],
            levels=", ".join(self.pack.levels),
            max_topics=str(self.config.max_topics),
            min_concepts=str(self.config.min_concepts),
            max_concepts=str(self.config.max_concepts),
            vocabulary=self.vocabulary.words([texts[row["chunk_id"]]]) if self.vocabulary else "",
        )

    def undecided(self, row: Row, rounds: Sequence[Completion]) -> bool:
        return False

    def parse(self, row: Row, texts: Texts, rounds: Sequence[Completion], folder: str) -> Parsed:
        """One CONCEPTS row, with an output reject for every name left out of it (name_too_long, name_empty,
        name_repeats_itself, subject_not_in_taxonomy); or one reject: truncated, invalid_json, schema_mismatch,
        repetition, no_concepts, copies_prompt."""
        text, finish_reason = text_of(rounds)

        def turned_away(reason: str, **evidence: Any) -> Parsed:
            return Parsed(rejects=[Reject(row["chunk_id"], reason, evidence=evidence, text=text)])

        reply = read_reply(text, finish_reason)
        if reply.value is None:
            return turned_away(reply.problem, characters=len(text))
        subject, topics = reply.value.get("subject"), reply.value.get("topics")
        level = reply.value.get("level")
        edu_level = self._levels.get(comparable(level)) if isinstance(level, str) else None
        if edu_level is None:
            return turned_away(SCHEMA_MISMATCH, field="level")
        if not isinstance(subject, str):
            return turned_away(SCHEMA_MISMATCH, field="subject")
        if not isinstance(topics, list):
            return turned_away(SCHEMA_MISMATCH, field="topics")
        shaped = [topic for topic in topics if _is_topic(topic)]
        if len(shaped) < len(topics):
            return turned_away(SCHEMA_MISMATCH, field="topics", malformed=len(topics) - len(shaped))
        kept, named, names, unusable = self._topics(shaped)
        if named >= _MIN_NAMES_TO_JUDGE and len(names) < _MIN_DISTINCT_SHARE * named:
            return turned_away(REPETITION, named=named, distinct=len(names))
        if not kept:
            return turned_away(NO_CONCEPTS, named=named)
        copied = [name for name in names if name in self._prompt_words]
        if len(copied) > _MAX_COPIED_SHARE * len(names):
            document = comparable(texts[row["chunk_id"]])
            copied = [name for name in copied if name not in document]
            if len(copied) > _MAX_COPIED_SHARE * len(names):
                return turned_away(COPIES_PROMPT, copied=copied[:5], concepts=len(names))
        stated = clean_name(subject)[:NAME_CHARACTERS]
        known = self._subjects.get(subject_key(stated), OTHER) if self._subjects else stated
        if self._subjects and known == OTHER and subject_key(stated) != OTHER:
            unusable.append(("subject", stated, SUBJECT_UNKNOWN))
        accepted = {
            "chunk_id": row["chunk_id"],
            "doc_id": row["doc_id"],
            "edu_level": edu_level,
            "subject": known,
            "topics": kept,
            "request_id": rounds[-1].request_id,
            "sources": row["sources"],
        }
        left_out = [
            Reject(row["chunk_id"], reason, "output", {"kind": kind, "characters": len(name)}, name[:SHOWN_CHARACTERS])
            for kind, name, reason in unusable
        ]
        return Parsed(accepted=[accepted], rejects=left_out)

    def _topics(
        self, topics: list[dict[str, Any]]
    ) -> tuple[list[dict[str, Any]], int, set[str], list[tuple[str, str, str]]]:
        """Cleaned topics within the configured bounds; concepts named; distinct ones, comparable; and the names that
        cannot be used, as (kind, name, why). Topics of one name are merged."""
        merged: dict[str, tuple[str, dict[str, str]]] = {}
        everywhere: set[str] = set()
        unusable: list[tuple[str, str, str]] = []
        named = 0
        for topic in topics:
            name = clean_name(topic["topic"])
            topic_key = comparable(name)
            problem = _problem(name, topic_key)
            if problem:
                unusable.append(("topic", name, problem))
            named += len(topic["key_concepts"])
            for concept in (each for written in topic["key_concepts"] for each in names_in(written) or [""]):
                key = comparable(concept)
                everywhere.add(key)
                own_problem = _problem(concept, key) or (NAME_LOOPS if _loops(concept) else "")
                if own_problem:
                    unusable.append(("concept", concept, own_problem))
                elif not problem:
                    merged.setdefault(topic_key, (name, {}))[1].setdefault(key, concept)
        kept = [
            {"topic": name, "key_concepts": list(concepts.values())[: self.config.max_concepts]}
            for name, concepts in merged.values()
        ]
        return kept[: self.config.max_topics], named, everywhere, unusable


def _problem(name: str, key: str) -> str:
    """Why a name cannot be used; empty where it can."""
    if not key:
        return NAME_EMPTY
    return NAME_TOO_LONG if len(name) >= NAME_CHARACTERS else ""


def _loops(name: str) -> bool:
    words = name.split()
    return len(words) >= _MIN_WORDS_TO_LOOP and len(set(words)) <= len(words) // 2


def _is_topic(topic: Any) -> bool:
    return (
        isinstance(topic, dict)
        and isinstance(topic.get("topic"), str)
        and isinstance(topic.get("key_concepts"), list)
        and all(isinstance(concept, str) for concept in topic["key_concepts"])
    )


def closed_object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
