"""What a model's small files say of it: its chat template, and code that it takes from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from factory.errors import ConfigError


def code_elsewhere(folder: Path) -> str | None:
    """A class that the model in `folder` takes from another repository (`owner/name--module.Class`), or None."""
    for name in ("config.json", "tokenizer_config.json"):
        if (path := folder / name).exists():
            named = str(orjson.loads(path.read_bytes()).get("auto_map", ""))
            if found := re.search(r"[\w./-]+--[\w.]+", named):
                return found.group()
    return None


def chat_template_of(folder: Path) -> str | None:
    """The chat template a tokenizer in `folder` would use, or None. Its own file wins over tokenizer_config. Raises
    ConfigError for a file that cannot be read."""
    for name in ("chat_template.jinja", "chat_template.json", "tokenizer_config.json"):
        path = folder / name
        if not path.exists():
            continue
        try:
            found = path.read_text(encoding="utf-8") if name.endswith(".jinja") else _template_in(path.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path} cannot be read: {error}",
                cause="its download was cut short, or it was edited",
                remedy="download the model again, or put its own files back",
            ) from None
        if found is not None:
            return found
    return None


def _template_in(data: bytes) -> str | None:
    """Raises ValueError for what is no JSON."""
    values = orjson.loads(data)
    found = values.get("chat_template") if isinstance(values, dict) else None
    if isinstance(found, list):  # several named templates: the one called default is applied
        named = [item for item in found if isinstance(item, dict) and item.get("name") == "default"]
        found = named[0].get("template") if named else None
    return found if isinstance(found, str) else None
