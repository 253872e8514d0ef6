"""A prompt: a conversation with placeholders, checked when loaded, filled in one pass.

Design: `{{name}}` marks where a value goes; a line `<!-- user -->` or `<!-- assistant -->` starts a turn, so
that a prompt can show worked examples as earlier turns (with one message, a 135M model copied the example
instead of following it). Text is cut at turns and placeholders once, so rendering is a few joins (about eight
microseconds) and inserted text is never looked at again: a document that contains `{{concepts}}` or
a turn line stays as it is. Instructions and examples come first and what differs between rows last, because
engines cache the longest shared prefix: every request of a step then shares all but its document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from factory.engine.api import Message
from factory.errors import ConfigError
from factory.identity import fingerprint

VOCABULARY = "vocabulary"
"""The placeholder that leaves nothing behind where there is nothing to put in."""

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_VOCABULARY = r"\{\{\s*vocabulary\s*\}\}"
_VOCABULARY_BLOCK = re.compile(
    rf"^<vocabulary>[ \t]*\n[ \t]*{_VOCABULARY}[ \t]*\n</vocabulary>[ \t]*(?:\n|\Z)"
    rf"|^[ \t]*{_VOCABULARY}[ \t]*(?:\n|\Z)|{_VOCABULARY}",
    re.MULTILINE,
)
TURN = re.compile(r"^<!--\s*(user|assistant)\s*-->[ \t]*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Prompt:
    """One prompt of a pack: `template` is the file's text, `system` the message before it (left out when
    empty)."""

    name: str
    template: str
    system: str = ""

    @cached_property
    def prompt_id(self) -> str:
        """Hash of template and system message; what lineage records."""
        return fingerprint([self.template, self.system])

    @cached_property
    def placeholders(self) -> frozenset[str]:
        return frozenset(_PLACEHOLDER.findall(self.template))

    @cached_property
    def without_vocabulary(self) -> Prompt:
        """The same prompt for a passage without a term: a block <vocabulary> that held nothing but {{vocabulary}} is
        gone, or the line."""
        return replace(self, template=_VOCABULARY_BLOCK.sub("", self.template).rstrip("\n"))

    def _for(self, values: dict[str, str]) -> Prompt:
        empty = VOCABULARY in self.placeholders and not values.get(VOCABULARY)
        return self.without_vocabulary if empty else self

    @cached_property
    def turns(self) -> tuple[tuple[str, str], ...]:
        """Role and text of every turn; text before the first turn line is the user's."""
        first, *marked = TURN.split(self.template)
        turns = list(zip(marked[::2], (text.strip("\n") for text in marked[1::2]), strict=True))
        if first.strip() or not turns:
            turns.insert(0, ("user", first.strip("\n")))
        return tuple(turns)

    @cached_property
    def _cut(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each turn's role and text: literal at even positions, placeholder names at odd ones."""
        return tuple((role, tuple(_PLACEHOLDER.split(text))) for role, text in self.turns)

    def render(self, **values: str) -> str:
        """The last turn with every placeholder filled: what this one request is about."""
        return _fill(self._for(values)._cut[-1][1], values)

    def messages(self, **values: str) -> tuple[Message, ...]:
        """The whole conversation. Values that it does not use are ignored; a placeholder without a value is a
        KeyError (the loader has checked the names)."""
        turns = tuple([Message(role, _fill(parts, values)) for role, parts in self._for(values)._cut])
        return (Message("system", self.system), *turns) if self.system else turns


def _fill(cut: tuple[str, ...], values: dict[str, str]) -> str:
    parts = list(cut)
    parts[1::2] = [values[name] for name in parts[1::2]]
    return "".join(parts)


def check_prompt(prompt: Prompt, required: frozenset[str], optional: frozenset[str], path: str) -> None:
    """Raises ConfigError when a prompt asks for what nobody provides, lacks what it cannot do without, has
    turns no chat can have, or holds something that looks like a placeholder with a brace too few."""
    known = required | optional
    if unknown := sorted(prompt.placeholders - known):
        raise ConfigError(
            f"{path} uses {_braced(unknown[0])}, which nothing fills in",
            cause="a misspelt placeholder",
            remedy=f"placeholders of this prompt: {', '.join(sorted(known))}",
        )
    if missing := sorted(required - prompt.placeholders):
        raise ConfigError(
            f"{path} lacks {_braced(missing[0])}",
            cause="without it the model is never shown what it should work on",
            remedy=f"put {_braced(missing[0])} into the last turn, so that what comes before is cached once",
        )
    names = "|".join(sorted(known))
    if broken := re.search(rf"\{{\s*(?:{names})\s*\}}", _PLACEHOLDER.sub("", prompt.template)):
        raise ConfigError(
            f"{path} holds {broken.group()!r}, which would reach the model as it stands",
            cause="a placeholder with a brace too few",
            remedy="write two braces on either side, for example {{document}}",
        )
    roles = [role for role, _ in prompt.turns]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise ConfigError(
            f"{path} has the turns {', '.join(roles)}",
            cause="chat models take turns: user, assistant, user, …, and answer a user",
            remedy="let an example be a user's and an assistant's turn, and end with <!-- user -->",
        )
    if _PLACEHOLDER.search(prompt.system):
        raise ConfigError(
            f"the system message beside {path} holds a placeholder",
            cause="system messages are shared by all requests and are not filled in",
            remedy="move it into the prompt itself",
        )


def _braced(name: str) -> str:
    return "{{" + name + "}}"
