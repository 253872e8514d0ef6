"""Valid instances of a JSON schema, written with words of a given text: how the scripted engine fills forms.

Design: a schema is compiled once into nested closures, then each instance costs some tens of microseconds.
Length and item bounds, enums, constants, number ranges, references and unions are obeyed; a keyword that
could make an instance invalid without being understood is refused at compile time, as a real structured
output backend does. Key names steer the wording: a `question` reads like one, a `concept` is a term.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from factory.engine.scripted_tasks import drafted

Make = Callable[["Draw"], Any]

REFUSED_KEYWORDS = frozenset(
    {
        "pattern",
        "format",
        "multipleOf",
        "patternProperties",
        "propertyNames",
        "not",
        "if",
        "contains",
        "dependentSchemas",
    }
)
SUITABLE_KEYS = frozenset({"suitable", "is_suitable"})

_TERM = re.compile(r"[^\W\d_]{4,24}")
_FALLBACK_TERMS = ("sample", "method", "result", "value", "system", "process", "example", "structure")
_COMMON_WORDS = frozenset(
    re.findall(
        r"\w+",
        """that this with from have when then than they them their there these those which while will would could
        should into only also such each other some more most been being were does done what where must very used
        using same about after before between because both over under within without""",
    )
)
WINDOW_CHARACTERS = 1000
"""Characters of source one request looks at: about 80 terms, found in 20 microseconds."""

QUESTION_FORMS = (
    "What is the role of {0} in {1}?",
    "How does {0} change when {1} grows, and why?",
    "Why is {0} needed before {1} can be used with {2}?",
    "Explain how {0} and {1} together determine {2}.",
    "Which condition on {0} guarantees that {1} holds?",
    "Compare {0} with {1}: where do they differ?",
    "Given {0} and {1}, how would you compute {2}?",
    "What happens to {0} if {1} is left out?",
    "Under which assumption does {0} reduce to {1}?",
    "How can {0} be derived from {1} without {2}?",
    "Describe a case in which {0} fails although {1} is correct.",
    "If {0} doubles while {1} stays fixed, what follows for {2}?",
)
STOCK_QUESTIONS = (
    "What is the main idea of the text?",
    "Which example does the author give, and what does it show?",
    "What is the difference between the two methods described in the passage above?",
)
SENTENCE_FORMS = (
    "The {0} follows from the {1} once {2} is known.",
    "First consider {0}, which limits {1}.",
    "Because {0} depends on {1}, the {2} must be checked as well.",
    "This shows that {0} and {1} agree.",
    "Taken together, {0} makes {1} possible.",
    "One can therefore replace {0} by {1}.",
)


@dataclass
class Draw:
    """Randomness and material for one instance. `random` gives floats in [0, 1)."""

    random: Callable[[], float]
    terms: list[str]
    snippet: str = ""
    source: str = ""
    concepts: tuple[tuple[str, ...], ...] = ()
    """Sets to echo: the first list of concepts written repeats the first set, and so on, round and round."""
    echoes: int = 0
    refused: bool = False
    tight: bool = False
    """Write as little as the schema allows: the token budget is small."""
    leaning: float | None = None
    """Where among a choice of numbers (scores) this instance lies, from 0 to 1; None: anywhere."""
    choice: str | None = None
    """What is chosen where it is among the words to choose from; None: any."""
    duplicate_share: float = 0.0
    wrong_echo_share: float = 0.0
    written: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    """Questions so far; an accidental repetition is drawn again, a deliberate duplicate is taken from here."""

    def below(self, count: int) -> int:
        return int(self.random() * count)

    def term(self) -> str:
        return self.terms[int(self.random() * len(self.terms))]

    def phrase(self) -> str:
        """One or two neighbouring terms, as they stand in the text."""
        start = int(self.random() * len(self.terms))
        return " ".join(self.terms[start : start + 1 + (self.random() < 0.5)])

    def window(self, words: int) -> str:
        """So many words of the source in a row, or all it has."""
        found = self.source.split()
        start = self.below(max(1, len(found) - words))
        return " ".join(found[start : start + words]) or self.sentence()

    def option(self) -> str:
        """A few neighbouring terms; sometimes the option before once more, as a careless writer repeats himself."""
        if self.options and self.random() < self.duplicate_share:
            return self.options[-1].upper()
        start = int(self.random() * len(self.terms))
        self.options.append(" ".join((self.terms * 2)[start : start + 3]))
        return self.options[-1]

    def sentence(self) -> str:
        form = SENTENCE_FORMS[int(self.random() * len(SENTENCE_FORMS))]
        return form.format(self.term(), self.term(), self.term())

    def question(self) -> str:
        if self.random() < self.duplicate_share:
            if self.written and self.random() < 0.5:
                near = self.written[-1]
                return near[:-1] + " exactly?" if near.endswith("?") else near
            return STOCK_QUESTIONS[self.below(len(STOCK_QUESTIONS))]
        for _ in range(8):
            form = QUESTION_FORMS[int(self.random() * len(QUESTION_FORMS))]
            text = form.format(self.phrase(), self.phrase(), self.term())
            if text not in self.written:
                break
        self.written.append(text)
        return text


def terms_of(text: str, random: Callable[[], float]) -> list[str]:
    """Terms of one window of `text`, lower-cased, in the order they stand there; never empty."""
    start = int(random() * max(1, len(text) - WINDOW_CHARACTERS))
    words = _TERM.findall(text[start : start + WINDOW_CHARACTERS].lower())
    found = [word for word in words if word not in _COMMON_WORDS]
    return found if len(found) >= 8 else [*found, *_FALLBACK_TERMS]


class UnsupportedSchemaError(ValueError):
    """The schema has a keyword whose instances cannot be guaranteed valid."""


def compile_schema(schema: Mapping[str, Any]) -> Make:
    """A function that writes one instance of `schema` per call. Raises UnsupportedSchemaError."""
    return _Compiler(schema).make(schema, "")


class _Compiler:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._references: dict[str, Make] = {}

    def make(self, schema: Any, key: str) -> Make:
        if schema is True:
            return Draw.sentence
        if not isinstance(schema, Mapping):
            raise UnsupportedSchemaError(f"{key or 'the schema'} is not an object")
        if refused := REFUSED_KEYWORDS & schema.keys():
            raise UnsupportedSchemaError(f"{key or 'the schema'} uses {', '.join(sorted(refused))}")
        if "$ref" in schema:
            return self._reference(schema["$ref"], key)
        if "const" in schema:
            constant = schema["const"]
            return lambda draw: constant
        if "enum" in schema:
            return _choice(list(schema["enum"]))
        for union in ("anyOf", "oneOf"):
            if union in schema:
                makes = [self.make(option, key) for option in schema[union]]
                return lambda draw: makes[draw.below(len(makes))](draw)
        if "allOf" in schema:
            return self.make(_merged(schema), key)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            return self.make({**schema, "type": kind[0]}, key)
        writer = _WRITERS.get(kind)
        if writer is None:
            raise UnsupportedSchemaError(f"{key or 'the schema'} has the unknown type {kind!r}")
        return writer(self, schema, key)

    def _reference(self, name: str, key: str) -> Make:
        if not name.startswith("#/"):
            raise UnsupportedSchemaError(f"the reference {name} leads out of the schema")
        if name not in self._references:
            target: Any = self._root
            for part in name[2:].split("/"):
                target = target[part]
            self._references[name] = lambda draw: self._references[name](draw)
            self._references[name] = self.make(target, key)
        return lambda draw: self._references[name](draw)


def _choice(choices: list[Any]) -> Make:
    scores = all(isinstance(choice, int) and not isinstance(choice, bool) for choice in choices)

    def make(draw: Draw) -> Any:
        if draw.choice is not None and draw.choice in choices:
            return draw.choice
        if not scores or draw.leaning is None:
            return choices[draw.below(len(choices))]
        place = draw.leaning + (draw.random() - 0.5) * LEANING_SPREAD
        return choices[min(len(choices) - 1, max(0, int(place * len(choices))))]

    return make


LEANING_SPREAD = 0.3
"""Of scores that lean one way: three of ten values, so that raters differ a little."""


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        properties = {**merged.get("properties", {}), **part.get("properties", {})}
        merged.update(part)
        if properties:
            merged["properties"] = properties
    return merged


def _object(compiler: _Compiler, schema: Mapping[str, Any], key: str) -> Make:
    makes = [(name, compiler.make(part, name)) for name, part in schema.get("properties", {}).items()]
    if (settle := drafted(frozenset(schema.get("properties", {})))) is not None:
        return lambda draw: settle({name: make(draw) for name, make in makes}, draw)
    return lambda draw: {name: make(draw) for name, make in makes}


def _array(compiler: _Compiler, schema: Mapping[str, Any], key: str) -> Make:
    item = compiler.make(schema.get("items", True), _singular(key))
    low = int(schema.get("minItems", 0))
    high = max(low, int(schema.get("maxItems", low + 4)))
    kind = schema.get("items")
    of_strings = isinstance(kind, Mapping) and kind.get("type") == "string" and not {"enum", "const"} & kind.keys()
    echoes = "concept" in key and of_strings
    unique = bool(schema.get("uniqueItems")) or of_strings

    def make(draw: Draw) -> list[Any]:
        if echoes and draw.concepts:
            return _echo(draw, item, low, high, kind)
        least = low if draw.refused else min(high, max(low, 1))
        count = least if draw.tight or draw.refused else least + draw.below(high - least + 1)
        items: list[Any] = []
        tries = 0
        while len(items) < count:
            value = item(draw)
            tries += 1
            if not unique or value not in items or tries > 8 * count:
                items.append(value)
        return items

    return make


def _echo(draw: Draw, item: Make, low: int, high: int, bounds: Any) -> list[str]:
    """The concepts that the prompt gave, with the deliberate share of wrong ones."""
    shortest, longest = bounds.get("minLength", 0), bounds.get("maxLength", 1 << 30)
    given = draw.concepts[draw.echoes % len(draw.concepts)]
    draw.echoes += 1
    echoed = [concept for concept in given if shortest <= len(concept) <= longest][:high]
    if echoed and draw.random() < draw.wrong_echo_share:
        echoed[0] = item(draw)
    while len(echoed) < low:
        echoed.append(item(draw))
    return echoed


def _string(compiler: _Compiler, schema: Mapping[str, Any], key: str) -> Make:
    low, high = int(schema.get("minLength", 0)), int(schema.get("maxLength", 1 << 30))
    write = _wording(key)

    def make(draw: Draw) -> str:
        text: str = write(draw)
        while len(text) < low:
            text = f"{text} {draw.sentence()}"
        if len(text) > high:
            cut = text[:high].rsplit(" ", 1)[0]
            text = cut if len(cut) >= max(low, 1) else text[:high]
        return text

    return make


def _wording(key: str) -> Make:
    name = key.lower()
    if "question" in name or name in ("problem", "exercise", "query", "request", "instruction", "user"):
        return Draw.question
    if name == "word":
        return Draw.term
    if any(part in name for part in ("concept", "topic", "term", "keyword", "subject", "title", "name", "label")):
        return Draw.phrase
    if "option" in name:
        return Draw.option
    if any(part in name for part in ("quote", "excerpt", "evidence", "passage")):
        return lambda draw: draw.snippet or draw.sentence()
    return Draw.sentence


def _number(compiler: _Compiler, schema: Mapping[str, Any], key: str) -> Make:
    low = float(schema.get("minimum", schema.get("exclusiveMinimum", 0)))
    high = float(schema.get("maximum", schema.get("exclusiveMaximum", low + 10)))
    if schema["type"] == "integer":
        first = int(low) + ("exclusiveMinimum" in schema)
        last = int(high) - ("exclusiveMaximum" in schema)
        return lambda draw: first + draw.below(last - first + 1)
    inner = (low + high) / 2  # exclusive bounds are met by never reaching them
    return lambda draw: inner + (draw.random() - 0.5) * (high - low) * 0.99


def _boolean(compiler: _Compiler, schema: Mapping[str, Any], key: str) -> Make:
    if key in SUITABLE_KEYS:
        return lambda draw: not draw.refused
    return lambda draw: draw.random() < 0.5


def _null(compiler: _Compiler, schema: Mapping[str, Any], key: str) -> Make:
    return lambda draw: None


_WRITERS: dict[str, Callable[[_Compiler, Mapping[str, Any], str], Make]] = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _number,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}


def _singular(key: str) -> str:
    return key[:-1] if key.endswith("s") else key


def has_suitable_key(schema: Mapping[str, Any]) -> bool:
    """Whether a refusal can be expressed: the top level has a `suitable` flag."""
    return bool(SUITABLE_KEYS & schema.get("properties", {}).keys())
