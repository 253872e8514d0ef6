"""A prompt: text with placeholders, checked when loaded, filled in one pass.

Design: `{{name}}` marks where a value goes. The template is cut at its placeholders once, so rendering is
one join (about a microsecond) and inserted text is never looked at again: a document that contains
`{{concepts}}` stays as it is. Instructions come first and the document last, because engines cache the
longest shared prefix (vLLM: blocks of 16 tokens): every request of a step then shares its instructions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from factory.engine.api import Message
from factory.errors import ConfigError
from factory.identity import fingerprint

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


@dataclass(frozen=True)
class Prompt:
    """One prompt of a pack. `template` becomes the user's message, `system` the one before it (left out when
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
    def _cut(self) -> tuple[str, ...]:
        """Literal text at even positions, placeholder names at odd ones."""
        return tuple(_PLACEHOLDER.split(self.template))

    def render(self, **values: str) -> str:
        """The user's message with every placeholder filled. Values that the template does not use are
        ignored; a placeholder without a value is a KeyError (the loader has checked the names)."""
        parts = list(self._cut)
        parts[1::2] = [values[name] for name in parts[1::2]]
        return "".join(parts)

    def messages(self, **values: str) -> tuple[Message, ...]:
        user = Message("user", self.render(**values))
        return (Message("system", self.system), user) if self.system else (user,)


def check_placeholders(prompt: Prompt, required: frozenset[str], optional: frozenset[str], path: str) -> None:
    """Raises ConfigError when a template asks for what nobody provides, lacks what it cannot do without, or
    holds something that looks like a placeholder with a brace too few."""
    known = required | optional
    if unknown := sorted(prompt.placeholders - known):
        raise ConfigError(
            f"{path} uses {{{{{unknown[0]}}}}}, which nothing fills in",
            cause="a misspelt placeholder",
            remedy=f"placeholders of this prompt: {', '.join(sorted(known))}",
        )
    if missing := sorted(required - prompt.placeholders):
        raise ConfigError(
            f"{path} lacks {{{{{missing[0]}}}}}",
            cause="without it the model is never shown what it should work on",
            remedy=f"put {{{{{missing[0]}}}}} where it belongs (the document last: instructions are then cached once)",
        )
    names = "|".join(sorted(known))
    if broken := re.search(rf"\{{\s*(?:{names})\s*\}}", _PLACEHOLDER.sub("", prompt.template)):
        raise ConfigError(
            f"{path} holds {broken.group()!r}, which would reach the model as it stands",
            cause="a placeholder with a brace too few",
            remedy="write two braces on either side, for example {{document}}",
        )
    if _PLACEHOLDER.search(prompt.system):
        raise ConfigError(
            f"the system message beside {path} holds a placeholder",
            cause="system messages are shared by all requests and are not filled in",
            remedy="move it into the prompt itself",
        )
