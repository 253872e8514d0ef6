"""The template of `--as interleaved`: how a document and the questions about it become one text.

Design: a file of the domain pack (`export/interleaved.md`), of the pack it extends, or of `general`; `--template FILE`
wins over all. Above the line `<!-- pair -->` stands the whole, with {{document}} and {{pairs}}; below it one pair, with
{{question}} and {{answer}}. It does not lie among the pack's prompts, because no model is asked with it. Text that is
put in is never looked at again, as in prompts (domains/prompt.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from factory.domains.config import DomainConfig
from factory.domains.pack import PACKS, base_folder, pack_folder, read_yaml
from factory.errors import ConfigError

NAME = Path("export", "interleaved.md")
_PAIR = re.compile(r"^<!--\s*pair\s*-->[ \t]*\n", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
WHOLE, PAIR = ("document", "pairs"), ("question", "answer")


@dataclass(frozen=True)
class Template:
    """`whole` and `pair`: text at even places, names of placeholders at odd ones."""

    whole: tuple[str, ...]
    pair: tuple[str, ...]

    def render(self, document: str, pairs: list[tuple[str, str]]) -> str:
        told = [_filled(self.pair, {"question": question, "answer": answer}) for question, answer in pairs]
        return _filled(self.whole, {"document": document, "pairs": "\n\n".join(told)})


def _filled(cut: tuple[str, ...], values: dict[str, str]) -> str:
    return "".join(values[piece] if place % 2 else piece for place, piece in enumerate(cut))


def template_of(text: str, where: str = "the template") -> Template:
    """Raises ConfigError naming what is missing, or what nothing fills in."""
    parts = _PAIR.split(text)
    if len(parts) != 2:
        raise ConfigError(
            f"{where} has {len(parts) - 1} lines `<!-- pair -->`, and needs one",
            cause="what stands above it is the whole text, what stands below it one question with its answer",
            remedy=f"take {PACKS / 'general' / NAME} as a model",
        )
    cut = [tuple(_PLACEHOLDER.split(part.strip("\n"))) for part in parts]
    for found, wanted in zip(cut, (WHOLE, PAIR), strict=True):
        named = found[1::2]
        if sorted(named) != sorted(wanted):
            raise ConfigError(
                f"{where} has the placeholders {', '.join(named) or 'none'} where {' and '.join(wanted)} belong",
                cause="one is missing, misspelt or stands twice",
                remedy="write " + " and ".join("{{" + name + "}}" for name in wanted) + ", each once",
            )
    return Template(cut[0], cut[1])


def read_template(path: str | None, domain: DomainConfig) -> str:
    """The text of the template, checked. Raises ConfigError where it cannot be read or is none."""
    place = Path(path).expanduser() if path else _of_pack(domain)
    try:
        text = place.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        raise ConfigError(
            f"the template {place} cannot be read: {error}", remedy="name a file of UTF-8 text with --template"
        ) from None
    template_of(text, str(place))
    return text


def _of_pack(domain: DomainConfig) -> Path:
    folder = pack_folder(domain)
    base = base_folder(folder, read_yaml(folder / "pack.yaml").get("extends"))
    places = [each / NAME for each in (folder, base, PACKS / "general") if each is not None]
    return next((place for place in places if place.exists()), places[-1])
